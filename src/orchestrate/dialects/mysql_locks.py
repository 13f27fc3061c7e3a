"""Which changes MariaDB and MySQL carry out at once, in place, or by a copy that keeps writers out.

https://dev.mysql.com/doc/refman/8.0/en/innodb-online-ddl-operations.html and
https://mariadb.com/kb/en/innodb-online-ddl-overview/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestrate.dialects.locks import (
    RetypingOf,
    added_column,
    added_constraint,
    default_of,
    referenced,
)
from orchestrate.domain.locks import Effect, Retyping, at_least
from orchestrate.domain.revision_source import TypeText
from orchestrate.domain.statements import Statement, Table, Words

_TEXTS: Final = frozenset({"String", "VARCHAR", "Unicode"})
_ONE_BYTE: Final = 63
"""So many characters of utf8mb4 have a length of one byte; longer ones have two."""
_ONLINE: Final = (5, 6)
"""Before this version every change copies the table."""
_CHECKED: Final = "foreign_key_checks"

# https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
COMMITS: Final = (
    r"\s*(?:/\*.*?\*/\s*)*"
    r"(?:(?:create|drop)\b(?!\s+temporary\b)"
    r"|(?:alter|rename|truncate|grant|revoke|analyze|optimize|repair|check|cache|flush|lock|unlock"
    r"|load\s+index|begin|start|install|uninstall|set\s+password|set\s+\S*autocommit)\b)"
)
"""What a statement begins with that ends the transaction before it runs, in any case."""
_COMMITS: Final = re.compile(COMMITS, re.IGNORECASE)


class MySQLLocks:
    """What a server does while a statement runs, for MariaDB and MySQL with InnoDB."""

    def effects(
        self, statement: Statement, retyping: RetypingOf, *, version: str | None
    ) -> tuple[Effect, ...]:
        """Return what keeps others out for as long as the table is large."""
        table = statement.table
        if table is None:
            return ()
        if statement.is_a("CREATE", "INDEX"):
            special = {"FULLTEXT", "SPATIAL"}.intersection(statement.modifiers)
            return (_index(table, special.pop()),) if special else ()
        if not statement.is_a("ALTER", "TABLE") or _is_promised(statement.words):
            return ()
        return tuple(
            effect
            for action in statement.actions
            for effect in _altered(table, action, retyping, version)
        )

    def needs_autocommit(self, statement: Statement, *, version: str | None) -> bool:
        """Return nothing but False: every change ends the transaction by itself."""
        del statement, version
        return False

    def commits(self, statement: Statement) -> bool:
        """Return whether the server commits what was done before it runs the statement."""
        return _COMMITS.match(str(statement.words)) is not None

    def batched(self, table: Table) -> Effect | None:
        """Return None: batch mode alters in place here, and its SQL shows how."""
        del table
        return None


def _is_promised(words: Words) -> bool:
    """Return whether the statement itself says that nobody has to wait, or the server refuses."""
    return words.has("ALGORITHM", "=", "INSTANT") or words.has("LOCK", "=", "NONE")


def _index(table: Table, kind: str) -> Effect:
    return Effect(
        code="blocks-writes",
        table=table,
        lock="LOCK=SHARED",
        keeps_out="writes",
        meanwhile=f"while the {kind} index is built",
        hint="Build it at a quiet time, or with an online-DDL tool (gh-ost, pt-online-schema-"
        "change)",
    )


def _altered(
    table: Table, action: Words, retyping: RetypingOf, version: str | None
) -> Iterator[Effect]:
    column, constraint = added_column(action), added_constraint(action)
    if not at_least(version, *_ONLINE):
        yield _copied(table)
    elif column is not None:
        if column.has_any({"STORED", "PERSISTENT", "AUTO_INCREMENT"}):
            yield _copied(table)
        elif column.has("NOT", "NULL") and default_of(column) is None and _is_dated(column):
            yield _required(table)
    elif constraint is not None:
        if constraint.begins("FOREIGN") or constraint.begins("CHECK"):
            yield _copied(table, beside=referenced(constraint))
    elif action.begins("ADD", "FULLTEXT") or action.begins("ADD", "SPATIAL"):
        yield _index(table, action.keys[1])
    elif action.begins("MODIFY") or action.begins("CHANGE"):
        if not _stays(_retyped(action, retyping)):
            yield _copied(table)
    elif action.begins("DROP", "PRIMARY") or action.begins("CONVERT"):
        yield _copied(table)


def _is_dated(column: Words) -> bool:
    """Return whether the rows that are there would get a zero date, which strict mode refuses."""
    return column.has_any({"DATE", "DATETIME"})


def _required(table: Table) -> Effect:
    return Effect(
        code="required-column",
        table=table,
        lock="",
        keeps_out="",
        meanwhile="",
        hint="Give it a `server_default`, or add it nullable, fill it, and then set NOT NULL",
    )


def _retyped(action: Words, retyping: RetypingOf) -> Retyping:
    at = 2 if action.keys[1:2] == ("COLUMN",) else 1
    return retyping(action.texts[at]) if at < len(action) else Retyping()


def _stays(known: Retyping) -> bool:
    """Return whether values keep their form, as far as the revision says what they were."""
    before, after = known.before, known.after or known.before
    if before is None or after is None:
        return False
    return before == after or _becomes_longer(before, after)


def _becomes_longer(before: TypeText, after: TypeText) -> bool:
    if before.name not in _TEXTS or after.name not in _TEXTS:
        return False
    if not before.arguments or not after.arguments or after.arguments[0] < before.arguments[0]:
        return False
    # The length is kept in one byte or in two, and going from one to the other takes a copy.
    return (before.arguments[0] > _ONE_BYTE) == (after.arguments[0] > _ONE_BYTE)


def _copied(table: Table, *, beside: Table | None = None) -> Effect:
    wait = "a quiet time, or an online-DDL tool (gh-ost, pt-online-schema-change)"
    unchecked = f"With `SET {_CHECKED} = 0` it is added in place, and unchecked; else "
    return Effect(
        code="rewrites-table",
        table=table,
        beside=beside,
        lock="ALGORITHM=COPY, LOCK=SHARED",
        keeps_out="writes",
        meanwhile="copied",
        hint=f"{unchecked}{wait}" if beside else f"Choose {wait}",
    )
