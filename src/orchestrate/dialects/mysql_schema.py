"""MariaDB's and MySQL's snapshot: information_schema's rows to canonical objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from orchestrate.dialects.canonical import (
    KEPT,
    clauses,
    column_order,
    make_snapshot,
    one_line,
    optional,
    qualified,
    quoted,
)
from orchestrate.dialects.mysql_queries import QUERIES
from orchestrate.domain.snapshot import SchemaObject, SchemaRows, Snapshot

__all__ = ["QUERIES", "parse"]

_Cells = list[str | None]
_Groups = Mapping[tuple[str, ...], Sequence[_Cells]]

_OF_TABLES: Final = (
    "tables",
    "columns",
    "indexes",
    "foreign_keys",
    "rules",
    "checks",
    "partitions",
    "sequences",
    "triggers",
)
"""Queries whose rows begin with the name of the table that they are about."""
_KINDS: Final = {"BASE TABLE": "table", "SYSTEM VERSIONED": "table", "SEQUENCE": "sequence"}
"""Kinds of table; views are told by a query of their own."""
_ROUTINE: Final = frozenset({"ALTER ROUTINE", "CREATE ROUTINE", "EXECUTE", "SHOW CREATE ROUTINE"})
_ROUTINE_KINDS: Final = frozenset({"function", "package", "package body", "procedure"})
_SEEN_WITH: Final = {
    "event": frozenset({"EVENT"}),
    **dict.fromkeys(sorted(_ROUTINE_KINDS), _ROUTINE),
    "trigger": frozenset({"TRIGGER"}),
    "view": frozenset({"SHOW VIEW"}),
}
"""Rights of which one is needed to see all of a kind."""


def parse(rows: SchemaRows, *, version_table: str) -> Snapshot:
    """Return the canonical schema of the rows of `QUERIES`, without the version table."""
    hidden = version_table.rpartition(".")[2]
    cells = {name: _cells(rows[name]) for name in QUERIES if name not in _OF_TABLES}
    return make_snapshot(
        "mysql",
        [
            *_database(cells["schema"]),
            *(
                one
                for table, parts in _by_table(rows).items()
                if table != hidden
                for one in _of_table(tuple(map(tuple, parts)))
            ),
            *_views(cells),
            *_routines(cells),
            *_events(cells["events"]),
        ],
        hidden=_hidden(cells),
    )


def _cells(rows: Iterable[Iterable[object]]) -> list[_Cells]:
    return [[optional(one) for one in row] for row in rows]


def _by_table(rows: SchemaRows) -> Mapping[str | None, list[list[tuple[object, ...]]]]:
    """Return the rows of each table, for each query of `_OF_TABLES` in that order."""
    found: dict[str | None, list[list[tuple[object, ...]]]] = {}
    for place, name in enumerate(_OF_TABLES):
        for row in rows[name]:
            table = optional(row[0])
            parts = found.get(table)
            if parts is None:
                parts = found[table] = [[] for _ in _OF_TABLES]
            parts[place].append(tuple(row))
    return found


@lru_cache(maxsize=KEPT)
def _of_table(parts: tuple[tuple[tuple[object, ...], ...], ...]) -> tuple[SchemaObject, ...]:
    """Return the objects of one table: all that there is to say of it stands in its rows."""
    cells = {name: _cells(part) for name, part in zip(_OF_TABLES, parts, strict=True)}
    kinds = {str(row[0]): _KINDS.get(str(row[1]), "") for row in cells["tables"]}
    return (
        *_tables(cells, kinds),
        *_columns(cells, kinds),
        *_indexes(cells["indexes"]),
        *_foreign_keys(cells),
        *_checks(cells),
        *_triggers(cells["triggers"]),
    )


def _hidden(cells: Mapping[str, Sequence[_Cells]]) -> Iterator[str]:
    """Return the kinds of which this account may not see everything.

    A routine's text is for its definer and for accounts with further rights, and a routine without
    any right is not even listed.
    """
    rights = {row[0] for row in cells["rights"]}
    for kind, needed in _SEEN_WITH.items():
        if not rights & needed or (
            kind in _ROUTINE_KINDS and any(row[3] is None for row in cells["routines"])
        ):
            yield kind


def _object(kind: str, *name: str | None, definition: str) -> SchemaObject:
    return SchemaObject(kind=kind, name=qualified(*name), definition=one_line(definition))


def _group(rows: Sequence[_Cells], keys: int) -> _Groups:
    """Return rows by their first cells, in the order they came."""
    groups: dict[tuple[str, ...], list[_Cells]] = {}
    for row in rows:
        groups.setdefault(tuple(str(one) for one in row[:keys]), []).append(row[keys:])
    return groups


def _with(word: str, value: str | None) -> str | None:
    """Return a clause of a word and its value, or None where there is no value."""
    return f"{word} {value}" if value else None


def _comment(value: str | None) -> str | None:
    return _with("COMMENT", quoted(value) if value else None)


def _database(rows: Sequence[_Cells]) -> Iterator[SchemaObject]:
    """Return what new tables take over, under a name that every database shares."""
    for _, charset, collation in rows:
        yield _object(
            "database", "defaults", definition=f"CHARACTER SET {charset} COLLATE {collation}"
        )


def _tables(
    cells: Mapping[str, Sequence[_Cells]], kinds: Mapping[str, str]
) -> Iterator[SchemaObject]:
    partitions = _group(cells["partitions"], 1)
    sequences = _group(cells["sequences"], 1)
    for name, kind, engine, collation, options, comment in cells["tables"]:
        table = str(name)
        if kinds[table] == "sequence":
            for kept in sequences.get((table,), [[]]):
                yield _object("sequence", table, definition=_sequence(kept))
        elif kinds[table]:
            definition = clauses(
                _with("ENGINE", engine),
                _with("COLLATE", collation),
                "WITH SYSTEM VERSIONING" if kind == "SYSTEM VERSIONED" else None,
                _options(options),
                _partitions(partitions.get((table,), ())),
                _comment(comment),
            )
            yield _object("table", table, definition=definition)


def _options(options: str | None) -> str | None:
    """Return a table's options in one order; that it is partitioned is told elsewhere."""
    return " ".join(sorted(set((options or "").split()) - {"partitioned"})) or None


def _sequence(row: _Cells) -> str:
    words = ("AS", "START", "INCREMENT", "MINVALUE", "MAXVALUE", "CYCLE")
    return clauses(*(_with(word, value) for word, value in zip(words, row, strict=False)))


def _partitions(rows: Sequence[_Cells]) -> str | None:
    if not rows:
        return None
    _, _, method, expression, sub_method, sub_expression, _, _ = rows[0]
    parts = ", ".join(
        clauses(name, _with("SUBPARTITION", sub), _with("VALUES", values), _comment(comment))
        for name, sub, _, _, _, _, values, comment in rows
    )
    return clauses(
        f"PARTITION BY {method}({expression or ''})",
        f"SUBPARTITION BY {sub_method}({sub_expression or ''})" if sub_method else None,
        f"({parts})",
    )


def _columns(
    cells: Mapping[str, Sequence[_Cells]], kinds: Mapping[str, str]
) -> Iterator[SchemaObject]:
    """Return the columns of tables; MariaDB keeps a check of one column under the column's name."""
    checks = {(row[0], row[1]): row[2] for row in cells["checks"] if row[3] is None}
    for (table,), rows in _group(cells["columns"], 1).items():
        if kinds.get(table) != "table":
            continue
        for name, kind, collation, nullable, default, extra, generated, comment, srs in rows:
            check = checks.get((table, name))
            definition = clauses(
                kind,
                _with("COLLATE", collation),
                "NOT NULL" if nullable == "NO" else None,
                None if default is None else f"DEFAULT {default or quoted('')}",
                f"AS ({generated})" if generated else None,
                extra,
                _with("SRID", srs),
                f"CHECK ({check})" if check else None,
                _comment(comment),
            )
            yield _object("column", table, name, definition=definition)
        yield column_order(qualified(table), [qualified(row[0]) for row in rows])


def _indexes(rows: Sequence[_Cells]) -> Iterator[SchemaObject]:
    """Return primary keys as constraints, all other indexes (unique ones too) as indexes."""
    for (table, name), entries in _group(rows, 2).items():
        parts: list[str] = []
        for _, column, length, direction, _, _, expression, _ in entries:
            part = f"({expression})" if expression else str(column)
            parts.append(part + (f"({length})" if length else "") + _direction(direction))
        unique, _, _, _, method, comment, _, state = entries[0]
        body = clauses(f"({', '.join(parts)})", f"USING {method}", state, _comment(comment))
        if name == "PRIMARY":
            yield _object("constraint", table, name, definition=f"PRIMARY KEY {body}")
        else:
            unique_word = "UNIQUE" if unique == "0" else None
            yield _object("index", table, name, definition=clauses(unique_word, body))


def _direction(direction: str | None) -> str:
    return " DESC" if direction == "D" else ""


def _foreign_keys(cells: Mapping[str, Sequence[_Cells]]) -> Iterator[SchemaObject]:
    rules = _group(cells["rules"], 2)
    for (table, name), rows in _group(cells["foreign_keys"], 2).items():
        columns = ", ".join(str(row[0]) for row in rows)
        referenced = ", ".join(str(row[3]) for row in rows)
        update, delete = rules.get((table, name), [[None, None]])[0]
        definition = clauses(
            f"FOREIGN KEY ({columns})",
            f"REFERENCES {qualified(rows[0][1], rows[0][2])} ({referenced})",
            _with("ON UPDATE", update),
            _with("ON DELETE", delete),
        )
        yield _object("constraint", table, name, definition=definition)


def _checks(cells: Mapping[str, Sequence[_Cells]]) -> Iterator[SchemaObject]:
    columns = {(row[0], row[1]) for row in cells["columns"]}
    for table, name, clause, enforced in cells["checks"]:
        if enforced is None and (table, name) in columns:
            continue
        hidden = "NOT ENFORCED" if enforced == "NO" else None
        yield _object("constraint", table, name, definition=clauses(f"CHECK ({clause})", hidden))


def _views(cells: Mapping[str, Sequence[_Cells]]) -> Iterator[SchemaObject]:
    """Return the views, without the schema's own name, which is another in each environment."""
    schema = next((str(row[0]).replace("`", "``") for row in cells["schema"]), "")
    for name, definition, check, security, algorithm in cells["views"]:
        body = (definition or "").replace(f"`{schema}`.", "")
        yield _object(
            "view",
            name,
            definition=clauses(
                None if algorithm in {None, "UNDEFINED"} else f"ALGORITHM {algorithm}",
                f"SQL SECURITY {security}",
                f"AS {body}",
                None if check == "NONE" else f"WITH {check} CHECK OPTION",
            ),
        )


def _routines(cells: Mapping[str, Sequence[_Cells]]) -> Iterator[SchemaObject]:
    parameters = _group(cells["parameters"], 2)
    for kind, name, returns, body, deterministic, access, security, comment in cells["routines"]:
        taken = ", ".join(clauses(*row) for row in parameters.get((str(kind), str(name)), ()))
        definition = clauses(
            f"({taken})",
            _with("RETURNS", returns),
            "DETERMINISTIC" if deterministic == "YES" else None,
            access,
            f"SQL SECURITY {security}",
            _comment(comment),
            f"AS {body}",
        )
        yield _object(str(kind).lower(), name, definition=definition)


def _triggers(rows: Sequence[_Cells]) -> Iterator[SchemaObject]:
    """Return the triggers; their order counts only among those of one table, time and event."""
    for table, name, timing, event, order, body in rows:
        place = None if order in {None, "0", "1"} else f"ORDER {order}"
        yield _object("trigger", table, name, definition=clauses(timing, event, place, body))


def _events(rows: Sequence[_Cells]) -> Iterator[SchemaObject]:
    for name, kind, at, value, field, starts, ends, status, completion, comment, body in rows:
        definition = clauses(
            kind,
            _with("AT", at),
            f"EVERY {value} {field}" if value else None,
            _with("STARTS", starts),
            _with("ENDS", ends),
            status,
            f"ON COMPLETION {completion}",
            _comment(comment),
            f"DO {body}",
        )
        yield _object("event", name, definition=definition)
