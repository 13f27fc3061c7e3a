"""Where lines run when revisions are drawn: every edge arrives, long stretches are folded."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from orchestrate.domain.revisions import Graph, Revision
from orchestrate.reports.revision_map import RevisionMap, Row, applied, lay_out, parents
from tests.support.drift_values import graph
from tests.support.values import revision


def drawn(found: RevisionMap) -> list[str]:
    """Return each row as `lane: revisions`."""
    return [
        f"{row.lane}: {row.revisions[0].id}" + (f"..{row.revisions[-1].id}" if row.folded else "")
        for row in found.rows
    ]


def test_a_branch_and_its_merge() -> None:
    """The line goes straight down, the branch beside it, and where somebody stands is a row."""
    assert drawn(lay_out(graph(), {"r35"})) == [
        "0: m1",
        "1: b2",
        "1: b1",
        "0: r40..r36",
        "0: r35",
        "0: r34..r31",
        "0: r30",
        "0: r29..r2",
        "0: r1",
    ]


def test_two_thousand_revisions_in_a_line() -> None:
    """They are three rows."""
    line = [revision("r1"), *(revision(f"r{one}", f"r{one - 1}") for one in range(2, 2001))]
    found = lay_out(Graph(digest="d", revisions=tuple(line)), set())
    assert (drawn(found), found.lanes) == (["0: r2000", "0: r1999..r2", "0: r1"], 1)


def test_dependencies_are_dashed() -> None:
    """What is needed but not followed is a line of its own kind; a missing file ends nothing."""
    found = lay_out(
        Graph(
            digest="d",
            revisions=(revision("a"), revision("b", "gone"), revision("c", "a", depends_on=("b",))),
        ),
        set(),
    )
    assert drawn(found) == ["0: c", "0: a", "1: b"]
    assert [(one.end, one.dashed) for one in found.rows[0].below] == [(0, False), (1, True)]


def test_applied() -> None:
    """All that lies under the rows of a version table, those of no file left out."""
    assert applied(graph(), ("b1", "f00d")) == {"b1", *(f"r{one}" for one in range(1, 31))}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Revision, ...]:
    """Return revisions of which each follows, and needs, some of those before it."""
    found: list[Revision] = []
    for number in range(draw(st.integers(1, 24))):
        before = st.sampled_from([one.id for one in found]) if found else st.nothing()
        down = draw(st.lists(before, max_size=3, unique=True)) if found else []
        needed = draw(st.lists(before, max_size=1)) if found else []
        found.append(
            revision(
                f"r{number:02}",
                *down,
                depends_on=tuple(one for one in needed if one not in down),
            )
        )
    return tuple(found)


@given(graphs(), st.sets(st.integers(0, 24)))
def test_every_line_arrives(revisions: tuple[Revision, ...], standing: set[int]) -> None:
    """Each revision is drawn once, after all that follow it, and lines join exactly its parents."""
    names = {f"r{one:02}" for one in standing}
    found = lay_out(Graph(digest="d", revisions=revisions), names)
    every = [one.id for row in found.rows for one in row.revisions]
    assert sorted(every) == sorted(one.id for one in revisions)
    by_id = {one.id: one for one in revisions}
    places = {name: place for place, name in enumerate(every)}
    for one in revisions:
        assert all(places[parent] > places[one.id] for parent in parents(one, by_id))
    assert _edges(found.rows) == {
        (row.revisions[-1].id, parent)
        for row in found.rows
        for parent in parents(row.revisions[-1], by_id)
    }
    for row in found.rows:
        assert not row.folded or names.isdisjoint(one.id for one in row.revisions)
        assert all(0 <= line.end < found.lanes for line in (*row.above, *row.below))


def _edges(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """Follow the lines with a finger: from each row down to where they end."""
    found = set()
    lanes: dict[int, set[str]] = {}
    for row in rows:
        assert {line.begin for line in row.above} == set(lanes), "a line begins or ends in the air"
        after: dict[int, set[str]] = {}
        for line in row.above:
            if line.end == row.lane:
                found |= {(child, row.revisions[0].id) for child in lanes[line.begin]}
            else:
                assert line.end == line.begin
                after[line.begin] = set(lanes[line.begin])
        below: dict[int, set[str]] = {}
        for line in row.below:
            origin = {row.revisions[-1].id} if line.begin == row.lane else after[line.begin]
            below.setdefault(line.end, set()).update(origin)
        lanes = below
    assert lanes == {}
    return found
