"""`orchestrate status`: where every environment stands, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrate.cli.invocation import Invocation, environments_argument, global_options
from orchestrate.domain.leases import Lease
from orchestrate.domain.observation import Observation, Unreachable
from orchestrate.domain.plan import Gate
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.plan import Gate
    from orchestrate.planning.chain import Chain
    from orchestrate.planning.run_state import RunState
    from orchestrate.planning.standing import Standing
    from orchestrate.reports.standings import StatusRow
    from orchestrate.run.observe import Seen


@click.command()
@environments_argument
@global_options
@click.pass_obj
def status(
    invocation: Invocation, *, environments: tuple[str, ...], environment_options: tuple[str, ...]
) -> int:
    """Show where every environment stands, or those named; all are looked at at the same time.

    Nothing is written to any database.
    """
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.reports.standings import status_json, status_text  # noqa: PLC0415

    bench = Workbench(invocation)
    chosen = bench.chosen((*environments, *environment_options))
    rows = status_rows(bench, chosen)
    if invocation.format == "json":
        invocation.json(status_json(rows))
    else:
        invocation.data(status_text(rows, now=bench.clock.now()))
    return 0


def status_rows(bench: Workbench, chosen: list[Environment]) -> list[StatusRow]:
    """Look at environments, all at the same time, and return a row for each."""
    from orchestrate.cli.looking import look  # noqa: PLC0415  (as above)

    return _rows(bench, chosen, look(bench, chosen))


def _rows(bench: Workbench, chosen: list[Environment], seen: dict[str, Seen]) -> list[StatusRow]:
    from orchestrate.cli.looking import without_sight  # noqa: PLC0415
    from orchestrate.reports.standings import StatusRow  # noqa: PLC0415
    from orchestrate.run.journal import all_runs  # noqa: PLC0415
    from orchestrate.run.lease_keeper import is_dead  # noqa: PLC0415

    runs = all_runs(bench.state)
    now = bench.clock.now()
    # What a killed process or a lost machine left behind holds up nobody.
    leases = tuple(
        lease for lease in bench.state.leases() if lease.expires_at > now and not is_dead(lease)
    )
    rows = []
    for environment in chosen:
        one, chain = seen[environment.name], None
        if one.graph is not None:
            try:
                chain = bench.chain(one.graph)
            except OrchestrateError as error:
                one = without_sight(environment, error, access=one.access)
        standing, mistake = _standing(one, chain, environment.to)
        mine = [run for run in runs if run.environment == environment.name]
        rows.append(
            StatusRow(
                environment=environment.name,
                target=one.sight.target,
                sight=one.sight,
                standing=standing,
                heads=chain.heads if chain else (),
                last_run=mine[-1] if mine else None,
                at_work=bool(mine) and mine[-1].id in {lease.run for lease in leases},
                gates=_gates(bench, environment, one, standing),
                remarks=(
                    *mistake,
                    *_standing_remarks(bench, environment, one, standing),
                    *_remarks(bench, environment, one, mine, leases, seen),
                ),
            )
        )
    return rows


def _gates(
    bench: Workbench, environment: Environment, one: Seen, standing: Standing
) -> tuple[Gate, ...]:
    """Return the gates that the environment declares, as the plan made now would meet them."""
    from orchestrate.cli.gates import declared_gates, gated  # noqa: PLC0415  (as above)
    from orchestrate.cli.gating import prepare  # noqa: PLC0415

    asks_plan = (environment.after, environment.approval, environment.policy) != (None,) * 3
    if not standing.pending or not asks_plan:
        return declared_gates(bench, environment)
    try:
        made = prepare(bench, environment, one, direction="upgrade", to=environment.to)
        plan = gated(bench, environment, one, made.plan, made.verdict)
    except OrchestrateError:
        # Why no plan can be made stands in the row already.
        return declared_gates(bench, environment)
    return tuple(gate for gate in plan.gates if gate.kind != "identity")


def _standing(one: Seen, chain: Chain | None, to: str) -> tuple[Standing, tuple[str, ...]]:
    """Return where a target stands; a mistake in its `to` costs nobody a row."""
    from orchestrate.planning.standing import judge  # noqa: PLC0415

    try:
        return judge(one.sight, chain, to=to), ()
    except OrchestrateError as error:
        mistake = f"`to: {to}` in the spec: {error.message} [{error.code}]"
        return judge(one.sight, chain, to="heads"), (mistake,)


def _standing_remarks(
    bench: Workbench, environment: Environment, one: Seen, standing: Standing
) -> tuple[str, ...]:
    """Return what there is to do about where a target stands, where that is not to apply."""
    from orchestrate.planning.standing import tables_missing, unversioned  # noqa: PLC0415
    from orchestrate.planning.unknown_rows import unknown_rows  # noqa: PLC0415
    from orchestrate.reports.more import remark  # noqa: PLC0415

    name = environment.name
    if standing.unknown and one.graph is not None:
        seen = bench.sightings(environment, standing.unknown, one.graph)
        error = unknown_rows(name, standing.unknown, seen)
        return (remark(error.message, error.hint, error.code),)
    if not isinstance(one.sight, Observation):
        return ()
    if standing.state == "unversioned":
        return (
            remark(
                unversioned(one.sight),
                f"`orchestrate stamp {name} REV` records the revision that the schema is of",
                "unversioned",
            ),
        )
    alone = tables_missing(one.sight)
    if alone:
        hint = f"`orchestrate stamp {name} base` if it is to begin anew, else restore a backup"
        return (remark(alone, hint, "tables-missing"),)
    return ()


def _remarks(  # noqa: PLR0917  (private, called once)
    bench: Workbench,
    environment: Environment,
    one: Seen,
    runs: list[RunState],
    leases: tuple[Lease, ...],
    seen: dict[str, Seen],
) -> list[str]:
    from orchestrate.cli.gating import check_identity  # noqa: PLC0415
    from orchestrate.cli.put_back import left_by, told  # noqa: PLC0415
    from orchestrate.planning.spec_checks import not_enforced  # noqa: PLC0415
    from orchestrate.planning.trouble_pages import page_of  # noqa: PLC0415
    from orchestrate.reports.more import remark  # noqa: PLC0415

    found = []
    sight = one.sight
    if one.error is not None:
        bench.invocation.record(one.error)
    if isinstance(sight, Unreachable):
        found.append(remark(sight.message, sight.hint, page_of(sight.trouble, sight.code)))
    if isinstance(sight, Observation):
        others = tuple(
            other.sight for other in seen.values() if isinstance(other.sight, Observation)
        )
        try:
            check_identity(bench, sight, others)
        except OrchestrateError as error:
            found.append(f"{error.message} [{error.code}]")
    found += [
        f"run {run.id} is {'in doubt' if run.status == 'in-doubt' else 'unfinished'}: "
        f"`orchestrate resume {run.id}`{told(left_by(bench, run))}"
        for run in runs
        if run.unfinished and run.id not in {lease.run for lease in leases}
    ]
    found += [
        f"run {lease.run} of {lease.holder} is at work (lease {lease.id}, "
        f"step {lease.step or 'none yet'})"
        for lease in leases
        if lease.environment == environment.name
    ]
    protections = ", ".join(finding.message for finding in not_enforced(bench.spec, environment))
    if protections:
        found.append(f"cannot be planned or applied yet: {protections} [not-enforced-yet]")
    return found
