"""The right of one run to change one target, for a while."""

from __future__ import annotations

from datetime import datetime

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who may change a target. Expired leases can be taken over; `heartbeat_at` shows life."""

    id: str
    target_key: str
    """`Observation.target_key`: database identity and version table."""
    environment: str
    target: str
    run: str
    holder: str
    """`user@host`, for people."""
    host: str
    pid: int
    step: str | None
    acquired_at: datetime
    heartbeat_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedIdentity:
    """Which database an environment's target was when it was first seen, or last trusted."""

    environment: str
    target: str
    identity: str
    version_table: str
    recorded_at: datetime
