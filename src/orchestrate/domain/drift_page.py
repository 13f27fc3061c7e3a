"""What a page about drift is drawn from, besides the report itself. Values, no I/O."""

from __future__ import annotations

from datetime import datetime

from orchestrate.domain.drift import DriftReport
from orchestrate.domain.revisions import Graph
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectGraph:
    """The revisions of one project, and the environments that are migrated along them."""

    graph: Graph
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLook:
    """How one target stood in one report of the past, or in this one."""

    environment: str
    target: str
    report: str
    at: datetime
    failed: bool
    """It, or its schema, could not be read."""
    drift: int
    known: int
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run of an environment, without its steps."""

    id: str
    environment: str
    status: str
    direction: str
    by: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPage:
    """A report with its surroundings: where the revisions lead, what was before, who ran what."""

    report: DriftReport
    projects: tuple[ProjectGraph, ...] = ()
    """Projects whose revisions could be read; most specs have one."""
    looks: tuple[PastLook, ...] = ()
    """Of reports of the same question, oldest first, this one included if it was kept."""
    runs: tuple[PastRun, ...] = ()
    """Oldest first."""
