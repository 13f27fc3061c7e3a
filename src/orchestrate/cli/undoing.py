"""The run that is to be undone: which it is, whether it may be, and what ran since."""

from __future__ import annotations

from orchestrate.cli.gating import refuse_unfinished
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Plan
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.backups import good_copies
from orchestrate.planning.chain import Chain
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import words
from orchestrate.planning.undoing import WayBack, may_be_given_up, undo
from orchestrate.reports.tables import ago
from orchestrate.run.backups import all_backups
from orchestrate.run.journal import run_with_steps, runs_with_steps
from orchestrate.stores.plan_files import plan_from_text
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The run that is to be undone."""

    run: RunState
    plan: Plan


def run_to_undo(bench: Workbench, environment: Environment, name: str) -> Undone:
    """Return the run of that name. Raises `unknown-run`, or `usage` for another environment's."""
    run = run_with_steps(bench.state, name)
    if run is None:
        raise OrchestrateError(
            "unknown-run",
            f"The journal has no run `{name}`",
            hint="`orchestrate history` lists them",
        )
    if run.environment != environment.name:
        raise OrchestrateError(
            "usage",
            f"{run.id} was a run of {run.environment}, not of {environment.name}",
            hint=f"`orchestrate rollback {run.environment} --run {run.id}` undoes it there",
        )
    text = bench.state.load_plan(run.plan_id)
    return Undone(run=run, plan=plan_from_text(text, where=f"plan {run.plan_id}"))


def refuse_others(bench: Workbench, observation: Observation, undone: Undone | None) -> None:
    """Refuse beside an unfinished run, unless it is the one to undo and stands between two steps.

    Raises `run-unfinished`, or `lease-held` where it is at work.
    """
    try:
        refuse_unfinished(bench, observation)
    except OrchestrateError as error:
        if undone is None or error.details.get("run") != undone.run.id:
            raise
        if not may_be_given_up(undone.run, undone.plan, observation.heads):
            raise


def way_to_undo(
    bench: Workbench, observation: Observation, chain: Chain, undone: Undone
) -> WayBack:
    """Return what undoes a run. Raises what `planning.undoing.undo` raises."""
    try:
        return undo(undone.run, undone.plan, observation, chain)
    except OrchestrateError as error:
        if error.code != "run-overtaken":
            raise
        raise OrchestrateError(
            error.code, error.message, where=error.where, hint=_since(bench, undone.run)
        ) from error


def _since(bench: Workbench, run: RunState) -> str:
    """Return what ran since a run, and what to type."""
    later = [
        one
        for one in runs_with_steps(bench.state)
        if one.environment == run.environment and one.started_at > run.started_at and one.done
    ]
    beyond = f"`orchestrate rollback {run.environment} --to {words(run.from_heads)}`"
    alone = len(run.from_heads) < 2  # noqa: PLR2004  (several rows are no single destination)
    if not later:
        told = "No run of the journal did that: look who did"
        return f"{told}; {beyond} goes back to where it began" if alone else told
    listed = ", ".join(f"{one.id} ({one.direction})" for one in later)
    told = (
        f"Since then ran {listed}; undo the last one first: "
        f"`orchestrate rollback {run.environment} --run {later[-1].id}`"
    )
    return f"{told}; {beyond} undoes all of it" if alone else told


def choices(bench: Workbench, environment: Environment) -> str:
    """Return in one line which destinations an environment has."""
    name = environment.name
    runs = [one for one in runs_with_steps(bench.state) if one.environment == name and one.done]
    told = [f"`orchestrate rollback {name} --to REV` undoes revisions (`--to -1`, `--to base`)"]
    if runs:
        last = runs[-1]
        when = ago(last.started_at, bench.clock.now())
        told.insert(
            0,
            f"`orchestrate rollback {name} --run {last.id}` undoes the last run "
            f"({last.direction} from {words(last.from_heads)}, {when})",
        )
    copies = good_copies(all_backups(bench.state), environment=name)
    if copies:
        made = ago(copies[0].created_at, bench.clock.now())
        told.append(
            f"`orchestrate rollback {name} --backup {copies[0].id}` puts back the newest copy "
            f"({words(copies[0].heads)}, {made})"
        )
    return "; ".join(told)
