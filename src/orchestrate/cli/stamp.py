"""`orchestrate stamp`: adopt a database at a revision, once it is shown that it is there."""

from __future__ import annotations

import click

from orchestrate.cli.given import TEXT
from orchestrate.cli.invocation import (
    Invocation,
    environment_argument,
    global_options,
    one_environment,
    override_options,
)
from orchestrate.errors import OrchestrateError


@click.command()
@environment_argument
@click.argument("revisions", nargs=-1, metavar="REV...", type=TEXT)
@click.option("--purge", is_flag=True, help="Forget what is recorded first, unknown revisions too.")
@click.option("--yes", is_flag=True, help="Do not ask for the environment's name.")
@override_options
@global_options
@click.pass_obj
def stamp(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    revisions: tuple[str, ...],
    purge: bool,
    yes: bool,
) -> int:
    """Record that ENV is at REV without running anything, once its schema is shown to be that.

    The project's revisions are run on a scratch database beside it, and the two schemas compared;
    where none can be made, the project's models are compared. Branches: several REV, or `heads`.
    """
    from orchestrate.cli.blocking import blocked_event  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.stamping import Claim, stamp_environment  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.run.observe import observe_one  # noqa: PLC0415

    given = list(revisions)
    if environment_option and environment:
        given.insert(0, environment)
        environment = None
    name = one_environment(environment, environment_option)
    if not given:
        raise OrchestrateError(
            "usage",
            "No revision was named",
            hint=f"`orchestrate alembic {name} -- history` lists them; `heads` means all heads",
        )
    bench = Workbench(invocation)
    declared = bench.environment(name)
    claim = Claim(revisions=tuple(given), purge=purge)
    with blocked_event(bench, declared.name):
        bench.refuse_unenforced(declared)
        seen = observe_one(bench.access(declared), bench.graphs)
        return stamp_environment(bench, declared, seen, claim, yes=yes)
