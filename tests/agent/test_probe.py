"""Looking at a target through env.py: what is found, and that nothing is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent.driving import Driver, failure
from tests.support.databases import Database, NewDatabase
from tests.support.env_shapes import SHAPES
from tests.support.projects import Project, names


def test_an_empty_database_is_seen_as_such_and_stays_empty(
    project: Project, database: Database, python: Path
) -> None:
    """A probe makes neither a version table nor, for SQLite, the file."""
    project.linear(2)
    with Driver(project, database, python=python) as driver:
        found = driver.ask("probe")
    assert found["heads"] == []
    assert found["has_version_table"] is False
    assert found["tables"] == 0
    assert found["version_table"] == "alembic_version"
    assert found["pooled"] is False
    if database.kind == "sqlite":
        assert not database.path.exists()
    else:
        assert database.tables() == []


def test_heads_tables_and_habits_are_read(
    project: Project, database: Database, python: Path
) -> None:
    """What plain Alembic left is found through a connection of our own."""
    project.configure(url=database.url).linear(1).env("transaction_per_migration")
    project.alembic("upgrade", "heads")
    with Driver(project, database, python=python) as driver:
        found = driver.ask("probe")
    assert found["heads"] == ["r001"]
    assert found["has_version_table"] is True
    assert found["tables"] == 1
    assert found["transaction_per_migration"] is True
    assert found["external_transaction"] is False
    assert found["transactional_ddl"] is (database.kind == "postgresql")
    assert found["asynchronous"] is False


@pytest.mark.parametrize("shape", ["outer_transaction", "autobegin"])
def test_a_transaction_of_the_projects_own_is_noticed(
    project: Project, database: Database, shape: str
) -> None:
    """The guard's own statements leave no trace, and what env.py began is seen."""
    project.linear(1).env(shape)
    with Driver(project, database) as driver:
        assert driver.ask("probe")["external_transaction"] is True


@pytest.mark.parametrize(
    ("database", "driver_name"),
    [("sqlite", "aiosqlite"), ("postgresql", "asyncpg"), ("postgresql", "psycopg")],
    indirect=["database"],
)
def test_an_asynchronous_env_py_is_probed(
    project: Project, database: Database, driver_name: str
) -> None:
    """The real driver of env.py is told, and our own connection need not be of the same kind."""
    project.linear(1).env("async")
    with Driver(project, database, url=database.url_with(driver_name)) as driver:
        found = driver.ask("probe")
        assert (found["asynchronous"], found["driver"]) == (True, driver_name)
        driver.run(["r001"])
    assert database.heads() == ["r001"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
@pytest.mark.parametrize("do", ["probe", "run"])
def test_another_database_is_refused_before_anything_runs(
    project: Project, new_database: NewDatabase, kind: str, do: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain Alembic would exit 0 here, with the wrong database migrated."""
    wanted, other = new_database(kind), new_database(kind)
    other.execute("CREATE TABLE something (id INTEGER)")
    wanted.execute("CREATE TABLE something (id INTEGER)")
    monkeypatch.setenv("ELSEWHERE_URL", other.url)
    project.linear(1).env("connects_elsewhere")
    with Driver(project, wanted) as driver:
        steps: list[dict[str, Any]] = [
            {"id": "1", "revision": "r001", "file_sha256": None, "parts": []}
        ]
        error = failure(
            lambda: driver.ask("probe") if do == "probe" else driver.run([], steps=steps)
        )
    assert error.code == "wrong-database"
    assert Path(wanted.name).name in error.message
    assert Path(other.name).name in error.message
    assert "s3cret" not in error.message
    assert wanted.tables() == other.tables() == ["something"]


def test_another_kind_of_server_is_refused(
    project: Project, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target's SQL means nothing there, and that alone says it is not the target."""
    wanted, other = new_database("postgresql"), new_database("sqlite")
    other.execute("CREATE TABLE something (id INTEGER)")
    monkeypatch.setenv("ELSEWHERE_URL", other.url)
    project.linear(1).env("connects_elsewhere")
    with Driver(project, wanted) as driver:
        assert failure(lambda: driver.ask("probe")).code == "wrong-database"


def test_a_refusal_that_env_py_hides_is_still_told(
    project: Project, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An env.py that catches everything cannot make a wrong database look right."""
    wanted, other = new_database("sqlite"), new_database("sqlite")
    other.execute("CREATE TABLE something (id INTEGER)")
    monkeypatch.setenv("ELSEWHERE_URL", other.url)
    project.linear(1)
    project.env(
        "default",
        online="""
            import os
            from sqlalchemy import create_engine
            try:
                with create_engine(os.environ["ELSEWHERE_URL"]).connect() as connection:
                    context.configure(connection=connection)
                    context.run_migrations()
            except BaseException as error:
                print("ignored", error)
        """,
    )
    with Driver(project, wanted) as driver:
        assert failure(lambda: driver.ask("probe")).code == "wrong-database"
    assert other.tables() == ["something"]


WRITES = 'from sqlalchemy import text\nconnection.execute(text("CREATE TABLE sneaky (id INTEGER)"))'


def test_an_env_py_that_writes_is_stopped_while_it_is_only_looked_at(
    project: Project, database: Database, python: Path
) -> None:
    """The server itself refuses, whether env.py acts before `configure` or after."""
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1).env("default", connected=WRITES)
    with Driver(project, database, python=python) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert error.code == "env-writes"
    assert database.tables() == ["something"]


@pytest.mark.parametrize(
    ("database", "driver_name"),
    [("sqlite", "aiosqlite"), ("postgresql", "asyncpg"), ("postgresql", "psycopg")],
    indirect=["database"],
)
def test_an_asynchronous_env_py_that_writes_is_stopped_too(
    project: Project, database: Database, driver_name: str, python: Path
) -> None:
    """The statement that makes a transaction read-only goes through the event loop's driver."""
    if driver_name == "psycopg" and python.parts[-3] == "oldest":
        pytest.skip("SQLAlchemy 1.4 has no psycopg 3")
    database.execute("CREATE TABLE something (id INTEGER)")
    shape = SHAPES["async"]
    assert shape.online is not None
    begin = "def do_run_migrations(connection):\n"
    write = '    connection.exec_driver_sql("CREATE TABLE sneaky (id INTEGER)")\n'
    project.linear(1).env("async", online=shape.online.replace(begin, begin + write))
    with Driver(project, database, python=python, url=database.url_with(driver_name)) as driver:
        assert failure(lambda: driver.ask("probe")).code == "env-writes"
    assert database.tables() == ["something"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("there", [True, False])
def test_a_lock_and_a_journal_mode_are_no_writes(
    project: Project, database: Database, python: Path, there: bool
) -> None:
    """`BEGIN IMMEDIATE` and WAL do no harm, though SQLite refuses them to whoever only reads."""
    if there:
        database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1).env("sqlite_settings")
    with Driver(project, database, python=python) as driver:
        assert driver.ask("probe")["heads"] == []
        if there:
            assert database.rows("PRAGMA journal_mode") == [("delete",)], "nothing was changed"
        else:
            assert not database.path.exists()
        driver.run(["r001"])
        assert driver.ask("probe")["heads"] == ["r001"]
    assert database.rows("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file:own?mode=memory&uri=true"])
def test_a_database_of_the_projects_in_memory_may_be_written_to(
    project: Project, new_database: NewDatabase, url: str, python: Path
) -> None:
    """An application that is set up beside the migration may keep its own things in memory."""
    project.linear(1).env(
        "default",
        setup=f"""
            from sqlalchemy import create_engine, text
            with create_engine({url!r}).begin() as own:
                own.execute(text("CREATE TABLE own (id INTEGER)"))
        """,
    )
    with Driver(project, new_database("sqlite"), python=python) as driver:
        assert driver.ask("probe")["heads"] == []


def test_an_env_py_that_writes_may_be_let(project: Project, database: Database) -> None:
    """`read_only_probe: false` is for env.py files that create their schema."""
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1).env(
        "default", connected=WRITES + '\ngetattr(connection, "commit", lambda: None)()'
    )
    with Driver(project, database, read_only_probe=False) as driver:
        assert driver.ask("probe")["tables"] == 2


@pytest.mark.parametrize("database", ["postgresql", "mariadb", "sqlite"], indirect=True)
@pytest.mark.parametrize("there", [True, False])
def test_a_pool_of_env_py_is_not_read_only_for_ever(
    project: Project, database: Database, there: bool
) -> None:
    """A connection opened while we looked is replaced before the next look, and before a run."""
    if there:
        database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1)
    project.file(
        "kept.py",
        """
        import os
        from sqlalchemy import create_engine
        engine = create_engine(os.environ["DATABASE_URL"])
        """,
    )
    project.env("default", first="from kept import engine", engine="engine")
    fields: dict[str, Any] = {"environ": {"DATABASE_URL": database.url}}
    with Driver(project, database, **fields) as driver:
        driver.ask("probe")
        driver.ask("lock", key="abc")  # makes a SQLite file that was not there
        driver.ask("probe")
        driver.run(["r001"])
        assert driver.ask("probe")["heads"] == ["r001"]
    assert database.heads() == ["r001"]


def test_a_relative_sqlite_path_is_the_projects_folders(project: Project, tmp_path: Path) -> None:
    """Also when env.py goes elsewhere before it connects."""
    from tests.support.databases import sqlite_database

    database = sqlite_database(project.folder / "data.db")
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1)
    with Driver(project, database, url="sqlite:///data.db") as driver:
        assert driver.ask("probe")["tables"] == 1
    project.env("changes_directory")
    with Driver(project, database, url="sqlite:///data.db") as driver:
        assert failure(lambda: driver.ask("probe")).code == "wrong-database"


def test_a_link_to_the_database_is_the_same_database(project: Project, tmp_path: Path) -> None:
    """SQLite tells the path it was given; two paths may be one file."""
    from tests.support.databases import sqlite_database

    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "linked").symlink_to(real)
    database = sqlite_database(real / "data.db")
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1)
    linked = f"sqlite:///{tmp_path}/linked/data.db"
    with Driver(project, database, options={"sqlalchemy.url": linked}) as driver:
        assert driver.ask("probe")["tables"] == 1


def test_a_missing_sqlite_file_has_the_identity_it_will_have(
    project: Project, new_database: NewDatabase
) -> None:
    """A plan for a database that does not exist yet stays good once it does."""
    database = new_database("sqlite")
    project.linear(1)
    with Driver(project, database) as driver:
        before = driver.ask("probe")
        assert list(database.path.parent.iterdir()) == [project.folder]
        driver.run(["r001"])
        after = driver.ask("probe")
    assert before["identity"] == after["identity"]
    assert before["server_version"] == after["server_version"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_the_version_table_is_looked_for_where_env_py_will_look(
    project: Project, database: Database
) -> None:
    """env.py may move the search path after `configure`, as a tenant's schema does."""
    database.execute("CREATE SCHEMA tenant")
    project.linear(2).env(
        "default",
        first="from sqlalchemy import text",
        migrate="""
            connection.execute(text("SET search_path TO tenant"))
            getattr(connection, "commit", lambda: None)()
            with context.begin_transaction():
                context.run_migrations()
        """,
    )
    with Driver(project, database) as driver:
        assert driver.ask("probe")["default_schema"] == "tenant"
        driver.run(["r001", "r002"])
        assert driver.ask("probe")["heads"] == ["r002"]
    assert database.rows("SELECT version_num FROM tenant.alembic_version") == [("r002",)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_the_version_table_may_be_in_a_schema_of_its_own(
    project: Project, database: Database, python: Path
) -> None:
    """Name and schema are what env.py configures."""
    database.execute("CREATE SCHEMA meta")
    project.linear(2).env("version_table_schema")
    with Driver(project, database, python=python) as driver:
        driver.run(["r001", "r002"])
        found = driver.ask("probe")
    assert (found["version_table_schema"], found["version_table"]) == ("meta", "schema_version")
    assert (found["heads"], found["has_version_table"], found["tables"]) == (["r002"], True, 1)


def test_a_probe_loads_no_revision(project: Project, new_database: NewDatabase) -> None:
    """2000 revisions cost a probe nothing but a look at their files."""
    project.revision("r001", down=None, first='print("loaded", __name__)')
    with Driver(project, new_database("sqlite")) as driver:
        digest = driver.ask("probe")["graph_digest"]
        assert not any("loaded" in line for line in driver.agent.output)
        assert driver.ask("graph")["digest"] == digest


def test_a_changed_file_changes_the_digest(project: Project, new_database: NewDatabase) -> None:
    """The digest covers names and bytes of the revisions, and env.py."""
    database = new_database("sqlite")
    project.linear(2)
    with Driver(project, database) as driver:
        digests = {driver.ask("probe")["graph_digest"]}
        for path in (project.revision_file("r002"), project.scripts / "env.py"):
            path.write_text(path.read_text() + "\n# edited\n")
            digests.add(driver.ask("probe")["graph_digest"])
        (project.versions / "extra.py").write_text("")
        digests.add(driver.ask("probe")["graph_digest"])
    assert len(digests) == 4


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_an_unreachable_server_is_told_from_a_failing_env_py(
    project: Project, database: Database
) -> None:
    """Our own connection is opened first, and its error holds no password."""
    assert database.server is not None
    project.linear(1)
    url = database.server.url(database.name, password="wrong pass/word%")
    with Driver(project, database, url=url) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert error.code == "unreachable"
    assert "pass/word" not in str(error.message) + str(error.details)
    project.env("raises")
    with Driver(project, database) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert (error.code, error.message) == ("env-failed", "RuntimeError: the project is broken")
    assert error.where is not None
    file, _, line = error.where.rpartition(":")
    assert "raise RuntimeError" in Path(file).read_text().splitlines()[int(line) - 1]


def test_several_version_tables_in_one_run_are_refused(
    project: Project, new_database: NewDatabase
) -> None:
    """A target has one version table; an env.py that loops over several is told so."""
    database = new_database("sqlite")
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1).env(
        "default",
        migrate="""
            for name in ("first", "second"):
                context.configure(connection=connection, version_table=name)
                with context.begin_transaction():
                    context.run_migrations()
        """,
    )
    with Driver(project, database) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert error.code == "env-failed"
    assert "several version tables" in error.message


def test_an_unknown_revision_in_the_database_is_read_as_it_is(
    project: Project, database: Database
) -> None:
    """`probe` does not ask the scripts, so it can tell of a revision they lack."""
    project.configure(url=database.url).linear(1)
    project.alembic("upgrade", "heads")
    database.execute("UPDATE alembic_version SET version_num = 'gone'")
    with Driver(project, database) as driver:
        assert driver.ask("probe")["heads"] == ["gone"]
        error = failure(
            lambda: driver.run([], steps=[{"id": "1", "revision": "gone", "file_sha256": None}])
        )
    assert error.code == "unknown-revision"


def test_names_of_revisions_are_whole() -> None:
    """The helper that other tests rely on."""
    assert names(range(1, 3)) == ["r001", "r002"]


def test_a_server_that_we_know_nothing_of_is_served_all_the_same(
    project: Project, new_database: NewDatabase, python: Path
) -> None:
    """With an empty kit nothing of ours is sent; the guard compares URLs."""
    database = new_database("sqlite")
    project.linear(2)
    with Driver(project, database, python=python, dialect="firebird") as driver:
        assert driver.ask("probe")["identity"] == [[None, None, database.name]]
        assert driver.ask("lock", key="abc")["note"] is not None
        driver.run(["r001", "r002"])
        found = driver.ask("probe")
    assert (found["heads"], found["tables"], found["has_version_table"]) == (["r002"], 1, True)
    assert found["server_version"][0][0].startswith("3.")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_connection_that_commits_by_itself_is_not_called_transactional(
    project: Project, database: Database, python: Path
) -> None:
    """AUTOCOMMIT: nothing of a failed revision would be taken back, whatever the server can do."""
    project.linear(1).env("autocommit")
    with Driver(project, database, python=python) as driver:
        assert driver.ask("probe")["transactional_ddl"] is False
        driver.run(["r001"])
    assert database.heads() == ["r001"]


def test_a_database_in_wal_mode_is_looked_at(project: Project, new_database: NewDatabase) -> None:
    """Read-only, and without leaving files beside it."""
    database = new_database("sqlite")
    database.execute("PRAGMA journal_mode = WAL", "CREATE TABLE something (id INTEGER)")
    project.linear(1)
    before = sorted(database.path.parent.iterdir())
    with Driver(project, database) as driver:
        assert driver.ask("probe")["tables"] == 1
    assert sorted(database.path.parent.iterdir()) == before
