"""What a page about drift shows beside the report: gathered from the look and the state store."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING

from orchestrate.domain.drift_page import DriftPage, PastLook, PastRun, ProjectGraph
from orchestrate.domain.revisions import Graph
from orchestrate.errors import OrchestrateError
from orchestrate.reports.drift_history import MOST_LOOKS
from orchestrate.reports.drift_page import TEMPLATE, drift_html
from orchestrate.reports.drift_secrets import redacted_report
from orchestrate.run.drift_reports import kept_reports

if TYPE_CHECKING:
    from orchestrate.cli.drifting import Looked
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.drift import DriftReport


def page_template() -> str:
    """Return the package's template of the page."""
    folder = resources.files("orchestrate") / "reports" / "templates"
    return (folder / TEMPLATE).read_text("utf-8")


def drift_page(bench: Workbench, looked: Looked) -> str:
    """Return the page of a report, with trend, runs and revisions, without any secret."""
    report = looked.report
    names = {one.name for one in report.environments}
    page = DriftPage(
        report=redacted_report(report, bench.invocation.redacted),
        projects=_projects(looked),
        looks=tuple(_looks(bench, report)),
        runs=tuple(
            PastRun(
                id=one.id,
                environment=one.environment,
                status=one.status,
                direction=one.direction,
                by=one.by,
                started_at=one.started_at,
                finished_at=one.finished_at,
            )
            for one in looked.runs
            if one.environment in names
        ),
    )
    return drift_html(page, page_template(), redacted=bench.invocation.redacted)


def _projects(looked: Looked) -> tuple[ProjectGraph, ...]:
    """Return each project once; environments of one project have its graph in common."""
    graphs: dict[str, Graph] = {}
    members: dict[str, list[str]] = {}
    for one in looked.report.environments:
        graph = looked.seen[one.name].graph
        if graph is not None and any(target.project_heads for target in one.targets):
            graphs[graph.digest] = graph
            members.setdefault(graph.digest, []).append(one.name)
    return tuple(
        ProjectGraph(graph=graph, environments=tuple(members[digest]))
        for digest, graph in graphs.items()
    )


def _looks(bench: Workbench, report: DriftReport) -> Iterable[PastLook]:
    """Return how the targets of this report stood in the reports of the same question."""
    targets = {(one.environment, one.name) for one in report.targets}
    try:
        kept = kept_reports(bench.state)
    except OrchestrateError:  # the page is of use without its past
        return
    for one in [one for one in kept if one.against == report.against][-MOST_LOOKS:]:
        for (environment, target), numbers in one.targets.items():
            if (environment, target) in targets and (numbers.seen or numbers.failed):
                yield PastLook(
                    environment=environment,
                    target=target,
                    report=one.id,
                    at=one.created_at,
                    failed=numbers.failed,
                    drift=numbers.drift,
                    known=numbers.known,
                    pending=numbers.pending,
                )
