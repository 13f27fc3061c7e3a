"""What an unfinished restore has left: the database is asked, the journal says only what to ask."""

from __future__ import annotations

from orchestrate.cli.workbench import Workbench
from orchestrate.domain.restores import PutBack
from orchestrate.errors import OrchestrateError
from orchestrate.planning.run_state import RunState, StepStatus
from orchestrate.reports.restores import LEFT
from orchestrate.run.exchanging import standing
from orchestrate.run.journal import run_with_steps
from orchestrate.run.observe import open_session
from orchestrate.stores.plan_files import plan_from_text


def left_by(bench: Workbench, run: RunState) -> PutBack | None:
    """Return what is in a run's database while its copy is being put back.

    None where the run has not come to that, is past it, exchanges nothing, or the database cannot
    be asked: that is told elsewhere.
    """
    if not run.unfinished or _status(bench, run) not in {"started", "failed"}:
        return None
    try:
        environment = bench.environment(run.environment)
        with open_session(bench.access(environment)) as session:
            return standing(session, run.id)
    except OrchestrateError:
        return None


def is_put_back(bench: Workbench, run: RunState) -> bool:
    """Tell whether the run has exchanged its copy with what was there, and recorded that."""
    return _status(bench, run) == "finished"


def _status(bench: Workbench, run: RunState) -> StepStatus | None:
    """Return how far the run's step came that exchanges a copy; None where there is none."""
    if run.direction != "restore":
        return None
    full = run_with_steps(bench.state, run.id)
    plan = plan_from_text(bench.state.load_plan(run.plan_id), where=f"plan {run.plan_id}")
    step = next((one for one in plan.steps if one.exchange), None)
    record = full.steps.get(step.id) if full is not None and step is not None else None
    return record.status if record is not None else None


def told(found: PutBack | None) -> str:
    """Return it as the end of a sentence; nothing where there is nothing to tell."""
    return f"; {LEFT[found]}" if found is not None else ""
