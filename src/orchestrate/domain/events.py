"""The journal's events: what a run did, in the order in which it became durable."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from orchestrate.values import dataclass

EventKind = Literal[
    "run.started",
    "run.resumed",
    "run.stopped",
    "run.finished",
    "run.aborted",
    "run.schema",
    "step.started",
    "step.withdrawn",
    "step.left-transaction",
    "step.rows-committed",
    "step.finished",
    "step.failed",
    "step.retried",
    "step.marked",
    "hook.ended",
    "notice.sent",
    "notice.failed",
    "identity.recorded",
    "identity.trusted",
    "lease.broken",
    "scratch.created",
    "scratch.dropped",
    "backup.begun",
    "backup.made",
    "backup.verified",
    "backup.broken",
    "backup.removed",
    "drift.reported",
    "rehearsal.finished",
    "plan.proposed",
    "approval.given",
    "approval.revoked",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that is about to be appended. `data` is plain JSON and holds no secret."""

    kind: EventKind
    at: datetime
    run: str | None
    step: str | None
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of the journal. `hash` covers all other fields and `previous_hash`."""

    sequence: int
    kind: EventKind
    at: datetime
    run: str | None
    step: str | None
    data: Mapping[str, object]
    previous_hash: str
    hash: str
