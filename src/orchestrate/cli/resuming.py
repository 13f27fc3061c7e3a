"""Going on with a run, or ending it: which run, and whether its world is still there."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import cast

from orchestrate.cli.blocking import blocked_event
from orchestrate.cli.carrying import carry_out
from orchestrate.cli.gates import check_overrides, gated, refuse_closed
from orchestrate.cli.gating import check_identity, judged_anew, looked_at, retries_of
from orchestrate.cli.put_back import is_put_back, left_by, told
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.events import NewEvent
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Plan
from orchestrate.errors import OrchestrateError
from orchestrate.planning.backups import BACKUP_STEP
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import words
from orchestrate.reports.tables import counted
from orchestrate.run.exchanging import forget
from orchestrate.run.journal import all_runs, run_with_steps, still_unfinished
from orchestrate.run.lease_keeper import kept_lease, new_lease, this_person
from orchestrate.run.leftover import Choice
from orchestrate.run.observe import observe_one
from orchestrate.stores.plan_files import plan_from_text


def resume_run(
    bench: Workbench, *, run: str | None, environment: str | None, choice: str | None
) -> int:
    """Go on with a run; return the exit status."""
    check_overrides(bench)
    chosen = choose_run(bench, run=run, environment=environment)
    if chosen is None:
        return nothing_unfinished(bench)
    with blocked_event(bench, chosen.environment):
        plan = _plan_of(bench, chosen)
        declared = bench.environment(plan.environment)
        bench.refuse_unenforced(declared)
        seen = observe_one(bench.access(declared).given(plan.arguments), bench.graphs)
        observation, chain = looked_at(bench, seen)
        if seen.session is None:
            raise AssertionError
        with seen.session as session:
            verdict = check_identity(bench, observation)
            full = run_with_steps(bench.state, chosen.id) or chosen
            plan = judged_anew(bench, declared, seen, plan, chain)
            plan = _still_in_the_way(gated(bench, declared, seen, plan, verdict, run=full), full)
            refuse_closed(bench, plan)
            _refuse_other_database(plan, observation, chosen)
            bench.invocation.say(
                f"Resuming {full.id} of {full.environment}: {full.done} of "
                f"{counted(full.total_steps, 'step')} recorded as done"
                f"{told(left_by(bench, full))}"
            )
            if is_put_back(bench, full):
                forget(session)
            return carry_out(
                bench,
                plan,
                session,
                chain,
                run=full,
                lock_retries=retries_of(declared),
                choice=cast("Choice | None", choice),
            )


def nothing_unfinished(bench: Workbench) -> int:
    """Tell that no run is there to go on with; return the exit status."""
    if bench.invocation.format == "json":
        bench.invocation.json(
            {
                "event": "run.finished",
                "at": bench.clock.now().isoformat(),
                "run": None,
                "status": "succeeded",
                "message": "nothing is unfinished",
            }
        )
    else:
        bench.invocation.data("Nothing is unfinished")
    return 0


def _still_in_the_way(plan: Plan, run: RunState) -> Plan:
    """Return a plan with the gates left: a copy that is made need not be possible again."""
    step = run.steps.get(BACKUP_STEP)
    made = step is not None and step.status == "finished"
    left = tuple(gate for gate in plan.gates if not (made and gate.kind == "backup"))
    return replace(plan, gates=left)


def choose_run(bench: Workbench, *, run: str | None, environment: str | None) -> RunState | None:
    """Return the run that is meant; None where nothing is unfinished. Raises `unknown-run`."""
    runs = all_runs(bench.state)
    if run is not None:
        return _named(bench, runs, run)
    name = bench.environment(environment).name if environment else None
    waiting = [one for one in runs if one.unfinished and name in {None, one.environment}]
    # Gone on with is the one that puts a copy back in another's stead, not that other.
    ended = {one.ends for one in waiting}
    waiting = [one for one in waiting if one.id not in ended]
    if not waiting:
        # A clean failure blocks nothing, and going on with it is what `resume` is typed for.
        latest = {one.environment: one for one in runs}
        waiting = [
            one
            for one in latest.values()
            if one.status == "failed" and name in {None, one.environment}
        ]
    if len(waiting) > 1:
        names = ", ".join(f"{one.id} ({one.environment}, {one.status})" for one in waiting)
        raise OrchestrateError(
            "usage",
            f"Several runs are unfinished: {names}",
            hint="Name one: `orchestrate resume RUN`, or its environment: `--env ENV`",
        )
    return waiting[0] if waiting else None


def _named(bench: Workbench, runs: list[RunState], run: str) -> RunState | None:
    for one in runs:
        if one.id == run:
            if one.resumable:
                return one
            bench.invocation.say(f"{one.id} has ended already: {one.status}")
            return None
    raise OrchestrateError(
        "unknown-run",
        f"The journal has no run `{run}`",
        hint="`orchestrate history` lists them",
    )


def _plan_of(bench: Workbench, run: RunState) -> Plan:
    text = bench.state.load_plan(run.plan_id)
    return plan_from_text(text, where=f"plan {run.plan_id} in the state store")


def _refuse_other_database(plan: Plan, observation: Observation, run: RunState) -> None:
    basis = plan.basis[0]
    if basis.identity != observation.identity:
        raise OrchestrateError(
            "identity-changed",
            f"Run {run.id} was begun on {basis.identity} and {plan.environment} is now "
            f"{observation.identity}",
            where=plan.environment,
            hint=f"`orchestrate abort {run.id}` ends the run; a new plan is made for the "
            "database that is there now",
        )


def abort_run(bench: Workbench, *, run: str) -> int:
    """End an unfinished run as it is; return the exit status."""
    chosen = next((one for one in all_runs(bench.state) if one.id == run), None)
    if chosen is None:
        raise OrchestrateError(
            "unknown-run",
            f"The journal has no run `{run}`",
            hint="`orchestrate history` lists them",
        )
    if not chosen.unfinished:
        bench.invocation.data(f"{chosen.id} has ended already: {chosen.status}")
        return 0
    message = _end_run(bench, chosen)
    if bench.invocation.format == "json":
        bench.invocation.json({"run": run, "status": "aborted", "message": message})
    else:
        bench.invocation.data(f"Aborted {run}: {message}")
    return 0


def _end_run(bench: Workbench, run: RunState) -> str:
    """Record that an unfinished run was given up, and what it leaves; return that.

    Under the lease: a run that is alive somewhere is not ended behind its back.
    """
    wanted = new_lease(
        environment=run.environment,
        target=run.environment,
        target_key=run.target_keys[0],
        run=run.id,
        clock=bench.clock,
        token=secrets.token_hex(6),
    )
    with kept_lease(bench.state, wanted, bench.clock):
        state = still_unfinished(bench.state, run.id)
        message = _explain(bench, state) + told(left_by(bench, state))
        bench.state.append(
            [
                NewEvent(
                    kind="run.aborted",
                    at=bench.clock.now(),
                    run=run.id,
                    step=None,
                    data={"by": this_person(), "message": message},
                )
            ]
        )
    return message


def _explain(bench: Workbench, run: RunState) -> str:
    """Return in one sentence what the run leaves behind."""
    told = f"{run.done} of {counted(run.total_steps, 'step')} done"
    begun = [step.id for step in run.steps.values() if step.status in {"started", "failed"}]
    if begun:
        told += f", {begun[0]} begun and not recorded as finished"
    try:
        environment = bench.environment(run.environment)
        seen = observe_one(bench.access(environment), bench.graphs)
    except OrchestrateError as error:
        return f"{told}; the database could not be read ({error.message})"
    if seen.session is not None:
        seen.session.agent.close()
    heads = seen.sight.heads if isinstance(seen.sight, Observation) else ()
    return f"{told}; the database is at {words(heads)}"
