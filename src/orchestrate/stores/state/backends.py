"""What differs between the databases that can hold the state store, as data.

Owns drivers, session settings and locks of the store's own database. The databases that are
migrated are the business of `dialects/`, which this does not touch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from orchestrate.values import dataclass

BUSY_SECONDS: Final = 30
"""How long a write waits for another one; writes take milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One kind of database. The defaults make a server that we know nothing of."""

    drivers: tuple[tuple[str, str], ...] = ()
    """SQLAlchemy's name and the module of each driver for a URL that names none, best first."""
    extra: str | None = None
    """The extra of ours that installs the best driver."""
    connect: Mapping[str, Any] = field(default_factory=dict)
    """Arguments for every driver of it; the URL's own query wins."""
    connect_driver: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Arguments for one driver."""
    on_connect: tuple[str, ...] = ()
    """Sent once on each new connection."""
    begin_read: str | None = None
    begin_write: str | None = None
    """Sent to begin a transaction, where the driver must not do it."""
    first_in_write: str | None = None
    """Sent first in a transaction that writes."""
    isolation: str | None = "READ COMMITTED"
    schema_lock: str | None = None
    """Waits for the right to change the schema; one row, whose column is 1 if it was given."""
    schema_unlock: str | None = None
    file: bool = False
    """One file, one writer at a time."""
    transactional_ddl: bool = False


_LIBPQ: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # A server that vanished must not hold up the thread that renews a lease.
    "tcp_user_timeout": 30_000,
    "application_name": "orchestrate",
}

SQLITE: Final = Backend(
    drivers=(("pysqlite", "sqlite3"),),
    connect={"timeout": BUSY_SECONDS},
    on_connect=(
        "PRAGMA foreign_keys = ON",
        # In WAL mode only FULL syncs at each commit: "durable when it returns".
        "PRAGMA synchronous = FULL",
        # macOS's fsync leaves data in the drive's cache; elsewhere this does nothing.
        "PRAGMA fullfsync = ON",
    ),
    begin_read="BEGIN",
    # A transaction that reads first and then writes fails at once if another one wrote meanwhile,
    # whatever the timeout: it has to take the write lock at its beginning.
    begin_write="BEGIN IMMEDIATE",
    isolation=None,
    file=True,
    transactional_ddl=True,
)

POSTGRESQL: Final = Backend(
    drivers=(("psycopg", "psycopg"), ("psycopg2", "psycopg2")),
    extra="postgresql",
    connect=_LIBPQ,
    # Prepared statements do not survive a transaction pooler.
    connect_driver={"psycopg": {"prepare_threshold": None}},
    # Local to the transaction, for the same pooler. A server or role that commits asynchronously
    # would lose the event that says "started"; any stronger setting stays as it is.
    first_in_write=(
        f"SELECT set_config('lock_timeout', '{BUSY_SECONDS * 1000}', true),"
        " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
        " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)"
    ),
    # Ends with the transaction, so that nothing is left behind a pooler or by a killed process.
    schema_lock="SELECT 1 FROM (SELECT pg_advisory_xact_lock(8245928392147)) AS granted",
    transactional_ddl=True,
)

MYSQL: Final = Backend(
    drivers=(("pymysql", "pymysql"), ("mysqldb", "MySQLdb")),
    extra="mysql",
    connect_driver={"pymysql": {"read_timeout": 60, "write_timeout": 60}},
    on_connect=(
        # Without strictness a text that is too long is cut without an error.
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
        f"SET SESSION innodb_lock_wait_timeout = {BUSY_SECONDS}",
    ),
    # The name holds the database, for the lock is the server's.
    schema_lock="SELECT GET_LOCK(CONCAT('orchestrate ', MD5(DATABASE())), 60)",
    schema_unlock="SELECT RELEASE_LOCK(CONCAT('orchestrate ', MD5(DATABASE())))",
)

BACKENDS: Final[Mapping[str, Backend]] = {
    "sqlite": SQLITE,
    "postgresql": POSTGRESQL,
    "mysql": MYSQL,
    "mariadb": MYSQL,
}

OTHER: Final = Backend()
"""Any other database of SQLAlchemy's. Keys and guarded updates keep the chain whole there as well;
a race that our own locks would have put in order ends in an error instead."""
