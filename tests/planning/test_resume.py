"""The table of resume, row by row (design, section 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrate.domain.plan import Part
from orchestrate.domain.snapshot import Difference
from orchestrate.planning.resume import (
    Carry,
    Compare,
    Doubt,
    RecordFinished,
    Skip,
    Stop,
    after_comparing,
    decide,
    overtaken,
)
from orchestrate.planning.run_state import StepState, fold
from tests.support.values import NOON, STARTED, events, plan, step


def record(status: Any, *, left_transaction: bool = False) -> StepState:
    return StepState(
        id="002-r2",
        revision="r2",
        status=status,
        started_at=NOON,
        left_transaction=left_transaction,
    )


BEFORE, AFTER, ELSE = ("r1",), ("r2",), ("r7",)


@pytest.mark.parametrize("heads", [BEFORE, AFTER, ELSE])
@pytest.mark.parametrize("status", ["finished", "marked"])
def test_finished_is_skipped_wherever_the_database_is(status: str, heads: tuple[str, ...]) -> None:
    """finished, any → skip, even if the file was edited since."""
    assert decide(step(), record(status), heads, changed=("edited",)) == Skip()


def test_unrecorded() -> None:
    """None, as expected before → run; none, else → stale."""
    assert decide(step(), None, BEFORE, changed=()) == Carry()
    found = decide(step(), None, ELSE, changed=())
    assert getattr(found, "code", None) == "stale-plan"


@pytest.mark.parametrize("status", ["started", "failed"])
@pytest.mark.parametrize("transactional", [True, False])
def test_committed_without_record(status: str, transactional: bool) -> None:
    """Started or failed, as expected after → record as finished."""
    found = decide(step(transactional=transactional), record(status), AFTER, changed=())
    assert found == RecordFinished()


@pytest.mark.parametrize("status", ["started", "failed"])
def test_not_committed(status: str) -> None:
    """As expected before: run again if the server undid it, else let the schema decide."""
    assert decide(step(), record(status), BEFORE, changed=()) == Carry()
    assert decide(step(transactional=False), record(status), BEFORE, changed=()) == Compare()


def test_a_step_that_left_its_transaction() -> None:
    """What the file did not show and the agent saw counts: the schema decides."""
    assert decide(step(), record("started", left_transaction=True), BEFORE, changed=()) == Compare()


@pytest.mark.parametrize("status", ["started", "failed"])
def test_moved_by_someone_else(status: str) -> None:
    """Neither before nor after → someone else moved this target."""
    found = decide(step(), record(status), ELSE, changed=())
    assert getattr(found, "code", None) == "target-moved"


@pytest.mark.parametrize("one", [None, record("started"), record("failed")])
@pytest.mark.parametrize("heads", [BEFORE, AFTER, ELSE])
def test_other_file(one: StepState | None, heads: tuple[str, ...]) -> None:
    """Any, other file hash → the revision changed after it was recorded."""
    found = decide(step(), one, heads, changed=("revision `r2` was edited",))
    assert getattr(found, "code", None) == "revision-changed"


def test_schema_decides() -> None:
    """Unchanged → run again; changed → in doubt, with what changed."""
    difference = Difference(
        object="table", name="t2", change="added", expected=None, actual="create table t2"
    )
    assert after_comparing((), ()) == Carry()
    assert after_comparing((difference,), ()) == Doubt(differences=(difference,))
    assert after_comparing((), ("UPDATE t2 SET a = a + 1",)) == Doubt(differences=())


def test_native_step_done_in_part() -> None:
    """A native step stands at one of its own parts: the rest is run, or the schema decides."""
    parts = tuple(
        Part(
            revision=f"r{number}",
            from_heads=(f"r{number - 1}",),
            to_heads=(f"r{number}",),
            file="",
            file_sha256="",
        )
        for number in (2, 3)
    )
    native = step(parts=parts)
    whole = decide(native, record("started"), ("r3",), changed=())
    assert whole == Carry()
    loose = step(parts=parts, transactional=False)
    assert decide(loose, record("started"), ("r3",), changed=()) == Compare()


def test_a_command_may_have_done_anything() -> None:
    """A hook's rows prove nothing: begun and not ended well, the schema decides."""
    hook = step(kind="hook", transactional=False)
    for heads in (BEFORE, AFTER, ELSE):
        assert decide(hook, record("started"), heads, changed=()) == Compare()
    assert decide(hook, None, BEFORE, changed=()) == Carry()
    assert decide(hook, record("finished"), ELSE, changed=()) == Skip()


def test_a_stamp_that_is_there_already() -> None:
    """What ran before it brought the rows along; one that leads nowhere is repeated."""
    stamp = step(kind="stamp")
    assert decide(stamp, None, AFTER, changed=()) == RecordFinished()
    assert decide(stamp, record("started"), AFTER, changed=()) == RecordFinished()
    assert decide(stamp, record("started"), BEFORE, changed=()) == Carry()
    nowhere = replace(stamp, to_heads=BEFORE)
    assert decide(nowhere, record("started"), BEFORE, changed=()) == Carry()


RUN = fold(events([("run.started", None, STARTED)]))["run-1"]
PARTS = (
    Part(revision="r1a", from_heads=BEFORE, to_heads=("r1a",), file="", file_sha256=""),
    Part(revision="r2", from_heads=("r1a",), to_heads=AFTER, file="", file_sha256=""),
)


@pytest.mark.parametrize(
    ("heads", "kind", "parts", "stopped"),
    [
        (BEFORE, "upgrade", (), None),
        (AFTER, "upgrade", (), "target-moved"),
        (ELSE, "upgrade", (), "target-moved"),
        (ELSE, "restore", (), "target-moved"),
        (ELSE, "hook", (), "target-moved"),
        (AFTER, "stamp", (), None),
        (("r1a",), "upgrade", PARTS, None),
        (AFTER, "upgrade", PARTS, "target-moved"),
    ],
)
def test_a_failed_run_left_the_rows_as_it_says(
    heads: tuple[str, ...], kind: Any, parts: Any, stopped: str | None
) -> None:
    """What its failed step leads to is as foreign as anything else: it failed."""
    run = replace(RUN, status="failed", steps={"002-r2": record("failed")})
    found = overtaken(plan(step(kind=kind, parts=parts)), run, heads, changed=lambda _step: ())
    assert (found.code if found else None) == stopped


def test_a_failed_run_of_which_a_later_file_was_edited() -> None:
    run = replace(RUN, status="failed", steps={"002-r2": record("failed")})
    found = overtaken(
        plan(step(2), step(3)),
        run,
        BEFORE,
        changed=lambda one: ("edited",) if one.id == "003-r3" else (),
    )
    assert found == Stop(code="revision-changed", message="edited")


@pytest.mark.parametrize(
    ("records", "heads", "stopped"),
    [
        ({}, BEFORE, None),
        ({}, ELSE, "target-moved"),
        ({"002-r2": "started"}, AFTER, None),  # committed, and to be recorded as that
        ({"002-r2": "started"}, ELSE, "target-moved"),
        ({"002-r2": "finished"}, ELSE, "target-moved"),
        ({"002-r2": "finished"}, AFTER, None),
        ({"002-r2": "started", "003-r3": "started"}, ("r3",), None),
    ],
)
def test_an_unfinished_run(
    records: dict[str, Any], heads: tuple[str, ...], stopped: str | None
) -> None:
    """As the table says for its next step; what has to be recorded first is no refusal."""
    steps = {key: replace(record(status), id=key) for key, status in records.items()}
    run = replace(RUN, status="stopped", steps=steps)
    found = overtaken(plan(step(2), step(3)), run, heads, changed=lambda _step: ())
    assert (found.code if found else None) == stopped
