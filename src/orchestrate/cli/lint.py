"""`orchestrate lint`: what is to be said of revisions before they are merged, or run."""

from __future__ import annotations

import click

from orchestrate.cli.invocation import (
    LINT_FORMATS,
    Invocation,
    environment_argument,
    options_with,
)
from orchestrate.errors import ExitStatus, OrchestrateError


@click.command()
@environment_argument
@click.option("--range", "range_", metavar="A:B", help="What follows A, up to B; either may lack.")
@click.option(
    "--dialect",
    metavar="NAME",
    help="SQL as for this server, `postgresql` for one; no URL is needed then.",
)
@click.option("--no-squawk", is_flag=True, help="Leave squawk out.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there is a warning or an error.")
@options_with(LINT_FORMATS)
@click.pass_obj
def lint(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    range_: str | None,
    dialect: str | None,
    no_squawk: bool,
    exit_code: bool,
) -> int:
    """Judge revisions and their SQL: all of them, those of a range, or what is pending in ENV.

    Without ENV no database is reached. With ENV, locks are judged by how large its tables are.
    """
    from orchestrate.cli.linting import Asked, lint_spec  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.reports.lint import lint_json, lint_report, sarif  # noqa: PLC0415

    name = environment or environment_option
    if environment and environment_option and environment != environment_option:
        raise OrchestrateError("usage", "Two environments were named: give one of them")
    if name and dialect:
        raise OrchestrateError("usage", f"`--dialect` is known of {name}: leave it out")
    bench = Workbench(invocation)
    asked = Asked(
        environment=bench.environment(name) if name else None,
        range=range_,
        dialect=dialect,
        squawk=not no_squawk,
    )
    linted = lint_spec(bench, asked)
    for note in linted.notes:
        invocation.say(note)
    match invocation.format:
        case "json":
            invocation.json(lint_json(linted.findings))
        case "sarif":
            invocation.json(sarif(linted.findings))
        case style:
            invocation.data(lint_report(linted.findings, style, revisions=linted.revisions))
    bad = any(one.severity != "info" for one in linted.findings)
    return int(ExitStatus.DIFFERENCE if exit_code and bad else ExitStatus.DONE)
