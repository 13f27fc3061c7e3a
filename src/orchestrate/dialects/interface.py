"""The one interface of a dialect: everything that differs between database servers.

A dialect is pure. It returns SQL for the agent to send and reads the rows that come back; it never
opens a connection. Comparing a dialect's name anywhere else is a defect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from orchestrate.domain.snapshot import SchemaRows, Snapshot

Row = Sequence[object]
LockKind = Literal["sql", "file", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A dialect's SQL as the agent needs it; travels as JSON inside each request.

    `{pid}` in a text stands for the server's session number of env.py's connection, `{key}` for the
    target's lock key as this dialect writes it; both are filled in by the agent with plain
    replacement, from values that it knows to be harmless.
    """

    identity: str
    """One row. The same text is sent through env.py's connection and through our own: equal rows
    mean the same database. Must not need rights beyond connecting."""
    server_version: str
    """One row, one column."""
    session: str | None
    """One row, one column: the server session's number; also how a pooler is noticed."""
    default_schema: str | None
    """One row, one column: where an unqualified version table is looked for."""
    read_only: tuple[str, ...]
    """Sent first on every connection that may only look."""
    timeouts: tuple[str, ...]
    """Sent on env.py's connection before a run: lock and statement timeouts for the session."""
    tables: str
    """Rows of (schema or null, table): all tables of the target, system ones left out."""
    snapshot: Mapping[str, str]
    """Named queries, a constant number whatever the number of tables."""
    lock_kind: LockKind
    try_lock: str | None
    """One row, one column: 1 if the target's lock is ours now, else 0. Never waits."""
    release_lock: str | None
    blockers: str | None
    """Rows of (session, user, application or host, state, seconds, statement) that keep the session
    `{pid}` waiting. At most 20 rows; the statement cut at 200 characters."""
    enum_types: str | None
    """Rows of (schema, name): enum types that exist, to seed Alembic's memory of created ones."""


class Dialect(Protocol):
    """What a dialect answers."""

    name: str
    """The vocabulary's word: `sqlite`, `postgresql`, `mysql`; one of SQLAlchemy's for others."""
    title: str
    """For people: `PostgreSQL`, `MariaDB or MySQL`."""
    transactional_ddl: bool
    """Whether a failed or killed revision leaves nothing behind."""
    cannot: tuple[str, ...]
    """What we cannot do here, in words for people; empty for the dialects with a module."""

    def kit(self, *, lock_timeout: float | None, statement_timeout: float | None) -> Kit:
        """Return the SQL the agent needs; timeouts in seconds, None for the server's own."""

    def identity(self, rows: Sequence[Row]) -> str:
        """Return one printable line that proves which database this is, from `Kit.identity`."""

    def server_version(self, rows: Sequence[Row]) -> str:
        """Return `PostgreSQL 15.18`, from `Kit.server_version`."""

    def snapshot(self, rows: SchemaRows, *, version_table: str) -> Snapshot:
        """Return the canonical schema without the version table."""

    def is_lock_timeout(self, sqlstate: str | None, message: str) -> bool:
        """Tell whether an error means that a lock was not granted in time."""

    def unreachable_hint(self, message: str) -> str | None:
        """Return what to check, for a driver's connection error, or None if it is not known."""

    def invalid_objects(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return names of objects the server calls unusable: invalid indexes, unvalidated checks."""
