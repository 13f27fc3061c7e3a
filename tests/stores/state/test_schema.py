"""Opening a store: quick when nothing is to be done, and safe when something is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from orchestrate.dialects.mysql_swap import BEGUN, DONE
from orchestrate.domain.secrets import Secret
from orchestrate.domain.snapshot import OWN_TABLES
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import StateStore, open_state
from orchestrate.stores.state.schema import SCRIPTS
from orchestrate.stores.state.tables import REVISIONS, VERSION_TABLE, metadata
from tests.support.databases import Database
from tests.support.states import event, open_store, race


def test_tables_that_a_schema_leaves_out() -> None:
    """A store beside an application's tables is no part of its schema, nor are a restore's signs."""
    assert {*metadata.tables, VERSION_TABLE, BEGUN, DONE} == OWN_TABLES


def test_revisions_are_listed() -> None:
    """What opening compares with, without Alembic, is what Alembic would upgrade to."""
    script = ScriptDirectory(str(SCRIPTS))
    walked = [one.revision for one in script.walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS
    assert script.get_heads() == [REVISIONS[-1]]


def test_revisions_make_the_tables(state: StateStore, database: Database) -> None:
    """The revisions lead to the very tables that the code uses."""
    engine = sa.create_engine(database.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": VERSION_TABLE, "compare_type": True},
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    assert set(database.tables()) == {VERSION_TABLE, *metadata.tables}
    assert all(name.startswith("orchestrate_") for name in database.tables())


def test_opening_again_sends_one_statement_and_leaves_alembic_alone(
    state: StateStore, database: Database
) -> None:
    """A store that is up to date costs one SELECT."""
    state.append([event(1)])
    program = (
        "import sys, sqlalchemy.event, sqlalchemy.engine\n"
        "from orchestrate.domain.secrets import Secret\n"
        "from orchestrate.stores.state import open_state\n"
        "sent = []\n"
        "@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, 'before_execute')\n"
        "def remember(connection, statement, *rest):\n"
        "    sent.append(str(statement))\n"
        "state = open_state(Secret(sys.stdin.readline().strip()), safe_url='x')\n"
        "print(sent, 'alembic' in sys.modules)\n"
        "assert len(state.last_events(2)) == 1\n"
        "print('alembic' in sys.modules)\n"
        "state.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=database.url,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "['SELECT version_num FROM orchestrate_alembic_version'] False",
        "False",
    ]


def test_opening_at_once(database: Database) -> None:
    """Of processes that open a store before it exists, one makes it and all may use it."""
    said = race("open", [f"opener-{number}" for number in range(6)], database.url)
    assert said == {f"opener-{number}": ["0"] for number in range(6)}
    assert database.rows("SELECT id, sequence, hash FROM orchestrate_head") == [(1, 0, "0" * 64)]
    assert database.heads(version_table=VERSION_TABLE) == [REVISIONS[-1]]


def test_a_newer_store_is_refused(database: Database) -> None:
    """A version that does not know the schema touches nothing and says what to do."""
    with open_store(database) as state:
        state.append([event(1)])
    database.execute(f"UPDATE {VERSION_TABLE} SET version_num = 'state9999'")
    with pytest.raises(OrchestrateError) as caught:
        open_store(database)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "state-unavailable",
        f"The state store `the {database.kind} of the test` belongs to a newer orchestrate: its "
        f"schema is `state9999`, and this version knows it up to `{REVISIONS[-1]}`",
        "Use the newer version; a team that shares a store upgrades together",
    )
    assert database.heads(version_table=VERSION_TABLE) == ["state9999"]


@pytest.mark.parametrize("left", ["no version row", "no head row", "half of the tables"])
def test_a_creation_that_was_cut_off(database: Database, left: str) -> None:
    """What a crash leaves where DDL commits by itself is completed by the next opening."""
    open_store(database).close()
    database.execute(f"DELETE FROM {VERSION_TABLE}")
    if left != "no version row":
        database.execute("DELETE FROM orchestrate_head")
    if left == "half of the tables":
        database.execute("DROP TABLE orchestrate_leases", "DROP TABLE orchestrate_events")
    with open_store(database) as state:
        state.append([event(1)])
        assert state.verify().count == 1
    assert database.heads(version_table=VERSION_TABLE) == [REVISIONS[-1]]


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_sharing_a_database(database: Database) -> None:
    """On a server a store lives beside another application and its Alembic."""
    database.execute(
        "CREATE TABLE events (id integer)",
        "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('theirs')",
    )
    with open_store(database) as state:
        state.append([event(1)])
    assert database.heads() == ["theirs"]
    assert database.rows("SELECT count(*) FROM events") == [(0,)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_file_of_another_application(database: Database) -> None:
    """A file that others keep their tables in is refused, and not a byte of it changes."""
    database.execute(*(f"CREATE TABLE {name} (id integer)" for name in ("a", "b", "c", "d")))
    before = database.path.read_bytes()
    with pytest.raises(OrchestrateError) as caught:
        open_store(database)
    assert (caught.value.message, caught.value.hint) == (
        "The file of the state store `the sqlite of the test` belongs to another application: it "
        "has the tables `a`, `b`, `c` and others",
        "Name a file of its own in `state`; this one was left as it is",
    )
    assert database.path.read_bytes() == before
    assert sorted(path.name for path in database.path.parent.iterdir()) == [database.path.name]


def test_a_new_file_is_private(tmp_path: Path) -> None:
    """Folder and file are their owner's alone, and a folder that is there stays as it is."""
    tmp_path.chmod(0o755)
    path = tmp_path / "one" / "two" / "state.db"
    with open_state(Secret(f"sqlite:///{path}"), safe_url="x") as state:
        state.append([event(1)])
        rights = {
            one.name: oct(one.stat().st_mode & 0o777)
            for one in (tmp_path, *path.parents[:2], *path.parent.iterdir())
        }
    assert rights == {
        tmp_path.name: "0o755",
        "one": "0o700",
        "two": "0o700",
        "state.db": "0o600",
        "state.db-wal": "0o600",
        "state.db-shm": "0o600",
    }


def test_settings_of_a_file(tmp_path: Path) -> None:
    """A file is in WAL mode, and every connection syncs at each commit."""
    path = tmp_path / "state.db"
    with (
        open_state(Secret(f"sqlite:///{path}"), safe_url="x") as state,
        state._database.read() as connection,
    ):
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 30_000,
        "foreign_keys": 1,
    }


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_server_that_commits_asynchronously(database: Database) -> None:
    """What is appended is durable even where the database's default is to be quick instead."""
    open_store(database).close()
    database.execute(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    with open_store(database) as state:
        with state._database.read() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "off"
        with state._database.write() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "30s"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_schemes_of_postgresql(database: Database, scheme: str) -> None:
    """A URL without a driver gets the one that we install; another driver is the user's choice."""
    url = scheme + database.url[database.url.index(":") :]
    with open_state(Secret(url), safe_url="x") as state:
        state.append([event(1)])
        wanted = "psycopg2" if scheme.endswith("2") else "psycopg"
        assert state._database.url.get_driver_name() == wanted


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mariadb+pymysql"])
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_schemes_of_mysql(database: Database, scheme: str) -> None:
    """The same for MySQL and MariaDB."""
    url = scheme + database.url[database.url.index(":") :]
    with open_state(Secret(url), safe_url="x") as state:
        state.append([event(1, text="größe 😀")])
        assert state._database.url.get_driver_name() == "pymysql"
        assert state.verify().count == 1


def test_developers_use_alembic_itself() -> None:
    """The script directory is one that Alembic's own commands can read."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISIONS[-1]
