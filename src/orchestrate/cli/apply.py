"""`orchestrate apply`: plan and carry out, or carry out exactly a saved plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrate.cli.given import TEXT
from orchestrate.cli.invocation import (
    Invocation,
    environment_argument,
    global_options,
    one_environment,
    override_options,
)

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.spec import Environment


@click.command()
@environment_argument
@click.option("--to", type=TEXT, help="Where to: whatever `alembic upgrade` takes.")
@click.option("--yes", is_flag=True, help="Do not ask for the environment's name.")
@click.option("--wait", is_flag=True, help="Wait until the window opens.")
@override_options
@global_options
@click.pass_obj
def apply(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    to: str | None,
    yes: bool,
    wait: bool,
) -> int:
    """Plan and carry out an upgrade of ENV, or carry out exactly the plan of a file.

    One revision a step, each committed on its own where the database can. Killed at any point, it
    can be resumed.
    """
    from orchestrate.cli.blocking import blocked_event  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    name = one_environment(environment, environment_option)
    bench = Workbench(invocation)
    if name.endswith(".json"):
        from orchestrate.cli.applying import apply_file  # noqa: PLC0415

        return apply_file(bench, Path(name), to=to, yes=yes, wait=wait)
    declared = bench.environment(name)
    with blocked_event(bench, declared.name):
        bench.refuse_unenforced(declared)
        if wait:
            _wait(bench, declared)
        looking = bench.look_soon(bench.access(declared), load_pending=True)
        # Heavy, and the agent looks meanwhile.
        from orchestrate.cli.applying import apply_environment  # noqa: PLC0415

        bench.open_state()
        return apply_environment(bench, declared, looking(), to=to, yes=yes)


def _wait(bench: Workbench, environment: Environment) -> None:
    from orchestrate.cli.gates import wait_for_window  # noqa: PLC0415

    wait_for_window(bench, environment)
