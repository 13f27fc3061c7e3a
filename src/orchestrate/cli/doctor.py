"""`orchestrate doctor`: everything that can be checked without writing, each with its remedy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestrate.cli.invocation import Invocation, environments_argument, global_options
from orchestrate.errors import ExitStatus, OrchestrateError

if TYPE_CHECKING:
    from orchestrate.domain.diagnosis import Way


@click.command()
@environments_argument
@global_options
@click.pass_obj
def doctor(
    invocation: Invocation, *, environments: tuple[str, ...], environment_options: tuple[str, ...]
) -> int:
    """Check everything around an environment, or all of them; say what to do about each problem.

    Nothing is written, neither to a database nor to a file. Where env.py does not connect to the
    database asked for, other ways of handing it the URL are tried, harmlessly, and the lines to
    write into the spec are printed. Exits with 1 when there is a problem.
    """
    from orchestrate.cli.diagnosing import diagnose  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.planning.connection_check import words  # noqa: PLC0415
    from orchestrate.reports.diagnoses import diagnoses_json, diagnoses_text  # noqa: PLC0415

    bench = Workbench(invocation)
    chosen = bench.chosen((*environments, *environment_options))
    if not chosen:
        raise OrchestrateError(
            "usage",
            "The spec declares no environment, so that there is nothing to look at",
            hint="Declare one under `environments` or in a file of `include`",
            where=str(bench.spec.path),
        )

    def tell(environment: str, way: Way) -> None:
        if invocation.verbosity > 0 or (invocation.format == "text" and sys.stderr.isatty()):
            invocation.say(f"{environment}: trying {words(way)}")

    found = diagnose(bench, chosen, tell)
    if invocation.format == "json":
        invocation.json(diagnoses_json(found))
    else:
        invocation.data(diagnoses_text(found))
    problems = [one for checks in found.values() for one in checks if one.status == "problem"]
    return ExitStatus.FAILED if problems else ExitStatus.DONE
