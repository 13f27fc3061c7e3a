"""How environments differ from what is declared or recorded: one look's values, no I/O.

Field names are those of the report's JSON (design, section 5). The three kinds of drift stand in
one list and never blur: each difference says which kind it is of.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from orchestrate.domain.observation import State
from orchestrate.values import dataclass

FORMAT: Final = "orchestrate.drift/1"

Against = Literal["snapshot", "replay", "models"]
"""What a schema is compared with: what the last run left, what the revisions make of an empty
database, or what the project's models say."""
DriftKind = Literal["identity", "revision", "schema"]
Change = Literal["added", "removed", "altered"]

DifferenceKey = tuple[str, str, str, str, str | None]
"""What makes a difference the same one as in an earlier report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftDifference:
    """One difference. `expected` is what is declared or recorded, `actual` what is there."""

    kind: DriftKind
    object: str
    """Kind of object: `column`, `index`, `grant`; `database` of an identity, `revision`."""
    name: str
    change: Change
    expected: str | None
    actual: str | None
    detail: str | None = None
    """For people, where there is more to say: the commit and branch that has a revision."""
    known: bool = False
    """A rule of the spec says that this is so for now; it is no drift then."""
    reason: str | None = None
    """Why it is known, from the rule."""
    until: date | None = None
    """The last day on which it is known; None: for ever."""
    new: bool = False
    """The last report that compared this target did not have it. False without such a report."""
    rename_of: str | None = None
    """Of something added: the name under which the very same was removed, as a proposal."""
    renamed_to: str | None = None
    """Of something removed: the name under which the very same was added."""
    also: tuple[str, ...] = ()
    """What is told in other words only because of that renaming, and is no difference itself."""
    remedy: str | None = None
    """SQL that brings back what is expected without losing data; None where none is safe."""

    @property
    def key(self) -> DifferenceKey:
        """Return what makes it the same difference as one of an earlier report."""
        return (self.kind, self.object, self.name, self.change, self.actual)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A run that holds the lease on a target: what is seen meanwhile is no drift."""

    run: str
    holder: str
    lease: str
    step: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTrouble:
    """Why a target, or its schema, could not be read; never with a secret."""

    code: str
    message: str
    hint: str | None = None
    docs: str | None = None
    """Path of the page that explains it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The last run of an environment."""

    id: str
    status: str
    direction: str
    started_at: datetime
    finished_at: datetime | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDrift:
    """One target: where it stands, what it was compared with, and what differs."""

    environment: str
    name: str
    dialect: str
    state: State
    heads: tuple[str, ...]
    """Rows of the version table."""
    project_heads: tuple[str, ...]
    pending: int
    """Revisions between the target and its destination. Pending is no drift."""
    identity: str | None
    server_version: str | None
    compared_with: Against | None
    """None: its schema was not compared; `remarks`, `error` or `at_work` say why."""
    basis: str | None
    """What it was compared with, in words: `what run-… left`, `abc123, made anew`."""
    differences: tuple[DriftDifference, ...] = ()
    gone: tuple[DriftDifference, ...] = ()
    """Those of the last report that are no more."""
    not_compared: tuple[str, ...] = ()
    """Kinds of objects that could not be compared: hidden from this credential, or recorded by an
    earlier version in other words."""
    at_work: AtWork | None = None
    error: TargetTrouble | None = None
    last_run: LastRun | None = None
    remarks: tuple[str, ...] = ()
    """Sentences for people, without secrets."""
    previous: str | None = None
    """The report that `new` and `gone` are told against; None: this is the first."""
    error_is_new: bool = False
    """It could be read when the last report was made, or there was none."""

    @property
    def drift(self) -> tuple[DriftDifference, ...]:
        """Return the differences that nobody has declared to be known."""
        return tuple(one for one in self.differences if not one.known)

    @property
    def news(self) -> tuple[DriftDifference, ...]:
        """Return the drift that the last report did not have; without one all is news."""
        return tuple(one for one in self.drift if one.new or self.previous is None)

    @property
    def drifted(self) -> bool:
        """Return whether there is drift of any kind."""
        return bool(self.drift)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDrift:
    """One environment with its targets."""

    name: str
    targets: tuple[TargetDrift, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """What one look at some environments found."""

    id: str
    created_at: datetime
    against: Against | None
    """What was asked for; None: the best that there is for each target."""
    environments: tuple[EnvironmentDrift, ...]
    tool_version: str
    previous: str | None = None
    """The last report of the same question, in the state store."""
    format: str = FORMAT

    @property
    def targets(self) -> tuple[TargetDrift, ...]:
        """Return all targets, in the order of their environments."""
        return tuple(one for environment in self.environments for one in environment.targets)

    @property
    def drifted(self) -> bool:
        """Return whether any target has drift of any kind."""
        return any(one.drifted for one in self.targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two environments that are compared with each other."""

    name: str
    dialect: str
    server_version: str
    heads: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two environments' schemas side by side.

    `expected` is what the first one has, `actual` what the second one has.
    """

    first: Side
    second: Side
    differences: tuple[DriftDifference, ...]
    not_compared: tuple[str, ...] = ()

    @property
    def drift(self) -> tuple[DriftDifference, ...]:
        """Return the differences that no rule of either environment declares to be known."""
        return tuple(one for one in self.differences if not one.known)
