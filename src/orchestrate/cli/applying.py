"""The two beginnings of `apply`: from an environment, and from a saved plan."""

from __future__ import annotations

from pathlib import Path

from orchestrate.cli.blocking import blocked_event
from orchestrate.cli.carrying import carry_out
from orchestrate.cli.ending import finish_event
from orchestrate.cli.gates import check_overrides, gated, refuse_closed, wait_for_window
from orchestrate.cli.gating import (
    check_identity,
    confirm,
    judged_anew,
    looked_at,
    prepare,
    refuse_stale,
    refuse_unfinished,
    retries_of,
    show_plan,
)
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import NO_ARGUMENTS, Arguments, Plan
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.reports.plans import plan_text
from orchestrate.run.journal import all_runs, run_with_steps
from orchestrate.run.observe import Seen, observe_one
from orchestrate.stores.plan_files import read_plan


def apply_environment(
    bench: Workbench,
    environment: Environment,
    seen: Seen,
    *,
    to: str | None,
    yes: bool,
    command: str | None = None,
    arguments: Arguments = NO_ARGUMENTS,
) -> int:
    """Plan the way of what was just looked at and carry it out; return the exit status.

    `command` is what was typed in place of `apply`, for the journal; `arguments` are those that the
    target was looked at with.
    """
    check_overrides(bench)
    if seen.session is None:
        raise AssertionError
    with seen.session as session:
        observation, _ = looked_at(bench, seen)
        refuse_unfinished(bench, observation)
        prepared = prepare(
            bench,
            environment,
            seen,
            direction="upgrade",
            to=to or environment.to,
            arguments=arguments,
        )
        plan = gated(bench, environment, seen, prepared.plan, prepared.verdict)
        if not plan.steps:
            return nothing_to_do(bench, plan, remark=_left_open(bench, plan))
        show_plan(bench, plan, yes=yes)
        refuse_closed(bench, plan)
        confirm(bench, plan, yes=yes)
        return carry_out(
            bench,
            plan,
            session,
            prepared.chain,
            run=None,
            lock_retries=retries_of(environment),
            command=command,
        )


def apply_file(bench: Workbench, path: Path, *, to: str | None, yes: bool, wait: bool) -> int:
    """Carry out exactly a saved plan; return the exit status."""
    if to is not None:
        raise OrchestrateError(
            "usage", "A saved plan has its destination in it; `--to` goes with an environment"
        )
    check_overrides(bench)
    plan = read_plan(path)
    environment = bench.environment(plan.environment)
    with blocked_event(bench, environment.name):
        bench.refuse_unenforced(environment)
        refuse_used(bench, plan, path)
        if wait:
            wait_for_window(bench, environment)
        access = bench.access(environment).given(plan.arguments)
        seen = observe_one(access, bench.graphs)
        if seen.session is None:
            raise AssertionError
        with seen.session as session:
            observation, chain = looked_at(bench, seen)
            refuse_unfinished(bench, observation)
            verdict = check_identity(bench, observation)
            refuse_stale(bench, plan, observation, chain)
            if not plan.steps:
                return nothing_to_do(bench, plan, remark=_left_open(bench, plan))
            # As they stand now, not as they stood when it was made.
            plan = judged_anew(bench, environment, seen, plan, chain)
            plan = gated(bench, environment, seen, plan, verdict)
            session.load_revisions()
            show_plan(bench, plan, yes=yes)
            refuse_closed(bench, plan)
            confirm(bench, plan, yes=yes)
            return carry_out(
                bench, plan, session, chain, run=None, lock_retries=retries_of(environment)
            )


def refuse_used(bench: Workbench, plan: Plan, path: Path | str) -> None:
    """Raise `plan-already-used` for a plan that a run was begun with."""
    for run in all_runs(bench.state):
        if run.plan_id == plan.id:
            raise OrchestrateError(
                "plan-already-used",
                f"`{path}` was carried out by {run.id} ({run.status}); a saved plan runs once",
                hint=f"`orchestrate resume {run.id}` goes on with it"
                if run.resumable
                else f"`orchestrate plan {plan.environment} --out FILE` makes a new one",
            )


def nothing_to_do(bench: Workbench, plan: Plan, *, remark: str | None = None) -> int:
    """Tell that a plan has no steps, and what there is to say beside it; return the exit status."""
    if bench.invocation.format == "json":
        message = f"nothing to do; {remark}" if remark else "nothing to do"
        finish_event(bench, plan, run=None, outcome=Outcome(status="succeeded", message=message))
    else:
        bench.invocation.data(plan_text(plan))
    if remark:
        bench.invocation.say(f"warning: {plan.environment}: {remark}")
    return 0


def _left_open(bench: Workbench, plan: Plan) -> str | None:
    """Return what to say where the last run's hooks or checks failed: no plan has them again."""
    runs = [one for one in all_runs(bench.state) if one.environment == plan.environment]
    last = run_with_steps(bench.state, runs[-1].id) if runs else None
    if last is None or last.status != "failed":
        return None
    failed = [
        f"`{step.title}`"
        for step in last.steps.values()
        if step.status == "failed" and step.kind in {"hook", "verify"}
    ]
    if not failed:
        return None
    return (
        f"its last run, {last.id}, failed at {', '.join(failed)}; "
        f"`orchestrate resume {last.id}` goes on there"
    )
