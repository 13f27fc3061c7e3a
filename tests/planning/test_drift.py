"""What is drift, what is known, and what is news: from literals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from orchestrate.domain.events import Event
from orchestrate.domain.spec_drift import KnownDifference
from orchestrate.planning.drift import (
    Left,
    identity_difference,
    left_by_runs,
    revision_difference,
    with_news,
    with_rules,
)
from orchestrate.planning.drift_values import difference_value
from orchestrate.planning.identities import IdentityVerdict
from orchestrate.planning.standing import Standing
from tests.support import drift_values
from tests.support.values import NOON, events, observation

NOTE = replace(drift_values.NOTE, new=False, remedy=None)
INDEX = replace(NOTE, object="index", name="orders.ix_total", change="removed", expected="(total)")
TARGET = replace(
    drift_values.TARGET,
    environment="prod",
    name="prod",
    dialect="sqlite",
    heads=("r2",),
    project_heads=("r2",),
    identity="sqlite /prod.db",
    server_version="SQLite 3",
    basis="what run-1 left at r2",
    previous=None,
    last_run=None,
)
LEFT = Left(run="run-1", at=NOON, heads=("r2",), snapshot="aa", last=True, same_database=True)


def judged(state: Any, heads: tuple[str, ...], left: Left | None = None) -> str | None:
    """Return expected, found and detail of the revision's difference, if there is one."""
    found = revision_difference(
        observation(*heads),
        Standing(state=state, pending=0),
        wanted=("r3",),
        left=left,
        unknown="at `r9`, which nobody has",
    )
    return f"{found.expected} {found.actual}: {found.detail}" if found else None


def test_revision() -> None:
    """Behind is pending; ahead, diverged, unknown and moved without a run are drift."""
    assert judged("behind", ("r2",), LEFT) is None
    assert judged("current", ("r3",)) is None
    assert judged("ahead", ("r4",)) == "r3 r4: ahead of its destination r3"
    assert judged("unknown-revision", ("r9",)) == "r3 r9: at `r9`, which nobody has"
    assert (judged("diverged", ("x1",)) or "").startswith("r3 x1: neither before nor after r3")
    assert judged("current", ("r3",), LEFT) == "r2 r3: moved without a run: run-1 left r2"
    assert judged("behind", ("r1",), LEFT) == "r2 r1: moved without a run: run-1 left r2"
    # What a later run or another database has to do with it is not known here.
    assert judged("current", ("r3",), replace(LEFT, last=False)) is None
    assert judged("current", ("r3",), replace(LEFT, same_database=False)) is None


def test_identity() -> None:
    """Another database than the recorded one is drift of the identity, its first use is not."""
    for kind, expected in (("changed", "sqlite /a"), ("same-database", "a database of its own")):
        verdict = IdentityVerdict(kind=kind, detail="so")  # type: ignore[arg-type]
        found = identity_difference("prod", verdict, recorded="sqlite /a", found="sqlite /b")
        assert found is not None
        assert (found.kind, found.expected, found.actual) == ("identity", expected, "sqlite /b")
    for kind in ("known", "first-use"):
        verdict = IdentityVerdict(kind=kind, detail="so")  # type: ignore[arg-type]
        assert identity_difference("prod", verdict, recorded=None, found="sqlite /b") is None


def started(run: str, environment: str, key: str) -> Event:
    data = {"environment": environment, "target_keys": [key]}
    return events([("run.started", None, data)], run=run)[0]


def schema(run: str, heads: list[str], snapshot: str, when: str = "after") -> Event:
    data = {"when": when, "heads": heads, "snapshot": snapshot}
    return events([("run.schema", None, data)], run=run)[0]


def test_what_runs_left() -> None:
    """The last schema after a run of this database counts, else that of the environment."""
    other = [started("run-0", "prod", "old"), schema("run-0", ["r1"], "00")]
    found = left_by_runs(other, target_key="new", environment="prod")
    assert found is not None
    assert (found.snapshot, found.same_database, found.last) == ("00", False, True)
    assert left_by_runs(other, target_key="new", environment="dev") is None
    mine = [
        *other,
        started("run-1", "prod", "new"),
        schema("run-1", ["r1"], "11", when="before"),
        schema("run-1", ["r2"], "22"),
        started("run-x", "dev", "elsewhere"),
        schema("run-x", ["r9"], "99"),
    ]
    found = left_by_runs(mine, target_key="new", environment="prod")
    assert found is not None
    assert (found.run, found.heads, found.snapshot) == ("run-1", ("r2",), "22")
    assert (found.same_database, found.last) == (True, True)
    failed = [*mine, started("run-2", "prod", "new")]
    found = left_by_runs(failed, target_key="new", environment="prod")
    assert found is not None
    assert (found.run, found.last) == ("run-1", False)


def test_rules() -> None:
    """A rule makes known what it names, to the end of its last day; then it is told."""
    rule = KnownDifference(
        object="column", name="orders.*", reason="the load's", until=date(2026, 11, 21)
    )
    marked, remarks = with_rules([NOTE, INDEX], [rule], today=date(2026, 11, 21))
    assert [(one.known, one.reason, one.until) for one in marked] == [
        (True, "the load's", date(2026, 11, 21)),
        (False, None, None),
    ]
    assert remarks == ()
    marked, remarks = with_rules([NOTE, NOTE], [rule], today=date(2026, 11, 22))
    assert not any(one.known for one in marked)
    assert remarks == (
        "the rule `the load's` ended on 2026-11-21, and column orders.note and 1 more still "
        "differs",
    )
    changed = KnownDifference(name="orders.note", change="altered", reason="x")
    assert not with_rules([NOTE], [changed], today=date(2026, 1, 1))[0][0].known


def test_news() -> None:
    """Without an earlier report all drift is news; then only what it did not have."""
    first = replace(TARGET, differences=(NOTE,))
    assert with_news(first, last=None, failed_before=False).news == (NOTE,)
    later = with_news(
        replace(TARGET, differences=(NOTE, INDEX)), last=("drift-1", first), failed_before=False
    )
    assert [one.name for one in later.news] == ["orders.ix_total"]
    assert later.previous == "drift-1"
    over = with_news(TARGET, last=("drift-1", first), failed_before=False)
    assert [one.name for one in over.gone] == ["orders.note"]
    # What could not be compared is not gone.
    unseen = replace(TARGET, compared_with=None, basis=None)
    assert with_news(unseen, last=("drift-1", first), failed_before=False).gone == ()
    # The same object changed once more is news.
    again = replace(TARGET, differences=(replace(NOTE, actual="varchar"),))
    assert len(with_news(again, last=("drift-1", first), failed_before=False).news) == 1


def test_names_of_a_difference() -> None:
    """The contract's names are there, whatever else is."""
    assert {"object", "name", "change", "expected", "actual", "known"} <= set(
        difference_value(NOTE)
    )
