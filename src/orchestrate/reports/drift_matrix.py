"""Who is where: environments across the revisions at which somebody stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from orchestrate.domain.drift import TargetDrift
from orchestrate.domain.drift_page import ProjectGraph
from orchestrate.reports.revision_map import applied, newest_first
from orchestrate.values import dataclass

MOST_COLUMNS: Final = 16
"""More places than these are no table any more; the oldest are left out, which is said."""

Cell = Literal["here", "applied", "pending", "not-known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A revision at which somebody stands, or a head."""

    revision: str
    title: str
    head: bool
    unknown: bool
    """A database is at it, and this checkout does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """One target, with a cell for each column."""

    target: TargetDrift
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Targets across revisions, oldest revision first."""

    columns: tuple[Column, ...]
    rows: tuple[MatrixRow, ...]
    left_out: int
    """Older places that are not shown."""


def matrix(project: ProjectGraph, targets: Sequence[TargetDrift]) -> Matrix:
    """Return where each of a project's targets is."""
    graph = project.graph
    followed = {parent for one in graph.revisions for parent in one.down}
    rows = {head for target in targets for head in target.heads}
    known = [
        Column(revision=one.id, title=one.title, head=one.id not in followed, unknown=False)
        for one in reversed(newest_first(graph))
        if one.id in rows or one.id not in followed
    ]
    here = {one.revision for one in known}
    strange = [
        Column(revision=name, title="", head=False, unknown=True) for name in sorted(rows - here)
    ]
    every = [*known, *strange]
    columns = tuple(every[-MOST_COLUMNS:])

    def cells(target: TargetDrift) -> tuple[Cell, ...]:
        if target.state == "unreachable":
            return tuple[Cell, ...]("not-known" for _ in columns)
        inside = applied(graph, target.heads)
        return tuple(_cell(one, target, inside) for one in columns)

    return Matrix(
        columns=columns,
        rows=tuple(MatrixRow(target=one, cells=cells(one)) for one in targets),
        left_out=len(every) - len(columns),
    )


def _cell(column: Column, target: TargetDrift, inside: frozenset[str]) -> Cell:
    if column.revision in target.heads:
        return "here"
    if column.revision in inside:
        return "applied"
    # What an unknown revision comes after, nobody here can say.
    strange = column.unknown or (not inside and bool(target.heads))
    return "not-known" if strange else "pending"
