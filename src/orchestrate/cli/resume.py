"""`orchestrate resume` and `abort`: what becomes of an unfinished run."""

from __future__ import annotations

import click

from orchestrate.cli.given import TEXT
from orchestrate.cli.invocation import Invocation, global_options, override_options


@click.command()
@click.argument("run", required=False, type=TEXT)
@click.option("--env", "environment", metavar="ENV", help="The unfinished run of this environment.")
@click.option(
    "--retry",
    "choice",
    flag_value="retry",
    help="In doubt: what is there of the step was undone by hand; run it again.",
)
@click.option(
    "--mark-applied",
    "choice",
    flag_value="mark-applied",
    help="In doubt: the rest of the step was done by hand; count it as done.",
)
@click.option(
    "--restore",
    "choice",
    flag_value="restore",
    help="Put the backup back that the run began with, and end the run.",
)
@click.option("--yes", is_flag=True, help="--restore: do not ask for the environment's name.")
@override_options
@global_options
@click.pass_obj
def resume(
    invocation: Invocation,
    *,
    run: str | None,
    environment: str | None,
    choice: str | None,
    yes: bool,
) -> int:
    """Go on with an unfinished run: the only one, RUN, or that of ENV.

    Journal and database together decide what is left. A step that may be half applied is never
    guessed at: it ends with exit status 7 and the choices.
    """
    from orchestrate.cli.resuming import resume_run  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    bench = Workbench(invocation)
    if choice == "restore":
        from orchestrate.cli.restoring import restore_of_run  # noqa: PLC0415

        return restore_of_run(bench, run=run, environment=environment, yes=yes)
    return resume_run(bench, run=run, environment=environment, choice=choice)


@click.command()
@click.argument("run", type=TEXT)
@global_options
@click.pass_obj
def abort(invocation: Invocation, *, run: str) -> int:
    """End an unfinished RUN as it is, and say what it leaves behind.

    The database is not touched.
    """
    from orchestrate.cli.resuming import abort_run  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    return abort_run(Workbench(invocation), run=run)
