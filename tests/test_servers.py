"""The test servers themselves: private, durable, killable, and gone afterwards."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pymysql
import pytest
import sqlalchemy as sa

from tests.support.databases import Database, NewDatabase
from tests.support.servers import Server

SERVERS = ["postgresql", "mariadb"]


def test_a_fresh_database_is_empty_and_can_be_looked_into(database: Database) -> None:
    assert (database.tables(), database.heads()) == ([], [])
    database.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('r002'), ('r001')",
        "CREATE TABLE t (id INTEGER, name VARCHAR(10))",
    )
    assert database.tables() == ["alembic_version", "t"]
    assert database.heads() == ["r001", "r002"]
    assert database.columns("t") == ["id", "name"]


@pytest.mark.crash
@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_what_was_committed_survives_kill_and_restart(database: Database) -> None:
    server = database.server
    assert server is not None
    database.execute("CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1), (2)")
    server.kill()
    assert not server.is_running()
    with pytest.raises((psycopg.OperationalError, pymysql.err.OperationalError)):
        database.connect()
    server.start()
    assert database.rows("SELECT id FROM t ORDER BY id") == [(1,), (2,)]


@pytest.mark.crash
@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_what_was_not_committed_does_not_survive(database: Database) -> None:
    assert database.server is not None
    database.execute("CREATE TABLE t (id INTEGER)")
    with contextlib.closing(database.connect()) as connection:
        connection.cursor().execute("BEGIN")
        connection.cursor().execute("INSERT INTO t VALUES (1)")
        database.server.kill()
        with contextlib.suppress(psycopg.Error, pymysql.err.Error):
            connection.cursor().execute("COMMIT")
    database.server.start()
    assert database.rows("SELECT id FROM t") == []


@pytest.mark.parametrize("kind", SERVERS)
def test_a_database_is_dropped_although_somebody_is_connected(
    kind: str, new_database: NewDatabase
) -> None:
    database = new_database(kind)
    assert database.server is not None
    database.execute("CREATE TABLE t (id INTEGER)")
    with contextlib.closing(database.connect()) as connection:
        connection.cursor().execute("BEGIN")
        connection.cursor().execute("SELECT * FROM t")
        database.server.drop(database.name)
        with pytest.raises((psycopg.OperationalError, pymysql.err.OperationalError)):
            database.connect()


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_a_password_is_asked_for(database: Database) -> None:
    server = database.server
    assert server is not None
    for url, works in [
        (database.url, True),
        (server.url(database.name, password="wrong"), False),
        (server.url(database.name, password=None), False),
    ]:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        if works:
            engine.connect().close()
        else:
            with pytest.raises(sa.exc.OperationalError):
                engine.connect()


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_a_reader_reads_and_does_not_write(database: Database) -> None:
    assert database.server is not None
    database.execute("CREATE TABLE t (id INTEGER)")
    engine = sa.create_engine(database.server.create_reader(database.name), poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar() == 0
        with pytest.raises(sa.exc.DBAPIError, match="denied"):
            connection.execute(sa.text("INSERT INTO t VALUES (1)"))


@pytest.mark.crash
@pytest.mark.servers
@pytest.mark.parametrize(
    "server", ["postgresql_server.PostgresqlServer", "mariadb_server.MariadbServer"]
)
def test_a_server_and_its_folder_are_gone_when_pytest_is_killed(server: str) -> None:
    program = (
        "import sys; from tests.support import mariadb_server, postgresql_server\n"
        f"server = {server}()\n"
        "print(server.folder, server._process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder, pid = process.stdout.readline().split()
        assert Path(folder).is_dir()
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(folder).exists() or Path("/proc", pid).exists():
        assert time.monotonic() < deadline, "the server outlived the process that started it"
        time.sleep(0.05)


def test_each_server_has_its_own_folder_and_port(
    postgresql_server: Server, mariadb_server: Server
) -> None:
    assert postgresql_server.folder != mariadb_server.folder
    assert postgresql_server.port != mariadb_server.port
