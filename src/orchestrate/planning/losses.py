"""What SQL deletes, and how many rows that is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import Step
from orchestrate.domain.statements import Statement, Table, Words, keywords, said
from orchestrate.planning.statements import name_in, read_statements, table_in
from orchestrate.values import dataclass

_NO_COLUMN: Final = keywords(
    "CONSTRAINT INDEX KEY FOREIGN PRIMARY CHECK DEFAULT NOT IDENTITY EXPRESSION PARTITION"
)
"""What else `ALTER TABLE … DROP` takes away."""


LossKind = Literal["table", "column", "rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A statement that takes rows, or a column of them, away."""

    kind: LossKind
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


def losses(sql: str, grammar: str) -> tuple[Loss, ...]:
    """Return what SQL of a dialect (by sqlglot's name of it) deletes, as `losses_of` does."""
    return losses_of(read_statements(sql, grammar))


def losses_of(statements: Sequence[Statement]) -> tuple[Loss, ...]:
    """Return what statements delete, in their order, each once.

    A table that is built anew under another name and renamed, as SQLite's batch mode does, is not
    lost; neither is one that the same statements made.
    """
    renamed = {to for one in statements for to in renamed_to(one)}
    made = {table for one in statements if one.is_a("CREATE", "TABLE") for table in one.tables}
    found: list[Loss] = []
    for statement in statements:
        for one in _losses_of(statement):
            if one.table in made or (one.kind == "table" and one.table in renamed) or one in found:
                continue
            found.append(one)
    return tuple(found)


def renamed_to(statement: Statement) -> Iterable[Table]:
    """Return the names that a statement gives to tables."""
    for action in statement.actions if statement.is_a("ALTER", "TABLE") else ():
        if action.keys[:1] == ("RENAME",) and action.keys[1:2] in {("TO",), ("AS",)}:
            table = table_in(action, 2)
            if table is not None:
                yield table


def _losses_of(statement: Statement) -> list[Loss]:
    tables = statement.tables
    if statement.is_a("DROP", "TABLE"):
        return [Loss(kind="table", table=one, what=f"drops table {said(one)}") for one in tables]
    if statement.verb == "TRUNCATE":
        return [Loss(kind="rows", table=one, what=f"empties table {said(one)}") for one in tables]
    if statement.verb == "DELETE" and tables:
        return [Loss(kind="rows", table=tables[0], what=f"deletes rows of {said(tables[0])}")]
    if statement.is_a("ALTER", "TABLE") and tables:
        return [
            Loss(kind="column", table=tables[0], what=f"drops column {said(tables[0])}.{column}")
            for action in statement.actions
            for column in [dropped_column(action)]
            if column is not None
        ]
    return []


def dropped_column(action: Words) -> str | None:
    """Return the column that an action of `ALTER TABLE` drops, if it does."""
    if not action.begins("DROP") or (action.keys[1:2] and action.keys[1] in _NO_COLUMN):
        return None
    return name_in(action, 1)


def loss_findings(
    step: Step, sql: str, counts: Sequence[RowCount], *, version_table: str, grammar: str
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
        for one in losses(sql, grammar)
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
