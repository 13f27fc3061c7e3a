"""Connection errors, provoked with real drivers, lead to one sentence on what to check."""

import asyncio
import contextlib
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import psycopg
import psycopg2  # type: ignore[import-untyped]
import pymysql
import pytest
import sqlalchemy

from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.troubles import Failure
from tests.support.servers import HOST, PASSWORD, USER, Server

Attempt = Callable[..., object]


def _asyncpg(**arguments: Any) -> object:
    arguments["database"] = arguments.pop("dbname")
    arguments["timeout"] = arguments.pop("connect_timeout")
    if arguments.pop("sslmode", None):
        arguments["ssl"] = "require"
    return asyncio.run(asyncpg.connect(**arguments))


POSTGRESQL: dict[str, Attempt] = {
    "psycopg": psycopg.connect,
    "psycopg2": psycopg2.connect,
    "asyncpg": _asyncpg,
}


def hint_for(backend: str, attempt: Callable[[], object]) -> str:
    """Return trouble and hint for what an attempt raises; the message is the agent's."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each driver has classes of its own
        attempt()
    message = f"{type(caught.value).__name__}: {caught.value}"
    state = getattr(caught.value, "sqlstate", None)
    found = known(backend, message, state)
    assert PASSWORD not in found
    assert "\n" not in found
    assert not found.endswith(".")
    return found


def known(backend: str, message: str, state: str | None = None) -> str:
    """Return `trouble: hint` of a message."""
    found = dialect_for(backend).recognise(Failure(message=message, sqlstate=state))
    assert found is not None, message
    return f"{found.trouble}: {found.hint}"


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Return a port that takes connections and never says a word."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind((HOST, 0))
        listener.listen(8)
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """Return a port that nothing listens at."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def guarded(postgresql_server: Server) -> Server:
    """Return PostgreSQL with accounts and databases that are closed in one way each."""
    postgresql_server.start()
    postgresql_server.execute(
        "CREATE ROLE full LOGIN CONNECTION LIMIT 0 PASSWORD 'x'",
        "CREATE ROLE nologin PASSWORD 'x'",
        "CREATE ROLE stranger LOGIN PASSWORD 'x'",
        "CREATE DATABASE closed ALLOW_CONNECTIONS false",
        "CREATE DATABASE private",
        "REVOKE CONNECT ON DATABASE private FROM PUBLIC",
    )
    return postgresql_server


@pytest.mark.parametrize("driver", POSTGRESQL)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "nohost.invalid"}, "host-unknown: "),
        ({"dbname": "nope"}, "unknown-database: "),
        ({"password": "wrong"}, "login-refused: "),
        ({"user": "nobody"}, "login-refused: "),
        ({"user": "nologin", "password": "x"}, "`nologin` may not log in"),
        ({"user": "full", "password": "x"}, "too-many-connections: "),
        ({"dbname": "closed"}, "closed to connections"),
        ({"dbname": "private", "user": "stranger", "password": "x"}, "may not connect"),
        ({"sslmode": "require"}, "tls: The URL asks for TLS and the server has none"),
    ],
    ids=lambda value: (
        ",".join(f"{key}={value[key]}" for key in value) if isinstance(value, dict) else ""
    ),
)
def test_postgresql(guarded: Server, driver: str, change: dict[str, str], words: str) -> None:
    """Each refusal of a server is known by each driver's words."""
    given: dict[str, Any] = {
        "host": HOST,
        "port": guarded.port,
        "user": USER,
        "password": PASSWORD,
        "dbname": "postgres",
        "connect_timeout": 5,
        **change,
    }
    assert words in hint_for("postgresql", lambda: POSTGRESQL[driver](**given))


@pytest.mark.parametrize("driver", POSTGRESQL)
def test_postgresql_not_there(driver: str, deaf_port: int, closed_port: int) -> None:
    """A closed port and a silent one are told apart."""
    given: dict[str, Any] = {"host": HOST, "user": "u", "password": "p", "dbname": "d"}
    attempt = POSTGRESQL[driver]
    refused = hint_for("postgresql", lambda: attempt(**given, port=closed_port, connect_timeout=5))
    assert "connection-refused: " in refused
    silent = hint_for("postgresql", lambda: attempt(**given, port=deaf_port, connect_timeout=2))
    assert "no-answer: " in silent


def test_postgresql_is_something_else(mariadb_server: Server) -> None:
    """The port of another product is noticed."""
    mariadb_server.start()
    for driver in ("psycopg", "psycopg2"):
        hint = hint_for(
            "postgresql",
            lambda driver=driver: POSTGRESQL[driver](  # type: ignore[misc]  # bound at once
                host=HOST, port=mariadb_server.port, user="u", dbname="d", connect_timeout=5
            ),
        )
        assert "not PostgreSQL" in hint


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("FATAL:  the database system is starting up", "try again in a moment"),
        ("FATAL:  sorry, too many clients already", "too-many-connections: "),
        (
            'no pg_hba.conf entry for host "10.0.0.1", user "a", database "b", no encryption',
            "tls: The server wants TLS",
        ),
        (
            'no pg_hba.conf entry for host "10.0.0.1", user "a", database "b", SSL on',
            "not-let-in: ",
        ),
        ("fe_sendauth: no password supplied", "no password"),
        ("No module named 'psycopg2'", "pip install 'psycopg2-binary'"),
        ("could not connect: No route to host", "no network path"),
    ],
)
def test_postgresql_in_words(message: str, words: str) -> None:
    """States that a test server cannot be brought into, as PostgreSQL words them."""
    assert words in known("postgresql", message)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "nohost.invalid"}, "host-unknown: "),
        ({"database": "nope"}, "unknown-database: "),
        ({"password": "wrong"}, f"`{USER}` may come from"),
        ({"password": ""}, "no password"),
        ({"user": "narrow", "password": "x", "database": "nope"}, "may not use the database"),
    ],
    ids=str,
)
def test_mariadb(mariadb_server: Server, change: dict[str, Any], words: str) -> None:
    """Each refusal of a server is known by PyMySQL's words."""
    mariadb_server.start()
    mariadb_server.execute("CREATE USER IF NOT EXISTS narrow@'%' IDENTIFIED BY 'x'")
    given: dict[str, Any] = {
        "host": HOST,
        "port": mariadb_server.port,
        "user": USER,
        "password": PASSWORD,
        "database": "mysql",
        "connect_timeout": 5,
        **change,
    }
    assert words in hint_for("mysql", lambda: pymysql.connect(**given))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        # PyMySQL leaves a socket open when it raises one of these two.
        ("(2003, \"Can't connect … on '127.0.0.1' ([Errno 2] No such file …)\")", "no socket"),
        ('(2026, "SSL is required but the server doesn\'t support it")', "the server has none"),
        ("(1040, 'Too many connections')", "too-many-connections: "),
        (
            "(1226, \"User 'a' has exceeded the 'max_user_connections' resource\")",
            "too-many-connections: ",
        ),
        ("(3159, 'Connections using insecure transport are prohibited')", "wants TLS"),
        ("(1130, \"Host '10.0.0.1' is not allowed to connect to this server\")", "`10.0.0.1`"),
        ("(2013, 'Lost connection to MySQL server during query')", "this kind of server"),
        ("'cryptography' package is required for sha256_password", "pip install cryptography"),
        ("No module named 'MySQLdb'", "pip install 'mysqlclient'"),
    ],
)
def test_mysql_in_words(message: str, words: str) -> None:
    """States that a test server cannot be brought into, as servers and PyMySQL word them."""
    assert words in known("mysql", message)


def test_mariadb_not_there(deaf_port: int, closed_port: int) -> None:
    """A closed port and a silent one are told apart."""
    for port, words in (
        (closed_port, "connection-refused: "),
        (deaf_port, "no-answer: "),
    ):
        hint = hint_for(
            "mysql",
            lambda port=port: pymysql.connect(  # type: ignore[misc]  # bound at once
                host=HOST, port=port, user="u", connect_timeout=2, read_timeout=2
            ),
        )
        assert words in hint


def test_sqlite(tmp_path: Path) -> None:
    """A missing folder, a missing file opened for looking, and a file of another kind."""
    other = tmp_path / "other.db"
    other.write_text("not a database " * 100)

    def look(path: str) -> object:
        with contextlib.closing(sqlite3.connect(path, uri=True)) as connection:
            return connection.execute("SELECT * FROM sqlite_master").fetchall()

    assert "folder exists" in hint_for("sqlite", lambda: look(str(tmp_path / "no" / "x.db")))
    assert "folder exists" in hint_for("sqlite", lambda: look(f"file:{tmp_path}/x.db?mode=ro"))
    assert "not an SQLite database" in hint_for("sqlite", lambda: look(str(other)))


def test_sqlalchemy_finds_no_driver() -> None:
    """A missing driver, an unknown scheme and a URL that is none, for any dialect."""
    missing = hint_for("oracle", lambda: sqlalchemy.create_engine("oracle+cx_oracle://x"))
    assert "`cx_Oracle`" in missing
    unknown = hint_for("nonsense", lambda: sqlalchemy.create_engine("nonsense://x"))
    assert "no SQLAlchemy dialect `nonsense`" in unknown
    assert "cannot be read" in hint_for("x", lambda: sqlalchemy.create_engine("no url"))


def test_nothing_is_guessed() -> None:
    """A message that nobody knows gets no hint."""
    for backend in ("sqlite", "postgresql", "mysql", "oracle"):
        assert (
            dialect_for(backend).recognise(Failure(message="the moon is in the wrong phase"))
            is None
        )
