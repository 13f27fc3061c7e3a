"""Rows and SQL text to canonical objects: what the dialects' snapshots have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from orchestrate.domain.snapshot import SchemaObject, Snapshot, description_version, is_own

_PIECE: Final = re.compile(
    r"""
    (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*`
              | (?P<tag>\$(?:[A-Za-z_]\w*)?\$) .*? (?P=tag) )
  | (?P<comment> --[^\n]*(?:\n|\Z) )
  | (?P<space> \s+ )
    """,
    re.VERBOSE | re.DOTALL,
)

KEPT: Final = 4096
"""How many tables are remembered with their objects.

Where a schema is read around every revision of a run, nearly all of it is what it was before.
"""

_UNUSUAL: Final = re.compile(r"[\t\n\r\f\v\\]|  ")
"""What makes a text another one on one line; most definitions have nothing of it."""


def one_line(text: str) -> str:
    r"""Return SQL text on one line: outside quotes one space, within quotes `\n` for a line end.

    Whatever stands in quotes is kept to the letter, because a function's body may be a language
    where indentation counts. A line comment keeps its line end, which decides what it hides.
    """
    if text.isascii() and not _UNUSUAL.search(text):
        return text.strip()

    def plain(piece: re.Match[str]) -> str:
        if piece["space"] is not None:
            return " "
        return piece[0].replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")

    return _PIECE.sub(plain, text).strip()


def qualified(*parts: str | None) -> str:
    """Return names joined by dots, leaving out None; a name that has a dot itself is quoted."""
    if not any(part and "." in part for part in parts):
        return ".".join(part for part in parts if part is not None)
    return ".".join(
        '"' + part.replace('"', '""') + '"' if "." in part and "(" not in part else part
        for part in parts
        if part is not None
    )


def clauses(*parts: str | None) -> str:
    """Return the clauses that are there, in their order, as one line."""
    return " ".join(part for part in parts if part)


def text(value: object) -> str:
    """Return a value of a row as text: some drivers give the catalogue's text as bytes."""
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    return str(value)


def optional(value: object) -> str | None:
    """Return a value of a row as text, or None for a null."""
    return value if value is None or isinstance(value, str) else text(value)


def quoted(value: str) -> str:
    """Return a value as an SQL literal, for comments and labels inside definitions."""
    return "'" + one_line(value).replace("'", "''") + "'"


def column_order(table: str, columns: Sequence[str]) -> SchemaObject:
    """Return the object that holds the order of a table's columns.

    Apart from the columns, so that a column added in the middle is one difference, not one for each
    column behind it; `difference.compare` names it only when columns really changed places.
    """
    return SchemaObject(kind="column order", name=table, definition=", ".join(columns))


def _told_apart(ordered: list[SchemaObject]) -> list[SchemaObject]:
    seen: dict[tuple[str, str], int] = {}
    for number, one in enumerate(ordered):
        times = seen[one.kind, one.name] = seen.get((one.kind, one.name), 0) + 1
        if times > 1:
            ordered[number] = replace(one, name=f"{one.name} #{times}")
    if len(seen) < len(ordered):
        ordered.sort(key=lambda one: (one.kind, one.name))
    return ordered


def make_snapshot(
    dialect: str, objects: Iterable[SchemaObject], *, hidden: Iterable[str] = ()
) -> Snapshot:
    """Return a snapshot in canonical order, without the state store's own tables.

    Namesakes of one kind are told apart by `#2`.
    """
    ordered = sorted(
        (one for one in objects if not is_own(one)),
        key=lambda one: (one.kind, one.name, one.definition),
    )
    return Snapshot(
        dialect=dialect,
        objects=tuple(_told_apart(ordered)),
        version=description_version(dialect),
        hidden=tuple(sorted(hidden)),
    )
