"""`orchestrate compare`: two environments' schemas, object by object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from orchestrate.cli.invocation import Invocation, global_options
from orchestrate.errors import ExitStatus, OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.drift import Comparison
    from orchestrate.domain.observation import Observation
    from orchestrate.domain.snapshot import Snapshot
    from orchestrate.domain.spec import Environment
    from orchestrate.run.observe import Seen


@click.command()
@click.argument("first", metavar="ENV")
@click.argument("second", metavar="ENV")
@click.option("--exit-code", is_flag=True, help="End with 3 if the schemas differ.")
@click.option("--grants", is_flag=True, help="Compare what accounts are granted as well.")
@global_options
@click.pass_obj
def compare(
    invocation: Invocation, *, first: str, second: str, exit_code: bool, grants: bool
) -> int:
    """Show in what the schema of the second ENV differs from that of the first.

    Nothing is written to either of them. Grants are left out unless asked for: accounts have other
    names in other places.
    """
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.reports.comparison import (  # noqa: PLC0415
        comparison_json,
        comparison_markdown,
        comparison_text,
    )
    from orchestrate.reports.drift_secrets import redacted_difference  # noqa: PLC0415

    bench = Workbench(invocation)
    pair = (bench.environment(first), bench.environment(second))
    if pair[0].name == pair[1].name:
        raise OrchestrateError(
            "usage",
            f"`{first}` and `{second}` are one environment",
            hint="`orchestrate drift` compares one with what is recorded or declared",
        )
    found = compared(bench, pair, grants=grants)
    if invocation.format == "json":
        invocation.json(comparison_json(found))
    else:
        render = comparison_markdown if invocation.format == "markdown" else comparison_text
        # Before definitions are broken into lines and cut.
        clean = tuple(redacted_difference(one, invocation.redacted) for one in found.differences)
        invocation.data(render(replace(found, differences=clean)))
    return ExitStatus.DIFFERENCE if exit_code and found.drift else ExitStatus.DONE


def compared(
    bench: Workbench, pair: tuple[Environment, Environment], *, grants: bool
) -> Comparison:
    """Look at both at the same time and compare. Raises why one of them could not be read."""
    from orchestrate.cli.looking import look  # noqa: PLC0415  (as above)
    from orchestrate.dialects import difference  # noqa: PLC0415
    from orchestrate.domain.drift import Comparison, Side  # noqa: PLC0415
    from orchestrate.domain.snapshot import GRANTS  # noqa: PLC0415
    from orchestrate.planning.drift import schema_differences, with_rules  # noqa: PLC0415
    from orchestrate.planning.renames import with_renames  # noqa: PLC0415

    seen = look(bench, pair, schemas=True)
    (one, here), (two, there) = (_read(seen[environment.name]) for environment in pair)
    if here.dialect != there.dialect:
        raise OrchestrateError(
            "usage",
            f"{pair[0].name} is {one.server_version} and {pair[1].name} is {two.server_version}: "
            "what one calls a type the other one calls otherwise",
            hint="Compare environments of one kind of database",
        )
    found = schema_differences(difference.compare(here, there, without=() if grants else GRANTS))
    rules = [rule for environment in pair if environment.drift for rule in environment.drift.ignore]
    marked, _ = with_rules(with_renames(found, here, there), rules, today=bench.clock.now().date())
    sides = [
        Side(
            name=sight.environment,
            dialect=sight.dialect,
            server_version=sight.server_version,
            heads=sight.heads,
        )
        for sight in (one, two)
    ]
    return Comparison(
        first=sides[0],
        second=sides[1],
        differences=marked,
        not_compared=difference.not_comparable(here, there),
    )


def _read(seen: Seen) -> tuple[Observation, Snapshot]:
    from orchestrate.domain.observation import Observation  # noqa: PLC0415  (as above)

    for error in (seen.error, seen.rows_error):
        if error is not None:
            raise error
    if not isinstance(seen.sight, Observation) or seen.access is None:
        raise OrchestrateError("unreachable", "The target could not be observed")
    if not seen.rows:
        raise OrchestrateError(
            "usage",
            f"How the schema of {seen.access.dialect.title} is read is not known",
            where=seen.environment,
        )
    schema = seen.access.dialect.snapshot(seen.rows, version_table=seen.sight.version_table)
    return seen.sight, schema
