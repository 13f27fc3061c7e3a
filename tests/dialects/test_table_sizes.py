"""How large tables are, asked of real servers."""

from __future__ import annotations

import contextlib

import pytest

from orchestrate.dialects.registry import dialect_for
from orchestrate.run.table_sizes import sizes_from
from tests.dialects.reading import rows
from tests.support.databases import Database

SERVERS = pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)


@SERVERS
def test_what_the_server_has_at_hand(database: Database) -> None:
    """Bytes with indexes, and rows; of a table that nobody looked at PostgreSQL says no bytes."""
    dialect = dialect_for(database.dialect)
    analyze = {"postgresql": "ANALYZE big", "mariadb": "ANALYZE TABLE big"}[database.kind]
    numbers = {"postgresql": "generate_series(1, 20000)", "mariadb": "seq_1_to_20000"}
    database.execute(
        "CREATE TABLE fresh (id INT PRIMARY KEY)",
        "CREATE TABLE big (id INT PRIMARY KEY, name VARCHAR(100))",
        f"INSERT INTO big SELECT one.*, repeat('x', 80) FROM {numbers[database.kind]} AS one",
        "CREATE INDEX by_name ON big (name)",
        analyze,
    )
    assert dialect.known_sizes
    assert dialect.table_sizes
    with contextlib.closing(database.connect()) as connection:
        known = {one.table: one for one in sizes_from(rows(connection, dialect.known_sizes))}
        exact = {one.table: one for one in sizes_from(rows(connection, dialect.table_sizes))}
    big = known["big"]
    assert big.unqualified
    assert big.bytes is not None
    assert big.bytes == pytest.approx(exact["big"].bytes, rel=0.1)
    assert big.bytes > 2 * 1024 * 1024
    assert big.rows == pytest.approx(20_000, rel=0.2)
    if database.kind == "postgresql":
        assert known["fresh"].bytes is None


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_nobody_is_waited_for(database: Database) -> None:
    """Also while somebody else has a table for himself alone."""
    query = dialect_for("postgresql").known_sizes
    assert query
    database.execute("CREATE TABLE taken (id INT PRIMARY KEY)")
    with (
        contextlib.closing(database.connect()) as other,
        contextlib.closing(database.connect()) as connection,
    ):
        rows(other, "BEGIN")
        rows(other, "LOCK TABLE taken IN ACCESS EXCLUSIVE MODE")
        rows(connection, "SET lock_timeout = '1s'")
        assert [one.table for one in sizes_from(rows(connection, query))] == ["taken"]
