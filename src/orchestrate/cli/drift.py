"""`orchestrate drift` and `compare`: what differs, for people, machines and CI servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from orchestrate.cli.invocation import (
    DRIFT_FORMATS,
    Invocation,
    environments_argument,
    options_with,
)
from orchestrate.domain.drift import Against, DriftReport
from orchestrate.errors import ExitStatus, OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.drifting import Looked

Renderer = Callable[["Looked", DriftReport], str]
"""Makes a report's text; the second argument is what of it is to be shown."""


@click.command()
@environments_argument
@click.option(
    "--against",
    type=click.Choice(get_args(Against)),
    help="Compare with what the last run left (snapshot), with the revisions made anew in a "
    "scratch database (replay), or with the models; the first of these that there is.",
)
@click.option(
    "--new-only",
    is_flag=True,
    help="Show, and let --exit-code tell, only what the last report did not have.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    help="End with 3 if there is drift, with 1 if a database or its schema could not be read.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report to a file.",
)
@options_with(DRIFT_FORMATS)
@click.pass_obj
def drift(
    invocation: Invocation,
    *,
    environments: tuple[str, ...],
    environment_options: tuple[str, ...],
    against: Against | None,
    new_only: bool,
    exit_code: bool,
    out: Path | None,
) -> int:
    """Show what differs from what is declared or recorded, in all environments or those named.

    Which database it is, its revision, its schema. Nothing is written to any of them, and a
    credential that may only read suffices. The report is kept in the state store.
    """
    from orchestrate.cli.drifting import drift_report  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.planning.drift import only_news  # noqa: PLC0415

    bench = Workbench(invocation)
    looked = drift_report(bench, bench.chosen((*environments, *environment_options)), against)
    shown = only_news(looked.report) if new_only else looked.report
    _put(invocation, _renderers()[invocation.format](looked, shown), out)
    if not exit_code:
        return ExitStatus.DONE
    if shown.drifted:
        return ExitStatus.DIFFERENCE
    unread = any(one.error is not None for one in shown.targets)
    return ExitStatus.FAILED if unread else ExitStatus.DONE


def _renderers() -> Mapping[str, Renderer]:
    """Return the renderers by format; a new one is one line here."""
    from orchestrate.reports.drift import drift_markdown, drift_text  # noqa: PLC0415  (as above)
    from orchestrate.reports.junit import drift_junit  # noqa: PLC0415

    return {
        "text": lambda _, report: drift_text(report),
        "json": lambda _, report: _json(report),
        "markdown": lambda _, report: drift_markdown(report),
        "junit": lambda _, report: drift_junit(report),
    }


def _json(report: DriftReport) -> str:
    import json  # noqa: PLC0415  (as above)

    from orchestrate.planning.drift_values import drift_value  # noqa: PLC0415

    return json.dumps(drift_value(report), indent=2, ensure_ascii=False)


def _put(invocation: Invocation, text: str, out: Path | None) -> None:
    """Print a report, or write it to a file as a whole or not at all."""
    if out is None:
        invocation.data(text)
        return
    content = click.unstyle(invocation.redacted(text)) + "\n"
    try:
        part = out.with_name(f".{out.name}.part")
        part.write_text(content, encoding="utf-8")
        part.replace(out)
    except OSError as error:
        raise OrchestrateError(
            "usage", f"`{out}` cannot be written: {error.strerror}", hint="Give another --out"
        ) from error
    invocation.say(f"The report is in {out}")
