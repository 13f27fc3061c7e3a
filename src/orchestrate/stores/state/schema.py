"""The version of the store's schema: looked at when it is opened, upgraded when it is old.

Alembic is imported for an upgrade alone, and only one process upgrades at a time.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import tables
from orchestrate.stores.state.backends import BUSY_SECONDS
from orchestrate.stores.state.database import Database

SCRIPTS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = text(f"SELECT version_num FROM {tables.VERSION_TABLE}")  # noqa: S608  (ours)


def ensure_schema(database: Database) -> None:
    """Bring the schema to what this version knows; one SELECT if it is there already.

    Safe to repeat and to race: one of several processes upgrades, the others wait for it. A crash
    leaves the old schema, or on MySQL a part of the new one, which the next opening completes.
    Raises `state-unavailable`, also for a store that a newer version has upgraded.
    """
    if not _is_current(database, _quick_version(database)):
        _upgrade(database)


def schema_version(database: Database) -> str | None:
    """Return the version of the store's schema, None for an empty database; only reads.

    Raises `state-unavailable` for a store of a newer version, and a file of someone else's.
    """
    version = _quick_version(database)
    _is_current(database, version)
    if version is None and database.backend.file:
        _refuse_strange_file(database)
    return version


def _quick_version(database: Database) -> str | None:
    """Return the version, or None if it cannot be read, for whatever reason."""
    with database.read() as connection:
        try:
            return connection.execute(_VERSION).scalar()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            # No such table, most likely; the long way round finds out.
            return None


def _is_current(database: Database, version: str | None) -> bool:
    if version is not None and version not in tables.REVISIONS:
        raise database.failures.make(
            f"The state store `{database.failures.safe_url}` belongs to a newer orchestrate: its "
            f"schema is `{version}`, and this version knows it up to `{tables.REVISIONS[-1]}`",
            hint="Use the newer version; a team that shares a store upgrades together",
        )
    return version == tables.REVISIONS[-1]


def _upgrade(database: Database) -> None:
    if database.backend.file:
        _refuse_strange_file(database)
        _choose_wal(database)
    with database.write() as connection:
        lock = database.backend.schema_lock
        if lock is not None and connection.exec_driver_sql(lock).scalar() != 1:
            raise database.failures.make(
                f"The state store `{database.failures.safe_url}` is being upgraded by another "
                "process, which does not end",
                hint="Try again when it has ended",
            )
        try:
            if not _is_current(database, _version(connection)):
                _run_alembic(connection, transactional=database.backend.transactional_ddl)
        finally:
            if database.backend.schema_unlock is not None and not connection.invalidated:
                connection.exec_driver_sql(database.backend.schema_unlock)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(tables.VERSION_TABLE):
        return None
    version: str | None = connection.execute(_VERSION).scalar()
    return version


def _run_alembic(connection: Connection, *, transactional: bool) -> None:
    from alembic import command  # noqa: PLC0415  (60 ms that opening must not cost)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["transactional_ddl"] = transactional
    command.upgrade(config, "head")


def _refuse_strange_file(database: Database) -> None:
    """Raise if a SQLite file holds tables and none of them is ours: its owner expects no guests."""
    with database.read() as connection:
        names = set(inspect(connection).get_table_names())
    if names and tables.VERSION_TABLE not in names:
        shown = ", ".join(f"`{name}`" for name in sorted(names)[:3])
        raise database.failures.make(
            f"The file of the state store `{database.failures.safe_url}` belongs to another "
            f"application: it has the table{'s' if len(names) > 1 else ''} {shown}"
            + (" and others" if len(names) > 3 else ""),  # noqa: PLR2004  (as many as are shown)
            hint="Name a file of its own in `state`; this one was left as it is",
        )


def _choose_wal(database: Database) -> None:
    """Turn write-ahead logging on, which the file remembers.

    SQLite does not wait for others here, whatever the timeout. Where the file system cannot do it
    the rollback journal stays, which is as durable.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with database.outside_transactions() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OrchestrateError as error:
            if "locked" not in error.message or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
