"""How a run ended: what is journalled beside it, printed, and returned as exit status."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any, Final

import click

from orchestrate.cli.progress import progress_for
from orchestrate.cli.ways_back import good_copy
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.durations import duration
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan
from orchestrate.errors import ExitStatus, OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.staleness import words
from orchestrate.planning.trouble_pages import page_path
from orchestrate.reports.doubts import outcome_hint, outcome_page, outcome_text
from orchestrate.reports.tables import counted
from orchestrate.run.backups import all_backups

_EXITS: Final = {
    "succeeded": ExitStatus.DONE,
    "failed": ExitStatus.FAILED,
    "stopped": ExitStatus.STOPPED,
    "in-doubt": ExitStatus.IN_DOUBT,
}


def with_copy(bench: Workbench, plan: Plan, chain: Chain, run: str, outcome: Outcome) -> Outcome:
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


def tell(
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
            "committed": outcome.committed,
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
        "committed": outcome.committed,
    }
    progress_for(bench.invocation, plan).show(value)
