"""Generated rows on real servers: whatever a schema asks of rows, they have it, or it is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrate.dialects.checks import limited
from orchestrate.dialects.filling import letters, whole
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.table_shapes import ColumnShape
from orchestrate.run.filling import Filled, filled
from orchestrate.run.session import Session
from tests.dialects.reading import rows
from tests.support.databases import Database

COUNTER = {
    "sqlite": "INTEGER PRIMARY KEY",
    "postgresql": "SERIAL PRIMARY KEY",
    "mariadb": "INTEGER PRIMARY KEY AUTO_INCREMENT",
}


@dataclass
class Agent:
    """What an agent does of a session, on a connection of the test's own."""

    connection: Any
    sent: list[str] = field(default_factory=list)
    observation: Any = None
    access: Any = field(
        default_factory=lambda: SimpleNamespace(redactor=SimpleNamespace(redact=lambda one: one))
    )

    def query(self, statements: Mapping[str, str]) -> Mapping[str, Any]:
        return {name: rows(self.connection, text) for name, text in statements.items()}

    def attempt(self, *statements: str) -> str | None:
        cursor = self.connection.cursor()
        try:
            for one in statements:
                self.sent.append(one)
                cursor.execute(one)
        except Exception as error:  # noqa: BLE001  (whatever a driver raises)
            with contextlib.suppress(Exception):
                cursor.execute("ROLLBACK")
            return str(error).splitlines()[0]
        return None


@pytest.fixture
def agent(database: Database) -> Iterator[Agent]:
    with contextlib.closing(database.connect()) as connection:
        if database.kind == "sqlite":
            rows(connection, "PRAGMA foreign_keys = 1")
        yield Agent(connection)


def fill(agent: Agent, database: Database, count: int = 100) -> Filled:
    filling = dialect_for(database.dialect).filling
    assert filling is not None
    found = filled(cast("Session", agent), filling, count)
    assert found.problem is None, found.problem
    return found


def number(database: Database, sql: str) -> int:
    ((found,),) = database.rows(sql)
    return int(found)


def test_keys_and_what_they_lead_to(agent: Agent, database: Database) -> None:
    """Counted, natural and double keys, optional, circular and own references, a tenant's rows."""
    counter = COUNTER[database.kind]
    late = (
        ""
        if database.kind == "sqlite"
        else "ALTER TABLE teams ADD FOREIGN KEY (lead) REFERENCES people (id)"
    )
    lead = "lead INTEGER REFERENCES people (id)" if database.kind == "sqlite" else "lead INTEGER"
    database.execute(
        *filter(
            None,
            (
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
                f"CREATE TABLE countries (id {counter}, code CHAR(2) NOT NULL UNIQUE)",
                f"CREATE TABLE teams (id {counter}, name VARCHAR(50) NOT NULL, {lead})",
                f"CREATE TABLE people (id {counter}, email VARCHAR(100) NOT NULL UNIQUE,"
                " team_id INTEGER NOT NULL, manager_id INTEGER, country VARCHAR(2), note VARCHAR(40),"
                " FOREIGN KEY (team_id) REFERENCES teams (id),"
                " FOREIGN KEY (manager_id) REFERENCES people (id))",
                late,
                "CREATE TABLE colours (name VARCHAR(20) PRIMARY KEY)",
                "INSERT INTO colours (name) VALUES ('red'), ('it''s'), ('blue')",
                "CREATE TABLE likes (person_id INTEGER NOT NULL, colour VARCHAR(20) NOT NULL,"
                " PRIMARY KEY (colour, person_id),"
                " FOREIGN KEY (person_id) REFERENCES people (id),"
                " FOREIGN KEY (colour) REFERENCES colours (name))",
                "CREATE TABLE orders (team_id INTEGER NOT NULL, number INTEGER NOT NULL,"
                " PRIMARY KEY (team_id, number), FOREIGN KEY (team_id) REFERENCES teams (id))",
                "CREATE TABLE parcels (team_id INTEGER NOT NULL, number INTEGER NOT NULL,"
                " position INTEGER NOT NULL, PRIMARY KEY (team_id, number, position),"
                " FOREIGN KEY (team_id) REFERENCES teams (id),"
                " FOREIGN KEY (team_id, number) REFERENCES orders (team_id, number))",
                "CREATE TABLE owned (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL,"
                " FOREIGN KEY (owner) REFERENCES owned (id))"
                if database.kind != "sqlite"
                else "CREATE TABLE owned (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL,"
                " FOREIGN KEY (owner) REFERENCES owned (id))",
            ),
        )
    )
    found = fill(agent, database)
    assert found.left_empty == []
    assert (found.rows, found.tables) == (700, 7)
    assert number(database, "SELECT count(*) FROM alembic_version") == 0
    assert number(database, "SELECT count(*) FROM colours") == 3  # the revisions' own
    for table in ("countries", "teams", "people", "likes", "orders", "parcels", "owned"):
        assert number(database, f"SELECT count(*) FROM {table}") == 100
    assert number(database, "SELECT count(DISTINCT colour) FROM likes") == 3
    # As the schema allows it: nulls, and values that several rows have.
    assert 0 < number(database, "SELECT count(*) FROM people WHERE note IS NULL") < 50
    assert number(database, "SELECT count(DISTINCT note) FROM people") < 60
    assert number(database, "SELECT count(DISTINCT email) FROM people") == 100
    # The counter goes on behind them.
    database.execute("INSERT INTO countries (code) VALUES ('!!')")
    assert number(database, "SELECT max(id) FROM countries") > 100


def test_the_same_rows_each_time(database: Database, agent: Agent) -> None:
    """The same schema gets the very same statements."""
    database.execute(
        f"CREATE TABLE a (id {COUNTER[database.kind]}, at TIMESTAMP NULL, name VARCHAR(9))"
    )
    fill(agent, database)
    first = list(agent.sent)
    agent.sent.clear()
    database.execute("DROP TABLE a")
    database.execute(
        f"CREATE TABLE a (id {COUNTER[database.kind]}, at TIMESTAMP NULL, name VARCHAR(9))"
    )
    fill(agent, database)
    assert agent.sent == first


TYPES = {
    "sqlite": (
        "INTEGER, BIGINT, SMALLINT, NUMERIC(10, 2), NUMERIC(3, 3), FLOAT, DOUBLE, BOOLEAN, VARCHAR,"
        " VARCHAR(1), CHAR(32), TEXT, DATE, TIME, DATETIME, TIMESTAMP, JSON, BLOB, UUID, NCHAR(3)"
    ),
    "postgresql": (
        "INTEGER, BIGINT, SMALLINT, NUMERIC, NUMERIC(10, 2), NUMERIC(3, 3), REAL, DOUBLE PRECISION,"
        " BOOLEAN, VARCHAR, VARCHAR(1), CHAR(32), TEXT, NAME, DATE, TIME, TIMETZ, TIMESTAMP,"
        " TIMESTAMPTZ, JSON, JSONB, BYTEA, UUID, INTERVAL, INET, CIDR, MACADDR, TEXT[], INTEGER[][],"
        " INT4RANGE, TSTZRANGE, TSVECTOR, BIT(3), BIT VARYING(9), MONEY, mood, positive, XML"
    ),
    "mariadb": (
        "INTEGER, INT UNSIGNED, BIGINT UNSIGNED, SMALLINT, TINYINT, TINYINT(1), MEDIUMINT,"
        " DECIMAL(10, 2), DECIMAL(3, 3), DECIMAL, FLOAT, DOUBLE, BIT(5), CHAR(3), VARCHAR(1),"
        " VARCHAR(36), TINYTEXT, TEXT, LONGTEXT, DATE, TIME, DATETIME, DATETIME(6), TIMESTAMP, YEAR,"
        " JSON, BLOB, LONGBLOB, BINARY(16), VARBINARY(3), ENUM('it''s', 'b'), SET('x', 'y'), INET6"
    ),
}


def test_every_type(agent: Agent, database: Database) -> None:
    """A value of each, also where it has to be given."""
    if database.kind == "postgresql":
        database.execute(
            "CREATE TYPE mood AS ENUM ('sad', 'it''s fine', 'B')",
            "CREATE DOMAIN positive AS INTEGER NOT NULL CHECK (VALUE > 41 AND VALUE <= 60)",
        )
    names = [
        one.strip().replace(";", ",")
        for one in TYPES[database.kind]
        .replace("(10, 2)", "(10; 2)")
        .replace("(3, 3)", "(3; 3)")
        .replace("', '", "'; '")
        .split(",")
    ]
    for index, name in enumerate(names):
        database.execute(
            f"CREATE TABLE t{index} (id {COUNTER[database.kind]}, value {name} NOT NULL, other {name} NULL)"
            if database.kind != "sqlite"
            else f"CREATE TABLE t{index} (value {name} NOT NULL, other {name})"
        )
    found = fill(agent, database, 30)
    assert found.left_empty == []
    assert found.tables == len(names)


def test_checks(agent: Agent, database: Database) -> None:
    """Simple ones are kept by most rows; by defaults, or nulls, those that nobody understands."""
    now = "DEFAULT CURRENT_TIMESTAMP"
    database.execute(
        "CREATE TABLE simple (status VARCHAR(10) NOT NULL CHECK (status IN ('new', 'it''s')),"
        " price NUMERIC(10, 2) NOT NULL CHECK (price > 0 AND price <= 5),"
        " rate FLOAT NOT NULL, code VARCHAR(20) NOT NULL, age INTEGER NOT NULL,"
        " flag BOOLEAN NOT NULL CHECK (flag IN (0, 1)),"
        " CONSTRAINT r CHECK (rate BETWEEN 0 AND 1), CONSTRAINT c CHECK (length(code) >= 12),"
        " CONSTRAINT a CHECK ((18 <= age) AND (age < 21)))".replace(
            "flag IN (0, 1)",
            "flag IN (true, false)" if database.kind == "postgresql" else "flag IN (0, 1)",
        ),
        "CREATE TABLE odd (id INTEGER NOT NULL, a INTEGER, b INTEGER, "
        f" made TIMESTAMP {now}, CHECK (a + b = 77))",
    )
    if database.kind != "mariadb":  # which wants no check of a counter
        counter = COUNTER[database.kind]
        database.execute(f"CREATE TABLE single (id {counter} CHECK (id = 1), version TEXT)")
    found = fill(agent, database)
    assert found.left_empty == []
    assert database.kind == "mariadb" or number(database, "SELECT count(*) FROM single") == 1
    assert number(database, "SELECT count(*) FROM simple") == 100
    assert number(database, "SELECT count(DISTINCT age) FROM simple") == 3
    assert number(database, "SELECT count(DISTINCT status) FROM simple") == 2
    assert number(database, "SELECT count(*) FROM odd WHERE a IS NULL") == 100


def test_what_cannot_be_filled_is_named(agent: Agent, database: Database) -> None:
    """With the server's reason or ours, and so is what would have to refer to it."""
    strange = {"sqlite": "INTEGER", "postgresql": "POINT", "mariadb": "POINT"}[database.kind]
    database.execute(
        "CREATE TABLE refused (id INTEGER NOT NULL PRIMARY KEY, a INTEGER NOT NULL, CHECK (a * a = 2))",
        "CREATE TABLE behind (refused_id INTEGER NOT NULL, FOREIGN KEY (refused_id) REFERENCES refused (id))",
        "CREATE TABLE optional (refused_id INTEGER, FOREIGN KEY (refused_id) REFERENCES refused (id))",
        f"CREATE TABLE strange (place {strange} NOT NULL)",
    )
    found = fill(agent, database)
    told = {one.table: one.reason for one in found.left_empty}
    assert "constraint" in told.pop("refused").lower()
    assert told.pop("behind") == "it needs rows of refused, which has none"
    if database.kind != "sqlite":
        assert told.pop("strange") == "no value is known for place, which is point"
    assert told == {}
    assert number(database, "SELECT count(*) FROM refused") == 0
    assert number(database, "SELECT count(*) FROM optional") == 100


def test_generated_columns_and_tables_of_a_key_alone(agent: Agent, database: Database) -> None:
    """What the server computes or counts is left to it."""
    identity = "GENERATED ALWAYS AS IDENTITY" if database.kind == "postgresql" else ""
    computed = "GENERATED ALWAYS AS (a * 2) STORED"
    alone = COUNTER[database.kind] if not identity else f"INTEGER {identity} PRIMARY KEY"
    database.execute(
        f"CREATE TABLE bare (id {alone})",
        f"CREATE TABLE doubled (a INTEGER NOT NULL, b INTEGER {computed})",
    )
    assert fill(agent, database, 7).left_empty == []
    assert number(database, "SELECT count(DISTINCT id) FROM bare") == 7
    assert number(database, "SELECT count(*) FROM doubled WHERE b = a * 2") == 7


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_alone(agent: Agent, database: Database) -> None:
    """Schemas, partitions, keys over expressions, exclusions, values made at random."""
    database.execute(
        "CREATE SCHEMA shop",
        'CREATE TABLE shop."Odd Name" (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), "E-Mail" TEXT NOT NULL)',
        'CREATE UNIQUE INDEX ON shop."Odd Name" (lower("E-Mail"))',
        'CREATE TABLE linked (id INT PRIMARY KEY, odd UUID NOT NULL UNIQUE REFERENCES shop."Odd Name")',
        "CREATE TABLE events (at DATE NOT NULL) PARTITION BY RANGE (at)",
        "CREATE TABLE logs (at DATE NOT NULL) PARTITION BY RANGE (at)",
        "CREATE TABLE logs_rest PARTITION OF logs DEFAULT",
        "CREATE TABLE booked (room INT NOT NULL, during TSRANGE NOT NULL,"
        " EXCLUDE USING gist (during WITH &&))",
    )
    found = fill(agent, database)
    told = {one.table: one.reason for one in found.left_empty}
    assert list(told) == ["events"]
    assert "no partition of relation" in told["events"]
    assert number(database, 'SELECT count(*) FROM shop."Odd Name"') == 100
    assert number(database, "SELECT count(*) FROM linked") == 100
    assert number(database, "SELECT count(*) FROM logs_rest") == 100
    assert number(database, "SELECT count(*) FROM booked") == 100


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_alone(agent: Agent, database: Database) -> None:
    """Virtual tables, their parts, tables without a row number."""
    database.execute(
        "CREATE VIRTUAL TABLE words USING fts5(body)",
        "CREATE TABLE words_of_mine (id INTEGER)",
        "CREATE TABLE keyed (name TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE UNIQUE INDEX folded ON keyed (lower(name))",
    )
    found = fill(agent, database)
    assert {one.reason for one in found.left_empty} == {
        "it is a virtual table",
        "it is part of a virtual table",
    }
    assert number(database, "SELECT count(*) FROM words_of_mine") == 100
    assert number(database, "SELECT count(*) FROM keyed") == 100


AGE = ColumnShape(name="age", type="int", values=whole(32), required=True)
CODE = ColumnShape(name="code", type="text", values=letters((20,)), required=True)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # As SQLite keeps it, PostgreSQL prints it, MariaDB and MySQL 8 tell it.
        ("(age > 17 AND age <= 99)", (18, 99, (), 0)),
        ("((age >= 18) AND (age < 100))", (18, 99, (), 0)),
        ("`age` between 18 and 99", (18, 99, (), 0)),
        ("(17 < age)", (18, 2**31 - 1, (), 0)),
        ("((code)::text = ANY ((ARRAY['a'::character varying, 'b::c'::character varying])::text[]))", (None, None, ("a", "b::c"), 0)),
        ("(`code` in (_utf8mb4'a',_utf8mb4'b::c'))", (None, None, ("a", "b::c"), 0)),
        ("(char_length(code) > 3)", (None, None, (), 4)),
        ("(age = ANY (ARRAY[1, 5]))", (None, None, (1, 5), 0)),
        # Not understood: everything stays as it is.
        ("(age > 17 OR code = 'a')", None),
        ("NOT (age > 17)", None),
        ("(age <> 0)", None),
        ("(age > length(code))", None),
        ("(age + 1 > 17)", None),
        ("(code NOT IN ('a'))", None),
        ("age BETWEEN 1 AND 5 OR age = 9", None),
        ("(code IN ('a') OR age > 3)", None),
        ("", None),
    ],
)  # fmt: skip
def test_conditions_by_their_words(told: str, expected: tuple[object, ...] | None) -> None:
    """What is said of one column is kept; what could be read otherwise is left to the server."""
    changed = [one for one in limited((AGE, CODE), [told]) if one not in {AGE, CODE}]
    if expected is None:
        assert changed == []
        return
    (column,) = changed
    assert column.values is not None
    found = column.values
    assert (found.low, found.high, found.choices, found.shortest) == expected
