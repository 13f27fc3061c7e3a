"""The way of a run from the command line: look, gate, plan, confirm, lease, carry out, tell.

Shared by `apply` and `resume`, so that no path goes round a gate.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from typing import Final

from orchestrate.cli.beginning import NO_OTHERS, Others, journal_start, over_afterwards, still_so
from orchestrate.cli.ending import tell, with_copy
from orchestrate.cli.gates import step_gate
from orchestrate.cli.notifying import Notices
from orchestrate.cli.progress import progress_for
from orchestrate.cli.replaying import replayed_schema
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.durations import duration
from orchestrate.domain.observation import Observation
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan
from orchestrate.domain.snapshot import SchemaRows
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.resume import records_left
from orchestrate.planning.run_state import RunState
from orchestrate.planning.touched_tables import by_name
from orchestrate.run.execute import Execution, over_by
from orchestrate.run.failure_hooks import run_failure_hooks
from orchestrate.run.interruption import Interruption
from orchestrate.run.lease_keeper import kept_lease, new_lease
from orchestrate.run.leftover import Choice, Leftover
from orchestrate.run.observe import open_session
from orchestrate.run.recorder import Recorder
from orchestrate.run.session import Session
from orchestrate.run.stepping import Work
from orchestrate.run.table_sizes import known_sizes

_LOCK_POLL_SECONDS: Final = 0.25
_STOPPING: Final = b"\nStopping before the next step; press Ctrl-C again to end the running one\n"


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
    others: Others = NO_OTHERS,
) -> int:
    """Carry a plan out, or go on with a run of it, under the lease; return the exit status.

    `command` is what was typed in place of a command of ours, for the journal; `others` are the
    unfinished runs that this one is begun in spite of.

    Raises `lease-held`, `stale-plan`, `identity-changed`, `state-unavailable`.
    """
    bench.invocation.need_no_reader()
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
        sizes = known_sizes(session) if _moves(plan) and observation.tables else ()
        # The agent reads the schema while we look at the journal and make the start durable.
        reading = session.schema_soon() if run is None and _reads_first(plan, run) else None
        run = still_so(bench, plan, observation, chain, run, others=others)
        over = over_afterwards(bench, run, others)
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
                sizes=by_name(sizes),
                ends=over,
            ),
            leftover=Leftover(plan=plan, chain=chain, recorder=recorder, choice=choice),
            lock_retries=lock_retries,
        )

        try:
            with bench.invocation.heeding(interruption):
                if run is not None and _reads_first(plan, run):
                    reading = session.schema_soon()
                journal_start(
                    bench,
                    plan,
                    name,
                    observation,
                    resumed=run is not None,
                    command=command,
                    others=others,
                )
                notices.begun(plan, resumed=run is not None)
                outcome = _carried_out(execution, session, reading)
                outcome = with_copy(bench, plan, chain, name, outcome)
                notices.ended(plan, outcome)
                for one in sessions:
                    one.kill()  # with it the target's lock, which a statement's agent takes again
                run_failure_hooks(
                    execution.work, session.access, outcome, was=run.status if run else None
                )
                if over and outcome.status == "succeeded":
                    bench.invocation.say(f"{over} is over: {over_by(name)}")
        finally:
            progress.close()
            for one in sessions:
                one.kill()
        seconds = time.monotonic() - began
    return tell(bench, plan, name, outcome, seconds=seconds, before=run.done if run else 0)


def _moves(plan: Plan) -> bool:
    return any(step.kind in {"upgrade", "downgrade"} for step in plan.steps)


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
