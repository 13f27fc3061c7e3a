"""A report with a bit of everything, written by strangers with the worst of intentions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from orchestrate.domain.drift import (
    DriftDifference,
    DriftReport,
    EnvironmentDrift,
    LastRun,
    TargetDrift,
    TargetTrouble,
)
from orchestrate.domain.drift_page import DriftPage, PastLook, PastRun, ProjectGraph
from orchestrate.domain.revisions import Graph, Revision
from tests.support.values import NOON, revision

HOSTILE = '<script>parent.hit = "&";</script>\u202e"\''
IMAGE = "<img src=x onerror='parent.hit = 1'>"
NOTE = DriftDifference(
    kind="schema",
    object="column",
    name="orders.note",
    change="added",
    expected=None,
    actual="text",
    new=True,
    remedy="ALTER TABLE orders DROP COLUMN note",
)
KNOWN = replace(
    NOTE,
    object="index",
    name="orders.ix_load",
    known=True,
    new=False,
    reason=f"made by the nightly load {IMAGE}",
    until=date(2027, 1, 31),
)
ALTERED = replace(
    NOTE,
    object="index",
    name="orders.ix_total",
    change="altered",
    expected="CREATE INDEX ix_total ON orders (total) WHERE deleted IS NULL",
    actual="CREATE INDEX ix_total ON orders (total, id)",
    new=False,
    remedy=None,
)
TARGET = TargetDrift(
    environment="dev",
    name="dev",
    dialect="postgresql",
    state="current",
    heads=("m1",),
    project_heads=("m1",),
    pending=0,
    identity="postgresql 7312345/16384",
    server_version="PostgreSQL 16.4",
    compared_with="snapshot",
    basis="what run-1 left at m1",
    previous="drift-1",
    last_run=LastRun(
        id="run-1",
        status="succeeded",
        direction="upgrade",
        started_at=NOON,
        finished_at=NOON,
        by="ada",
    ),
)


def graph() -> Graph:
    """Return forty revisions in a line, a branch from the thirtieth, and the merge of both."""
    line = [revision("r1")]
    line += [revision(f"r{number}", f"r{number - 1}") for number in range(2, 41)]
    line += [revision("b1", "r30", labels=("billing",)), revision("b2", "b1")]
    line.append(revision("m1", "r40", "b2"))
    return Graph(digest="d", revisions=tuple(line))


def titled(found: Graph, name: str, title: str) -> Graph:
    """Return the graph with another title of one revision."""
    revisions: tuple[Revision, ...] = tuple(
        replace(one, title=title) if one.id == name else one for one in found.revisions
    )
    return replace(found, revisions=revisions)


def targets() -> tuple[TargetDrift, ...]:
    """Return one target of each kind that looks different."""
    return (
        TARGET,
        replace(
            TARGET,
            environment="production",
            name="production",
            state="behind",
            heads=("r35",),
            pending=8,
            differences=(
                NOTE,
                ALTERED,
                replace(NOTE, object="table", name=HOSTILE, actual=f"comment {IMAGE}", new=False),
                KNOWN,
            ),
            gone=(replace(NOTE, object="trigger", name=IMAGE),),
            not_compared=("grants",),
            remarks=("at `r35`, " + IMAGE,),
        ),
        replace(
            TARGET,
            environment="staging",
            name="staging",
            state="unknown-revision",
            heads=("f00d",),
            compared_with=None,
            basis=None,
        ),
        replace(
            TARGET,
            environment="away",
            name="away",
            state="unreachable",
            heads=(),
            project_heads=(),
            identity=None,
            server_version=None,
            compared_with=None,
            basis=None,
            last_run=None,
            error=TargetTrouble(code="unreachable", message=f"refused {IMAGE}", hint="look"),
            error_is_new=True,
        ),
    )


def report() -> DriftReport:
    """Return the report of those targets."""
    return DriftReport(
        id="drift-2",
        created_at=NOON,
        against=None,
        tool_version="1.0",
        previous="drift-1",
        environments=tuple(
            EnvironmentDrift(name=one.environment, targets=(one,)) for one in targets()
        ),
    )


def page() -> DriftPage:
    """Return the page of that report, with a past and runs of every status."""
    looks = tuple(
        PastLook(
            environment=name,
            target=name,
            report=f"drift-{day}",
            at=NOON - timedelta(days=9 - day),
            failed=name == "away" and day > 7,
            drift=day % 4 if name == "production" else 0,
            known=1,
            pending=day,
        )
        for day in range(10)
        for name in ("dev", "production", "away")
    )
    statuses = ("succeeded", "failed", "stopped", "in-doubt", "aborted", "running")
    runs = tuple(
        PastRun(
            id=f"run-{number}",
            environment="production",
            status=status,
            direction="upgrade",
            by=f"ada {IMAGE}",
            started_at=NOON - timedelta(hours=12 - number),
            finished_at=None if status == "running" else NOON - timedelta(hours=11 - number),
        )
        for number, status in enumerate(statuses)
    )
    names = tuple(one.environment for one in targets())
    project = ProjectGraph(graph=titled(graph(), "r40", HOSTILE), environments=names)
    return DriftPage(report=report(), projects=(project,), looks=looks, runs=runs)
