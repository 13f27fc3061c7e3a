"""SQLite's snapshot: one query, and the statements it gives taken apart.

The pragmas know neither checks nor collations nor the expressions of generated columns, so that
the statement in `sqlite_master` is read instead. A table left over by a batch operation
(`_alembic_tmp_…`) is a table like others: it shows that a batch was cut short.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.canonical import KEPT, column_order, make_snapshot, qualified, text
from orchestrate.dialects.sqlite_tokens import bracket, quote_name, render, split, tokens, unquote
from orchestrate.domain.snapshot import SchemaObject, SchemaRows, Snapshot

QUERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Rows of (type, name, table, statement). What SQLite keeps for itself (`sqlite_sequence`,
        # `sqlite_stat1`, the indexes behind constraints) begins with a prefix nobody else may use.
        "master": (
            "SELECT type, name, tbl_name, sql FROM sqlite_master"
            " WHERE substr(name, 1, 7) <> 'sqlite_' AND sql IS NOT NULL ORDER BY type, name"
        ),
    }
)

_CONSTRAINTS: Final = frozenset({"CHECK", "CONSTRAINT", "FOREIGN", "PRIMARY", "UNIQUE"})


def parse(rows: SchemaRows, *, version_table: str) -> Snapshot:
    """Return the canonical schema of the rows of `QUERIES`, without the version table."""
    hidden = version_table.rpartition(".")[2].lower()
    objects: list[SchemaObject] = []
    for kind, name, table, sql in rows["master"]:
        if text(table).lower() != hidden:
            objects.extend(_objects(text(kind), text(name), text(table), text(sql)))
    return make_snapshot("sqlite", objects)


@lru_cache(maxsize=KEPT)
def _objects(kind: str, name: str, table: str, sql: str) -> tuple[SchemaObject, ...]:
    statement = tokens(sql)
    if kind == "table":
        return tuple(_table(name, statement))
    if kind == "index":
        qualified_name, definition = qualified(table, name), _index(statement)
    elif kind == "trigger":
        qualified_name, definition = qualified(table, name), _after_name(statement, 1)
    else:
        qualified_name, definition = qualified(name), _after_name(statement, 1)
    return (SchemaObject(kind=kind, name=qualified_name, definition=definition),)


def _after_name(statement: Sequence[str], keyword: int) -> str:
    """Return a statement's text behind the name of what it creates.

    SQLite writes `CREATE`, the kind of object and the name in this very order, whatever was typed
    (`TEMP`, `IF NOT EXISTS` and the schema are left out).
    """
    return render(statement[keyword + 2 :])


def _index(statement: Sequence[str]) -> str:
    """Return `UNIQUE (total) WHERE total > 0`: what follows the table's name."""
    unique = ["UNIQUE"] if statement[1].upper() == "UNIQUE" else []
    on = next(index for index, piece in enumerate(statement) if piece.upper() == "ON")
    return " ".join([*unique, render(statement[on + 2 :])])


def _table(name: str, statement: Sequence[str]) -> Iterator[SchemaObject]:
    table = qualified(name)
    if statement[1].upper() == "VIRTUAL":
        yield SchemaObject(
            kind="table", name=table, definition="VIRTUAL " + _after_name(statement, 2)
        )
        return
    start = 3
    end = bracket(statement, start)
    options = sorted(render(part).upper() for part in split(statement[end + 1 :]) if part)
    yield SchemaObject(kind="table", name=table, definition=", ".join(options))
    columns: list[str] = []
    for part in _parts(statement[start + 1 : end]):
        if part[0].upper() in _CONSTRAINTS:
            yield _constraint(name, part)
        else:
            column = unquote(part[0])
            columns.append(quote_name(column))
            yield SchemaObject(
                kind="column",
                name=qualified(name, column),
                definition=render(_bare_default(part[1:])),
            )
    yield column_order(table, columns)


def _bare_default(column: Sequence[str]) -> Sequence[str]:
    """Return a column with `DEFAULT (CURRENT_TIMESTAMP)` as `DEFAULT CURRENT_TIMESTAMP`.

    One word in brackets is that word, and SQLAlchemy writes both: the one where it makes a table,
    the other where it makes a reflected one anew.
    """
    for index, piece in enumerate(column):
        if piece.upper() == "DEFAULT":
            match column[index + 1 : index + 4]:
                case ["(", word, ")"]:
                    return [*column[: index + 1], word, *column[index + 4 :]]
    return column


def _parts(body: Sequence[str]) -> Iterator[list[str]]:
    """Return the columns and constraints of a table.

    SQLite lets the comma before a table constraint be left out, and then it reads as part of what
    stands before it; such a table keeps one odd definition, still the same each time.
    """
    yield from (part for part in split(body) if part)


def _constraint(table: str, part: Sequence[str]) -> SchemaObject:
    """Return a table constraint; one without a name is called by what it says."""
    if part[0].upper() == "CONSTRAINT":
        name, rest = unquote(part[1]), part[2:]
    else:
        opening = next((index for index, piece in enumerate(part) if piece == "("), 0)
        name, rest = render(part[: bracket(part, opening) + 1]), part
    return SchemaObject(kind="constraint", name=qualified(table, name), definition=render(rest))
