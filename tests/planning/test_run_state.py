"""Runs are a fold over events."""

from __future__ import annotations

from typing import Any

from orchestrate.planning.run_state import fold
from tests.support.values import STARTED, events


def test_a_run_from_start_to_finish() -> None:
    """Started, one step done, one failed and done again, finished."""
    run = fold(
        events(
            [
                ("run.started", None, STARTED),
                ("step.started", "001-r1", {"revision": "r1"}),
                ("step.finished", "001-r1", {"seconds": 0.5}),
                ("step.started", "002-r2", {"revision": "r2", "snapshot": "first"}),
                ("step.failed", "002-r2", {"message": "lock timeout", "statements": ["create"]}),
                ("step.started", "002-r2", {"revision": "r2"}),
                ("step.finished", "002-r2", {"seconds": 0.1}),
                ("run.finished", None, {"status": "succeeded"}),
            ]
        )
    )["run-1"]
    assert (run.status, run.done, run.unfinished) == ("succeeded", 2, False)
    assert run.steps["002-r2"].attempts == 2
    assert run.steps["002-r2"].snapshot == "first", "the schema before anything of it happened"
    assert run.steps["001-r1"].seconds == 0.5


def test_a_killed_run_is_unfinished() -> None:
    """No end was recorded: the run blocks its target until it is resumed or aborted."""
    told = [("run.started", None, STARTED), ("step.started", "001-r1", {"revision": "r1"})]
    run = fold(events(told))["run-1"]  # type: ignore[arg-type]
    assert (run.status, run.unfinished, run.resumable, run.done) == ("running", True, True, 0)


def test_a_clean_failure_blocks_nothing() -> None:
    """Nothing half done: a new apply may begin, and resume may go on."""
    told = [("run.started", None, STARTED), ("run.finished", None, {"status": "failed"})]
    run = fold(events(told))["run-1"]  # type: ignore[arg-type]
    assert (run.unfinished, run.resumable) == (False, True)


def test_doubt_abort_and_resume() -> None:
    """A doubt blocks; an abort ends it; a resume makes it running again."""
    told = [
        ("run.started", None, STARTED),
        ("run.stopped", None, {"status": "in-doubt", "code": "in-doubt"}),
    ]
    assert fold(events(told))["run-1"].unfinished  # type: ignore[arg-type]
    aborted = [*told, ("run.aborted", None, {"message": "given up"})]
    assert fold(events(aborted))["run-1"].status == "aborted"  # type: ignore[arg-type]
    resumed = [*told, ("run.resumed", None, {"host": "other", "pid": 7})]
    assert fold(events(resumed))["run-1"].status == "running"  # type: ignore[arg-type]


def test_events_of_other_things() -> None:
    """Identities and leases belong to no run."""
    told = events([("identity.recorded", None, {})], run="")
    assert fold(told) == {}


def test_the_schema_at_both_ends() -> None:
    """Read for the run itself, or recorded before its first step; a later step tells nothing."""
    begun = {"heads": ["r1"], "revision": "r2", "snapshot": "first"}
    started = {**STARTED, "heads": ["r1"]}
    told: list[tuple[Any, str | None, dict[str, Any]]] = [
        ("run.started", None, started),
        ("step.started", "001-r2", begun),
        ("step.failed", "001-r2", {"message": "no"}),
        ("step.started", "001-r2", {**begun, "snapshot": "again"}),
        ("step.finished", "001-r2", {}),
        ("run.schema", None, {"when": "after", "heads": ["r2"], "snapshot": "last"}),
    ]
    run = fold(events(told))["run-1"]
    assert (run.schema_before, run.schema_after) == ("first", "last")
    data = {"when": "before", "heads": ["r1"], "snapshot": "read"}
    read: tuple[Any, None, dict[str, Any]] = ("run.schema", None, data)
    assert fold(events([told[0], read, *told[1:]]))["run-1"].schema_before == "read"
    late = {**begun, "heads": ["r2"]}
    assert fold(events([told[0], ("step.started", "x", late)]))["run-1"].schema_before is None
