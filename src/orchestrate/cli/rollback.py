"""`orchestrate rollback`: the way back, planned and gated like the way forward."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrate.cli.given import PLACE, TEXT
from orchestrate.cli.invocation import (
    Invocation,
    environment_argument,
    global_options,
    one_environment,
    override_options,
)
from orchestrate.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.spec import Environment


@click.command()
@environment_argument
@click.option("--to", type=TEXT, help="Where to: whatever `alembic downgrade` takes.")
@click.option("--run", type=TEXT, metavar="RUN", help="Undo exactly what this run did.")
@click.option("--backup", type=TEXT, metavar="ID", help="Put this copy back, replacing all.")
@click.option(
    "--sql",
    "sql_folder",
    type=PLACE,
    help="Write each revision's SQL, down and up, into this folder.",
)
@click.option("--yes", is_flag=True, help="Do not ask for the environment's name.")
@override_options
@global_options
@click.pass_obj
def rollback(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    to: str | None,
    run: str | None,
    backup: str | None,
    sql_folder: Path | None,
    yes: bool,
) -> int:
    """Take ENV back: to a revision, to where it was before a run, or to what a backup holds.

    What is lost on the way is named beforehand. Afterwards the schema is compared with what it was
    before the revisions that were undone were applied.
    """
    from orchestrate.cli.blocking import blocked_event  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    bench = Workbench(invocation)
    declared = bench.environment(one_environment(environment, environment_option))
    with blocked_event(bench, declared.name):
        bench.refuse_unenforced(declared)
        _check_choice(bench, declared, {"--to": to, "--run": run, "--backup": backup})
        if backup is not None:
            from orchestrate.cli.restoring import Restoring, restore_environment  # noqa: PLC0415

            if sql_folder is not None:
                raise OrchestrateError("usage", "A backup is put back without SQL to look at")
            wanted_copy = Restoring(
                backup=backup, replace=True, yes=yes, command=f"rollback --backup {backup}"
            )
            return restore_environment(bench, declared, wanted_copy)
        looking = bench.look_soon(bench.access(declared))
        # Heavy, and the agent looks meanwhile.
        from orchestrate.cli.rolling_back import Wanted, roll_back  # noqa: PLC0415

        wanted = Wanted(to=to, run=run, sql_folder=sql_folder)
        return roll_back(bench, declared, looking(), wanted, yes=yes)


def _check_choice(bench: Workbench, environment: Environment, given: dict[str, str | None]) -> None:
    """Raise `usage` unless exactly one destination was given, naming those that there are."""
    named = [option for option, value in given.items() if value is not None]
    if len(named) == 1:
        return
    if named:
        raise OrchestrateError(
            "usage", f"{' and '.join(f'`{one}`' for one in named)} are two destinations: give one"
        )
    from orchestrate.cli.undoing import choices  # noqa: PLC0415

    raise OrchestrateError(
        "usage",
        f"Where {environment.name} is to go back to was not said",
        where=environment.name,
        hint=choices(bench, environment),
    )
