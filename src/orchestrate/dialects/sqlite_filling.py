"""SQLite's tables, for generated rows: by its pragmas, and checks by the statement that made them.

A column takes any value, whatever its type is called; the name says what a program expects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.canonical import optional, text
from orchestrate.dialects.checks import limited
from orchestrate.dialects.filling import (
    AT_RANDOM,
    DATE,
    JSON,
    MOMENT,
    REAL,
    TIME,
    TRUTH,
    UUID,
    Filling,
    Rows,
    keys_of,
    letters,
    number,
    put_together,
    type_parts,
    whole,
)
from orchestrate.dialects.sqlite_tokens import bracket, render, tokens
from orchestrate.domain.table_shapes import (
    ColumnShape,
    Reference,
    TableName,
    TableShape,
    Values,
)

_TABLES: Final = "item.type = 'table' AND substr(item.name, 1, 7) <> 'sqlite_'"

QUERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tables": f"SELECT item.name, item.sql FROM sqlite_master AS item WHERE {_TABLES}",  # noqa: S608
        "columns": (
            "SELECT item.name, part.name, part.type, part.[notnull], part.dflt_value, part.pk,"  # noqa: S608
            " part.hidden FROM sqlite_master AS item JOIN pragma_table_xinfo(item.name) AS part"
            f" WHERE {_TABLES} ORDER BY item.name, part.cid"
        ),
        "keys": (
            "SELECT NULL, item.name, list.name, COALESCE(part.name, made.sql)"  # noqa: S608
            " FROM sqlite_master AS item JOIN pragma_index_list(item.name) AS list"
            " JOIN pragma_index_info(list.name) AS part"
            " LEFT JOIN sqlite_master AS made ON made.type = 'index' AND made.name = list.name"
            f" WHERE list.[unique] AND {_TABLES} ORDER BY item.name, list.seq, part.seqno"
        ),
        "references": (
            "SELECT item.name, link.id, link.[from], link.[table], link.[to]"  # noqa: S608
            " FROM sqlite_master AS item JOIN pragma_foreign_key_list(item.name) AS link"
            f" WHERE {_TABLES} ORDER BY item.name, link.id, link.seq"
        ),
    }
)

_COMPUTED: Final = frozenset({"2", "3"})
_SHADOWS: Final = re.compile(r"_(?:config|content|data|docsize|idx|node|parent|rowid|seg\w+|stat)")


def shapes(rows: Rows, version_table: str) -> tuple[TableShape, ...]:
    """Return what tables take."""
    hidden = version_table.rpartition(".")[2].lower()
    made = {text(name): text(sql) for name, sql in rows["tables"] if text(name).lower() != hidden}
    virtual = [name for name, sql in made.items() if sql.upper().startswith("CREATE VIRTUAL")]
    columns: dict[TableName, Sequence[ColumnShape]] = {
        (None, table): limited(tuple(_columns(rows["columns"], table)), _checks(sql))
        for table, sql in made.items()
    }
    keys = keys_of(rows["keys"], {name: [one.name for one in c] for name, c in columns.items()})
    primary = {table: _primary(rows["columns"], table) for table in made}
    for table, key in primary.items():
        if key and key not in keys.get((None, table), []):
            keys.setdefault((None, table), []).insert(0, key)
    tables: dict[TableName, tuple[str, str | None]] = {
        (None, name): (name, _odd(name, virtual)) for name in made
    }
    return put_together(tables, columns, keys, _references(rows["references"], primary))


def _odd(name: str, virtual: Sequence[str]) -> str | None:
    if name in virtual:
        return "it is a virtual table"
    behind = [one for one in virtual if name.startswith(f"{one}_")]
    if any(_SHADOWS.fullmatch(name.removeprefix(one)) for one in behind):
        return "it is part of a virtual table"
    return None


def _primary(rows: Sequence[Sequence[object]], table: str) -> tuple[str, ...]:
    found = sorted((int(str(row[5])), text(row[1])) for row in rows if text(row[0]) == table)
    return tuple(name for place, name in found if place)


def _columns(rows: Sequence[Sequence[object]], table: str) -> Iterator[ColumnShape]:
    primary = _primary(rows, table)
    for owner, name, kind, required, default, place, hidden in rows:
        if text(owner) != table:
            continue
        told, shown = optional(default), text(kind)
        alone = len(primary) == 1 and bool(place)
        yield ColumnShape(
            name=text(name),
            type=shown or "without a type",
            values=_values(shown),
            required=bool(required) or bool(place),
            has_default=told is not None and told.upper() != "NULL",
            # The row's own number, which SQLite counts.
            distinct=(alone and shown.upper() == "INTEGER")
            or (told is not None and AT_RANDOM.search(told) is not None),
            computed=text(hidden) in _COMPUTED or text(hidden) == "1",
        )


def _values(told: str) -> Values:
    name, numbers = type_parts(told)
    exact = {
        "boolean": TRUTH,
        "bool": TRUTH,
        "date": DATE,
        "time": TIME,
        "json": JSON,
        "uuid": UUID,
        "guid": UUID,
    }
    if name in exact:
        return exact[name]
    # The rest by SQLite's own rules, which look for these syllables in this order:
    # https://www.sqlite.org/datatype3.html#determination_of_column_affinity
    if "datetime" in name or "timestamp" in name:
        return MOMENT
    if "int" in name:
        return whole(64 if "big" in name else 16 if "small" in name else 32)
    if any(one in name for one in ("char", "clob", "text")):
        return letters(numbers, fixed=name in {"char", "nchar"})
    if "blob" in name or "binary" in name:
        return Values(kind="bytes", length=numbers[0] if numbers else None)
    if any(one in name for one in ("real", "floa", "doub")):
        return REAL
    if name in {"numeric", "decimal"}:
        return number(numbers)
    return letters(())


def _checks(sql: str) -> Iterator[str]:
    """Yield the conditions of a table's statement, wherever they stand."""
    pieces = tokens(sql)
    for index, piece in enumerate(pieces[:-1]):
        if piece.upper() == "CHECK" and pieces[index + 1] == "(":
            yield render(pieces[index + 1 : bracket(pieces, index + 1) + 1])


def _references(
    rows: Sequence[Sequence[object]], primary: Mapping[str, tuple[str, ...]]
) -> dict[TableName, list[Reference]]:
    """Return foreign keys; one that names no columns leads to the primary key."""
    links: dict[tuple[str, str], list[tuple[str, str, str | None]]] = {}
    spelled = {one.lower(): one for one in primary}  # names have no case here
    for table, number_, column, parent, target in rows:
        known = spelled.get(text(parent).lower(), text(parent))
        link = (text(column), known, optional(target))
        links.setdefault((text(table), text(number_)), []).append(link)
    found: dict[TableName, list[Reference]] = {}
    for (table, _), parts in links.items():
        parent_name = parts[0][1]
        targets = tuple(target for _, _, target in parts if target is not None)
        found.setdefault((None, table), []).append(
            Reference(
                columns=tuple(column for column, _, _ in parts),
                table=(None, parent_name),
                targets=targets or primary.get(parent_name, ()),
            )
        )
    return found


def _written(quoted: str, column: ColumnShape | None) -> str:
    del column
    return f"quote({quoted})"


FILLING: Final = Filling(
    queries=QUERIES,
    shapes=shapes,
    written=_written,
    truth=("1", "0"),
    binary="X'{hex}'",
    quote='"',
    no_columns="DEFAULT VALUES",
)
