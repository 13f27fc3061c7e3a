"""The way of a run from the command line: look, gate, plan, confirm, lease, carry out, tell.

Shared by `apply` and `resume`, so that no path goes round a gate.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import click

from orchestrate import __version__
from orchestrate.cli.agreeing import refuse_disagreement
from orchestrate.cli.gates import promotion, step_gate
from orchestrate.cli.gating import refuse_stale, refuse_unfinished
from orchestrate.cli.notifying import Notices
from orchestrate.cli.progress import progress_for
from orchestrate.cli.replaying import replayed_schema
from orchestrate.cli.ways_back import good_copy
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.durations import duration
from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.domain.observation import Observation
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan
from orchestrate.domain.snapshot import SchemaRows
from orchestrate.errors import ExitStatus, OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.promotion import promoted_contents
from orchestrate.planning.resume import records_left
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import words
from orchestrate.planning.troubles import page_path
from orchestrate.reports.doubts import outcome_hint, outcome_page, outcome_text
from orchestrate.reports.plans import plan_file_text
from orchestrate.reports.tables import counted
from orchestrate.run.backups import all_backups
from orchestrate.run.execute import Execution
from orchestrate.run.failure_hooks import run_failure_hooks
from orchestrate.run.interruption import Interruption
from orchestrate.run.journal import all_runs, still_open
from orchestrate.run.lease_keeper import kept_lease, new_lease, this_host, this_person
from orchestrate.run.leftover import Choice, Leftover
from orchestrate.run.observe import open_session
from orchestrate.run.recorder import Recorder
from orchestrate.run.session import Session
from orchestrate.run.stepping import Work

_LOCK_POLL_SECONDS: Final = 0.25
_STOPPING: Final = (
    b"\nStopping before the next revision; press Ctrl-C again to end the running one\n"
)
_EXITS: Final = {
    "succeeded": ExitStatus.DONE,
    "failed": ExitStatus.FAILED,
    "stopped": ExitStatus.STOPPED,
    "in-doubt": ExitStatus.IN_DOUBT,
}


def carry_out(
    bench: Workbench,
    plan: Plan,
    session: Session,
    chain: Chain,
    *,
    run: RunState | None,
    lock_retries: int,
    choice: Choice | None = None,
    command: str | None = None,
    ends: str | None = None,
) -> int:
    """Carry a plan out, or go on with a run of it, under the lease; return the exit status.

    `command` is what was typed in place of a command of ours, for the journal; `ends` the
    unfinished run that is over when this one has succeeded.

    Raises `lease-held`, `stale-plan`, `identity-changed`, `state-unavailable`.
    """
    observation = session.observation
    if observation is None:
        raise AssertionError
    environment = bench.environment(plan.environment)
    name = run.id if run else bench.identifier("run", bench.clock.now())
    wanted = new_lease(
        environment=plan.environment,
        target=observation.target,
        target_key=observation.target_key,
        run=name,
        clock=bench.clock,
        token=secrets.token_hex(6),
    )
    notices = Notices(bench, environment, run=name)
    with notices.finishing(), kept_lease(bench.state, wanted, bench.clock) as lease:
        _await_lock(bench, session, observation, patience=60.0 if run else 5.0)
        observation = session.observe_again()
        run = _still_so(bench, plan, observation, chain, run, ends=ends)
        refuse_disagreement(bench, environment, plan, run)
        progress = progress_for(bench.invocation, plan)
        began = time.monotonic()
        sessions = [session]
        interruption = _interruption(bench, sessions)
        recorder = Recorder(
            state=bench.state,
            run=name,
            records=records_left(plan, run.steps) if run else {},
            view=progress.show,
            clock=bench.clock,
        )
        execution = Execution(
            work=Work(
                plan=plan,
                recorder=recorder,
                lease=lease,
                open_session=lambda: _reopened(bench, session, sessions),
                clock=bench.clock,
                interruption=interruption,
                scratch=bench.scratch_place(environment, session.access),
                gate=step_gate(bench, environment),
                replay=lambda heads: replayed_schema(
                    bench, environment, session.access, chain, heads
                ),
            ),
            leftover=Leftover(plan=plan, chain=chain, recorder=recorder, choice=choice),
            lock_retries=lock_retries,
        )

        try:
            with bench.invocation.heeding(interruption):
                # The agent reads the schema while the start is made durable.
                reading = session.schema_soon() if _reads_first(plan, run) else None
                _journal_start(
                    bench,
                    plan,
                    name,
                    observation,
                    resumed=run is not None,
                    command=command,
                    ends=ends,
                )
                notices.begun(plan, resumed=run is not None)
                outcome = _carried_out(execution, session, reading)
                outcome = _with_copy(bench, plan, chain, name, outcome)
                notices.ended(plan, outcome)
                for one in sessions:
                    one.kill()  # with it the target's lock, which a statement's agent takes again
                run_failure_hooks(
                    execution.work, session.access, outcome, was=run.status if run else None
                )
                over = run.ends if run else ends
                if over and outcome.status == "succeeded":
                    _end_other(bench, over, by=name)
        finally:
            progress.close()
            for one in sessions:
                one.kill()
        seconds = time.monotonic() - began
    return _tell(bench, plan, name, outcome, seconds=seconds, before=run.done if run else 0)


def _reads_first(plan: Plan, run: RunState | None) -> bool:
    """Tell whether to read the schema for the record of how the run began.

    Not where the run has begun to change it, nor where the first step that changes something is
    recorded together with the schema before it.
    """
    if run is not None and (run.steps or run.schema_before):
        return False
    first = next((step for step in plan.steps if step.kind != "backup"), None)
    return first is None or first.transactional


def _carried_out(
    execution: Execution, session: Session, reading: Callable[[], SchemaRows] | None
) -> Outcome:
    """Return how it ended; when journal or target were lost on the way, as a run to resume."""
    try:
        return execution.carry_out(session, reading=reading)
    except OrchestrateError as error:
        return Outcome(status="stopped", code=error.code, message=error.message)


def _end_other(bench: Workbench, run: str, *, by: str) -> None:
    """Journal that a run which could not be finished is over: its backup is back."""
    message = f"its backup was put back by {by}"
    data = {"by": this_person(), "message": message}
    now = bench.clock.now()
    bench.state.append([NewEvent(kind="run.aborted", at=now, run=run, step=None, data=data)])
    bench.invocation.say(f"{run} is over: {message}")


def _with_copy(bench: Workbench, plan: Plan, chain: Chain, run: str, outcome: Outcome) -> Outcome:
    """Return how a way back ended together with the copy that is its second line."""
    compared = any(step.check is not None for step in plan.steps)
    if outcome.status == "succeeded":
        return outcome
    with contextlib.suppress(OrchestrateError):
        if outcome.code == "check-failed":
            own = [one for one in all_backups(bench.state) if one.run == run and one.good]
            return replace(outcome, copy=own[-1] if own else None)
        if not (compared or plan.direction == "downgrade"):
            return outcome
        heads = plan.steps[-1].to_heads
        copy = good_copy(bench, chain, environment=plan.environment, heads=heads, run=run)
        return replace(outcome, copy=copy)
    return outcome


def _interruption(bench: Workbench, sessions: list[Session]) -> Interruption:
    """Return what Ctrl-C does in a run: stop at the next safe point, then end the running step."""
    interruption = Interruption()

    def stop() -> None:
        sessions[-1].stop_from_signal()
        # Past Python's own buffer: a signal may come while the main thread is writing to it.
        if bench.invocation.verbosity >= 0:
            with contextlib.suppress(OSError):
                os.write(2, _STOPPING)

    def end_the_running_step() -> None:
        sessions[-1].shoot()

    interruption.on_first, interruption.on_second = stop, end_the_running_step
    return interruption


def _reopened(bench: Workbench, session: Session, sessions: list[Session]) -> Session:
    """Start another agent for the same target, under the target's own lock again."""
    fresh = open_session(session.access)
    sessions.append(fresh)
    observation = fresh.observe()
    _await_lock(bench, fresh, observation, patience=60.0)
    return fresh


def _await_lock(
    bench: Workbench, session: Session, observation: Observation, *, patience: float
) -> None:
    """Take the target's own lock, waiting a little for an agent that finishes its revision."""
    waited = 0.0
    while not session.lock(observation.target_key):
        if waited == 0.0:
            bench.invocation.say(
                f"{observation.environment}: another agent is at work on this database; "
                f"waiting up to {duration(patience)} for it to end"
            )
        if waited >= patience:
            raise OrchestrateError(
                "lease-held",
                f"Another run is at work on the database of {observation.environment}: "
                "its lock is taken",
                where=observation.environment,
                hint="It may be a run with another state store, or the agent of a killed run that "
                "still finishes its revision; try again when it is done",
            )
        bench.clock.sleep(_LOCK_POLL_SECONDS)
        waited += _LOCK_POLL_SECONDS


def _still_so(
    bench: Workbench,
    plan: Plan,
    observation: Observation,
    chain: Chain,
    run: RunState | None,
    *,
    ends: str | None,
) -> RunState | None:
    """Look once more, under the lease; return the run that is gone on with as it is now.

    Another run may have begun and died since the first look, or this one gone on elsewhere. Raises
    `run-unfinished`, `stale-plan`, `run-ended`.
    """
    if run is None:
        refuse_unfinished(bench, observation, but=(ends,))
        refuse_stale(bench, plan, observation, chain)
        _refuse_overtaken(bench, plan, chain)
        return None
    run = still_open(bench.state, run.id)
    refuse_unfinished(bench, observation, but=(run.id, run.ends))
    return run


def _refuse_overtaken(bench: Workbench, plan: Plan, chain: Chain) -> None:
    """Raise what another run has done to a plan while a person was asked.

    That is `plan-already-used`, where it was carried out, and `not-promoted`, where its revisions
    were taken back where they have to run first.
    """
    for run in all_runs(bench.state):
        if run.plan_id == plan.id:
            raise OrchestrateError(
                "plan-already-used",
                f"{plan.id} was carried out meanwhile by {run.id} ({run.status})",
                where=plan.environment,
                hint=f"`orchestrate show {run.id}` tells what it did",
            )
    if any(gate.kind == "promotion" and gate.state == "open" for gate in plan.gates):
        environment = bench.environment(plan.environment)
        for gate in promotion(bench, environment, chain, promoted_contents(plan.steps)):
            if gate.state == "closed":
                raise OrchestrateError(
                    "not-promoted",
                    f"The gate `promotion` has closed meanwhile: {gate.detail}",
                    where=plan.environment,
                )


def _journal_start(
    bench: Workbench,
    plan: Plan,
    run: str,
    observation: Observation,
    *,
    resumed: bool,
    command: str | None,
    ends: str | None,
) -> None:
    bench.state.save_plan(plan.id, plan.digest, plan_file_text(plan))
    kind: EventKind = "run.resumed" if resumed else "run.started"
    reasons = {gate.kind: gate.detail for gate in plan.gates if gate.state == "overridden"}
    agreed = [gate.detail for gate in plan.gates if (gate.kind, gate.state) == ("approval", "open")]
    data: dict[str, object] = {
        "by": this_person(),
        "checks": sum(1 for step in plan.steps if step.kind == "verify"),
        "host": this_host(),
        "pid": os.getpid(),
        "environment": plan.environment,
        "plan": plan.id,
        "plan_digest": plan.digest,
        "direction": plan.direction,
        "steps": len(plan.steps),
        "target_keys": [observation.target_key],
        "heads": list(observation.heads),
        "tool_version": __version__,
        **({"command": command} if command else {}),
        **({"ends": ends} if ends else {}),
        **({"overrides": reasons} if reasons else {}),
        **({"approval": agreed[0]} if agreed else {}),
    }
    now = bench.clock.now()
    bench.state.append([NewEvent(kind=kind, at=now, run=run, step=None, data=data)])
    if bench.invocation.format == "json":
        progress_for(bench.invocation, plan).show(
            {
                "event": kind,
                "at": now.isoformat(),
                "run": run,
                "environment": plan.environment,
                "plan": plan.id,
                "steps": len(plan.steps),
            }
        )


def _tell(
    bench: Workbench, plan: Plan, run: str, outcome: Outcome, *, seconds: float, before: int
) -> int:
    """Print how a run ended, of which `before` steps were done earlier; return the exit status."""
    status = _EXITS[outcome.status]
    if outcome.code == "interrupted":
        status = ExitStatus.INTERRUPTED
    if bench.invocation.format == "json":
        finish_event(bench, plan, run=run, outcome=outcome)
    if outcome.status == "succeeded":
        if bench.invocation.format != "json":
            steps = counted(len(plan.steps) - before, "more step" if before else "step")
            bench.invocation.data(
                f"{click.style(plan.environment, bold=True)} is at "
                f"{words(plan.steps[-1].to_heads)}: {steps} in {duration(seconds)} ({run})"
            )
        if outcome.message:
            bench.invocation.say(f"warning: {outcome.message}")
    else:
        _complain(bench, plan, run, outcome)
    return int(status)


def _complain(bench: Workbench, plan: Plan, run: str, outcome: Outcome) -> None:
    """Tell why a run did not succeed; also with `-q`, as every error."""
    if outcome.cause is not None:
        bench.invocation.record(outcome.cause)
    if bench.invocation.format != "json":
        bench.invocation.complain(outcome_text(plan, run, outcome))
        return
    page = outcome_page(outcome)
    error = {
        "code": outcome.code,
        "message": outcome.message,
        "hint": outcome_hint(plan, run, outcome),
        "where": outcome.where or plan.environment,
        "docs": page_path(page) if page else None,
        "details": {
            "run": run,
            "step": outcome.step,
            "failing": outcome.failing,
            "statements": outcome.statements,
            "blockers": outcome.blockers,
            "unusable": outcome.unusable,
            "remedies": outcome.remedies,
            "backup": outcome.copy.id if outcome.copy else None,
            "rollback": f"orchestrate rollback {plan.environment} --run {run}"
            if outcome.code == "check-failed"
            else None,
        },
    }
    bench.invocation.error(error)


def finish_event(bench: Workbench, plan: Plan, *, run: str | None, outcome: Outcome) -> None:
    """Print the last event of a run as JSON."""
    value: dict[str, Any] = {
        "event": "run.finished",
        "at": bench.clock.now().isoformat(),
        "run": run,
        "environment": plan.environment,
        "status": outcome.status,
        "code": outcome.code,
        "message": outcome.message,
        "step": outcome.step,
        "differences": [
            {
                "object": one.object,
                "name": one.name,
                "change": one.change,
                "expected": one.expected,
                "actual": one.actual,
            }
            for one in outcome.differences
        ],
    }
    progress_for(bench.invocation, plan).show(value)
