"""`orchestrate trust` and `unlock`: two deliberate acts, both journalled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orchestrate.cli.invocation import (
    Invocation,
    environment_argument,
    global_options,
    one_environment,
)
from orchestrate.domain.leases import RecordedIdentity
from orchestrate.domain.observation import Observation
from orchestrate.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench


@click.command()
@environment_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@global_options
@click.pass_obj
def trust(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    yes: bool,
) -> int:
    """Accept the database that ENV leads to now as its own, from here on."""
    from orchestrate.cli.gating import looked_at, record_identity  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.planning.identities import identify  # noqa: PLC0415
    from orchestrate.run.observe import observe_one  # noqa: PLC0415

    bench = Workbench(invocation)
    declared = bench.environment(one_environment(environment, environment_option))
    seen = observe_one(bench.access(declared), bench.graphs)
    observation, _ = looked_at(bench, seen)
    if seen.session is not None:
        seen.session.agent.close()
    records = bench.state.identities()
    others = [one for one in records if one.environment != declared.name]
    verdict = identify(observation, others, _where_they_are_now(bench, observation, others))
    if verdict.kind == "same-database":
        raise OrchestrateError(
            "same-database",
            f"Two environments lead to one database: {verdict.detail}",
            where=declared.name,
            hint="Give each environment a URL of its own",
        )
    old = next((one.identity for one in records if one.environment == declared.name), None)
    invocation.say(f"{declared.name} was {old or 'not recorded'}")
    invocation.say(f"{declared.name} is now {observation.identity}")
    if old == observation.identity:
        invocation.data(f"{declared.name} is trusted already")
        return 0
    if not yes:
        if not invocation.may_ask:
            raise OrchestrateError(
                "no-input",
                f"Trusting {declared.name} has to be confirmed and nobody can be asked",
                hint="Say `--yes` where a machine decides",
            )
        typed = click.prompt(
            f"Type {declared.name} to trust it", default="", show_default=False, err=True
        )
        if typed.strip() != declared.name:
            raise OrchestrateError("not-confirmed", "Nothing was recorded")
    record_identity(bench, observation, kind="identity.trusted")
    invocation.data(f"{declared.name} is trusted as {observation.identity}")
    return 0


def _where_they_are_now(
    bench: Workbench, observation: Observation, others: Sequence[RecordedIdentity]
) -> tuple[Observation, ...]:
    """Look at the environments that this database is recorded for: they may have moved away.

    Two environments that changed places could otherwise never be trusted, whichever came first.
    One that cannot be looked at keeps what is recorded.
    """
    from orchestrate.cli.looking import look  # noqa: PLC0415

    names = {one.name for one in bench.spec.environments}
    twins = [
        bench.environment(one.environment)
        for one in others
        if one.identity == observation.identity and one.environment in names
    ]
    seen = look(bench, twins) if twins else {}
    return tuple(one.sight for one in seen.values() if isinstance(one.sight, Observation))


@click.command()
@environment_argument
@click.argument("lease", required=False)
@global_options
@click.pass_obj
def unlock(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    lease: str | None,
) -> int:
    """Break the LEASE of ENV whose holder is gone; without LEASE, show who holds it.

    Make sure that the holder does not work any more: two runs on one database do harm.
    """
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.reports.tables import stamp  # noqa: PLC0415
    from orchestrate.run.lease_keeper import this_person  # noqa: PLC0415

    bench = Workbench(invocation)
    if environment_option and environment and not lease:
        environment, lease = environment_option, environment
    name = bench.environment(one_environment(environment, None)).name
    held = [one for one in bench.state.leases() if one.environment == name]
    if lease is None:
        for one in held:
            invocation.data(
                f"{one.id}: run {one.run} by {one.holder} (process {one.pid}), step "
                f"{one.step or 'none yet'}, last sign of life {stamp(one.heartbeat_at)}"
            )
        if not held:
            invocation.data(f"Nobody holds a lease on {name}")
        return 0
    if lease not in {one.id for one in held}:
        raise OrchestrateError(
            "unknown-lease",
            f"{name} has no lease `{lease}`",
            hint=f"`orchestrate unlock {name}` shows who holds one",
        )
    bench.state.break_lease(lease, by=this_person(), now=bench.clock.now())
    invocation.data(f"Broke {lease}")
    return 0
