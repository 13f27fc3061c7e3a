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
_BARE: Final = keywords("FULL FREEZE VERBOSE ANALYZE ANALYSE")
"""Switches that stand without brackets."""
_OFF: Final = frozenset({"FALSE", "OFF", "0"})
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

    def commits(self, statement: Statement) -> bool:
        """Return nothing but False: changes are part of the transaction."""
        del statement
        return False

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
    if statement.verb not in {"VACUUM", "REINDEX", "CLUSTER"}:
        return
    switched_on, rest = _switches(statement.words.cut(1))
    indexes = statement.verb == "REINDEX"
    if indexes:
        rest = rest.cut(1)  # `TABLE`, `INDEX`, …
    if "CONCURRENTLY" in switched_on or rest.begins("CONCURRENTLY"):
        return
    if statement.verb == "VACUUM" and "FULL" not in switched_on:
        return
    at = rest.find("ON")  # `CLUSTER index ON table`, as it was once written
    for table in _tables(rest.cut(0 if at is None else at + 1)):
        yield Effect(
            code="rewrites-table",
            table=table,
            lock="SHARE" if indexes else _EXCLUSIVE,
            keeps_out="writes" if indexes else _EVERYBODY,
            meanwhile="while its indexes are built" if indexes else "rewritten",
            hint="`REINDEX … CONCURRENTLY`; pg_repack for what writes tables anew",
        )


def _switches(words: Words) -> tuple[frozenset[str], Words]:
    """Return what is switched on, in brackets or by bare words, and what follows."""
    if not words.begins("("):
        count = next((n for n, key in enumerate(words.keys) if key not in _BARE), len(words))
        return frozenset(words.keys[:count]), words.cut(count)
    end = words.find(")")
    if end is None:
        return frozenset(), words.cut(len(words))
    found, start = set(), 1
    for at in range(1, end + 1):
        if words.keys[at] in {",", ")"}:
            option = words.cut(start, at)
            if len(option) and _OFF.isdisjoint(text.upper() for text in option.texts[1:]):
                found.add(option.keys[0])
            start = at + 1
    return frozenset(found), words.cut(end + 1)


def _tables(words: Words) -> Iterator[Table]:
    """Return the tables of a list, whose columns may stand in brackets."""
    at = 0
    while at < len(words):
        qualified = words.keys[at + 1 : at + 2] == (".",) and at + 2 < len(words)
        yield (words.texts[at], words.texts[at + 2]) if qualified else (None, words.texts[at])
        at += 3 if qualified else 1
        if words.keys[at : at + 1] == ("(",):
            at += (words.cut(at).find(")") or len(words)) + 1
        if words.keys[at : at + 1] != (",",):
            return
        at += 1


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
    target = next(iter(rest.cut(1 if rest.begins("TYPE") else 3).keys), "")
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
