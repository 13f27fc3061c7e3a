"""What ran where, from events, and what that opens."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from orchestrate.domain.events import Event, EventKind
from orchestrate.planning.deeds import Deed, deeds
from orchestrate.planning.promotion import promotion_gate
from tests.support.values import NOON

Said = tuple[EventKind, str, int, dict[str, Any]]


def told(*said: Said) -> list[Event]:
    """Return events of runs, each so many minutes after noon."""
    return [
        Event(
            sequence=number,
            kind=kind,
            at=NOON + timedelta(minutes=minutes),
            run=run,
            step="001",
            data=data,
            previous_hash="",
            hash="",
        )
        for number, (kind, run, minutes, data) in enumerate(said)
    ]


def did(revision: str, sha256: str, direction: str = "upgrade") -> dict[str, Any]:
    return {"revision": revision, "file_sha256": sha256, "direction": direction}


def staging(*said: Said) -> dict[str, Deed]:
    begun: list[Said] = [
        ("run.started", run, 0, {"environment": "staging", "direction": way})
        for run, way in (("one", "upgrade"), ("two", "upgrade"), ("back", "downgrade"))
    ]

    def within(heads: Collection[str]) -> Collection[str]:
        return heads

    return dict(deeds(told(*begun, *said), within).get("staging", {}))


SUCCEEDED = {"status": "succeeded"}


def state(done: dict[str, Deed], *, soak: float = 0, minutes: int = 60) -> tuple[str, str]:
    now = NOON + timedelta(minutes=minutes)
    gate = promotion_gate("staging", soak, [("a", "A"), ("b", "B")], done, now)
    return gate.state, gate.detail


def test_what_succeeded_there_may_go_on() -> None:
    done = staging(
        ("step.finished", "one", 1, did("a", "A")),
        ("step.finished", "one", 2, did("b", "B")),
        ("run.finished", "one", 10, SUCCEEDED),
    )
    assert state(done) == ("open", "all 2 revisions succeeded in staging, 50 min ago")
    assert state(done, soak=7200)[0] == "closed"
    assert "opens Sat 2026-11-21 14:10 UTC, in 1 h 10 min" in state(done, soak=7200)[1]
    assert state(done, soak=7200, minutes=130)[0] == "open", "to the minute"


def test_what_did_not_succeed_there() -> None:
    ran: Said = ("step.finished", "one", 1, did("a", "A"))
    assert state(staging())[1] == "a, b did not run in staging"
    assert "a ran in staging in one, which has not succeeded" in state(staging(ran))[1]
    failed = staging(ran, ("run.finished", "one", 3, {"status": "failed"}))
    assert "a ran in staging in one, which has not succeeded" in state(failed)[1]
    edited = staging(
        ("step.finished", "one", 1, did("a", "before")),
        ("step.finished", "one", 2, did("b", "B")),
        ("run.finished", "one", 3, SUCCEEDED),
    )
    assert state(edited) == ("closed", "a was edited since it ran in staging")


def test_what_was_taken_back_there() -> None:
    up: list[Said] = [
        ("step.finished", "one", 1, did("a", "A")),
        ("step.finished", "one", 2, did("b", "B")),
        ("run.finished", "one", 3, SUCCEEDED),
    ]
    down = staging(*up, ("step.finished", "two", 4, did("b", "B", "downgrade")))
    assert state(down) == ("closed", "b was undone in staging")
    again: Said = ("step.finished", "two", 5, did("b", "B"))
    assert (
        "has not succeeded"
        in state(staging(*up, ("step.finished", "two", 4, did("b", "B", "downgrade")), again))[1]
    )
    back = staging(*up, ("step.finished", "two", 4, {"restored": True, "heads": ["a"]}))
    assert state(back) == ("closed", "b was undone in staging")


def test_a_later_run_that_succeeds_proves_what_a_failed_one_applied() -> None:
    done = staging(
        ("step.finished", "one", 1, did("a", "A")),
        ("run.finished", "one", 2, {"status": "failed"}),
        ("step.marked", "two", 3, did("b", "B")),
        ("run.finished", "two", 20, SUCCEEDED),
    )
    assert state(done) == ("open", "all 2 revisions succeeded in staging, 40 min ago")


def test_a_way_back_that_succeeds_proves_nothing() -> None:
    """Its run makes no checks: those of the upgrade failed."""
    done = staging(
        ("step.finished", "one", 1, did("a", "A")),
        ("step.finished", "one", 2, did("b", "B")),
        ("run.finished", "one", 3, {"status": "failed"}),
        ("step.finished", "back", 4, did("b", "B", "downgrade")),
        ("run.finished", "back", 5, SUCCEEDED),
    )
    assert "a ran in staging in one, which has not succeeded" in state(done)[1]


def test_a_native_step_tells_its_revisions() -> None:
    parts = {**did("b", ""), "parts": {"a": "A", "b": "B"}}
    done = staging(("step.finished", "one", 1, parts), ("run.finished", "one", 2, SUCCEEDED))
    assert state(done)[0] == "open"
