"""`orchestrate restore`: put a copy back in the place of what a database holds."""

from __future__ import annotations

import click

from orchestrate.cli.invocation import Invocation, global_options, one_environment, override_options
from orchestrate.errors import OrchestrateError


@click.command()
@click.argument("words", nargs=-1, metavar="ENV BACKUP")
@click.option("--env", "environment_option", metavar="ENV", help="The same as ENV.")
@click.option("--replace", is_flag=True, help="Replace what is in the database.")
@click.option("--yes", is_flag=True, help="Do not ask for the environment's name.")
@override_options
@global_options
@click.pass_obj
def restore(
    invocation: Invocation,
    *,
    words: tuple[str, ...],
    environment_option: str | None,
    replace: bool,
    yes: bool,
) -> int:
    """Put BACKUP into the database of ENV, which may be another one than it was made of.

    What is there is copied first, and replaced only with `--replace`. Afterwards revision, schema
    and rows are compared with what was saved. `orchestrate backups` lists the copies.
    """
    from orchestrate.cli.blocking import blocked_event  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.restoring import Restoring, restore_environment  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    given = list(words)
    name = one_environment(
        given.pop(0) if given and not environment_option else None, environment_option
    )
    if len(given) != 1:
        raise OrchestrateError(
            "usage",
            "Name the backup to put back" if not given else "Name one backup",
            hint=f"`orchestrate backups {name}` lists them",
        )
    bench = Workbench(invocation)
    declared = bench.environment(name)
    with blocked_event(bench, declared.name):
        wanted = Restoring(backup=given[0], replace=replace, yes=yes)
        return restore_environment(bench, declared, wanted)
