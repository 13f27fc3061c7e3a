"""PostgreSQL's snapshot: rows of catalogue queries to canonical objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from orchestrate.dialects.canonical import (
    column_order,
    make_snapshot,
    one_line,
    optional,
    qualified,
    text,
)
from orchestrate.dialects.postgresql_queries import QUERIES
from orchestrate.domain.snapshot import GRANTS, SchemaObject, SchemaRows, Snapshot

__all__ = ["QUERIES", "invalid_objects", "parse"]

_UNUSABLE: Final = re.compile(r" (NOT VALID|INVALID)(?= |\Z)")
_PART: Final = re.compile(r'"(?:[^"]|"")*"|[^.]+')
_QUOTED: Final = re.compile(r"""'[^']*'|"[^"]*\"""")


def parse(rows: SchemaRows, *, version_table: str) -> Snapshot:
    """Return the canonical schema of the rows of `QUERIES`, without the version table.

    A version table without a schema is left out of every schema: in a database with a schema a
    tenant each of them has one.
    """
    schema, _, table = version_table.rpartition(".")
    objects: list[SchemaObject] = []
    for name, result in rows.items():
        if name == "settings":
            continue
        visible = [
            [optional(value) for value in row]
            for row in result
            if not (row[2] is not None and text(row[2]) == table and schema in {"", text(row[1])})
        ]
        objects.extend(_objects(visible))
        if name == "columns":
            objects.extend(_orders(visible))
    return make_snapshot("postgresql", objects)


def _objects(rows: list[list[str | None]]) -> Iterator[SchemaObject]:
    """Return the objects of rows of (kind, schema, table, name, definition)."""
    for kind, schema, table, name, definition in rows:
        shown = (
            f"{_name(schema, table, None)} {name}" if kind in GRANTS else _name(schema, table, name)
        )
        yield SchemaObject(kind=str(kind), name=shown, definition=one_line(definition or ""))


def _name(schema: str | None, table: str | None, name: str | None) -> str:
    """Return a name as people say it: the schema `public` goes without saying."""
    return qualified(None if schema == "public" else schema, table, name)


def _orders(rows: list[list[str | None]]) -> Iterator[SchemaObject]:
    """Return the order of columns of each table; the rows come in it."""
    columns: dict[str, list[str]] = {}
    for _, schema, table, name, _ in rows:
        columns.setdefault(_name(schema, table, None), []).append(qualified(name))
    for table, names in columns.items():
        yield column_order(table, names)


def invalid_objects(snapshot: Snapshot) -> Mapping[str, str]:
    """Return the names of what the server will not use or has not checked, with what ends that."""
    return {
        one.name: _remedy(one)
        for one in snapshot.objects
        if one.kind in {"constraint", "index"} and _UNUSABLE.search(_QUOTED.sub("", one.definition))
    }


def _remedy(one: SchemaObject) -> str:
    *schema, table, name = (_identifier(part[0]) for part in _PART.finditer(one.name))
    if one.kind == "index":
        return f"DROP INDEX CONCURRENTLY {'.'.join([*schema, name])}"
    return f"ALTER TABLE {'.'.join([*schema, table])} VALIDATE CONSTRAINT {name}"


def _identifier(name: str) -> str:
    """Return a name as SQL takes it; one that a dot had quoted already stays as it is."""
    if name.startswith('"') or re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'
