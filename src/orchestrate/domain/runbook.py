"""A runbook: a plan as a person carries it out, and what the journal says of it already.

The values that templates are filled with; docs/how-to/runbooks.md tells their names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from orchestrate.domain.findings import Finding
from orchestrate.values import dataclass

StepProgress = Literal["none", "started", "failed", "finished", "marked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command to type, and what for. Of a query for the database, `statement` is true."""

    command: str
    purpose: str
    statement: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Something to be ticked: by the journal where it can tell, else by a person."""

    text: str
    done: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookGate:
    """A gate as it stood when the runbook was written, or when the run began."""

    kind: str
    state: str
    detail: str
    opens: str
    """How to open it; empty where it is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """How one step is undone."""

    text: str
    command: str | None = None
    sql: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookStep:
    """One step, what is to be known of it beforehand, and what became of it."""

    number: int
    id: str
    kind: str
    title: str
    revision: str
    file: str
    transactional: bool
    command: tuple[str, ...]
    """What a hook runs."""
    expected: str | None
    """How long it takes; None where it was never timed."""
    expected_from: str
    sql: str | None
    no_sql: str | None
    """Why there is no SQL to be read."""
    findings: tuple[Finding, ...]
    way_back: WayBack
    progress: StepProgress = "none"
    done: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    took: str | None = None
    attempts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookRun:
    """What the journal says of the run of this plan."""

    id: str
    status: str
    by: str
    started_at: datetime
    finished_at: datetime | None
    took: str | None
    message: str | None
    overrides: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Which database it is about, without anything that is secret."""

    identity: str
    server: str
    target: str
    version_table: str
    now_at: str
    goes_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who has to do with it."""

    written_by: str
    author: str | None
    """Who saved the plan, where that is recorded."""
    approvals: int
    """How many are required."""
    approvers: tuple[str, ...]
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """All that a template can show."""

    environment: str
    way: str
    """`upgrade by 3 revisions`."""
    purpose: tuple[str, ...]
    """The titles of what is done to the database."""
    plan: str
    plan_file: str | None
    digest: str
    planned_at: datetime
    written_at: datetime
    database: Database
    people: People
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    """What could not be found out, and why."""
    gates: tuple[RunbookGate, ...]
    findings: tuple[Finding, ...]
    """Those of the plan as a whole; a step has its own."""
    expected: str | None
    """How long all steps take; None where none was ever timed."""
    never_timed: int
    before: tuple[Box, ...]
    apply: Typed
    steps: tuple[RunbookStep, ...]
    if_it_stops: tuple[Typed, ...]
    watch: tuple[Typed, ...]
    waits: str
    """What a step does that meets a lock."""
    worked: tuple[Box, ...]
    check: tuple[Typed, ...]
    """What to type to see it."""
    way_back: tuple[Typed, ...]
    run: RunbookRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The text of a template, and the file to name when something is wrong with it."""

    text: str
    file: str
