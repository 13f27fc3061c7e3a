"""From SQL back to a revision's text, and from the text to SQL where there is none. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from orchestrate.domain.revision_source import OperationCall, RevisionSource
from orchestrate.domain.statements import Statement, keywords
from orchestrate.planning.losses import Loss
from orchestrate.planning.statements import read_statements

_NAMES: Final = re.compile(r"\w+")


def statement_line(source: RevisionSource, statement: Statement) -> int:
    """Return the line of the call that a statement comes from, else that of `upgrade()`."""
    words = {*statement.words.texts, statement.name, *(table[1] for table in statement.tables)}
    return _best_line(source, words - {""}, tables={table[1] for table in statement.tables})


def loss_line(source: RevisionSource, loss: Loss) -> int:
    """Return the line of the call that loses something."""
    words = {loss.table[1], loss.what.rpartition(".")[2]}
    return _best_line(source, words, tables={loss.table[1]}, prefer=("drop_table", "drop_column"))


def _best_line(
    source: RevisionSource,
    words: set[str],
    *,
    tables: set[str],
    prefer: Sequence[str] = (),
) -> int:
    """Return the line of the call that names the table and most of the words."""
    best, line = 0, source.upgrade_line
    for call in source.calls:
        names = {call.batch, *call.texts} if call.batch else set(call.texts)
        names |= {word for text in call.texts if " " in text for word in _NAMES.findall(text)}
        if not names & tables:
            continue
        score = 2 * len(names & words) + (call.name in prefer)
        if score > best:
            best, line = score, call.line
    return line


def statements_of_calls(source: RevisionSource, grammar: str) -> tuple[Statement, ...]:
    """Return the statements that a revision's own calls tell of, where it could not be rendered.

    Only what is written out: names of tables and columns, and SQL in literal texts.
    """
    found_statements: list[Statement] = []
    for call in source.calls:
        if call.name == "execute" and call.arguments and call.arguments[0]:
            found_statements += read_statements(call.arguments[0], grammar)
        else:
            sql = _as_sql(call)
            found_statements += read_statements(sql, "") if sql else ()
    return tuple(found_statements)


def _as_sql(call: OperationCall) -> str | None:
    table, column = call.table, call.column
    if not table:
        return None
    if call.name == "create_table":
        return f"CREATE TABLE {_quoted(table)} ()"
    if call.name == "drop_table":
        return f"DROP TABLE {_quoted(table)}"
    if call.name == "drop_column" and column:
        return f"ALTER TABLE {_quoted(table)} DROP COLUMN {_quoted(column)}"
    if call.name in _ALTERING:
        # That it is altered, not how: whom it keeps out is more than the call's name tells.
        named = call.column if call.name in _NAMED_FIRST and call.batch is None else table
        return f"ALTER TABLE {_quoted(named or table)}"
    return None


_NAMED_FIRST: Final = keywords(
    "create_index drop_index drop_constraint create_unique_constraint create_foreign_key"
    " create_check_constraint create_primary_key"
)
"""What an index or a constraint is called stands before the table there."""
_ALTERING: Final = _NAMED_FIRST | keywords("add_column alter_column rename_table")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
