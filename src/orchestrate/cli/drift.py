"""`orchestrate drift` and `compare`: what differs, for people, machines and CI servers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from orchestrate.cli.invocation import (
    DRIFT_FORMATS,
    Invocation,
    environments_argument,
    options_with,
)
from orchestrate.domain.drift import Against, DriftReport
from orchestrate.errors import ExitStatus, OrchestrateError
from orchestrate.stores.written_files import write_file

if TYPE_CHECKING:
    from orchestrate.cli.drifting import Looked
    from orchestrate.cli.workbench import Workbench

_FILES: Final = {"html": "html", "junit": "junit", "metrics": "prometheus"}
"""By option that names a further file, the format that it is written in."""

Renderer = Callable[["Workbench", "Looked", DriftReport], str]
"""Makes a report's text; the last argument is what of it is to be shown."""


def _file_option(name: str, told: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(name, type=path, metavar="FILE", help=told)


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
@_file_option("--out", "Write the report to a file.")
@_file_option("--html", "Write it as an HTML page as well, with all that is known.")
@_file_option("--junit", "Write it as JUnit XML as well.")
@_file_option("--metrics", "Write its numbers as well, for Prometheus' textfile collector.")
@click.option("--notify", is_flag=True, help="Tell the environments' `notify` what is new.")
@options_with(DRIFT_FORMATS)
@click.pass_obj
def drift(
    invocation: Invocation,
    /,
    *,
    environments: tuple[str, ...],
    environment_options: tuple[str, ...],
    against: Against | None,
    new_only: bool,
    exit_code: bool,
    out: Path | None,
    notify: bool,
    **files: Path | None,
) -> int:
    """Show what differs from what is declared or recorded, in all environments or those named.

    Which database it is, its revision, its schema. Nothing is written to any of them, and a
    credential that may only read suffices. The report is kept in the state store.
    """
    from orchestrate.cli.looking import look_for_drift  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    bench = Workbench(invocation)
    _check_places([path for path in (out, *files.values()) if path is not None])
    chosen = bench.chosen((*environments, *environment_options))
    for one in chosen if notify else ():
        bench.refuse_untold(one)
    sight = look_for_drift(bench, chosen, against)
    # Only now, with what has been imported while the agents were looking.
    from orchestrate.cli.drifting import drift_report  # noqa: PLC0415
    from orchestrate.planning.drift import only_news  # noqa: PLC0415

    looked = drift_report(bench, chosen, against, sight=sight)
    shown = only_news(looked.report) if new_only else looked.report
    for option, path in files.items():
        if path is not None:
            _write(invocation, _rendered(bench, _FILES[option], looked, shown), path)
    _put(invocation, _rendered(bench, invocation.format, looked, shown), out)
    if notify:
        from orchestrate.cli.notifying import tell_news  # noqa: PLC0415  (as above)

        tell_news(bench, looked.report)
    if not exit_code:
        return ExitStatus.DONE
    if shown.drifted:
        return ExitStatus.DIFFERENCE
    unread = any(one.error is not None for one in shown.targets)
    return ExitStatus.FAILED if unread else ExitStatus.DONE


def _rendered(bench: Workbench, format_: str, looked: Looked, report: DriftReport) -> str:
    """Return the report in a format, without secrets."""
    if format_ == "json":
        return bench.invocation.as_json(_values(report), indent=2)
    from orchestrate.reports.drift_secrets import redacted_report  # noqa: PLC0415  (as above)

    redact = bench.invocation.redacted
    text = _renderers()[format_](bench, looked, redacted_report(report, redact))
    # What has attributes, labels and drawings is redacted in its parts: `tests="***"` is no XML
    # that a CI server reads.
    return redact(text) if format_ in {"text", "markdown"} else text


def _renderers() -> Mapping[str, Renderer]:
    """Return the renderers by format that is text; a new one is one line here.

    A page and numbers are the whole of a report: what is known today is what tomorrow is measured
    by, and the page marks what is new.
    """
    return {
        "text": lambda _bench, _looked, report: _text(report),
        "markdown": lambda _bench, _looked, report: _markdown(report),
        "junit": lambda bench, _looked, report: _junit(bench, report),
        "html": lambda bench, looked, _: _page(bench, looked),
        "prometheus": lambda bench, looked, _: _metrics(bench, looked.report),
    }


# Only the form that is asked for is imported.


def _text(report: DriftReport) -> str:
    from orchestrate.reports.drift import drift_text  # noqa: PLC0415

    return drift_text(report)


def _markdown(report: DriftReport) -> str:
    from orchestrate.reports.drift import drift_markdown  # noqa: PLC0415

    return drift_markdown(report)


def _junit(bench: Workbench, report: DriftReport) -> str:
    from orchestrate.reports.junit import drift_junit  # noqa: PLC0415

    return drift_junit(report, redacted=bench.invocation.redacted)


def _metrics(bench: Workbench, report: DriftReport) -> str:
    from orchestrate.reports.metrics import drift_metrics  # noqa: PLC0415

    return drift_metrics(report, redacted=bench.invocation.redacted)


def _page(bench: Workbench, looked: Looked) -> str:
    from orchestrate.cli.drift_pages import drift_page  # noqa: PLC0415

    return drift_page(bench, looked)


def _values(report: DriftReport) -> dict[str, Any]:
    from orchestrate.planning.drift_values import drift_value  # noqa: PLC0415

    return drift_value(report)


def _check_places(files: Iterable[Path]) -> None:
    """Raise `usage` where a file cannot be made, before a report is kept: news is told once."""
    for path in files:
        folder = path.absolute().parent
        if path.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            why = "it is a folder" if path.is_dir() else f"`{folder}` is no folder to write to"
            raise OrchestrateError(
                "usage", f"`{path}` cannot be written: {why}", hint="Name another file"
            )


def _put(invocation: Invocation, text: str, out: Path | None) -> None:
    if out is None:
        invocation.put(text)
    else:
        _write(invocation, text, out)


def _write(invocation: Invocation, text: str, out: Path) -> None:
    """Write a report to a file as a whole or not at all."""
    write_file(out, click.unstyle(text) + "\n")
    invocation.say(f"The report is in {out}")
