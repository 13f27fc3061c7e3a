"""The way of a rehearsal: look, plan, clone, carry out on the clone, keep what was measured."""

from __future__ import annotations

from orchestrate.cli.backing_up import order_for
from orchestrate.cli.gating import looked_at, prepare
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.backups import BackupOrder
from orchestrate.domain.events import NewEvent
from orchestrate.domain.plan import Plan
from orchestrate.domain.rehearsals import ROWS, CloneSource, Rehearsal
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.backups import good_copies
from orchestrate.planning.rehearsals import doubt_of, kept_value, origin
from orchestrate.reports.backups import size
from orchestrate.run.access import Access
from orchestrate.run.backups import all_backups
from orchestrate.run.clones import Original, clone_of
from orchestrate.run.lease_keeper import this_person
from orchestrate.run.observe import observe_one
from orchestrate.run.rehearsing import Rehearsed, rehearsed


def rehearse_environment(
    bench: Workbench,
    environment: Environment,
    *,
    to: str | None,
    source: CloneSource | None,
    forward_only: bool = False,
    rows: int = ROWS,
) -> tuple[Plan, Rehearsal | None]:
    """Carry the plan of an environment out on a clone and keep what came of it.

    Where the clone is made from the schema, `rows` are made up for each of its tables.

    No rehearsal where there is nothing to do. Raises what looking and planning raise,
    `scratch-unavailable` and what keeps a clone from being made; a revision that fails is in what
    is returned.
    """
    bench.refuse_unenforced(environment)
    access = bench.access(environment)
    seen = observe_one(access, bench.graphs)
    if seen.session is None:
        raise AssertionError
    with seen.session:
        made = prepare(bench, environment, seen, direction="upgrade", to=to or environment.to)
        observation, _ = looked_at(bench, seen)
    if not any(step.kind == "upgrade" for step in made.plan.steps):
        return made.plan, None
    order = _order(environment, access)
    original = Original(
        place=bench.scratch_place(environment, access),
        observation=observation,
        chain=made.chain,
        project=bench.spec.project_of(environment),
        order=order,
        copies=[
            one
            for one in good_copies(all_backups(bench.state), environment=environment.name)
            if one.verified is not None and one.identity == observation.identity
        ],
        rows=rows,
    )
    found = _carried_out(bench, made.plan, original, source, forward_only=forward_only)
    _keep(bench, found)
    return made.plan, found


def _order(environment: Environment, access: Access) -> BackupOrder | None:
    try:
        return order_for(environment, access)
    except OrchestrateError:
        return None


def _carried_out(
    bench: Workbench,
    plan: Plan,
    original: Original,
    source: CloneSource | None,
    *,
    forward_only: bool,
) -> Rehearsal:
    say = bench.invocation.say
    say(f"Rehearsing {plan.environment}: making a clone")
    with clone_of(original, source) as (session, clone):
        for one in clone.passed_over:
            say(f"  not taken: {one}")
        large = f", {size(clone.bytes)}" if clone.bytes is not None else ""
        say(f"  made from {origin(clone)}{large}")
        for table in clone.left_empty:
            say(f"  left empty: {table.table}: {table.reason}")
        came: Rehearsed = rehearsed(
            session,
            plan,
            original.chain,
            say,
            forward_only=forward_only,
            rows="generated rows" if clone.generated_rows else None,
        )
    remarks = came.remarks
    if came.trouble is not None and clone.generated_rows:
        remarks = (*remarks, doubt_of(plan.environment))
    now = bench.clock.now()
    upgrades = [step for step in plan.steps if step.kind == "upgrade"]
    return Rehearsal(
        id=bench.identifier("rehearsal", now),
        environment=plan.environment,
        at=now,
        plan_digest=plan.digest,
        from_heads=upgrades[0].from_heads,
        to_heads=upgrades[-1].to_heads,
        dialect=original.observation.dialect,
        server_version=original.observation.server_version,
        clone=clone,
        steps=came.steps,
        trouble=came.trouble,
        remarks=remarks,
    )


def _keep(bench: Workbench, found: Rehearsal) -> None:
    data = {**kept_value(found), "by": this_person()}
    event = NewEvent(kind="rehearsal.finished", at=found.at, run=None, step=None, data=data)
    bench.state.append([event])
