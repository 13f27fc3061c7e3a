"""Backups: what is to be made, and what was made, as far as anybody has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal

from orchestrate.values import dataclass

Strategy = Literal["sqlite", "pg_dump", "mysqldump", "command"]
DumpFormat = Literal["custom", "plain", "directory"]
Verification = Literal["list", "restore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOrder:
    """How a copy of a target is made, where it goes, how it is proven. Holds no secret."""

    strategy: Strategy
    destination: str
    """Folder or fsspec URL; a relative one is relative to the spec's folder."""
    format: DumpFormat = "custom"
    """Of `pg_dump`; the others have one format."""
    jobs: int = 1
    """Connections at the same time, of the format `directory`."""
    prefix: tuple[str, ...] = ()
    """What stands before the client programs: `docker compose exec -T db`."""
    verify: Verification | None = None
    keep: int | None = None
    """How many good copies are kept."""
    keep_seconds: float | None = None
    """How old a copy becomes before it is removed."""
    command: tuple[str, ...] = ()
    """Makes the copy, of strategy `command`; the last line that it prints names it."""
    restore: tuple[str, ...] = ()
    """Puts a copy back, of strategy `command`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One copy, as the catalogue has it."""

    id: str
    environment: str
    target: str
    created_at: datetime
    strategy: Strategy
    format: DumpFormat
    destination: str
    """As the spec said it; empty where a command keeps the copy."""
    file: str
    """The name of the file or folder there."""
    location: str
    """The whole path or URL; of strategy `command` the name that the command gave it."""
    bytes: int | None
    sha256: str | None
    """Of the file; of a directory that of its lines `SHA-256  PATH`, sorted by path. None where a
    command keeps the copy."""
    heads: tuple[str, ...]
    """The rows of the version table in the copy."""
    identity: str
    """Of the database that it is a copy of."""
    dialect: str
    server_version: str
    version_table: str
    snapshot: str | None
    """Digest of the schema in the copy, in the state store."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Rows by table, taken while the copy was made."""
    run: str | None = None
    verified: Verification | None = None
    """The strongest proof so far."""
    verified_at: datetime | None = None
    uncompared: tuple[str, ...] = ()
    """Tables whose rows that proof, a restore, had nothing to compare with."""
    broken: str | None = None
    """Why the last proof failed."""
    removed_at: datetime | None = None
    """When it was removed by retention, by hand, or found missing."""

    @property
    def good(self) -> bool:
        """Return whether it can be restored, for all that is known."""
        return self.broken is None and self.removed_at is None
