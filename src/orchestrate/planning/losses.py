"""Which rows a way back deletes, read from its rendered SQL. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import Step

_PIECE: Final = re.compile(
    r"""
    (?P<text> '(?:[^']|'')*' | (?P<tag>\$(?:[A-Za-z_]\w*)?\$) .*? (?P=tag) )
  | (?P<comment> --[^\n]*(?:\n|\Z) | /\*.*?\*/ )
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD: Final = r'(?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|\[[^\]]+\]|[\w$]+)'
_NAME: Final = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_FLAGS: Final = re.IGNORECASE | re.DOTALL
_DROP_TABLE: Final = re.compile(
    rf"drop\s+(?:foreign\s+)?table\s+(?:if\s+exists\s+)?(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)",
    _FLAGS,
)
_TRUNCATE: Final = re.compile(
    rf"truncate\s+(?:table\s+)?(?:only\s+)?(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)", _FLAGS
)
_DELETE: Final = re.compile(rf"delete\s+from\s+(?:only\s+)?(?P<name>{_NAME})", _FLAGS)
_ALTER: Final = re.compile(
    rf"alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?P<name>{_NAME})\s+(?P<rest>.*)", _FLAGS
)
_DROP_COLUMN: Final = re.compile(
    r"\bdrop\s+(?:column\s+(?:if\s+exists\s+)?|(?!(?:column|constraint|index|key|foreign|primary|check"
    rf"|default|not|identity|expression|partition)\b))(?P<column>{_WORD})",
    _FLAGS,
)
_RENAME: Final = re.compile(rf"rename\s+(?:to\s+|as\s+)(?P<name>{_NAME})", _FLAGS)
_CREATE: Final = re.compile(
    rf"create\s+(?:temporary\s+|temp\s+)?table\s+(?:if\s+not\s+exists\s+)?(?P<name>{_NAME})",
    _FLAGS,
)

Table = tuple[str | None, str]
"""Schema, where one is named, and name; as the SQL spells them, without quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A statement that takes rows, or a column of them, away."""

    table: Table
    what: str
    """`drops table orders`, `drops column orders.note`, `empties`, `deletes rows of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """How many rows a table has, as far as the server tells cheaply."""

    schema: str | None
    table: str
    rows: int | None
    unqualified: bool
    """Whether the name alone means this table."""
    exact: bool


def losses(sql: str) -> tuple[Loss, ...]:
    """Return what rendered SQL deletes, in its order, each once.

    A table that is built anew under another name and renamed, as SQLite's batch mode does, is not
    lost; neither is one that the same SQL made.
    """
    statements = [one.strip() for one in _PIECE.sub(_blank, sql).split(";") if one.strip()]
    renamed = {_table(name) for name in _names(_RENAME, statements)}
    made = {_table(name) for name in _names(_CREATE, statements)}
    found: list[Loss] = []
    for statement in statements:
        for one in _losses_of(statement):
            whole = one.what.startswith("drops table")
            if one.table in made or (whole and one.table in renamed) or one in found:
                continue
            found.append(one)
    return tuple(found)


def _blank(piece: re.Match[str]) -> str:
    """Take texts and comments out: they may hold any word."""
    return "''" if piece["text"] is not None else " "


def _names(pattern: re.Pattern[str], statements: Iterable[str]) -> list[str]:
    return [match["name"] for one in statements for match in pattern.finditer(one)]


def _losses_of(statement: str) -> list[Loss]:
    for pattern, verb in ((_DROP_TABLE, "drops table"), (_TRUNCATE, "empties table")):
        match = pattern.match(statement)
        if match:
            tables = [_table(name) for name in re.findall(_NAME, match["names"])]
            return [Loss(table=one, what=f"{verb} {_said(one)}") for one in tables]
    match = _DELETE.match(statement)
    if match:
        table = _table(match["name"])
        return [Loss(table=table, what=f"deletes rows of {_said(table)}")]
    match = _ALTER.match(statement)
    if match:
        table = _table(match["name"])
        return [
            Loss(table=table, what=f"drops column {_said(table)}.{_plain(one['column'])}")
            for one in _DROP_COLUMN.finditer(match["rest"])
        ]
    return []


def _table(name: str) -> Table:
    parts = [_plain(one) for one in re.findall(_WORD, name)]
    return (parts[-2] if len(parts) > 1 else None, parts[-1])


def _plain(word: str) -> str:
    if word[0] in '"`[':
        quote = word[-1]
        return word[1:-1].replace(quote * 2, quote)
    return word


def _said(table: Table) -> str:
    return ".".join(part for part in table if part is not None)


def loss_findings(
    step: Step, sql: str, counts: Sequence[RowCount], *, version_table: str
) -> tuple[Finding, ...]:
    """Return one finding for each thing that a step deletes, with the rows it has now."""
    own = version_table.rpartition(".")[2]
    return tuple(
        Finding(
            code="loses-data",
            severity="warning",
            message=one.what + _counted(one.table, counts),
            where=step.file,
        )
        for one in losses(sql)
        if one.table[1] != own
    )


def _counted(table: Table, counts: Iterable[RowCount]) -> str:
    schema, name = table
    for one in counts:
        fits = one.unqualified if schema is None else one.schema in {schema, None}
        if one.rows is not None and fits and one.table.lower() == name.lower():
            about = "" if one.exact else "about "
            return f", which has {about}{one.rows} {'row' if one.rows == 1 else 'rows'}"
    return ""
