"""The last look under the lease, and the start of a run in the journal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from orchestrate import __version__
from orchestrate.cli.agreeing import refuse_disagreement
from orchestrate.cli.gates import promotion, rehearsal
from orchestrate.cli.gating import refuse_stale, refuse_unfinished
from orchestrate.cli.progress import progress_for
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Gate, Plan
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.gates import refusal_code
from orchestrate.planning.promotion import promoted_contents
from orchestrate.planning.resume import overtaken
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import changed_files
from orchestrate.reports.plans import plan_file_text
from orchestrate.run.journal import all_runs, run_with_steps, still_open, still_unfinished
from orchestrate.run.lease_keeper import this_host, this_person
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """The unfinished runs of its target that a run is begun in spite of."""

    ends: str | None = None
    """The one that is over when this one has succeeded."""
    gives_up: RunState | None = None
    """The one that is over when this one begins, as it was when that was decided."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return which they are."""
        given_up = self.gives_up.id if self.gives_up else None
        return tuple(one for one in (self.ends, given_up) if one is not None)


NO_OTHERS: Final = Others()
_ASK_AGAIN: Final[Mapping[str, str]] = {
    "promotion": "`orchestrate history` tells what ran there; `orchestrate plan {}` looks again",
    "rehearsal": "`orchestrate rehearse {}` tells at what it fails",
}


def still_so(
    bench: Workbench,
    plan: Plan,
    observation: Observation,
    chain: Chain,
    run: RunState | None,
    *,
    others: Others,
) -> RunState | None:
    """Look once more, under the lease; return the run that is gone on with as it is now.

    Another run may have begun and died since the first look, or this one gone on elsewhere. Raises
    `run-unfinished`, `plan-already-used`, `stale-plan`, `run-ended`, `target-moved`,
    `revision-changed`, and what closes the gates that were open for a plan.
    """
    if run is None:
        refuse_unfinished(bench, observation, but=others.names)
        # Before staleness: that the database moved is what carrying it out, or going on, did.
        _refuse_used(bench, plan)
        _refuse_moved_on(bench, others)
        refuse_stale(bench, plan, observation, chain)
        _refuse_closed(bench, plan, chain)
    else:
        run = still_open(bench.state, run.id)
        refuse_unfinished(bench, observation, but=(run.id, run.ends))
        _refuse_lost_way(plan, run, observation, chain)
    refuse_disagreement(bench, bench.environment(plan.environment), plan, run)
    return run


def _refuse_used(bench: Workbench, plan: Plan) -> None:
    """Raise `plan-already-used` where a plan was carried out while a person was asked."""
    for run in all_runs(bench.state):
        if run.plan_id == plan.id:
            raise OrchestrateError(
                "plan-already-used",
                f"{plan.id} was carried out meanwhile by {run.id} ({run.status})",
                where=plan.environment,
                hint=f"`orchestrate show {run.id}` tells what it did",
            )


def _refuse_moved_on(bench: Workbench, others: Others) -> None:
    """Raise `run-ended` or `run-unfinished` where the run to be ended was not left as it was."""
    if others.ends is not None:
        still_unfinished(bench.state, others.ends)
    if others.gives_up is None:
        return
    now = still_unfinished(bench.state, others.gives_up.id)
    if now != others.gives_up:
        raise OrchestrateError(
            "run-unfinished",
            f"{now.id} was gone on with meanwhile, and is unfinished again ({now.status})",
            where=now.environment,
            hint=f"`orchestrate show {now.id}` tells how far it came; then say the same again",
        )


def over_afterwards(bench: Workbench, run: RunState | None, others: Others) -> str | None:
    """Return the run that is over when this one has succeeded, unless it is over already."""
    if run is None:
        return others.ends
    if run.ends is None:
        return None
    other = run_with_steps(bench.state, run.ends)
    return run.ends if other is not None and other.unfinished else None


def _refuse_closed(bench: Workbench, plan: Plan, chain: Chain) -> None:
    """Raise `not-promoted` or `not-rehearsed` where that gate has closed while a person was asked.

    Revisions were taken back where they have to run first, or rehearsed again and failed.
    """
    environment = bench.environment(plan.environment)
    were_open = {gate.kind for gate in plan.gates if gate.state == "open"}
    now: list[Gate] = []
    if "promotion" in were_open:
        now += promotion(bench, environment, chain, promoted_contents(plan.steps))
    if "rehearsal" in were_open:
        now += rehearsal(bench, environment, plan)
    for gate in now:
        if gate.state == "closed":
            raise OrchestrateError(
                refusal_code(gate),
                f"The gate `{gate.kind}` has closed meanwhile: {gate.detail}",
                where=plan.environment,
                hint=_ASK_AGAIN[gate.kind].format(environment.name),
            )


def _refuse_lost_way(plan: Plan, run: RunState, observation: Observation, chain: Chain) -> None:
    """Raise why nothing of a run can be gone on with: `target-moved` or `revision-changed`.

    Before it is recorded as gone on with: one that failed blocks nobody, and is to stay so.
    """
    found = overtaken(plan, run, observation.heads, changed=lambda step: changed_files(step, chain))
    if found is None:
        return
    again = f"`orchestrate plan {plan.environment}` looks again"
    raise OrchestrateError(
        found.code,
        f"{run.id} cannot be gone on with: {found.message}",
        where=plan.environment,
        hint=f"`orchestrate abort {run.id}` ends this run, then {again}"
        if run.unfinished
        else f"It has ended as it failed and blocks nothing, so that there is nothing to abort; "
        f"{again}",
        details={"run": run.id},
    )


def journal_start(
    bench: Workbench,
    plan: Plan,
    run: str,
    observation: Observation,
    *,
    resumed: bool,
    command: str | None,
    others: Others,
) -> None:
    """Make it durable that a run begins or goes on, its plan with it, and show it as an event.

    The run that it is begun in place of is over with the same write.
    """
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
        **({"ends": others.ends} if others.ends else {}),
        **({"overrides": reasons} if reasons else {}),
        **({"approval": agreed[0]} if agreed else {}),
    }
    now = bench.clock.now()
    begun = [NewEvent(kind=kind, at=now, run=run, step=None, data=data)]
    if others.gives_up is not None:
        given_up = {"by": this_person(), "message": f"given up, to be undone by {run}"}
        other = others.gives_up.id
        begun.insert(0, NewEvent(kind="run.aborted", at=now, run=other, step=None, data=given_up))
    bench.state.append(begun)
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
