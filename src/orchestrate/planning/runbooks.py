"""A plan as a runbook: what is to be done by whom, and what the journal says is done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from orchestrate.domain.backups import Backup
from orchestrate.domain.durations import duration
from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.runbook import (
    Box,
    Database,
    People,
    Runbook,
    RunbookGate,
    RunbookRun,
    RunbookStep,
    Typed,
)
from orchestrate.domain.spec import Environment
from orchestrate.planning.run_state import RunState, StepState
from orchestrate.planning.runbook_commands import (
    apply_command,
    if_it_stops,
    opens,
    plan_argument,
    step_way_back,
    way_back,
)
from orchestrate.planning.staleness import words
from orchestrate.values import dataclass

_MOVING: Final = frozenset({"upgrade", "downgrade"})
_MOST_NAMED: Final = 5
_TIMED: Final = "the last time the same content ran anywhere, by the journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a runbook is written from, beside the plan itself."""

    environment: Environment
    written_by: str
    written_at: datetime
    plan_file: str | None = None
    run: RunState | None = None
    copies: tuple[Backup, ...] = ()
    """Good ones that the run made, oldest first."""
    sessions: str | None = None
    """The server's query for who works in the database."""
    no_sql: str | None = None
    """Why no SQL could be rendered at all."""
    remarks: tuple[str, ...] = ()


def make_runbook(plan: Plan, around: Circumstances) -> Runbook:
    """Return the runbook of a plan that has steps."""
    known = [step.estimate_seconds for step in plan.steps if step.estimate_seconds is not None]
    moving = [step for step in plan.steps if step.kind in _MOVING]
    wishes = around.environment.runbook
    return Runbook(
        environment=plan.environment,
        way=_way(plan, moving),
        purpose=tuple(step.title for step in moving or plan.steps),
        plan=plan.id,
        plan_file=around.plan_file,
        digest=plan.digest,
        planned_at=plan.created_at,
        written_at=around.written_at,
        database=_database(plan),
        people=_people(plan, around),
        notes=wishes.notes if wishes else (),
        remarks=around.remarks,
        gates=tuple(
            RunbookGate(
                kind=gate.kind,
                state=gate.state,
                detail=gate.detail,
                opens=opens(gate, plan, around.plan_file),
            )
            for gate in plan.gates
        ),
        findings=plan.findings,
        expected=duration(sum(known)) if known else None,
        never_timed=len(plan.steps) - len(known),
        before=_before(plan, around),
        apply=apply_command(plan, around.plan_file),
        steps=tuple(_step(number, step, plan, around) for number, step in enumerate(plan.steps, 1)),
        if_it_stops=if_it_stops(plan, around.run),
        watch=_watch(plan, around),
        waits=_waits(around.environment),
        worked=_worked(plan, around.run),
        check=_check(plan, around.run),
        way_back=way_back(plan, around.run, around.copies),
        run=_run(around.run) if around.run else None,
    )


def _way(plan: Plan, moving: Sequence[Step]) -> str:
    count = sum(len(step.parts) or 1 for step in moving)
    if plan.direction in _MOVING and count:
        return f"{plan.direction} by {count} revision{'s' if count > 1 else ''}"
    return plan.direction


def _database(plan: Plan) -> Database:
    basis = plan.basis[0]
    return Database(
        identity=basis.identity,
        server=basis.server_version,
        target=basis.target,
        version_table=basis.version_table,
        now_at=words(basis.heads),
        goes_to=words(plan.steps[-1].to_heads),
    )


def _people(plan: Plan, around: Circumstances) -> People:
    approval, wishes = around.environment.approval, around.environment.runbook
    return People(
        written_by=around.written_by,
        author=plan.author,
        approvals=approval.required if approval else 0,
        approvers=approval.approvers if approval else (),
        contacts=wishes.contacts if wishes else (),
    )


def _before(plan: Plan, around: Circumstances) -> tuple[Box, ...]:
    """Return what has to be so before the first command; the journal ticks what let it begin."""
    begun = around.run is not None
    found = [
        Box(
            text="The database above is the one that is meant",
            done=begun,
            remark="the run checks its identity" if not begun else "its identity was checked",
        )
    ]
    for gate in plan.gates:
        if gate.kind == "identity":
            continue
        reason = (around.run.overrides if around.run else {}).get(gate.kind)
        remark = f"overridden: {reason}" if reason else gate.detail
        found.append(
            Box(text=f"The gate {gate.kind} is {_said(gate.state)}", done=begun, remark=remark)
        )
    stays = [step.id for step in plan.steps if step.kind in _MOVING and not step.transactional]
    if stays:
        text = "Somebody who may mend the schema by hand can be reached"
        found.append(Box(text=text, remark=f"what these do stays if they fail: {_some(stays)}"))
    return (*found, Box(text="Those who are concerned know that it begins"))


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _said(state: str) -> str:
    return "overridden" if state == "overridden" else "open"


def _step(number: int, step: Step, plan: Plan, around: Circumstances) -> RunbookStep:
    state = around.run.steps.get(step.id) if around.run else None
    timed = step.estimate_seconds is not None
    written = RunbookStep(
        number=number,
        id=step.id,
        kind=step.kind,
        title=step.title,
        revision=step.revision,
        file=step.file,
        transactional=step.transactional,
        command=step.command or (step.action.command if step.action else ()),
        expected=duration(step.estimate_seconds) if timed else None,
        expected_from=_TIMED if timed else "never timed",
        sql=step.action.sql if step.action else step.sql,
        no_sql=_no_sql(step, around.no_sql),
        findings=step.findings,
        way_back=step_way_back(step, plan),
    )
    return _advanced(written, state) if state else written


def _no_sql(step: Step, why: str | None) -> str | None:
    if step.kind not in _MOVING or step.sql is not None:
        return None
    return step.sql_error or why or "it was not rendered"


def _advanced(step: RunbookStep, state: StepState) -> RunbookStep:
    return replace(
        step,
        progress=state.status,
        done=state.status in {"finished", "marked"},
        started_at=state.started_at,
        finished_at=state.finished_at,
        took=duration(state.seconds) if state.seconds is not None else None,
        attempts=state.attempts,
        error=state.error if state.status == "failed" else None,
    )


def _watch(plan: Plan, around: Circumstances) -> tuple[Typed, ...]:
    found = [
        Typed(
            command=f"orchestrate status {plan.environment}",
            purpose="in a second terminal: which run is at work, and at which step",
        )
    ]
    if around.sessions is not None:
        found.append(
            Typed(
                command=around.sessions,
                purpose="in the database: who works in it, and who waits for whom",
                statement=True,
            )
        )
    return tuple(found)


def _waits(environment: Environment) -> str:
    if environment.lock_timeout is None:
        return "A statement waits for a lock as long as the server lets it: nobody set a limit."
    retries = environment.lock_retries
    again = "" if retries is None else f", {retries} times at most"
    return (
        f"A statement waits {duration(environment.lock_timeout)} for a lock; then its step is "
        f"undone, if the server can, and tried again{again}. Who holds the lock is printed."
    )


def _worked(plan: Plan, run: RunState | None) -> tuple[Box, ...]:
    """Return how to know that it worked: the plan's own checks, and what the end of a run says."""
    done = run is not None and run.status == "succeeded"
    found = [
        Box(text=f"Check: {step.title}", done=_is_done(run, step), remark=_compared(step))
        for step in plan.steps
        if step.kind == "verify"
    ]
    goal = words(plan.steps[-1].to_heads)
    found.append(
        Box(
            text=f"The version table is at {goal}, read again through another connection",
            done=done,
        )
    )
    return (*found, Box(text="The application works, and its log has no new errors"))


def _is_done(run: RunState | None, step: Step) -> bool:
    state = run.steps.get(step.id) if run else None
    return state is not None and state.status == "finished"


def _compared(step: Step) -> str:
    return f"compared with {step.check.source}" if step.check else ""


def _check(plan: Plan, run: RunState | None) -> tuple[Typed, ...]:
    return (
        Typed(
            command=f"orchestrate status {plan.environment}",
            purpose=f"says where it is: {words(plan.steps[-1].to_heads)}",
        ),
        Typed(
            command=f"orchestrate show {run.id if run else 'RUN'}",
            purpose="every step with its times",
        ),
        Typed(
            command=f"orchestrate runbook {_again(plan, run)}",
            purpose="this page again, its boxes ticked by the journal",
        ),
    )


def _again(plan: Plan, run: RunState | None) -> str:
    return f"--run {run.id}" if run else plan_argument(plan, None)


def _run(run: RunState) -> RunbookRun:
    seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at else None
    return RunbookRun(
        id=run.id,
        status=run.status,
        by=run.by,
        started_at=run.started_at,
        finished_at=run.finished_at,
        took=duration(seconds) if seconds is not None else None,
        message=run.message,
        overrides=tuple(run.overrides.items()),
    )
