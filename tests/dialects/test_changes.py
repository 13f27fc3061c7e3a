"""Every kind of change is named exactly, and taking it back brings back an equal snapshot.

A database for each dialect is kept for the module; each case leaves it as it was.
"""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from orchestrate.dialects.difference import compare
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.snapshot import Snapshot
from orchestrate.planning.drift import schema_differences
from orchestrate.planning.renames import with_renames
from tests.dialects import changes_mariadb, changes_postgresql, changes_sqlite
from tests.dialects.reading import Change, named, read, rows
from tests.support.servers import HOST, PASSWORD, USER, Server


def _check(connection: Any, dialect: str, change: Change) -> None:
    before = read(connection, dialect)
    for statement in change.there:
        rows(connection, statement)
    after = read(connection, dialect)
    for statement in change.back:
        rows(connection, statement)
    assert named(compare(before, after)) == sorted(change.named)
    _check_same(before, read(connection, dialect))
    assert after != before


def _check_same(before: Snapshot, after: Snapshot, note: str = "") -> None:
    """Fail with the objects that differ, not with two whole snapshots."""
    changed = sorted({*before.objects} ^ {*after.objects}, key=lambda one: (one.kind, one.name))
    assert changed == [], note
    assert after == before, note


def _opened(server: Server, *schema: str) -> Iterator[Any]:
    name = server.create_database()
    with contextlib.closing(server.connect(name)) as connection:
        for statement in schema:
            rows(connection, statement)
        yield connection
    server.drop(name)


@pytest.fixture(scope="module")
def sqlite_connection() -> Iterator[sqlite3.Connection]:
    """Return a database with SQLite's schema, in memory."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in changes_sqlite.SCHEMA:
            connection.execute(statement)
        yield connection


@pytest.fixture(scope="module")
def postgresql_connection(postgresql_server: Server) -> Iterator[Any]:
    """Return a database with PostgreSQL's schema."""
    yield from _opened(postgresql_server, *changes_postgresql.SCHEMA)


@pytest.fixture(scope="module")
def mariadb_connection(mariadb_server: Server) -> Iterator[Any]:
    """Return a database with MariaDB's schema."""
    yield from _opened(mariadb_server, *changes_mariadb.SCHEMA)


@pytest.mark.parametrize("change", changes_sqlite.CHANGES, ids=lambda change: change.id)
def test_sqlite(sqlite_connection: sqlite3.Connection, change: Change) -> None:
    """SQLite: the change is named and nothing else is."""
    _check(sqlite_connection, "sqlite", change)


@pytest.mark.parametrize("change", changes_postgresql.CHANGES, ids=lambda change: change.id)
def test_postgresql(postgresql_connection: Any, change: Change) -> None:
    """PostgreSQL: the change is named and nothing else is."""
    _check(postgresql_connection, "postgresql", change)


@pytest.mark.parametrize("change", changes_mariadb.CHANGES, ids=lambda change: change.id)
def test_mariadb(mariadb_connection: Any, change: Change) -> None:
    """MariaDB: the change is named and nothing else is."""
    _check(mariadb_connection, "mysql", change)


def _check_unchanged(connection: Any, dialect: str, *statements: str) -> None:
    before = read(connection, dialect)
    for statement in statements:
        rows(connection, statement)
        _check_same(before, read(connection, dialect), statement)


def test_sqlite_unchanged(sqlite_connection: sqlite3.Connection) -> None:
    """SQLite: rows, statistics and the version table are not schema."""
    _check_unchanged(sqlite_connection, "sqlite", *changes_sqlite.UNCHANGED)


def test_postgresql_unchanged(postgresql_connection: Any) -> None:
    """PostgreSQL: rows, sequence values, statistics, search path and roles are not schema."""
    _check_unchanged(postgresql_connection, "postgresql", *changes_postgresql.UNCHANGED)


def test_mariadb_unchanged(mariadb_connection: Any) -> None:
    """MariaDB: rows, AUTO_INCREMENT, statistics and the version table are not schema."""
    _check_unchanged(mariadb_connection, "mysql", *changes_mariadb.UNCHANGED)


def _restored(server: Server, dump: Sequence[str], load: Sequence[str]) -> str:
    """Return a new database that has what another one has, through the server's own programs."""
    name = server.create_database()
    environ = {**os.environ, "PGPASSWORD": PASSWORD, "MYSQL_PWD": PASSWORD}
    taken = subprocess.run([*dump], env=environ, capture_output=True, check=True)
    subprocess.run([*load, name], env=environ, input=taken.stdout, capture_output=True, check=True)
    return name


def test_postgresql_restored(postgresql_server: Server, postgresql_connection: Any) -> None:
    """PostgreSQL: a dump put back is the same schema, grants and dropped columns included."""
    for statement in (
        "ALTER TABLE shop.orders ADD COLUMN gone integer",
        "ALTER TABLE shop.orders DROP COLUMN gone",
        "GRANT SELECT (id), INSERT ON shop.orders TO pg_monitor, PUBLIC",
        "COMMENT ON COLUMN users.name IS 'it''s'",
    ):
        rows(postgresql_connection, statement)
    (name,) = rows(postgresql_connection, "SELECT current_database()")[0]
    programs = postgresql_server.programs  # type: ignore[attr-defined]
    place = ["-h", HOST, "-p", str(postgresql_server.port), "-U", USER]
    other = _restored(
        postgresql_server,
        [f"{programs}/pg_dump", *place, name],
        [f"{programs}/psql", "-q", "-v", "ON_ERROR_STOP=1", *place, "-d"],
    )
    with contextlib.closing(postgresql_server.connect(other)) as connection:
        _check_same(read(postgresql_connection, "postgresql"), read(connection, "postgresql"))
    postgresql_server.drop(other)


def test_mariadb_restored(mariadb_server: Server, mariadb_connection: Any) -> None:
    """MariaDB: a dump put back is the same schema, whatever AUTO_INCREMENT has come to."""
    rows(mariadb_connection, "INSERT INTO users (name) VALUES ('a')")
    (name,) = rows(mariadb_connection, "SELECT DATABASE()")[0]
    place = ["-h", HOST, "-P", str(mariadb_server.port), "-u", USER]
    other = _restored(
        mariadb_server,
        ["mariadb-dump", "--routines", "--triggers", "--events", *place, name],
        ["mariadb", *place],
    )
    with contextlib.closing(mariadb_server.connect(other)) as connection:
        rows(connection, "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci")
        _check_same(read(mariadb_connection, "mysql"), read(connection, "mysql"))
    mariadb_server.drop(other)


def _check_remedies(connection: Any, dialect: str, changes: Sequence[Change]) -> None:
    """Make every change; what has a remedy is as it was after it, and nothing else differs."""
    before = read(connection, dialect)
    kind = dialect_for(dialect)
    used = 0
    for change in changes:
        for statement in change.there:
            rows(connection, statement)
        after = read(connection, dialect)
        found = with_renames(schema_differences(compare(before, after)), before, after)
        mended = [one for one in found if kind.remedy(one)]
        for one in mended:
            remedy = kind.remedy(one) or ""
            # A body may have semicolons of its own.
            at_most = {"function": 0, "trigger": int(remedy.startswith("DROP"))}
            for statement in remedy.split("; ", at_most.get(one.object, -1)):
                rows(connection, statement)
        gone = {one.name for one in mended} | {one.renamed_to for one in mended}
        left = [one for one in compare(before, read(connection, dialect)) if one.name in gone]
        assert left == [], change.id
        used += len(mended)
        for statement in change.back:
            with contextlib.suppress(Exception):  # what is mended cannot be taken back
                rows(connection, statement)
        _check_same(before, read(connection, dialect), change.id)
    assert used > len(changes) // 5


def test_sqlite_remedies(sqlite_connection: sqlite3.Connection) -> None:
    """SQLite: each remedy brings back what it is for."""
    _check_remedies(sqlite_connection, "sqlite", changes_sqlite.CHANGES)


def test_postgresql_remedies(postgresql_connection: Any) -> None:
    """PostgreSQL: each remedy brings back what it is for."""
    # What another test may have granted here would be taken back with what is granted now.
    rows(postgresql_connection, "REVOKE ALL ON shop.orders FROM PUBLIC")
    _check_remedies(postgresql_connection, "postgresql", changes_postgresql.CHANGES)


def test_mariadb_remedies(mariadb_connection: Any) -> None:
    """MariaDB: each remedy brings back what it is for."""
    _check_remedies(mariadb_connection, "mysql", changes_mariadb.CHANGES)
