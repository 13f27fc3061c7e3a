"""Rehearsals: a plan carried out on a clone, and what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from orchestrate.domain.locks import TouchedTable
from orchestrate.domain.snapshot import Snapshot
from orchestrate.values import dataclass

ROWS: Final = 100
"""How many are made up for each table of a clone that has but the schema, unless told."""

CloneSource = Literal["backup", "live", "schema"]
Verdict = Literal["reversible", "lossy", "irreversible", "unreached"]

Contents = dict[tuple[str, str], str]
"""What stands in columns: by table and column a fingerprint; by table and `` its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyTable:
    """A table of a clone that no rows could be made for."""

    table: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """What a plan was rehearsed on."""

    source: CloneSource
    copy: str | None
    """The backup that it was restored from."""
    made_at: datetime
    """When its content was as it is: that of the backup, or the moment of copying."""
    bytes: int | None
    """How large it is."""
    seconds: float
    """How long it took to make."""
    brought_up: int = 0
    """Revisions that were run first, because the backup was older than the target's revision."""
    passed_over: tuple[str, ...] = ()
    """Why nothing better was taken, a sentence each."""
    generated_rows: int = 0
    """Rows that were made up for it, of a clone made from the schema."""
    filled_tables: int = 0
    """Tables that these are in."""
    left_empty: tuple[EmptyTable, ...] = ()
    """Tables that no rows could be made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStatement:
    """One statement of a revision, without its parameters."""

    text: str
    at: float
    """Seconds from the step's beginning."""
    seconds: float
    rows: int | None
    """Rows that it touched or gave, where the driver tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLock:
    """A lock that a step held until it committed."""

    table: str
    mode: str
    seconds: float
    """From the statement after which it was seen first, to the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedStep:
    """What one step of the plan did on the clone."""

    step: str
    revision: str
    title: str
    file: str
    file_sha256: str
    contents: Mapping[str, str]
    """SHA-256 of the files by revision: several for a step that carries several."""
    seconds: float | None
    """None: it failed, or was not reached."""
    statements: tuple[MeasuredStatement, ...] = ()
    statement_count: int = 0
    locks: tuple[HeldLock, ...] | None = None
    """None: they cannot be seen on this server."""
    rewritten: tuple[str, ...] | None = None
    """Tables whose files were written anew. None: it cannot be seen on this server."""
    written_bytes: int | None = None
    sql_seconds: float | None = None
    """How much of the time was statements."""
    tables: tuple[TouchedTable, ...] = ()
    """Tables that it named, as large as they were on the clone before the first step."""
    back_seconds: float | None = None
    again_seconds: float | None = None
    verdict: Verdict | None = None
    """None: the way back was not tried."""
    reasons: tuple[str, ...] = ()
    """Why the verdict is not `reversible`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalTrouble:
    """The step that failed on the clone."""

    step: str
    code: str
    message: str
    hint: str | None
    statement: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A whole rehearsal, as it is kept and shown."""

    id: str
    environment: str
    at: datetime
    plan_digest: str
    from_heads: tuple[str, ...]
    to_heads: tuple[str, ...]
    dialect: str
    server_version: str
    clone: Clone
    steps: tuple[RehearsedStep, ...]
    trouble: RehearsalTrouble | None = None
    remarks: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Return whether every step ran forward."""
        return self.trouble is None

    @property
    def seconds(self) -> float:
        """Return how long the steps took, forward."""
        return sum(one.seconds or 0.0 for one in self.steps)

    @property
    def loses(self) -> bool:
        """Return whether a step was found lossy or irreversible."""
        return any(one.verdict in {"lossy", "irreversible", "unreached"} for one in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneState:
    """What a clone holds between two steps."""

    schema: Snapshot
    contents: Contents | None
    """None: it could not be read."""
