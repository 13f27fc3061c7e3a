"""`orchestrate rehearse`: the plan carried out on a clone, to measure it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

import click

from orchestrate.cli.given import TEXT
from orchestrate.cli.invocation import (
    Invocation,
    environment_argument,
    global_options,
    one_environment,
)
from orchestrate.domain.rehearsals import ROWS, CloneSource
from orchestrate.errors import ExitStatus

if TYPE_CHECKING:
    from orchestrate.domain.rehearsals import Rehearsal


@click.command()
@environment_argument
@click.option("--to", type=TEXT, help="Where to: whatever `alembic upgrade` takes.")
@click.option(
    "--from",
    "source",
    type=click.Choice(get_args(CloneSource)),
    help="What the clone is made from: the latest proven backup, the live database, or the "
    "revisions alone, with generated rows; the first of these that there is.",
)
@click.option(
    "--rows",
    type=click.IntRange(0, 100_000),
    default=ROWS,
    show_default=True,
    help="How many rows to generate for each table of a clone made from the revisions alone.",
)
@click.option("--forward-only", is_flag=True, help="Leave out the way back: quicker.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when a revision cannot be undone.")
@global_options
@click.pass_obj
def rehearse(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    to: str | None,
    source: str | None,
    rows: int,
    forward_only: bool,
    exit_code: bool,
) -> int:
    """Carry the plan of ENV out on a clone: time, locks, rows, and whether there is a way back.

    ENV itself is not changed. The clone is a database beside it and is dropped in any case.
    """
    from orchestrate.cli.applying import nothing_to_do  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.rehearsing import rehearse_environment  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415  (`--help` is quick)

    bench = Workbench(invocation)
    declared = bench.environment(one_environment(environment, environment_option))
    with invocation.ended_by_signals():
        plan, found = rehearse_environment(
            bench,
            declared,
            to=to,
            source=cast("CloneSource | None", source),
            forward_only=forward_only,
            rows=rows,
        )
    if found is None:
        return nothing_to_do(bench, plan)
    _print(invocation, found)
    if not found.succeeded:
        return ExitStatus.FAILED
    return int(ExitStatus.DIFFERENCE if exit_code and found.loses else ExitStatus.DONE)


def _print(invocation: Invocation, found: Rehearsal) -> None:
    from orchestrate.planning.rehearsals import rehearsal_value  # noqa: PLC0415  (as above)
    from orchestrate.reports.rehearsals import (  # noqa: PLC0415
        rehearsal_markdown,
        rehearsal_text,
    )

    match invocation.format:
        case "json":
            invocation.json(rehearsal_value(found))
        case "markdown":
            invocation.data(rehearsal_markdown(found))
        case _:
            invocation.data(rehearsal_text(found))
