"""Each of the eight states, from literals."""

from __future__ import annotations

import pytest

from orchestrate.domain.observation import Unreachable
from orchestrate.planning.standing import Standing, judge
from tests.support.values import branches, line, observation


@pytest.mark.parametrize(
    ("heads", "to", "state", "pending"),
    [
        (("r5",), "heads", "current", 0),
        (("r2",), "heads", "behind", 3),
        (("r2",), "r3", "behind", 1),
        (("r3",), "r3", "current", 0),
        (("r5",), "r3", "ahead", 0),
        (("r2", "r4"), "heads", "diverged", 1),
        (("r2",), "+1", "behind", 3),
    ],
)
def test_rows_of_a_line(heads: tuple[str, ...], to: str, state: str, pending: int) -> None:
    """A line of revisions is current, behind or ahead; rows that contradict are diverged."""
    found = judge(observation(*heads), line(5), to=to)
    assert (found.state, found.pending) == (state, pending)


def test_diverged_branches() -> None:
    """On another branch than the destination: something is pending and something is beyond."""
    assert judge(observation("x1"), branches(), to="l1") == Standing(state="diverged", pending=1)


def test_folded_row_is_applied() -> None:
    """The row `x2` alone means that `l1` is applied too."""
    assert judge(observation("x2"), branches(), to="l1").state == "ahead"


def test_no_rows() -> None:
    """Without rows, other tables tell an empty database from an unversioned one."""
    assert judge(observation(), line(5), to="heads") == Standing(state="empty", pending=5)
    assert judge(observation(tables=3), line(5), to="heads").state == "unversioned"
    assert judge(observation(has_version_table=True), line(5), to="base").state == "current"


def test_unknown_revision() -> None:
    """A row that no file has is a state of its own."""
    found = judge(observation("deadbeef"), line(5), to="heads")
    assert found == Standing(state="unknown-revision", pending=0, unknown=("deadbeef",))


def test_unreachable() -> None:
    """What could not be seen is unreachable."""
    sight = Unreachable(
        environment="dev", target="dev", dialect="sqlite", code="unreachable", message="refused"
    )
    assert judge(sight, None, to="heads").state == "unreachable"
