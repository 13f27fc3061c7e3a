"""The one interface of a dialect: everything that differs between database servers.

A dialect is pure. It returns SQL for the agent to send and reads the rows that come back; it never
opens a connection. Comparing a dialect's name anywhere else is a defect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from orchestrate.dialects.copies import Copies
from orchestrate.dialects.locks import Locks
from orchestrate.dialects.measures import Measures
from orchestrate.dialects.networks import Network
from orchestrate.dialects.row_counts import RowCounts
from orchestrate.dialects.scratch import Scratch
from orchestrate.domain.diagnosis import Check, Rows, Storage
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.equipment import Driver, Program
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.domain.troubles import Failure, Recognised
from orchestrate.values import dataclass

if TYPE_CHECKING:
    from orchestrate.dialects.filling import Filling

Row = Sequence[object]
LockKind = Literal["sql", "file", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A dialect's SQL as the agent needs it; travels as JSON inside each request.

    `{pid}` in a text stands for the server's session number of env.py's connection, `{key}` for
    the first 16 hex digits of the SHA-256 of the target's lock key; both are filled in by the agent
    with plain replacement (not `str.format`), from values that it knows to be harmless: decimal and
    hex digits. No text has a percent sign, a single colon or a semicolon, so that neither a
    driver's parameter style nor SQLAlchemy's `text()` sees anything in it.
    """

    identity: str | None
    """One row. The same text is sent through env.py's connection and through our own: equal rows
    mean the same database. Must not need rights beyond connecting. None where no text is known:
    the agent answers with one row of host, port and database of the connection's URL."""
    server_version: str | None
    """One row, one column. None: the agent answers with SQLAlchemy's `server_version_info`, joined
    by dots."""
    session: str | None
    """One row, one column: the server session's number; also how a pooler is noticed."""
    default_schema: str | None
    """One row, one column: where an unqualified version table is looked for."""
    read_only: tuple[str, ...]
    """Sent as the first statements of every transaction that may only look. On PostgreSQL they hold
    for the transaction alone: behind a transaction pooler a session's setting would be inherited
    by the application's next transaction."""
    timeouts: tuple[str, ...]
    """Sent on env.py's connection before a run: lock and statement timeouts for the session."""
    passing_timeouts: tuple[str, ...]
    """The same for one transaction, sent at the beginning of each where a pooler was noticed: what
    is said of a session there stays with it for others. Empty where there is no such word."""
    tables: str | None
    """Rows of (schema or null, table): all tables of the target, system ones left out. None: the
    agent asks SQLAlchemy's inspector."""
    snapshot: Mapping[str, str]
    """Named queries, a constant number whatever the number of tables. Sent in this order, in one
    transaction that ends with a rollback: the first may prepare it (PostgreSQL's search_path)."""
    lock_kind: LockKind
    try_lock: str | None
    """One row, one column: 1 if the target's lock is ours now, else 0. Never waits."""
    release_lock: str | None
    keep_lock: tuple[str, ...]
    """Sent on the connection that holds the lock, which is idle for as long as a run takes: the
    server is not to end it for that. Not sent where a pooler was noticed."""
    commits: str | None
    """A pattern, whatever the case, of statements that commit what was done before them."""
    frozen: tuple[str, ...]
    """Begin a transaction that only reads, and sees the data as they were when the last of these
    was answered."""
    cancel: str | None
    """Ends what the session `{pid}` executes. None: nothing does, or SQLite's `interrupt`."""
    blockers: tuple[str, ...]
    """Rows of (session, user, application or host, state, seconds, statement) that keep the session
    `{pid}` waiting. At most 20 rows; the statement cut at 200 characters. The best query first:
    the next is tried when one gives no row or is refused, since rights and plugins differ."""
    enum_types: str | None
    """Rows of (schema, name): enum types that exist, to seed Alembic's memory of created ones."""
    reread: Mapping[str, Any] | None = None
    """How a schema is read again after statements that touch few of its tables, where reading all
    of it around every revision takes long: `dates`, rows of (table, when it was made last);
    `queries`, those of `snapshot` that ask of tables alone, with `{tables}` for their names, which
    stand first in each row; `harmless` and `tables`, patterns of statements that change no schema,
    and none but tables that they name; `references`, the query and the column where one table
    names another. What `snapshot` makes of a view may not hang on a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTable:
    """Where the version table is or would be; `schema` is null where the server has none."""

    schema: str | None
    name: str
    exists: bool


class Rights(Protocol):
    """What the credential of a target may do."""

    queries: Mapping[str, str]
    """Named, read-only; must not need rights beyond connecting."""

    def checks(
        self, rows: Rows, *, version_table: VersionTable, storage: Storage | None
    ) -> tuple[Check, ...]:
        """Return what the rows say, as checks named `rights`; `storage` is an SQLite file's."""


class Dialect(Protocol):
    """What a dialect answers."""

    name: str
    """The vocabulary's word: `sqlite`, `postgresql`, `mysql`; one of SQLAlchemy's for others."""
    title: str
    """For people: `PostgreSQL`, `MariaDB or MySQL`."""
    grammar: str
    """sqlglot's name of how its SQL is written; empty where it knows none."""
    transactional_ddl: bool
    """Whether a failed or killed revision leaves nothing behind."""
    cannot: tuple[str, ...]
    """What we cannot do here, in words for people; empty for the dialects with a module."""

    drivers: tuple[Driver, ...]
    """Drivers that SQLAlchemy has for it, the usual ones first."""
    programs: tuple[Program, ...]
    """Programs that copy a database and put it back."""
    rights: Rights | None
    """None where we do not know how to ask."""
    scratch: Scratch | None
    """How an empty database beside a target is made; None where that is not known."""
    copies: Copies | None
    """How a database is copied and put back; None where that is not known."""
    row_counts: RowCounts | None
    """How many rows tables have; None where that cannot be asked cheaply."""
    locks: Locks | None
    """What statements keep others out of; None where that is not known."""
    table_sizes: str | None
    """One query: rows of schema, table, bytes, rows, and 1 where the name alone means it; None
    where there is none."""
    known_sizes: str | None
    """The same, as of when the server last looked: it reads no file of a table and waits for no
    lock of one. None where the server keeps no such numbers."""
    measures: Measures | None
    """What is measured of a step on a clone; None where that is not known."""
    network: Network | None
    """How its servers are reached over TCP; None where a database is a file."""

    @property
    def filling(self) -> Filling | None:
        """Return how tables of a clone are filled with generated rows; None where not known.

        Loaded when it is asked for: of all commands a rehearsal alone has a use for it.
        """

    def kit(self, *, lock_timeout: float | None, statement_timeout: float | None) -> Kit:
        """Return the SQL the agent needs; timeouts in seconds, None for the server's own."""

    def identity(self, rows: Sequence[Row]) -> str:
        """Return one printable line that proves which database this is, from `Kit.identity`."""

    def server_version(self, rows: Sequence[Row]) -> str:
        """Return `PostgreSQL 15.18`, from `Kit.server_version`."""

    def snapshot(self, rows: SchemaRows, *, version_table: str) -> Snapshot:
        """Return the canonical schema without the version table."""

    def recognise(self, failure: Failure) -> Recognised | None:
        """Return which known trouble an error is; `lock-timeout` is worth a retry.

        From connecting or from a statement, of the server or of a driver. None if it is not known.
        """

    def invalid_objects(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return what the server calls unusable, each with the statement that ends that.

        Invalid indexes, constraints not validated.
        """

    def remedy(self, difference: DriftDifference) -> str | None:
        """Return SQL that brings back what is expected and loses no data; None if none is known."""
