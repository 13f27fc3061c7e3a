"""Filling the empty tables of a clone with generated rows, through an agent.

A table that cannot be filled is left empty and named with the reason; nothing here fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from orchestrate.dialects.filling import Filling
from orchestrate.domain.rehearsals import EmptyTable
from orchestrate.domain.table_shapes import SqlText, TableName, TableShape, Value
from orchestrate.errors import OrchestrateError
from orchestrate.planning.generated_rows import (
    GeneratedRows,
    Unfillable,
    in_order,
    rows_for,
)
from orchestrate.run.session import Session
from orchestrate.values import dataclass


@dataclass(slots=True, kw_only=True)
class Filled:
    """What came of it."""

    rows: int = 0
    tables: int = 0
    left_empty: list[EmptyTable] = field(default_factory=list)
    problem: str | None = None
    """Why it ended early; the agent is of no use then."""


def filled(session: Session, filling: Filling, count: int) -> Filled:
    """Put at most `count` rows into each table that has none, what it refers to first.

    Tables that the revisions themselves put rows into are left as they are. Every table is a
    transaction of its own: all of its rows are there, or none.
    """
    found = Filled()
    try:
        _Work(session=session, filling=filling, count=count, found=found).fill()
    except OrchestrateError as error:
        found.problem = error.message
    return found


@dataclass(slots=True, kw_only=True)
class _Work:
    session: Session
    filling: Filling
    count: int
    found: Filled
    keys: dict[TableName, list[Mapping[str, Value]]] = field(default_factory=dict)

    def fill(self) -> None:
        observation = self.session.observation
        table = observation.version_table if observation else "alembic_version"
        shapes = self.filling.shapes(self.session.query(self.filling.queries), table)
        usual = [one for one in shapes if one.odd is None]
        there = self.session.query(self.filling.counts(usual)) if usual else {}
        known = {one.name for number, one in enumerate(usual) if there[str(number)]}
        wanted: dict[TableName, set[str]] = {}
        for shape in shapes:
            for link in shape.references:
                wanted.setdefault(link.table, set()).update(link.targets)
        for shape in in_order(shapes):
            problem = None if shape.name in known else self._put(shape)
            if problem is not None:
                self.found.left_empty.append(EmptyTable(table=shape.shown, reason=problem))
            elif shape.name in wanted:
                self._read(shape, sorted(wanted[shape.name]))

    def _put(self, shape: TableShape) -> str | None:
        """Fill one table; return why it could not be filled.

        If the server refuses the rows, those that have only what they must have are tried.
        """
        reason: str | None = None
        for sparse in (False, True):
            made = rows_for(shape, self.keys, self.count, sparse=sparse)
            if isinstance(made, Unfillable):
                return reason or made.reason
            problem = self._sent(shape, made)
            if problem is None:
                self.found.rows += len(made.rows)
                self.found.tables += 1
                return None
            reason = reason or self.session.access.redactor.redact(problem)
        return reason

    def _sent(self, shape: TableShape, made: GeneratedRows) -> str | None:
        statements = self.filling.insert(shape.name, made.columns, made.rows)
        return self.session.attempt(*statements)

    def _read(self, shape: TableShape, columns: list[str]) -> None:
        """Remember what stands in the columns that foreign keys lead to."""
        query = self.filling.keys(shape, columns, self.count)
        rows = self.session.query({"keys": query})["keys"]
        self.keys[shape.name] = [
            {name: SqlText(str(one)) for name, one in zip(columns, row, strict=True)}
            for row in rows
        ]
