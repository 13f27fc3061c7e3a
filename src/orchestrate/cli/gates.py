"""The gates that the spec declares, on every path to a database: shown, refused, overridden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from orchestrate.cli.agreeing import approval_gate, way_to_approve
from orchestrate.cli.policing import with_policy
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.backups import BackupOrder
from orchestrate.domain.durations import duration
from orchestrate.domain.observation import Observation
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Gate, Plan, Step
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.backups import order_of
from orchestrate.planning.chain import Chain
from orchestrate.planning.deeds import deeds
from orchestrate.planning.gates import (
    OVERRIDABLE,
    overridden,
    refusal_code,
    window_detail,
    window_gate,
)
from orchestrate.planning.identities import IdentityVerdict
from orchestrate.planning.policy import findings_for, policy_gate
from orchestrate.planning.promotion import promoted_contents, promotion_gate
from orchestrate.planning.rehearsals import rehearsal_gate
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import is_empty
from orchestrate.planning.windows import WindowState, fits, window_state

if TYPE_CHECKING:
    from orchestrate.run.observe import Seen

_LONGEST_SLEEP: Final = 60.0

StepGate = Callable[[Step], Outcome | None]
"""Why a step may not begin just now, or None."""


def overrides(bench: Workbench) -> Mapping[str, str]:
    """Return the reason for each gate that the command line overrides."""
    return dict.fromkeys(bench.invocation.overridden, (bench.invocation.reason or "").strip())


def check_overrides(bench: Workbench, *own: str) -> None:
    """Raise `usage` for an override that does not exist, or has no reason.

    `own` are gates of the command's own that can be overridden, beside those of every path.
    """
    known = sorted(OVERRIDABLE.union(own))
    for name, reason in overrides(bench).items():
        if name not in known:
            raise OrchestrateError(
                "usage",
                f"`--override {name}`: there is no such gate that can be overridden here",
                hint=f"Those that can are {', '.join(known)}",
            )
        if not reason:
            raise OrchestrateError(
                "usage",
                f"`--override {name}` needs a reason, which the journal keeps",
                hint='Add `--reason "…"`',
            )


def ordered_backup(bench: Workbench, environment: Environment) -> BackupOrder | None:
    """Return the backup that comes before any change, unless there is none or it is overridden."""
    return None if "backup" in overrides(bench) else order_of(environment.backup)


def gated(
    bench: Workbench,
    environment: Environment,
    seen: Seen,
    plan: Plan,
    verdict: IdentityVerdict,
    *own: Gate,
    run: RunState | None = None,
) -> Plan:
    """Return a plan, whose steps and findings are settled, with its gates as they stand now.

    `own` are gates of the command's own, beside those of every path; `run` is the run of the plan
    that is gone on with.
    """
    plan = with_policy(bench, environment, seen, plan)
    found = (
        identity_gate(verdict),
        *declared_gates(bench, environment, seen, plan, run),
        *_gates_of_plan(bench, environment, seen, plan, run),
        *own,
    )
    return replace(plan, gates=found)


def _gates_of_plan(
    bench: Workbench, environment: Environment, seen: Seen, plan: Plan, run: RunState | None
) -> tuple[Gate, ...]:
    """Return the declared gates that ask what a plan does."""
    found: list[Gate] = list(policy_gate(environment.policy, plan))
    found += rehearsal(bench, environment, plan)
    if seen.graph is not None:
        chain = bench.chain(seen.graph)
        found += promotion(bench, environment, chain, promoted_contents(plan.steps))
    by_policy = bool(findings_for(environment.policy, plan, "approve"))
    approval = approval_gate(bench, environment, plan, run=run, by_policy=by_policy)
    if approval is not None:
        found.append(approval)
    reasons = overrides(bench)
    return tuple(overridden(gate, reasons) for gate in found)


def rehearsal(bench: Workbench, environment: Environment, plan: Plan) -> tuple[Gate, ...]:
    """Return the gate `rehearsal` of a plan, where the policy asks for one."""
    if environment.policy is None or not environment.policy.rehearsed:
        return ()
    from orchestrate.run.journal import rehearsals_in  # noqa: PLC0415  (only who asks pays)

    return rehearsal_gate(plan, rehearsals_in(bench.state, environment.name))


def promotion(
    bench: Workbench, environment: Environment, chain: Chain, wanted: Sequence[tuple[str, str]]
) -> tuple[Gate, ...]:
    """Return the gate `promotion` of revisions and their file hashes, where one is declared."""
    if environment.after is None or not wanted:
        return ()
    from orchestrate.run.journal import whole  # noqa: PLC0415  (only for those who promote)

    source = bench.environment(environment.after.environment).name
    done = deeds(whole(bench.state), chain.ancestors_known).get(source, {})
    return (promotion_gate(source, environment.after.soak, wanted, done, bench.clock.now()),)


def identity_gate(verdict: IdentityVerdict) -> Gate:
    """Return the gate that a database which is the environment's own opens."""
    known = {
        "known": "the database recorded for it",
        "first-use": "seen for the first time, recorded now",
    }
    return Gate(kind="identity", state="open", detail=known[verdict.kind])


def declared_gates(
    bench: Workbench,
    environment: Environment,
    seen: Seen | None = None,
    plan: Plan | None = None,
    run: RunState | None = None,
) -> tuple[Gate, ...]:
    """Return the gates that an environment declares, as they stand now.

    Without `seen` and `plan` those alone that need no look at the target. What is asked of the
    target itself needs its session; `plan` for several environments has none, and asks less.
    """
    found = []
    if environment.window is not None:
        found.append(window_gate(environment.window, bench.clock.now()))
    order = order_of(environment.backup)
    if order is not None and seen is not None and plan is not None:
        found.append(_backup_gate(bench, order, seen, plan, run))
    reasons = overrides(bench)
    return tuple(overridden(gate, reasons) for gate in found)


def _backup_gate(
    bench: Workbench, order: BackupOrder, seen: Seen, plan: Plan, run: RunState | None
) -> Gate:
    """Return the gate of the copy that a plan makes, or that it was made without.

    Raises `usage` for an override that would change a plan which is there already.
    """
    from orchestrate.run.readiness import obstacles  # noqa: PLC0415  (only for those who back up)

    if isinstance(seen.sight, Observation) and is_empty(seen.sight):
        return Gate(kind="backup", state="open", detail="nothing is there to be copied")
    if seen.access is None:
        raise AssertionError
    if plan.steps and not any(step.kind == "backup" for step in plan.steps):
        if run is not None and "backup" in run.overrides:
            return Gate(kind="backup", state="overridden", detail=run.overrides["backup"])
        if run is not None:
            detail = "nothing was there to be copied when the run began"
            return Gate(kind="backup", state="open", detail=detail)
        return Gate(kind="backup", state="closed", detail="no copy is made")
    if plan.steps and "backup" in overrides(bench):
        raise OrchestrateError(
            "usage",
            f"The copy is a step of {plan.id}, which `--override backup` does not take out",
            where=plan.environment,
            hint=f"`orchestrate apply {plan.environment} --override backup` plans without one",
        )
    found = obstacles(seen.access, order, seen.sight, seen.session)
    if found:
        return Gate(kind="backup", state="closed", detail="; ".join(found))
    return Gate(kind="backup", state="open", detail=f"can be made at {order.destination}")


def refuse_closed(bench: Workbench, plan: Plan) -> None:
    """Raise the error of the first gate that is closed; nothing was done.

    A plan that its approvals are missing for waits for them from now on.
    """
    closed = [gate for gate in plan.gates if gate.state == "closed"]
    if not closed:
        return
    lacks_approval = any(one.kind == "approval" and one.hint is None for one in closed)
    approving = way_to_approve(bench, plan) if lacks_approval else ""
    raise OrchestrateError(
        refusal_code(closed[0]),
        f"The gate `{closed[0].kind}` is closed: {closed[0].detail}",
        where=plan.environment,
        hint=_way_through(closed[0], plan, approving),
    )


def _way_through(gate: Gate, plan: Plan, approving: str) -> str | None:
    if gate.hint is not None:
        return f"{gate.hint}; {_by_force(gate)}"
    if gate.kind == "approval":
        return f"{approving}; {_by_force(gate)}"
    if gate.kind == "rehearsal":
        return f"`orchestrate rehearse {plan.environment}` does it on a clone; {_by_force(gate)}"
    if gate.kind == "promotion":
        first = "`orchestrate history` tells what ran there; "
        return first + _by_force(gate)
    by_force = _by_force(gate)
    if gate.kind == "window" and plan.direction == "upgrade":
        return f"`orchestrate apply {plan.environment} --wait` waits for it; {by_force}"
    return by_force if gate.kind in OVERRIDABLE else None


def _by_force(gate: Gate) -> str:
    return f'`--override {gate.kind} --reason "…"` goes through it, and the journal keeps that'


def step_gate(bench: Workbench, environment: Environment) -> StepGate:
    """Return what is asked before each step: whether the window holds it, by what it takes."""
    window = environment.window
    if window is None or "window" in overrides(bench):
        return lambda _step: None
    known: list[WindowState] = []

    def refusal(step: Step) -> Outcome | None:
        now = bench.clock.now()
        if not known or known[0].changes_at is None or now >= known[0].changes_at:
            known[:] = [window_state(window, now)]
        state = known[0]
        if fits(state, now, step.estimate_seconds):
            return None
        detail = window_detail(window, state, now)
        takes = ""
        if state.is_open:
            origin = step.estimate_origin or ""
            where = "in a rehearsal" if origin.startswith("rehearsed") else "elsewhere"
            takes = f", and it took {duration(step.estimate_seconds)} {where}"
            if ", scaled " in origin:
                takes = f", and it may take {duration(step.estimate_seconds)}: {origin}"
        return Outcome(
            status="stopped",
            code="window-closed",
            step=step.id,
            message=f"step {step.id} is not begun: the window is {_opened(state)}{detail}{takes}",
        )

    return refusal


def _opened(state: WindowState) -> str:
    return "" if state.is_open else "closed; it "


def wait_for_window(bench: Workbench, environment: Environment) -> None:
    """Return when the window is open, at once where there is none. Raises `window-closed`."""
    if environment.window is None:
        return
    told = False
    while not (state := window_state(environment.window, bench.clock.now())).is_open:
        now = bench.clock.now()
        detail = window_detail(environment.window, state, now)
        if state.changes_at is None:
            raise OrchestrateError(
                "window-closed",
                f"The window of {environment.name} {detail}",
                where=environment.name,
                hint="Look at `window` in the spec",
            )
        if not told:
            bench.invocation.say(f"{environment.name}: waiting for the window, which {detail}")
            told = True
        left: timedelta = state.changes_at - now
        # In pieces: the machine may be asleep meanwhile, or its clock set.
        bench.clock.sleep(min(_LONGEST_SLEEP, max(0.01, left.total_seconds())))
