"""PostgreSQL's table locks, and which forms of `ALTER TABLE` read or write the whole table.

https://www.postgresql.org/docs/current/explicit-locking.html and the notes of
https://www.postgresql.org/docs/current/sql-altertable.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrate.dialects.locks import (
    RetypingOf,
    added_column,
    added_constraint,
    default_of,
    functions_in,
    must_be_filled,
    referenced,
)
from orchestrate.domain.locks import Effect, Retyping, at_least
from orchestrate.domain.revision_source import TypeText
from orchestrate.domain.statements import Statement, Table, Words, keywords

_EXCLUSIVE: Final = "ACCESS EXCLUSIVE"
_EVERYBODY: Final = "reads and writes"
_STEADY: Final = keywords(
    "NOW TIMEZONE TO_TIMESTAMP TO_DATE TO_CHAR LOWER UPPER COALESCE CONCAT DATE_TRUNC CAST ARRAY"
    " JSONB_BUILD_OBJECT JSON_BUILD_OBJECT JSONB_BUILD_ARRAY TO_JSON TO_JSONB MAKE_DATE INTERVAL"
    " MAKE_INTERVAL STATEMENT_TIMESTAMP TRANSACTION_TIMESTAMP CURRENT_SETTING NULLIF GREATEST LEAST"
    " LENGTH ABS ROUND CURRENT_TIMESTAMP LOCALTIMESTAMP DECIMAL NUMERIC VARCHAR"
)
"""Functions that are no reason to write a table anew: one value serves all rows."""
_TEXTS: Final = frozenset({"String", "VARCHAR", "Unicode", "Text", "TEXT", "UnicodeText"})
_EXACT: Final = frozenset({"Numeric", "NUMERIC", "DECIMAL"})
_NEW_DEFAULTS: Final = 11
"""Since this version a constant default is kept beside the table."""
_ENUM_VALUES: Final = 12
"""Since this version a value can be added to an enum inside a transaction."""


class PostgreSQLLocks:
    """What a server does while a statement runs, for PostgreSQL."""

    def effects(
        self, statement: Statement, retyping: RetypingOf, *, version: str | None
    ) -> tuple[Effect, ...]:
        """Return what keeps others out for as long as the table is large."""
        table = statement.table
        if statement.is_a("ALTER", "TABLE") and table is not None:
            return tuple(
                effect
                for action in statement.actions
                for effect in _altered(table, action, retyping, version)
            )
        if statement.is_a("CREATE", "INDEX") and table is not None:
            return () if "CONCURRENTLY" in statement.modifiers else (_index(table),)
        return tuple(_maintenance(statement))

    def needs_autocommit(self, statement: Statement, *, version: str | None) -> bool:
        """Return whether the server refuses the statement inside a transaction."""
        words = statement.words
        if statement.verb in {"CREATE", "DROP"} and statement.kind in {"DATABASE", "TABLESPACE"}:
            return True
        if statement.is_a("ALTER", "TYPE") and words.has("ADD", "VALUE"):
            return not at_least(version, _ENUM_VALUES)
        if statement.is_a("ALTER", "SYSTEM") or statement.verb == "VACUUM":
            return True
        # A materialised view is refreshed concurrently inside a transaction as well.
        concurrent = "CONCURRENTLY" in words.keys and statement.verb != "REFRESH"
        return concurrent and statement.verb in {"CREATE", "DROP", "REINDEX", "ALTER"}

    def batched(self, table: Table) -> Effect | None:
        """Return None: batch mode alters in place here, and its SQL shows how."""
        del table
        return None


def _index(table: Table) -> Effect:
    return Effect(
        code="blocks-writes",
        table=table,
        lock="SHARE",
        keeps_out="writes",
        meanwhile="while the index is built",
        hint="`postgresql_concurrently=True` in an `autocommit_block()` of a revision of its own",
    )


def _maintenance(statement: Statement) -> Iterator[Effect]:
    """Return what commands do that are no change of a definition."""
    words = statement.words
    at = {"REINDEX": 2, "CLUSTER": 1}.get(statement.verb)
    if statement.verb == "VACUUM" and words.has("FULL"):
        at = next((n + 1 for n, key in enumerate(words.keys) if key in {"FULL", ")"}), None)
    if at is None or at >= len(words) or "CONCURRENTLY" in words.keys:
        return
    yield Effect(
        code="rewrites-table",
        table=(None, words.texts[at]),
        lock="SHARE" if statement.verb == "REINDEX" else _EXCLUSIVE,
        keeps_out="writes" if statement.verb == "REINDEX" else _EVERYBODY,
        meanwhile="while its indexes are built" if statement.verb == "REINDEX" else "rewritten",
        hint="`REINDEX … CONCURRENTLY`; pg_repack for what writes tables anew",
    )


def _altered(
    table: Table, action: Words, retyping: RetypingOf, version: str | None
) -> Iterator[Effect]:
    column, constraint = added_column(action), added_constraint(action)
    if column is not None:
        yield from _added(table, column, version)
    elif constraint is not None:
        yield from _constrained(table, constraint)
    elif action.begins("ALTER"):
        yield from _column_altered(table, action, retyping)
    elif action.begins("SET") and action.has_any({"TABLESPACE", "LOGGED", "UNLOGGED", "METHOD"}):
        yield _rewritten(table, "Do it while nobody needs the table, or with pg_repack")
    elif action.begins("ATTACH", "PARTITION"):
        yield Effect(
            code="checks-table",
            table=table,
            lock="SHARE UPDATE EXCLUSIVE",
            keeps_out="other changes of its definition",
            meanwhile="the new partition read in full, under ACCESS EXCLUSIVE of its own",
            hint="Add a CHECK constraint that says what the partition holds first, "
            "`NOT VALID` and then validated",
        )


def _added(table: Table, column: Words, version: str | None) -> Iterator[Effect]:
    default = default_of(column)
    moving = default is not None and any(one not in _STEADY for one in functions_in(default))
    made = column.has_any({"SERIAL", "BIGSERIAL", "SMALLSERIAL", "STORED", "IDENTITY"})
    if moving or made or (default is not None and not at_least(version, _NEW_DEFAULTS)):
        yield _rewritten(
            table,
            "Add the column without it, set the default for new rows, and fill the old rows in "
            "batches",
        )
    if must_be_filled(column):
        yield required(table)


def required(table: Table) -> Effect:
    """Return that a column is added which the rows that are there do not fill."""
    return Effect(
        code="required-column",
        table=table,
        lock="",
        keeps_out="",
        meanwhile="",
        hint="Give it a `server_default`, or add it nullable, fill it, and then set NOT NULL",
    )


def _constrained(table: Table, constraint: Words) -> Iterator[Effect]:
    if constraint.has("NOT", "VALID") or constraint.has("USING", "INDEX"):
        return
    if constraint.begins("FOREIGN"):
        yield Effect(
            code="checks-table",
            table=table,
            beside=referenced(constraint),
            lock="SHARE ROW EXCLUSIVE",
            keeps_out="writes",
            meanwhile="read in full",
            hint="`postgresql_not_valid=True`, and `VALIDATE CONSTRAINT` in a later revision",
        )
    elif constraint.begins("CHECK"):
        yield Effect(
            code="checks-table",
            table=table,
            lock=_EXCLUSIVE,
            keeps_out=_EVERYBODY,
            meanwhile="read in full",
            hint="`postgresql_not_valid=True`, and `VALIDATE CONSTRAINT` in a later revision",
        )
    else:
        yield Effect(
            code="checks-table",
            table=table,
            lock=_EXCLUSIVE,
            keeps_out=_EVERYBODY,
            meanwhile="while its index is built",
            hint="Build the unique index concurrently first, then `ADD CONSTRAINT … USING INDEX`",
        )


def _column_altered(table: Table, action: Words, retyping: RetypingOf) -> Iterator[Effect]:
    at = 2 if action.keys[1:2] == ("COLUMN",) else 1
    rest = action.cut(at + 1)
    if rest.begins("SET", "NOT", "NULL"):
        yield Effect(
            code="checks-table",
            table=table,
            lock=_EXCLUSIVE,
            keeps_out=_EVERYBODY,
            meanwhile="read in full",
            hint="Add `CHECK (… IS NOT NULL) NOT VALID`, validate it in a later revision, then "
            "set NOT NULL: a validated check spares the reading (PostgreSQL 12)",
        )
    elif rest.begins("TYPE") or rest.begins("SET", "DATA", "TYPE"):
        known = retyping(action.texts[at]) if at < len(action) else Retyping()
        if rest.has("USING") or _is_written_anew(known, rest):
            yield _rewritten(
                table, "Add a column of the new type, fill it in batches, then change over"
            )


def _is_written_anew(known: Retyping, rest: Words) -> bool:
    """Return whether values have to be converted, as far as anybody says what they were."""
    if known.before is not None and known.after is not None:
        return not _holds_as_it_is(known.before, known.after)
    target = rest.keys[1] if rest.begins("TYPE") else rest.keys[3] if len(rest) > 3 else ""  # noqa: PLR2004
    # Texts are seldom anything else before, and become longer without being touched.
    return not (target == "TEXT" or (target in {"VARCHAR", "CHARACTER"} and "(" not in rest.keys))


def _holds_as_it_is(before: TypeText, after: TypeText) -> bool:
    if before == after:
        return True
    if before.name in _TEXTS and after.name in _TEXTS:
        if not after.arguments:
            return True
        return bool(before.arguments) and before.arguments[0] <= after.arguments[0]
    if before.name in _EXACT and after.name in _EXACT:
        if not after.arguments:
            return True
        same_scale = before.arguments[1:2] == after.arguments[1:2]
        return bool(before.arguments) and same_scale and before.arguments <= after.arguments
    return False


def _rewritten(table: Table, hint: str) -> Effect:
    return Effect(
        code="rewrites-table",
        table=table,
        lock=_EXCLUSIVE,
        keeps_out=_EVERYBODY,
        meanwhile="rewritten",
        hint=hint,
    )
