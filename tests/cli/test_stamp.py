"""`orchestrate stamp`: a claim about a schema, shown to be true before it is recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.workspace import Workspace

METADATA = (
    'sa.MetaData(); sa.Table("t1", target_metadata, sa.Column("id", sa.Integer, primary_key=True),'
    ' sa.Column("name", sa.String(50), nullable=False))'
)


@pytest.fixture
def adopted(one: Workspace, database: Database, tmp_path: Path) -> Workspace:
    """Have a database that another tool brought to r004, and nobody recorded."""
    one.environ["TMPDIR"] = str(tmp_path)
    one.project.configure(url=database.url).alembic("upgrade", "r004")
    database.execute("DROP TABLE alembic_version")
    return one


def left(database: Database, tmp_path: Path) -> list[str]:
    """Return the scratch databases that are still there."""
    if database.kind == "sqlite":
        return [path.name for path in tmp_path.glob("orchestrate_scratch_*")]
    query = {
        "postgresql": "SELECT datname FROM pg_database WHERE datname LIKE 'orchestrate_scratch%'",
        "mariadb": "SELECT schema_name FROM information_schema.schemata"
        " WHERE schema_name LIKE 'orchestrate_scratch%'",
    }[database.kind]
    return [row[0] for row in database.rows(query)]


def test_a_database_is_adopted(adopted: Workspace, database: Database, tmp_path: Path) -> None:
    """A false claim is refused with each difference; a true one is recorded, then the rest runs."""
    wrong = adopted.call("stamp", "dev", "r003", "--yes", "--format", "json")
    assert (wrong.status, wrong.error()["code"]) == (4, "schema-differs")
    told = {one["object"]: one for one in wrong.error()["differences"]}
    assert told.keys() - {"sequence"} == {"table"}
    assert {key: told["table"][key] for key in ("change", "expected")} == {
        "change": "added",
        "expected": None,
    }
    assert "alembic_version" not in database.tables()
    assert wrong.events()[-1]["status"] == "blocked"
    text = adopted.call("stamp", "dev", "r005", "--yes").stderr
    assert "column t2.note: expected " in text
    assert ", found nothing" in text

    asked = adopted.call("stamp", "dev", "r004", "--no-input", "--format", "json")
    assert (asked.status, asked.error()["code"]) == (2, "no-input")
    shown = adopted.ok("stamp", "dev", "r004", "--yes").stdout
    assert "proof: the schema is that of r004" in shown
    assert database.heads() == ["r004"]
    assert left(database, tmp_path) == []
    (run,) = adopted.ok("history", "--format", "json").json()["runs"]
    assert (run["direction"], run["status"], run["overrides"]) == ("stamp", "succeeded", {})
    assert "nothing to do" in adopted.ok("stamp", "dev", "r004").stdout
    adopted.ok("apply", "dev", "--yes")
    assert database.heads() == ["r006"]
    adopted.ok("history", "--verify")


def test_unknown_rows_are_purged(adopted: Workspace, database: Database) -> None:
    """Rows that no file has stay until a person says otherwise; alembic's words do the same."""
    database.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('gone')",
    )
    kept = adopted.call("stamp", "dev", "r004", "--yes", "--format", "json")
    assert kept.error()["code"] == "unknown-database-revision"
    adopted.ok("alembic", "dev", "--yes", "--", "stamp", "r004", "--purge")
    assert database.heads() == ["r004"]
    run = adopted.ok("history", "--format", "json").json()["runs"][0]
    assert run["command"] == "alembic stamp r004 --purge"
    told = 'it is r002 to the auditors, run-by-hand "x"'
    adopted.ok("stamp", "dev", "r002", "--yes", "--override", "proof", "--reason", told)
    assert database.heads() == ["r002"]
    run = adopted.ok("history", "--format", "json").json()["runs"][0]
    assert told in run["overrides"]["proof"]
    assert told in adopted.ok("show", run["id"]).stdout


def test_branches_and_an_empty_version_table(one: Workspace, database: Database) -> None:
    """All heads at once, in one transaction; the version table alone, as `ensure_version` does."""
    one.project.revision("b1", down="r001", doc="a branch", upgrade='op.execute("SELECT 1")')
    one.project.configure(url=database.url).alembic("upgrade", "heads")
    database.execute("DROP TABLE alembic_version")
    one.ok("stamp", "dev", "heads", "--yes")
    assert database.heads() == ["b1", "r006"]
    database.execute("DROP TABLE alembic_version")
    one.ok("alembic", "dev", "--yes", "--", "ensure_version")
    assert (database.heads(), "alembic_version" in database.tables()) == ([], True)
    one.ok("stamp", "dev", "b1", "r006", "--yes")
    one.ok("stamp", "dev", "base", "--yes", "--override", "proof", "--reason", "start anew")
    assert database.heads() == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_without_the_right_to_make_a_database(adopted: Workspace, database: Database) -> None:
    """The models are the next best witness, of the heads alone; else a person has to say so."""
    role = f"poor_{database.name}"
    database.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'",
        f"GRANT ALL ON SCHEMA public TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
    )
    scheme, _, rest = database.url.partition("://")
    adopted.environ["DEV_URL"] = f"{scheme}://{role}:s3cret@{rest.partition('@')[2]}"
    refused = adopted.call("stamp", "dev", "r004", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "not-proven")
    assert "no scratch database can be made" in refused.error()["message"]
    assert "permission denied to create database" in refused.error()["message"]

    for number in (5, 6):
        adopted.project.revision_file(f"r00{number}").unlink()
    adopted.project.env("default", first="import sqlalchemy as sa", metadata=METADATA)
    differs = adopted.call("stamp", "dev", "r004", "--yes", "--format", "json")
    assert differs.error()["code"] == "schema-differs"
    found = {(one["object"], one["name"]) for one in differs.error()["differences"]}
    assert found >= {("table", "t2"), ("column", "t1.note")}
    database.execute("DROP TABLE t2", "ALTER TABLE t1 DROP COLUMN note", "DROP INDEX ix_t1_name")
    assert "as far as autogenerate sees" in adopted.ok("stamp", "dev", "r004", "--yes").stdout
    assert database.heads() == ["r004"]
    database.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_a_project_that_leads_elsewhere_proves_nothing(
    adopted: Workspace, database: Database, tmp_path: Path
) -> None:
    """env.py that knows one URL alone never reaches the scratch database, and changes nothing."""
    adopted.project.env("connects_elsewhere")
    adopted.environ["ELSEWHERE_URL"] = database.url
    before = database.tables()
    refused = adopted.call("stamp", "dev", "r004", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "not-proven")
    assert "env.py connected to" in refused.error()["message"]
    assert (database.tables(), left(database, tmp_path)) == (before, [])


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_what_a_killed_process_left_is_dropped(
    adopted: Workspace, database: Database, tmp_path: Path
) -> None:
    """The scratch database of a process that was killed goes with the next one."""
    program = (sys.executable, "-m", "tests.support.crash_child", "go:2", "--")
    assert adopted.call("stamp", "dev", "r004", "--yes", program=program).status == -9
    assert left(database, tmp_path)
    adopted.ok("stamp", "dev", "r004", "--yes")
    assert left(database, tmp_path) == []


@pytest.mark.parametrize(
    ("database", "point"),
    [
        ("sqlite", "after:step.started:1"),
        ("postgresql", "committed:1"),
        ("mariadb", "before:run.finished:1"),
    ],
    indirect=["database"],
)
def test_a_killed_stamp_is_resumed(adopted: Workspace, database: Database, point: str) -> None:
    """The version table says whether the stamp was committed, wherever the process died."""
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    assert adopted.call("stamp", "dev", "r004", "--yes", program=program).status == -9
    assert adopted.call("apply", "dev", "--yes").status == 6
    adopted.ok("resume")
    assert database.heads() == ["r004"]
    assert adopted.state("dev")["remarks"] == []
