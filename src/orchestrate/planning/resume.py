"""The table of resume (design, section 6): journal and database together decide. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.snapshot import Difference
from orchestrate.planning.run_state import RunState, StepState
from orchestrate.planning.staleness import words
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """The step is behind us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """Run the step, for the first time or again: nothing of it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFinished:
    """The step was committed and only its record is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """The schema decides: read it and compare it with the snapshot from before the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Nothing may be done; `code` is one of `errors.CODES`."""

    code: Literal["stale-plan", "target-moved", "revision-changed"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Something of the step is there and something is not; a person has to decide."""

    differences: tuple[Difference, ...]


Decision = Skip | Carry | RecordFinished | Compare | Stop
AfterComparing = Carry | Doubt


def decide(  # noqa: PLR0911  (one return a row of the table)
    step: Step,
    record: StepState | None,
    heads: tuple[str, ...],
    *,
    changed: tuple[str, ...],
) -> Decision:
    """Return what to do with one step, given its record and the database's rows as they are now.

    `changed` are sentences about revision files that are not as recorded (`staleness`).
    """
    if record is not None and record.status in {"finished", "marked"}:
        return Skip()
    if changed:
        return Stop(code="revision-changed", message="; ".join(changed))
    here = sorted(heads)
    before, after = sorted(step.from_heads), sorted(step.to_heads)
    if step.kind == "restore" and record is not None:
        # It replaces everything, so that doing it again is right whatever is there.
        return Carry()
    if record is None:
        if here == before:
            return Carry()
        if step.kind == "stamp" and here == after:
            # What ran before it, such as a restored dump, brought the rows along.
            return RecordFinished()
        return Stop(
            code="stale-plan",
            message=f"step {step.id} expects {words(step.from_heads)} and the database is at "
            f"{words(heads)}",
        )
    if step.kind == "hook":
        # A program of the user's may have done anything, to the rows as well.
        return Compare()
    if here == after:
        # A stamp that leads nowhere is not to be recognised, and harmless to repeat.
        return RecordFinished() if before != after else Carry()
    if here == before:
        if step.transactional and not record.left_transaction and not record.rows_committed:
            return Carry()
        return Compare()
    between = {tuple(sorted(part.to_heads)) for part in step.parts}
    if tuple(here) in between:
        # Only a `native` step has parts: env.py committed some revisions of it by its own rules.
        return Carry() if step.transactional else Compare()
    return Stop(
        code="target-moved",
        message=f"step {step.id} leads from {words(step.from_heads)} to {words(step.to_heads)} and "
        f"the database is at {words(heads)}: someone else moved it",
    )


def reached(plan: Plan, records: Mapping[str, StepState], heads: tuple[str, ...]) -> int:
    """Return the number of steps before the one whose commit is what the database shows.

    A step begins while the end of the one before it is still being recorded: found committed, it
    proves those before it.
    """
    for number, step in enumerate(plan.steps):
        if step.id in records and sorted(step.to_heads) == sorted(heads):
            return number
    return 0


def overtaken(
    plan: Plan,
    run: RunState,
    heads: tuple[str, ...],
    *,
    changed: Callable[[Step], tuple[str, ...]],
) -> Stop | None:
    """Return why a run cannot be gone on with, as far as that is plain before it is.

    None as well where something of it has to be recorded or compared before anything is stopped:
    that belongs to the journal, whatever comes then.
    """
    records = records_left(plan, run.steps)
    if run.status == "failed":
        return _failed_and_overtaken(plan, records, heads, changed)
    proven = reached(plan, records, heads)
    for number, step in enumerate(plan.steps):
        here = step.to_heads if number < proven else heads
        match decide(step, records.get(step.id), here, changed=changed(step)):
            case Skip():
                continue
            case Stop(code="stale-plan") as stop:
                # A plan that waits is stale; under one that was begun the database was moved.
                return replace(stop, code="target-moved")
            case Stop() as stop:
                return stop
            case _:
                return None
    return None


def _failed_and_overtaken(
    plan: Plan,
    records: Mapping[str, StepState],
    heads: tuple[str, ...],
    changed: Callable[[Step], tuple[str, ...]],
) -> Stop | None:
    """Return what somebody else did since a run failed, which kept nobody from it.

    It left the rows of the version table as the journal has them, or between two revisions of a
    `native` step: others are not its own, not even those that its failed step leads to.
    """
    behind = {key for key, record in records.items() if record.status in {"finished", "marked"}}
    left = [step for step in plan.steps if step.id not in behind]
    edited = [sentence for step in left for sentence in changed(step)]
    if edited:
        return Stop(code="revision-changed", message="; ".join(edited))
    if not left:
        return None
    step = left[0]
    own = [step.from_heads, *(part.to_heads for part in step.parts[:-1])]
    if step.kind == "stamp":
        own.append(step.to_heads)  # a restored dump brought them along
    if sorted(heads) in [sorted(one) for one in own]:
        return None
    return Stop(
        code="target-moved",
        message=f"it failed before step {step.id}, with the database at {words(step.from_heads)}, "
        f"which is at {words(heads)} now: someone else moved it",
    )


def records_left(plan: Plan, records: Mapping[str, StepState]) -> dict[str, StepState]:
    """Return the records to go on with: checks are made all together, those that held as well.

    What mended one may have broken another.
    """
    checks = {step.id for step in plan.steps if step.kind == "verify" and step.action is not None}
    held = {one for one in checks if one in records and records[one].status == "finished"}
    if held == checks:
        return dict(records)
    return {key: record for key, record in records.items() if key not in held}


def after_comparing(
    differences: tuple[Difference, ...], rows_committed: tuple[str, ...]
) -> AfterComparing:
    """Return what the comparison of the schema with its earlier snapshot decides.

    `rows_committed` are statements of the step that changed rows for good: the schema is the same,
    and begun again the step would change them twice.
    """
    return Doubt(differences=differences) if differences or rows_committed else Carry()
