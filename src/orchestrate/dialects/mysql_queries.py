"""MariaDB's and MySQL's snapshot queries: what information_schema knows of the current schema.

No column that changes with the data is read (`AUTO_INCREMENT`, row counts, cardinalities), nor
definers, who differ between environments. Each view is asked for one schema by an equality, which
both servers need in order not to open every table of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_SCHEMA: Final = """\
SELECT DATABASE(), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME
FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()"""

_TABLES: Final = """\
SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION, CREATE_OPTIONS, TABLE_COMMENT
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"""

_COLUMNS: Final = """\
SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, IS_NULLABLE, COLUMN_DEFAULT, EXTRA,
  GENERATION_EXPRESSION, COLUMN_COMMENT, COALESCE(NULL /*!80003 , SRS_ID */)
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
ORDER BY TABLE_NAME, ORDINAL_POSITION"""

_INDEXES: Final = """\
SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART, COLLATION, INDEX_TYPE,
  INDEX_COMMENT,
  COALESCE(NULL /*!80013 , EXPRESSION */),
  COALESCE(NULL /*!80000 , IF(IS_VISIBLE = 'NO', 'INVISIBLE', NULL) */
    /*M!100600 , IF(IGNORED = 'YES', 'IGNORED', NULL) */)
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"""

_FOREIGN_KEYS: Final = """\
SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, NULLIF(REFERENCED_TABLE_SCHEMA, DATABASE()),
  REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"""

_RULES: Final = """\
SELECT TABLE_NAME, CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE
FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()"""

# MySQL before 8.0.16 has no checks; MariaDB tells the table, MySQL has to be asked for it.
_CHECKS: Final = """\
SELECT '' AS a, '' AS b, '' AS c, '' AS d FROM DUAL WHERE 1 = 0
/*M!100222 UNION ALL SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, NULL
  FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() */
/*!80016 UNION ALL SELECT bound.TABLE_NAME, clause.CONSTRAINT_NAME, clause.CHECK_CLAUSE,
    bound.ENFORCED
  FROM information_schema.CHECK_CONSTRAINTS AS clause
  JOIN information_schema.TABLE_CONSTRAINTS AS bound
    ON bound.CONSTRAINT_SCHEMA = clause.CONSTRAINT_SCHEMA
    AND bound.CONSTRAINT_NAME = clause.CONSTRAINT_NAME AND bound.CONSTRAINT_TYPE = 'CHECK'
  WHERE clause.CONSTRAINT_SCHEMA = DATABASE() */"""

_PARTITIONS: Final = """\
SELECT TABLE_NAME, PARTITION_NAME, SUBPARTITION_NAME, PARTITION_METHOD, PARTITION_EXPRESSION,
  SUBPARTITION_METHOD, SUBPARTITION_EXPRESSION, PARTITION_DESCRIPTION, PARTITION_COMMENT
FROM information_schema.PARTITIONS
WHERE TABLE_SCHEMA = DATABASE() AND PARTITION_NAME IS NOT NULL
ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION"""

_VIEWS: Final = """\
SELECT TABLE_NAME, VIEW_DEFINITION, CHECK_OPTION, SECURITY_TYPE,
  COALESCE(NULL /*M!100100 , ALGORITHM */)
FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()"""

_ROUTINES: Final = """\
SELECT ROUTINE_TYPE, ROUTINE_NAME, DTD_IDENTIFIER, ROUTINE_DEFINITION, IS_DETERMINISTIC,
  SQL_DATA_ACCESS, SECURITY_TYPE, ROUTINE_COMMENT
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()"""

_PARAMETERS: Final = """\
SELECT ROUTINE_TYPE, SPECIFIC_NAME, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER
FROM information_schema.PARAMETERS
WHERE SPECIFIC_SCHEMA = DATABASE() AND ORDINAL_POSITION > 0
ORDER BY ROUTINE_TYPE, SPECIFIC_NAME, ORDINAL_POSITION"""

_TRIGGERS: Final = """\
SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER,
  ACTION_STATEMENT
FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"""

_EVENTS: Final = """\
SELECT EVENT_NAME, EVENT_TYPE, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, STARTS, ENDS, STATUS,
  ON_COMPLETION, EVENT_COMMENT, EVENT_DEFINITION
FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"""

# Before MariaDB 11.5 a sequence's options stand in the sequence itself, a table each.
_SEQUENCES: Final = """\
SELECT '' AS a, '' AS b, 0 AS c, 0 AS d, 0 AS e, 0 AS f, 0 AS g FROM DUAL WHERE 1 = 0
/*M!110500 UNION ALL SELECT SEQUENCE_NAME, DATA_TYPE, START_VALUE, INCREMENT, MINIMUM_VALUE,
    MAXIMUM_VALUE, CYCLE_OPTION
  FROM information_schema.SEQUENCES WHERE SEQUENCE_SCHEMA = DATABASE() */"""

# What this account may see of a schema hangs on its rights: without them there are no rows.
_GRANTEES: Final = """\
SELECT CONCAT(CHAR(39), REPLACE(CURRENT_USER(), '@', CONCAT(CHAR(39), '@', CHAR(39))), CHAR(39))
  /*M!100005 UNION ALL SELECT CONCAT(CHAR(39), ROLE_NAME, CHAR(39), '@', CHAR(39), CHAR(39))
  FROM information_schema.ENABLED_ROLES WHERE ROLE_NAME IS NOT NULL */
  /*!80019 UNION ALL SELECT CONCAT(CHAR(39), ROLE_NAME, CHAR(39), '@', CHAR(39), ROLE_HOST,
  CHAR(39)) FROM information_schema.ENABLED_ROLES WHERE ROLE_NAME IS NOT NULL */"""

_RIGHTS: Final = f"""\
SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE IN ({_GRANTEES})
UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES
WHERE GRANTEE IN ({_GRANTEES}) AND DATABASE() LIKE TABLE_SCHEMA"""  # noqa: S608  (constants)

QUERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "schema": _SCHEMA,
        "tables": _TABLES,
        "columns": _COLUMNS,
        "indexes": _INDEXES,
        "foreign_keys": _FOREIGN_KEYS,
        "rules": _RULES,
        "checks": _CHECKS,
        "partitions": _PARTITIONS,
        "views": _VIEWS,
        "routines": _ROUTINES,
        "parameters": _PARAMETERS,
        "triggers": _TRIGGERS,
        "events": _EVENTS,
        "sequences": _SEQUENCES,
        "rights": _RIGHTS,
    }
)


def _of_some(query: str, column: str = "TABLE_NAME") -> str:
    """Return a query for some tables alone: the others are not even opened."""
    return query.replace("= DATABASE()", f"= DATABASE() AND {column} IN ({{tables}})")


_STATEMENT: Final = r"(?is)\s*(?:%s)\b[^;]*;?\s*\Z"
REREAD: Final[Mapping[str, Any]] = MappingProxyType(
    {
        # By the second: two changes within one are told apart by the statements.
        "dates": (
            "SELECT TABLE_NAME, CREATE_TIME FROM information_schema.TABLES"
            " WHERE TABLE_SCHEMA = DATABASE()"
        ),
        "queries": {
            "tables": _of_some(_TABLES),
            "columns": _of_some(_COLUMNS),
            "indexes": _of_some(_INDEXES),
            "foreign_keys": _of_some(_FOREIGN_KEYS),
            "rules": _of_some(_RULES),
            "checks": _of_some(_CHECKS),
            "partitions": _of_some(_PARTITIONS),
            "triggers": _of_some(_TRIGGERS, "EVENT_OBJECT_TABLE"),
        },
        # MariaDB's `SET STATEMENT … FOR` may be followed by anything.
        "harmless": _STATEMENT
        % r"select|insert|update|delete|replace|show|describe|explain|set(?!\s+statement\b)"
        r"|savepoint|release|commit|rollback|begin|start|with",
        "tables": _STATEMENT % r"create\s+(?:or\s+replace\s+)?(?:temporary\s+)?table"
        r"|create\s+(?:or\s+replace\s+)?(?:(?:unique|fulltext|spatial)\s+)?index"
        r"|alter\s+(?:online\s+)?(?:ignore\s+)?table|drop\s+(?:temporary\s+)?(?:table|index)"
        r"|rename\s+tables?",
        "references": ["foreign_keys", 4],
    }
)
