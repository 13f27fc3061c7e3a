"""Where the lines of a project's revisions run when they are drawn: rows, lanes, folds. Pure.

Newest at the top, a row for each revision, as `git log --graph` draws commits. Stretches without
branch, merge, label or anybody standing there are folded into one row, so that thousands of
revisions stay a page. Knows nothing of pixels or HTML.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from orchestrate.domain.revisions import Graph, Revision
from orchestrate.values import dataclass

SHORTEST_FOLD: Final = 4
"""Fewer revisions than these are drawn one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line in one half of a row, from a lane at its beginning to one at its end."""

    begin: int
    end: int
    dashed: bool = False
    """It leads to something depended on (`depends_on`), not to what is followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One revision, or a stretch of them, newest first."""

    revisions: tuple[Revision, ...]
    lane: int
    above: tuple[Line, ...]
    """Lines of the row's upper half; those that end in `lane` come from what follows."""
    below: tuple[Line, ...]
    """Lines of its lower half; those that begin in `lane` lead to what it follows."""

    @property
    def folded(self) -> bool:
        """Return whether it stands for several revisions."""
        return len(self.revisions) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionMap:
    """All rows from top to bottom, and how many lanes the widest one has."""

    rows: tuple[Row, ...]
    lanes: int


def lay_out(graph: Graph, standing: Collection[str]) -> RevisionMap:
    """Return where the revisions are drawn; those that somebody stands at have a row of their own.

    A revision whose parents are in no file begins a line, as a graph read half is still of use.
    """
    by_id = {one.id: one for one in graph.revisions}
    order = newest_first(graph)
    children = _children(order, by_id)
    stretches = _stretches(order, by_id, children, standing)
    drawing = _Drawing(by_id=by_id, top={stretch[0].id for stretch in stretches})
    rows = tuple(drawing.row(stretch) for stretch in stretches)
    return RevisionMap(rows=rows, lanes=max(1, drawing.widest))


def newest_first(graph: Graph) -> list[Revision]:
    """Return revisions so that each comes before all that it follows; lines stay together."""
    by_id = {one.id: one for one in graph.revisions}
    children = _children(graph.revisions, by_id)
    left = {one.id: len(children[one.id]) for one in graph.revisions}
    # Depth first along the line just drawn; where several lines may go on, by name: the page of
    # one graph is the same every night.
    ready = [(0, one.id) for one in graph.revisions if not left[one.id]]
    heapq.heapify(ready)
    order, turn = [], 0
    while ready:
        _, name = heapq.heappop(ready)
        order.append(by_id[name])
        turn -= 1
        for parent in parents(by_id[name], by_id):
            left[parent] -= 1
            if not left[parent]:
                heapq.heappush(ready, (turn, parent))
    return order


def parents(revision: Revision, by_id: Mapping[str, Revision]) -> tuple[str, ...]:
    """Return all that has to be applied directly before a revision, as far as it is known."""
    both = (*revision.down, *revision.depends_on)
    return tuple(one for one in dict.fromkeys(both) if one in by_id)


def applied(graph: Graph, heads: Iterable[str]) -> frozenset[str]:
    """Return all revisions that are in a database with these rows in its version table."""
    by_id = {one.id: one for one in graph.revisions}
    found: set[str] = set()
    waiting = [head for head in heads if head in by_id]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += parents(by_id[current], by_id)
    return frozenset(found)


def _children(revisions: Iterable[Revision], by_id: Mapping[str, Revision]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in by_id}
    for one in revisions:
        for parent in parents(one, by_id):
            found[parent].append(one.id)
    return found


def _stretches(
    order: Sequence[Revision],
    by_id: Mapping[str, Revision],
    children: Mapping[str, Sequence[str]],
    standing: Collection[str],
) -> list[tuple[Revision, ...]]:
    """Return what is drawn in one row each, in the order of drawing."""

    def plain(one: Revision) -> bool:
        return (
            len(children[one.id]) == 1
            and len(parents(one, by_id)) == 1
            and not one.labels
            and not one.depends_on
            and one.id not in standing
        )

    found: list[tuple[Revision, ...]] = []
    done: set[str] = set()
    for one in order:
        if one.id in done:
            continue
        stretch = [one]
        while plain(stretch[-1]) and plain(by_id[parents(stretch[-1], by_id)[0]]):
            stretch.append(by_id[parents(stretch[-1], by_id)[0]])
        if len(stretch) < SHORTEST_FOLD:
            stretch = [one]
        found.append(tuple(stretch))
        done.update(two.id for two in stretch)
    return found


@dataclass(slots=True, kw_only=True)
class _Lane:
    target: str
    dashed: bool


@dataclass(slots=True, kw_only=True)
class _Drawing:
    """Lanes as they are from one row to the next; each leads to the revision that it waits for."""

    by_id: Mapping[str, Revision]
    top: set[str]
    """The first revision of each row."""
    lanes: list[_Lane | None] = field(default_factory=list)
    widest: int = 0

    def row(self, stretch: Sequence[Revision]) -> Row:
        name, last = stretch[0].id, stretch[-1]
        arriving = [place for place, one in enumerate(self.lanes) if one and one.target == name]
        lane = arriving[0] if arriving else self._free()
        above = tuple(
            Line(begin=place, end=lane if place in arriving else place, dashed=one.dashed)
            for place, one in enumerate(self.lanes)
            if one is not None
        )
        for place in arriving:
            self.lanes[place] = None
        passing = [place for place, one in enumerate(self.lanes) if one is not None]
        self._hold(lane)
        leaving = [
            self._towards(parent, dashed=parent not in last.down, near=lane if not index else None)
            for index, parent in enumerate(parents(last, self.by_id))
        ]
        below = [Line(begin=place, end=place, dashed=self._dashed(place)) for place in passing] + [
            Line(begin=lane, end=place, dashed=dashed) for place, dashed in leaving
        ]
        self.widest = max(self.widest, lane + 1, len(self.lanes))
        while self.lanes and self.lanes[-1] is None:
            self.lanes.pop()
        return Row(revisions=tuple(stretch), lane=lane, above=above, below=tuple(below))

    def _towards(self, parent: str, *, dashed: bool, near: int | None) -> tuple[int, bool]:
        """Return the lane in which a line to a revision goes on.

        The first one goes on straight down; a branch that comes in joins a line that leads where
        it leads, if there is one.
        """
        if near is None or self.lanes[near] is not None:
            for place, one in enumerate(self.lanes):
                if one is not None and one.target == parent and one.dashed == dashed:
                    return place, dashed
            near = self._free()
        self._hold(near)
        self.lanes[near] = _Lane(target=parent, dashed=dashed)
        return near, dashed

    def _free(self) -> int:
        return next((place for place, one in enumerate(self.lanes) if one is None), len(self.lanes))

    def _hold(self, place: int) -> None:
        self.lanes += [None] * (place + 1 - len(self.lanes))

    def _dashed(self, place: int) -> bool:
        one = self.lanes[place]
        return one is not None and one.dashed
