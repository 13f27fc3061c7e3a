"""SQLite: a file, no transactional DDL in practice, and no lock that outlives a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from orchestrate.dialects import (
    measures,
    sqlite_remedies,
    sqlite_schema,
    table_sizes,
)
from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import Copies
from orchestrate.dialects.interface import Kit, Rights, Row
from orchestrate.dialects.locks import Locks
from orchestrate.dialects.measures import Measures
from orchestrate.dialects.networks import Network
from orchestrate.dialects.row_counts import Counted, RowCounts
from orchestrate.dialects.scratch import Scratch, ScratchFile
from orchestrate.dialects.signs import Signs, driver_signs, first_fitting, sign
from orchestrate.dialects.sqlite_copies import SQLiteCopies
from orchestrate.dialects.sqlite_locks import SQLiteLocks
from orchestrate.dialects.sqlite_rights import SQLiteRights
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.equipment import Driver, Program
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.domain.troubles import Failure, Recognised

if TYPE_CHECKING:
    from orchestrate.dialects.filling import Filling

_SIGNS: Final[Signs] = (
    # Also a deadlock between two upgrading readers, which is as worth a retry:
    # https://www.sqlite.org/rescode.html#busy
    sign(
        "lock-timeout",
        r"database( table| schema)? is locked",
        "Another process holds the file: find it with `fuser` or `lsof`, or wait for it",
    ),
    sign(
        "unreachable",
        r"unable to open database file",
        "Check the path in the URL, that its folder exists, and that this user may read and write "
        "both (three slashes begin a relative path, four an absolute one)",
    ),
    sign(
        "unreachable",
        r"file is not a database|file is encrypted",
        "The file is not an SQLite database, or is encrypted: check the path in the URL",
    ),
    sign(
        "unreachable",
        r"database disk image is malformed",
        "The file is damaged: run `PRAGMA integrity_check` on a copy and restore a backup",
    ),
    sign(
        "missing-right",
        r"readonly database",
        "This user may not write to the file or its folder: check owner and permissions of both",
    ),
    sign(
        "unreachable", r"disk I/O error", "Check the disk and the file system that the file is on"
    ),
    # Alembic's own refusal, and what SQLite says to the statements that it sends all the same:
    # https://www.sqlite.org/lang_altertable.html
    sign(
        "sqlite-alter",
        r"No support for ALTER of constraints in SQLite|near \"(ALTER|CONSTRAINT)\": syntax error"
        r"|Cannot add a (UNIQUE|PRIMARY KEY|NOT NULL) column",
    ),
    sign("already-exists", r"(?P<kind>table|index|view|trigger) (?P<name>\S+) already exists"),
    sign("already-exists", r"duplicate (?P<kind>column) name: (?P<name>\S+)"),
    sign("missing-object", r"no such (?P<kind>table|column|index): (?P<name>\S+)"),
    sign("rows-in-the-way", r"(UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed"),
    *driver_signs("sqlite", sync="pysqlite", asynchronous="aiosqlite"),
)


class SQLite:
    """What a dialect answers, for SQLite."""

    name = "sqlite"
    title = "SQLite"
    grammar = "sqlite"
    transactional_ddl = False
    cannot: tuple[str, ...] = ()
    drivers: tuple[Driver, ...] = (
        Driver(name="pysqlite", module="sqlite3"),
        Driver(name="aiosqlite", module="aiosqlite", for_asyncio=True, for_plain_calls=False),
    )
    programs: tuple[Program, ...] = ()
    rights: Rights | None = SQLiteRights()
    scratch: Scratch | None = ScratchFile()
    copies: Copies | None = SQLiteCopies()
    row_counts: RowCounts | None = Counted()
    locks: Locks | None = SQLiteLocks()
    known_sizes: str | None = None
    table_sizes: str | None = table_sizes.SQLITE
    measures: Measures | None = measures.SQLITE
    network: Network | None = None

    @property
    def filling(self) -> Filling | None:
        """Return how tables are filled with generated rows."""
        from orchestrate.dialects.sqlite_filling import FILLING  # noqa: PLC0415  (for rehearsals alone)

        return FILLING

    def kit(self, *, lock_timeout: float | None, statement_timeout: float | None) -> Kit:
        """Return the SQL the agent needs; SQLite has no statement timeout."""
        del statement_timeout
        return Kit(
            identity="SELECT file FROM pragma_database_list WHERE name = 'main'",
            server_version="SELECT sqlite_version()",
            session=None,
            default_schema=None,
            read_only=("PRAGMA query_only = 1",),
            passing_timeouts=(),
            timeouts=(
                ()
                if lock_timeout is None
                else (f"PRAGMA busy_timeout = {round(lock_timeout * 1000)}",)
            ),
            tables=(
                "SELECT NULL, name FROM sqlite_master"
                " WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
            ),
            snapshot=sqlite_schema.QUERIES,
            lock_kind="file",
            try_lock=None,
            release_lock=None,
            keep_lock=(),
            commits=None,
            frozen=("BEGIN", "SELECT COUNT(*) FROM sqlite_master"),
            cancel=None,
            blockers=(),
            enum_types=None,
        )

    def identity(self, rows: Sequence[Row]) -> str:
        """Return `sqlite /srv/app/app.db`: the path as SQLite made it absolute, links resolved.

        The path is one of the machine the agent runs on; the caller knows which that is. SQLite
        follows links in the last part of a path always, in folders since 3.39
        (https://www.sqlite.org/changes.html). A database in memory has no path and no identity
        beyond its connection.
        """
        path = text(rows[0][0]) if rows and rows[0][0] else ""
        return f"sqlite {path or ':memory:'}"

    def server_version(self, rows: Sequence[Row]) -> str:
        """Return `SQLite 3.40.1`."""
        return f"SQLite {text(rows[0][0])}"

    def snapshot(self, rows: SchemaRows, *, version_table: str) -> Snapshot:
        """Return the canonical schema without the version table."""
        return sqlite_schema.parse(rows, version_table=version_table)

    def recognise(self, failure: Failure) -> Recognised | None:
        """Return which known trouble an error is, or None if it is not known."""
        return first_fitting(_SIGNS, failure)

    def invalid_objects(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return nothing: SQLite has no object it would call unusable."""
        del snapshot
        return {}

    def remedy(self, difference: DriftDifference) -> str | None:
        """Return SQL that brings back what is expected without losing data, or None."""
        return sqlite_remedies.remedy(difference)
