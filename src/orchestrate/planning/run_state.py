"""What became of a run: a fold over its events, never stored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Literal

from orchestrate.domain.events import Event
from orchestrate.values import dataclass

RunStatus = Literal["running", "succeeded", "failed", "stopped", "in-doubt", "aborted"]
StepStatus = Literal["started", "failed", "finished", "marked"]
Verification = Literal["none", "open", "failed", "passed"]
"""No check was declared; not all were made yet; one did not hold; all hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """What the journal says of one step; a step without any event has no `StepState`."""

    id: str
    revision: str
    status: StepStatus
    started_at: datetime
    finished_at: datetime | None = None
    seconds: float | None = None
    attempts: int = 1
    left_transaction: bool = False
    rows_committed: tuple[str, ...] = ()
    """Statements that changed rows and were committed before the end of the step."""
    snapshot: str | None = None
    """Digest of the schema as it was before the step, if it was taken."""
    error: str | None = None
    statements: tuple[str, ...] = ()
    """Those that ran before the step failed, where that is known."""
    kind: str = ""
    """`verify` or `hook`; other kinds of steps are not told."""
    title: str = ""
    output: tuple[str, ...] = ()
    """The last lines that a hook's or check's command printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A hook that ran because a run failed, or a notification; neither changes how a run ended."""

    kind: Literal["hook", "notice"]
    title: str
    at: datetime
    problem: str | None
    """Why it failed; None where it did not."""
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One run as the journal tells it."""

    id: str
    environment: str
    plan_id: str
    plan_digest: str
    direction: str
    by: str
    host: str
    pid: int
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None = None
    total_steps: int = 0
    target_keys: tuple[str, ...] = ()
    message: str | None = None
    code: str | None = None
    command: str | None = None
    """What was typed, where that was not a command of our own: `alembic downgrade -1`."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Reasons for gates that were overridden, by gate."""
    approval: str | None = None
    """Who had approved it when it began, where that was asked for."""
    ends: str | None = None
    """The unfinished run that is over when this one has succeeded."""
    from_heads: tuple[str, ...] = ()
    """The rows of the version table when the run began."""
    schema_before: str | None = None
    """Digest of the whole schema when the run began, in the state store; None if not read."""
    schema_after: str | None = None
    """The same when all its steps were done, or when it failed cleanly."""
    steps: dict[str, StepState] = field(default_factory=dict)
    total_checks: int = 0
    """Steps of kind `verify` in its plan."""
    told: tuple[Told, ...] = ()
    """What was run and sent because of how it went, oldest first."""

    @property
    def verification(self) -> Verification:
        """Return what came of the checks after its last change."""
        if not self.total_checks:
            return "none"
        checks = [step.status for step in self.steps.values() if step.kind == "verify"]
        if "failed" in checks:
            return "failed"
        return "passed" if checks.count("finished") == self.total_checks else "open"

    @property
    def unfinished(self) -> bool:
        """Return whether the run blocks others on its targets until it is resumed or aborted."""
        return self.status in {"running", "stopped", "in-doubt"}

    @property
    def resumable(self) -> bool:
        """Return whether `resume` can go on with it: a clean failure can be tried again as well."""
        return self.unfinished or self.status == "failed"

    @property
    def done(self) -> int:
        """Return the number of steps that are behind it."""
        return sum(1 for step in self.steps.values() if step.status in {"finished", "marked"})


def fold(events: Iterable[Event]) -> dict[str, RunState]:
    """Return every run that the events tell of, by its identifier, in order of their start."""
    runs: dict[str, RunState] = {}
    for event in events:
        if event.run is None:
            continue
        if event.kind == "run.started":
            runs[event.run] = _begin(event)
        elif event.run in runs:
            runs[event.run] = _advance(runs[event.run], event)
    return runs


def _begin(event: Event) -> RunState:
    data: Mapping[str, Any] = event.data
    return RunState(
        id=event.run or "",
        environment=data["environment"],
        plan_id=data["plan"],
        plan_digest=data["plan_digest"],
        direction=data["direction"],
        by=data["by"],
        host=data["host"],
        pid=data["pid"],
        status="running",
        started_at=event.at,
        total_steps=data["steps"],
        target_keys=tuple(data["target_keys"]),
        command=data.get("command"),
        overrides=data.get("overrides", {}),
        approval=data.get("approval"),
        ends=data.get("ends"),
        from_heads=tuple(data.get("heads", ())),
        total_checks=data.get("checks", 0),
    )


def _advance(run: RunState, event: Event) -> RunState:
    data: Mapping[str, Any] = event.data
    match event.kind:
        case "run.resumed":
            return replace(
                run,
                status="running",
                finished_at=None,
                message=None,
                code=None,
                overrides={**run.overrides, **data.get("overrides", {})},
                host=data["host"],
                pid=data["pid"],
            )
        case "run.stopped":
            return replace(
                run, status=data["status"], message=data.get("message"), code=data.get("code")
            )
        case "run.finished":
            return replace(
                run,
                status=data["status"],
                finished_at=event.at,
                message=data.get("message"),
                code=data.get("code"),
            )
        case "run.schema":
            return _with_schema(run, data)
        case "hook.ended" | "notice.sent" | "notice.failed":
            return replace(run, told=(*run.told, _told(event)))
        case "run.aborted":
            return replace(run, status="aborted", finished_at=event.at, message=data.get("message"))
        case _ if event.step is not None:
            if run.schema_before is None and _tells_beginning(run, event):
                run = replace(run, schema_before=data["snapshot"])
            step = advance_step(run.steps.get(event.step), event)
            if step:
                # The fold owns this dictionary until it returns; a copy an event would be slow.
                run.steps[event.step] = step
            else:
                run.steps.pop(event.step, None)
            return run
        case _:
            return run


def _with_schema(run: RunState, data: Mapping[str, Any]) -> RunState:
    match data["when"]:
        case "after":
            return replace(run, schema_after=data["snapshot"])
        case "before":
            return replace(run, schema_before=run.schema_before or data["snapshot"])
        case _:  # within the run, after a hook that changed it
            return run


def _told(event: Event) -> Told:
    data: Mapping[str, Any] = event.data
    return Told(
        kind="hook" if event.kind == "hook.ended" else "notice",
        title=data["title"],
        at=event.at,
        problem=data.get("problem"),
        output=tuple(data.get("output", ())),
    )


def _tells_beginning(run: RunState, event: Event) -> bool:
    """Tell whether a step's record has the schema from before the run: it is the first to act."""
    before = all(step.status == "finished" for step in run.steps.values())
    return (
        event.kind == "step.started"
        and "snapshot" in event.data
        and before
        and event.data.get("heads") == list(run.from_heads)
    )


def advance_step(step: StepState | None, event: Event) -> StepState | None:
    """Return a step's state after one more event of it; None when it has not begun after all."""
    data: Mapping[str, Any] = event.data
    if event.kind == "step.started":
        return StepState(
            id=event.step or "",
            revision=data["revision"],
            status="started",
            started_at=event.at,
            attempts=step.attempts + 1 if step else 1,
            # The oldest one is from before anything of the step happened: an attempt that starts
            # from what an earlier one left must not take that for the beginning.
            snapshot=(step.snapshot if step else None) or data.get("snapshot"),
            kind=data.get("step_kind", ""),
            title=data.get("title", ""),
        )
    if step is None:
        return None
    match event.kind:
        case "step.withdrawn":
            return None
        case "step.left-transaction" | "step.rows-committed":
            return replace(
                step,
                left_transaction=step.left_transaction or event.kind == "step.left-transaction",
                snapshot=step.snapshot or data.get("snapshot"),
                rows_committed=(*step.rows_committed, *data.get("statements", ())),
            )
        case "step.finished":
            return replace(
                step,
                status="finished",
                finished_at=event.at,
                seconds=data.get("seconds"),
                output=tuple(data.get("output", ())),
            )
        case "step.marked":
            return replace(step, status="marked", finished_at=event.at)
        case "step.failed":
            return replace(
                step,
                status="failed",
                error=data.get("message"),
                statements=tuple(data.get("statements", ())),
                output=tuple(data.get("output") or ()),
            )
        case _:
            return step
