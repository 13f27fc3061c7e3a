"""MariaDB and MySQL: one set of texts for both, no transactional DDL, named locks.

What only one of them knows stands in a comment that only that one executes: `/*M!100100 … */` is
MariaDB's (https://mariadb.com/kb/en/comment-syntax/), `/*!50700 … */` is MySQL's, because MariaDB
leaves out those between 50700 and 99999. Such comments cannot be nested.
"""

# ruff: noqa: S608  (texts are put together from constants of this module alone)

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from orchestrate.dialects import measures, mysql_remedies, mysql_schema, table_sizes
from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import Copies
from orchestrate.dialects.interface import Kit, Rights, Row
from orchestrate.dialects.locks import Locks
from orchestrate.dialects.measures import Measures
from orchestrate.dialects.mysql_copies import MySQLCopies
from orchestrate.dialects.mysql_locks import COMMITS, MySQLLocks
from orchestrate.dialects.mysql_queries import REREAD
from orchestrate.dialects.mysql_rights import MySQLRights
from orchestrate.dialects.mysql_scratch import SCRATCH
from orchestrate.dialects.mysql_signs import SIGNS
from orchestrate.dialects.networks import MySQLNetwork, Network
from orchestrate.dialects.row_counts import MYSQL, RowCounts
from orchestrate.dialects.scratch import Scratch
from orchestrate.dialects.signs import first_fitting
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.equipment import Driver, Program
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.domain.troubles import Failure, Recognised

if TYPE_CHECKING:
    from orchestrate.dialects.filling import Filling

_IDENTITY: Final = """\
SELECT found.version, found.name,
  IF(found.cluster IS NULL, found.server, NULL), found.cluster,
  IF(found.cluster IS NULL, @@global.hostname, NULL),
  IF(found.cluster IS NULL, @@global.port, NULL),
  IF(found.cluster IS NULL, @@global.datadir, NULL)
FROM (SELECT VERSION() AS version, DATABASE() AS name,
  COALESCE(NULL
    /*!50700 , @@global.server_uuid */
    /*M!100100 , (SELECT GLOBAL_VALUE FROM information_schema.SYSTEM_VARIABLES
      WHERE VARIABLE_NAME = 'SERVER_UID') */) AS server,
  NULLIF(NULLIF(COALESCE(NULL
    /*!50700 , (SELECT VARIABLE_VALUE FROM performance_schema.global_variables
      WHERE VARIABLE_NAME = 'group_replication_group_name') */
    /*M!100100 , (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS
      WHERE VARIABLE_NAME = 'WSREP_CLUSTER_STATE_UUID') */), ''),
    '00000000-0000-0000-0000-000000000000') AS cluster) AS found"""
"""Through tables where a variable may be missing: `@@name` of an unknown one is error 1193, a row
that is not there is a null. What is one member's alone is left out in a cluster: behind a balancer
two connections may reach two members of the one database."""

_COLUMNS: Final = """\
  process.ID, process.USER, process.HOST, COALESCE(NULLIF(process.STATE, ''), process.COMMAND),
  process.TIME, LEFT(process.INFO, 200)"""

# Without it, whoever is connected would be told to be in the way of a statement that takes long.
# Rows are waited for while a statement changes them, and only `INNODB_TRX` tells that.
_WAITS: Final = """\
EXISTS (SELECT 1 FROM information_schema.PROCESSLIST AS waiter WHERE waiter.ID = {pid}
  AND (LEFT(waiter.STATE, 11) = 'Waiting for' OR waiter.STATE IN ('Updating', 'Update')))"""

_BLOCKERS: Final = (
    # Who was granted a metadata lock on what we wait for. MariaDB has these tables too, empty
    # unless its performance schema is switched on.
    f"""\
SELECT DISTINCT {_COLUMNS.strip()}
FROM performance_schema.threads AS waiter
JOIN performance_schema.metadata_locks AS pending
  ON pending.OWNER_THREAD_ID = waiter.THREAD_ID AND pending.LOCK_STATUS = 'PENDING'
JOIN performance_schema.metadata_locks AS granted
  ON granted.OBJECT_TYPE = pending.OBJECT_TYPE AND granted.OBJECT_SCHEMA <=> pending.OBJECT_SCHEMA
  AND granted.OBJECT_NAME <=> pending.OBJECT_NAME AND granted.LOCK_STATUS = 'GRANTED'
  AND granted.OWNER_THREAD_ID <> pending.OWNER_THREAD_ID
JOIN performance_schema.threads AS holder ON holder.THREAD_ID = granted.OWNER_THREAD_ID
JOIN information_schema.PROCESSLIST AS process ON process.ID = holder.PROCESSLIST_ID
WHERE waiter.PROCESSLIST_ID = {{pid}}
ORDER BY 5 DESC, 1 LIMIT 20""",
    # MariaDB with its plugin metadata_lock_info, which knows granted locks only.
    f"""\
SELECT DISTINCT {_COLUMNS.strip()}
FROM information_schema.METADATA_LOCK_INFO AS held
JOIN information_schema.PROCESSLIST AS process ON process.ID = held.THREAD_ID
WHERE held.TABLE_SCHEMA = DATABASE() AND held.THREAD_ID NOT IN ({{pid}}, CONNECTION_ID())
  AND {_WAITS}
ORDER BY 5 DESC, 1 LIMIT 20""",
    # Open transactions in this schema; needs PROCESS.
    f"""\
SELECT {_COLUMNS.strip()}
FROM information_schema.INNODB_TRX AS trx
JOIN information_schema.PROCESSLIST AS process ON process.ID = trx.trx_mysql_thread_id
WHERE process.DB = DATABASE() AND process.ID NOT IN ({{pid}}, CONNECTION_ID())
  AND {_WAITS}
ORDER BY 5 DESC, 1 LIMIT 20""",
    # Whoever is connected to this schema, as far as we may see: suspects, not proven blockers.
    f"""\
SELECT {_COLUMNS.strip()}
FROM information_schema.PROCESSLIST AS process
WHERE process.DB = DATABASE() AND process.ID NOT IN ({{pid}}, CONNECTION_ID())
  AND {_WAITS}
ORDER BY 5 DESC, 1 LIMIT 20""",
)
_TABLES: Final = """\
SELECT NULL, TABLE_NAME FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY TABLE_NAME"""


def _timeouts(lock_timeout: float | None, statement_timeout: float | None) -> tuple[str, ...]:
    """Return the statements that set timeouts.

    Locks wait in whole seconds, at least one. MySQL ends only `SELECT`s by `max_execution_time`, so
    that there a slow `ALTER TABLE` is never cut; MariaDB ends any statement.
    """
    statements: list[str] = []
    if lock_timeout is not None:
        seconds = max(1, math.ceil(lock_timeout))
        statements.append(
            f"SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}"
        )
    if statement_timeout is not None:
        # `lock_wait_timeout` set to itself is what neither server minds, and makes a statement.
        statements.append(
            "SET SESSION lock_wait_timeout = @@session.lock_wait_timeout"
            f" /*M!100101 , max_statement_time = {max(0.001, statement_timeout):.3f} */"
            f" /*!50708 , max_execution_time = {max(1, round(statement_timeout * 1000))} */"
        )
    return tuple(statements)


class MySQL:
    """What a dialect answers, for MariaDB 10.2 and MySQL 5.7 and later."""

    name = "mysql"
    title = "MariaDB or MySQL"
    grammar = "mysql"
    transactional_ddl = False
    cannot: tuple[str, ...] = ()
    drivers: tuple[Driver, ...] = (
        Driver(name="pymysql", module="pymysql"),
        Driver(name="mysqldb", module="MySQLdb"),
        Driver(name="aiomysql", module="aiomysql", for_asyncio=True, for_plain_calls=False),
        Driver(name="asyncmy", module="asyncmy", for_asyncio=True, for_plain_calls=False),
        Driver(name="mysqlconnector", module="mysql.connector"),
        Driver(name="mariadbconnector", module="mariadb"),
    )
    # Of `mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB`, `mariadb-dump from 11.4.2-MariaDB, …` and
    # `mysqldump  Ver 8.0.36 for Linux`, the number that is comparable with the server's.
    programs: tuple[Program, ...] = tuple(
        Program(names=names, version=r"(?:Distrib|from|Ver(?!.*Distrib)) ([\d.]+)", parts=2)
        for names in (("mariadb-dump", "mysqldump"), ("mariadb", "mysql"))
    )
    rights: Rights | None = MySQLRights()
    scratch: Scratch | None = SCRATCH
    copies: Copies | None = MySQLCopies()
    row_counts: RowCounts | None = MYSQL
    locks: Locks | None = MySQLLocks()
    known_sizes: str | None = table_sizes.MYSQL
    table_sizes: str | None = table_sizes.MYSQL
    measures: Measures | None = measures.MYSQL
    network: Network | None = MySQLNetwork()

    @property
    def filling(self) -> Filling | None:
        """Return how tables are filled with generated rows."""
        from orchestrate.dialects.mysql_filling import FILLING  # noqa: PLC0415  (for rehearsals alone)

        return FILLING

    def kit(self, *, lock_timeout: float | None, statement_timeout: float | None) -> Kit:
        """Return the SQL the agent needs."""
        return Kit(
            identity=_IDENTITY,
            server_version="SELECT VERSION()",
            session="SELECT CONNECTION_ID()",
            default_schema="SELECT DATABASE()",
            # The session's, not the transaction's: every DDL statement ends a transaction here.
            read_only=("SET SESSION TRANSACTION READ ONLY",),
            passing_timeouts=(),
            timeouts=_timeouts(lock_timeout, statement_timeout),
            tables=_TABLES,
            snapshot=mysql_schema.QUERIES,
            lock_kind="sql",
            # A name has at most 64 characters and is the whole server's. The answer is null on an
            # error inside the server.
            try_lock="SELECT COALESCE(GET_LOCK('orchestrate-{key}', 0), 0)",
            release_lock="SELECT COALESCE(RELEASE_LOCK('orchestrate-{key}'), 0)",
            keep_lock=("SET SESSION wait_timeout = 31536000",),
            commits=COMMITS,
            frozen=(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ),
            cancel="KILL QUERY {pid}",
            blockers=_BLOCKERS,
            enum_types=None,
            reread=REREAD,
        )

    def identity(self, rows: Sequence[Row]) -> str:
        """Return `mysql server=8a94f357-… schema=app`, from the best the server has.

        MySQL keeps a UUID in its data folder. MariaDB has `server_uid` since 10.5.26, 10.6.19,
        10.11.9 and 11.4.3, a hash of port and network card, so that the data folder is added;
        before that, host name and port have to do. A cluster (Galera, Group Replication) is one
        database on several servers and goes by its own identifier. A schema that is dropped and
        created again is not told apart: neither server numbers its schemas.
        """
        version, schema, server, cluster, host, port, folder = (
            None if value is None else text(value) for value in rows[0]
        )
        mariadb = "mariadb" in (version or "").lower()
        if cluster:
            proof = f"cluster={cluster}"
        elif server and not mariadb:
            proof = f"server={server}"
        else:
            proof = f"server={server or f'{host}:{port}'} folder={folder}"
        return f"{'mariadb' if mariadb else 'mysql'} {proof} schema={schema or '-'}"

    def server_version(self, rows: Sequence[Row]) -> str:
        """Return `MariaDB 10.11.19` or `MySQL 8.0.36`, without the packager's words."""
        version = text(rows[0][0])
        product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        # Behind a replication compatible prefix (`5.5.5-10.6.12-MariaDB`) stands the real version.
        number = re.search(r"[\d.]+(?=-MariaDB)|[\d.]+", version, re.IGNORECASE)
        return f"{product} {number[0] if number else version}"

    def snapshot(self, rows: SchemaRows, *, version_table: str) -> Snapshot:
        """Return the canonical schema without the version table."""
        return mysql_schema.parse(rows, version_table=version_table)

    def recognise(self, failure: Failure) -> Recognised | None:
        """Return which known trouble an error is, or None if it is not known."""
        return first_fitting(SIGNS, failure)

    def invalid_objects(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return nothing: what is there is usable; hidden indexes and checks were meant to be."""
        del snapshot
        return {}

    def remedy(self, difference: DriftDifference) -> str | None:
        """Return SQL that brings back what is expected without losing data, or None."""
        return mysql_remedies.remedy(difference)
