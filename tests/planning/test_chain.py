"""The order of revisions and the rows they leave are Alembic's own."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrate.errors import OrchestrateError
from tests.support.values import branches, chain, line, revision


def walked(*arguments: Any, **more: Any) -> list[tuple[str, str]]:
    return [
        (move.revision.id, "+".join(move.to_heads) or "base") for move in arguments[0].moves(**more)
    ]


def test_branches_dependencies_and_merge() -> None:
    """A dependency's row is folded into the row of what depends on it, as Alembic does it."""
    assert walked(branches(), direction="upgrade", heads=(), to="heads") == [
        ("b1", "b1"),
        ("l1", "l1"),
        ("x1", "l1+x1"),
        ("x2", "x2"),
        ("l2", "l2+x2"),
        ("m1", "m1"),
        ("m2", "m2"),
    ]


def test_downgrade_undoes_in_reverse() -> None:
    """The way back from the merge leaves the rows that the way there passed."""
    assert walked(branches(), direction="downgrade", heads=("m2",), to="b1") == [
        ("m2", "m1"),
        ("m1", "l2+x2"),
        ("l2", "x2"),
        ("x2", "l1+x1"),
        ("x1", "l1"),
        ("l1", "b1"),
    ]


@pytest.mark.parametrize(
    ("to", "last"),
    [("head", "r5"), ("heads", "r5"), ("+1", "r3"), ("+2", "r4"), ("r4", "r4"), ("r3+1", "r4")],
)
def test_destinations(to: str, last: str) -> None:
    """`--to` takes absolute and relative destinations."""
    assert walked(line(5), direction="upgrade", heads=("r2",), to=to)[-1][0] == last


@pytest.mark.parametrize(
    ("to", "first", "last"), [("-1", "r5", "r5"), ("base", "r5", "r1"), ("r3", "r5", "r4")]
)
def test_destinations_of_a_downgrade(to: str, first: str, last: str) -> None:
    """`base`, `-1` and a revision lead back."""
    moves = walked(line(5), direction="downgrade", heads=("r5",), to=to)
    assert (moves[0][0], moves[-1][0]) == (first, last)


def test_label_and_partial_identifier() -> None:
    """A label stands for its branch and an unambiguous beginning for its revision."""
    long = chain(revision("abc123"), revision("def456", "abc123", labels=("billing",)))
    assert walked(long, direction="upgrade", heads=(), to="abc")[-1][0] == "abc123"
    assert walked(long, direction="upgrade", heads=(), to="billing@head")[-1][0] == "def456"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("nothing", "unknown-revision"),
        ("head", "multiple-heads"),
        ("+9", "ambiguous-revision"),
        ("ab", "ambiguous-revision"),
    ],
)
def test_errors_have_codes(to: str, code: str) -> None:
    """Alembic's errors come out with a code and a hint."""
    split = chain(revision("base1"), revision("abc1", "base1"), revision("abd2", "base1"))
    with pytest.raises(OrchestrateError) as caught:
        split.moves(direction="upgrade", heads=(), to=to)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    ("revisions", "word"),
    [
        ((revision("a"), revision("a")), "two files"),
        ((revision("a", "gone"),), "no file has"),
        ((revision("a", "b"), revision("b", "a")), "circle"),
        ((revision("a", depends_on=("gone",)),), "no file has"),
    ],
)
def test_contradictions_are_named(revisions: Any, word: str) -> None:
    """A project that contradicts itself is refused where Alembic might only warn."""
    with pytest.raises(OrchestrateError, match=word) as caught:
        chain(*revisions)
    assert caught.value.code == "project-unreadable"


def test_rows_that_contradict_each_other() -> None:
    """A row whose descendant is a row as well is found; a dependency is none."""
    assert line(3).overlapping(("r1", "r3")) == ("r1",)
    assert branches().overlapping(("l2", "x2")) == ()


def test_a_stamp_that_alembic_cannot_make_is_refused() -> None:
    """Two rows in the place of their merge; one after the other it can."""
    merged = chain(
        revision("a1"),
        revision("b1", "a1"),
        revision("b2", "a1"),
        revision("m1", "b1", "b2"),
    )
    with pytest.raises(OrchestrateError, match="b1, b2 together where the rows are m1") as caught:
        merged.stamped(("m1",), ("b1", "b2"))
    assert caught.value.code == "ambiguous-revision"
    assert "one after the other" in str(caught.value.hint)
    assert merged.stamped(merged.stamped(("m1",), ("b1",)), ("b2",)) == ("b1", "b2")
