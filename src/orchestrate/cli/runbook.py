"""`orchestrate runbook`: a plan written for people, its boxes ticked by the journal."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrate.cli.given import PLACE, TEXT
from orchestrate.cli.invocation import (
    RUNBOOK_FORMATS,
    Invocation,
    environment_argument,
    one_environment,
    options_with,
)
from orchestrate.errors import OrchestrateError


@click.command()
@environment_argument
@click.option("--to", type=TEXT, help="Where to, of a plan that is made for it.")
@click.option("--run", type=TEXT, metavar="RUN", help="The plan of this run, as it went.")
@click.option("--out", type=PLACE, help="Write it to this file.")
@click.option(
    "--eject",
    is_flag=True,
    help="Write the templates into the folder that is named in place of ENV, else `runbook`.",
)
@options_with(RUNBOOK_FORMATS)
@click.pass_obj
def runbook(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    to: str | None,
    run: str | None,
    out: Path | None,
    eject: bool,
) -> int:
    """Write what ENV's plan, or the plan of a file, asks of people: before, during and after.

    Of ENV it is the plan of the unfinished run, else what is pending, else what ran last. Markdown
    unless `--format html` or a file that ends in `.html` says otherwise.
    """
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.cli.writing_runbooks import (  # noqa: PLC0415  (`--help` is quick)
        Asked,
        eject_templates,
        write_runbook,
    )

    if eject:
        if to or run or out or environment_option:
            raise OrchestrateError("usage", "`--eject` goes with a folder alone")
        return eject_templates(invocation, Path(environment or "runbook"))
    if run is None or environment or environment_option:
        name = one_environment(environment, environment_option)
    else:
        name = None
    if run is not None and to is not None:
        raise OrchestrateError("usage", "`--run` names a plan that is made; leave `--to` out")
    return write_runbook(Workbench(invocation), Asked(name=name, to=to, run=run, out=out))
