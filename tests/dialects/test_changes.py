"""Every kind of change is named exactly, and taking it back brings back an equal snapshot.

A database for each dialect is kept for the module; each case leaves it as it was.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrate.dialects.difference import compare
from orchestrate.domain.snapshot import Snapshot
from tests.dialects import changes_mariadb, changes_postgresql, changes_sqlite
from tests.dialects.reading import Change, named, read, rows
from tests.support.servers import Server


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
