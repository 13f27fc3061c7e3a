"""What the texts of a kit do on a real server."""

import contextlib
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import psycopg2  # type: ignore[import-untyped]
import pymysql
import pytest

from orchestrate.dialects.interface import Kit
from orchestrate.dialects.registry import DIALECTS, dialect_for
from tests.dialects.reading import kit_of, read, rows, trouble
from tests.support.databases import Database, NewDatabase

SERVERS = pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)


def texts(kit: Kit) -> Iterator[str]:
    """Return every text of a kit."""
    one = (kit.identity, kit.server_version, kit.session, kit.default_schema, kit.tables)
    yield from (text for text in one if text)
    yield from (text for text in (kit.try_lock, kit.release_lock, kit.enum_types) if text)
    yield from (*kit.read_only, *kit.timeouts, *kit.snapshot.values(), *kit.blockers)
    yield from (*kit.keep_lock, *kit.frozen, *([kit.cancel] if kit.cancel else []))


@pytest.fixture
def connect(database: Database) -> Iterator[Callable[[], Any]]:
    """Return a function that opens a connection in autocommit mode; all are closed afterwards."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(database.connect()))


@pytest.mark.parametrize("backend", [*DIALECTS, "oracle"])
def test_texts_hold_nothing_a_driver_would_replace(backend: str) -> None:
    """No percent sign, parameter or second statement; only `{pid}` and `{key}` to fill in."""
    for text in texts(dialect_for(backend).kit(lock_timeout=1.5, statement_timeout=0.25)):
        assert not re.search(r"[%;]|(?<!:):(?!:)", text), text
        assert set(re.findall(r"{(.*?)}", text)) <= {"pid", "key"}
    dialect = dialect_for(backend)
    more = [*(dialect.filling.queries.values() if dialect.filling else ())]
    more += [one for one in (dialect.table_sizes, dialect.known_sizes) if one]
    for text in more:
        assert not re.search(r"[%;{}]|(?<!:):(?!:)", text), text


def test_every_backend_has_a_dialect() -> None:
    """A driver is cut off, and an unknown backend gets the dialect that says what it cannot do."""
    assert dialect_for("postgresql+asyncpg").name == "postgresql"
    assert dialect_for("mariadb+pymysql").name == "mysql"
    assert dialect_for("sqlite").cannot == ()
    assert dialect_for("oracle").name == "oracle"
    assert "prove which database it is" in dialect_for("oracle").cannot[0]


def test_read_only_refuses_writing(database: Database, connect: Callable[[], Any]) -> None:
    """A connection that may only look can read, and cannot create a table."""
    kit, connection = kit_of(database), connect()
    rows(connection, "BEGIN")
    for text in kit.read_only:
        rows(connection, text)
    if database.kind == "mariadb":
        rows(connection, "ROLLBACK")
    assert kit.tables is not None
    assert rows(connection, kit.tables) == []
    with pytest.raises((psycopg.Error, pymysql.Error, sqlite3.Error), match=r"(?i)read.?only"):
        rows(connection, "CREATE TABLE t (a INTEGER)")


def test_server_is_named(database: Database, connect: Callable[[], Any]) -> None:
    """The version is a product and a number."""
    kit = kit_of(database)
    assert kit.server_version is not None
    version = dialect_for(database.dialect).server_version(rows(connect(), kit.server_version))
    assert re.fullmatch(r"(SQLite|PostgreSQL|MariaDB) \d[\d.]*", version)


def test_tables_are_listed(database: Database, connect: Callable[[], Any]) -> None:
    """Tables are, views and the server's own are not."""
    database.execute(
        "CREATE TABLE b (id INTEGER PRIMARY KEY)",
        "CREATE TABLE a (id INTEGER)",
        "CREATE VIEW v AS SELECT id FROM a",
    )
    kit = kit_of(database)
    assert kit.tables is not None
    assert [name for _, name in rows(connect(), kit.tables)] == ["a", "b"]


@SERVERS
def test_lock_is_exclusive_and_survives_commits(
    database: Database, connect: Callable[[], Any]
) -> None:
    """One session has it, another does not wait for it, and it is free again after release."""
    kit, ours, theirs = kit_of(database), connect(), connect()
    key = "ffffffff00000001"
    assert kit.try_lock is not None
    assert kit.release_lock is not None
    take, give = kit.try_lock.replace("{key}", key), kit.release_lock.replace("{key}", key)
    assert rows(ours, take) == [[1]]
    rows(ours, "CREATE TABLE t (a INTEGER)")
    started = time.monotonic()
    assert rows(theirs, take) == [[0]]
    assert time.monotonic() - started < 0.5
    assert rows(theirs, take.replace(key, "0" * 16)) == [[1]]
    assert rows(ours, give) == [[1]]
    assert rows(theirs, take) == [[1]]


@SERVERS
def test_lock_goes_with_its_session(database: Database, connect: Callable[[], Any]) -> None:
    """A session that ends leaves no lock behind."""
    kit, theirs = kit_of(database), connect()
    assert kit.try_lock is not None
    take = kit.try_lock.replace("{key}", "0123456789abcdef")
    with contextlib.closing(database.connect()) as ours:
        assert rows(ours, take) == [[1]]
        assert rows(theirs, take) == [[0]]
    deadline = time.monotonic() + 10
    while rows(theirs, take) != [[1]]:
        assert time.monotonic() < deadline


HOLD = {"postgresql": "LOCK TABLE t IN ACCESS SHARE MODE", "mariadb": "SELECT * FROM t"}
ALTER = "ALTER TABLE t ADD COLUMN b INTEGER"


@SERVERS
def test_lock_timeout_and_who_holds_the_lock(
    database: Database, connect: Callable[[], Any]
) -> None:
    """A statement that waits is ended in time, is known as such, and its blocker is named."""
    dialect, kit = dialect_for(database.dialect), kit_of(database)
    holder, waiter = connect(), connect()
    database.execute("CREATE TABLE t (a INTEGER)")
    for statement in ("BEGIN", HOLD[database.kind]):
        rows(holder, statement)
    for text in kit.timeouts:
        rows(waiter, text)
    assert kit.session is not None
    (waiting,), (holding,) = rows(waiter, kit.session)[0], rows(holder, kit.session)[0]
    found: list[list[Any]] = []
    with (
        pytest.raises((psycopg.Error, pymysql.Error)) as caught,
        _watch(connect(), kit, waiting, found),
    ):
        rows(waiter, ALTER)
    assert trouble(dialect, caught.value) == "lock-timeout"
    assert [row[0] for row in found] == [holding]
    assert len(found[0]) == 6


@contextlib.contextmanager
def _watch(connection: Any, kit: Kit, pid: int, found: list[list[Any]]) -> Iterator[None]:
    """Ask who blocks a session while the block runs, as the agent's monitor does."""
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.1) and not found:
            for text in kit.blockers:
                with contextlib.suppress(psycopg.Error, pymysql.Error):
                    found.extend(rows(connection, text.replace("{pid}", str(pid))))
                if found:
                    return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_blockers_never_fail_for_an_ordinary_user(new_database: NewDatabase) -> None:
    """MariaDB: the last query is open to everybody, whatever the others need."""
    database = new_database("mariadb")
    assert database.server is not None
    url = database.server.create_reader(database.name)
    with _mariadb_as(url, database) as connection:
        last = kit_of(database).blockers[-1].replace("{pid}", "1")
        assert rows(connection, last) == []


@contextlib.contextmanager
def _mariadb_as(url: str, database: Database) -> Iterator[Any]:
    parts = urlsplit(url)
    with contextlib.closing(
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 0,
            user=parts.username,
            password=unquote(parts.password or ""),
            database=database.name,
        )
    ) as connection:
        yield connection


def test_statement_timeouts(new_database: NewDatabase) -> None:
    """A statement timeout ends a statement, and is not taken for a lock's."""
    for kind, slow in (("postgresql", "SELECT pg_sleep(5)"), ("mariadb", "SELECT SLEEP(5) FROM t")):
        database = new_database(kind)
        database.execute("CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1)")
        dialect = dialect_for(database.dialect)
        kit = dialect.kit(lock_timeout=None, statement_timeout=0.2)
        with contextlib.closing(database.connect()) as connection:
            for text in kit.timeouts:
                rows(connection, text)
            started = time.monotonic()
            with pytest.raises((psycopg.Error, pymysql.Error)) as caught:
                rows(connection, slow)
            assert time.monotonic() - started < 3
        assert trouble(dialect, caught.value) == "statement-timeout"


def test_timeouts_as_text() -> None:
    """Zero would mean no limit or no wait, and is never sent."""
    assert dialect_for("postgresql").kit(lock_timeout=0.0001, statement_timeout=None).timeouts == (
        "SET lock_timeout = 1",
    )
    assert dialect_for("mysql").kit(lock_timeout=1.2, statement_timeout=None).timeouts == (
        "SET SESSION lock_wait_timeout = 2, innodb_lock_wait_timeout = 2",
    )
    assert dialect_for("sqlite").kit(lock_timeout=2, statement_timeout=9).timeouts == (
        "PRAGMA busy_timeout = 2000",
    )


def test_sqlite_lock_timeout_is_known(new_database: NewDatabase) -> None:
    """A file that another connection writes to is a lock not granted."""
    database = new_database("sqlite")
    with (
        contextlib.closing(database.connect()) as ours,
        contextlib.closing(sqlite3.connect(database.name, timeout=0)) as theirs,
    ):
        ours.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            theirs.execute("CREATE TABLE t (a INTEGER)")
    assert trouble(dialect_for("sqlite"), caught.value) == "lock-timeout"


@pytest.mark.parametrize(
    ("backend", "state", "message", "known"),
    [
        ("postgresql", "55P03", "", True),
        ("postgresql", "40P01", "", True),
        ("postgresql", "57014", "canceling statement due to statement timeout", False),
        ("postgresql", None, "ERROR: canceling statement due to lock timeout", True),
        ("mysql", None, "(1205, 'Lock wait timeout exceeded; try restarting transaction')", True),
        ("mysql", None, "(pymysql.err.OperationalError) (1213, 'Deadlock found …')", True),
        ("mysql", "HY000", "1205 (HY000): Lock wait timeout exceeded", True),
        ("mysql", None, "(3572, 'Statement aborted because lock(s) could not …')", True),
        ("mysql", None, "(1050, \"Table 'x1205' already exists\")", False),
        ("sqlite", None, "database is locked", True),
        ("sqlite", None, "no such table: locked", False),
        ("oracle", None, "ORA-00054: resource busy", False),
    ],
)
def test_lock_timeouts_by_their_words(
    backend: str, state: str | None, message: str, known: bool
) -> None:
    """A state decides where there is one, the driver's words elsewhere."""
    assert (trouble(dialect_for(backend), message, state) == "lock-timeout") is known


def test_enum_types(new_database: NewDatabase) -> None:
    """PostgreSQL's enums are listed with their schemas; no other type is."""
    database = new_database("postgresql")
    database.execute("CREATE TYPE mood AS ENUM ('a')", "CREATE DOMAIN d AS text")
    enums = kit_of(database).enum_types
    assert enums is not None
    assert database.rows(enums) == [("public", "mood")]


def test_invalid_objects(new_database: NewDatabase) -> None:
    """PostgreSQL: what a failed concurrent build left, and what was never validated."""
    database = new_database("postgresql")
    database.execute(
        "CREATE TABLE t (a integer, note text DEFAULT 'NOT VALID')",
        "INSERT INTO t VALUES (1), (1)",
        "CREATE INDEX fine ON t (a)",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        "ALTER TABLE t ADD CONSTRAINT c2 CHECK (note <> 'x INVALID ')",
    )
    with contextlib.closing(database.connect()) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation):
            rows(connection, "CREATE UNIQUE INDEX CONCURRENTLY broken ON t (a)")
        snapshot = read(connection, "postgresql")
    assert dialect_for("postgresql").invalid_objects(snapshot) == {
        "t.c": "ALTER TABLE t VALIDATE CONSTRAINT c",
        "t.broken": "DROP INDEX CONCURRENTLY broken",
    }


def test_psycopg2_reads_the_same(new_database: NewDatabase) -> None:
    """Another driver gives the same snapshot."""
    database = new_database("postgresql")
    database.execute("CREATE TABLE t (a integer DEFAULT 3, b text[])", "CREATE INDEX i ON t (a)")
    plain = database.url_with("").replace("postgresql:", "postgres:", 1)
    with (
        contextlib.closing(database.connect()) as one,
        contextlib.closing(psycopg2.connect(plain)) as other,
    ):
        other.autocommit = True
        assert read(one, "postgresql") == read(other, "postgresql")
