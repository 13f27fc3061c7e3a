"""`baseline`: an empty database is built by the project's own program, stamped, and upgraded."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.workspace import Workspace, kill_group

BUILD = """
import os, pathlib, sys, time
import sqlalchemy as sa
print("building with", os.environ["ORCHESTRATE_DATABASE_URL"], os.environ["APP_URL"])
engine = sa.create_engine(os.environ["ORCHESTRATE_DATABASE_URL"])
for text in pathlib.Path("build.sql").read_text().split(";"):
    if text.strip() == "sleep":
        pathlib.Path("asleep").touch()
        while not pathlib.Path("wake").exists():
            time.sleep(0.05)
    elif text.strip() == "fail":
        sys.exit(3)
    elif text.strip():
        with engine.begin() as connection:
            connection.execute(sa.text(text))
print(os.environ["ORCHESTRATE_ENVIRONMENT"], os.environ["ORCHESTRATE_TARGET"], "is built")
"""
TABLE = "CREATE TABLE t1 (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL, note VARCHAR(100))"
INDEX = "CREATE INDEX ix_t1_name ON t1 (name)"
WHOLE = ["alembic_version", "t1", "t2"]


@pytest.fixture
def built(one: Workspace) -> Workspace:
    """Declare a baseline that builds the first three revisions by a program of the project's."""
    return declare(one, f"{TABLE};{INDEX}", stamp="r003")


def declare(one: Workspace, sql: str, **more: str) -> Workspace:
    (one.folder / "build.py").write_text(BUILD)
    (one.folder / "build.sql").write_text(sql)
    baseline = {"run": [sys.executable, "build.py"], **more}
    inject = {"option": "sqlalchemy.url", "env": {"APP_URL": "{{ url }}"}}
    return one.spec(project={"config": "alembic.ini", "inject": inject, "baseline": baseline})


def kinds(workspace: Workspace) -> list[tuple[str, str]]:
    run = workspace.ok("history", "--format", "json").json()["runs"][0]
    return [(step["id"], step["status"]) for step in run["steps"]]


def test_an_empty_database_is_built_stamped_and_upgraded(
    built: Workspace, database: Database
) -> None:
    """The steps are data of the plan, without a secret; a database with tables gets none."""
    built.ok("plan", "dev", "--out", "plan.json")
    text = (built.folder / "plan.json").read_text()
    steps = json.loads(text)["steps"]
    assert [step["kind"] for step in steps] == ["hook", "stamp", *["upgrade"] * 3]
    assert steps[0]["command"] == [sys.executable, "build.py"]
    told = built.ok("-v", "apply", "plan.json", "--yes")
    assert "dev dev is built" in told.stderr
    if database.server:
        assert "s3cret" not in told.stderr + text
        assert ":***@" in told.stderr
    assert (database.heads(), database.tables()) == (["r006"], WHOLE)
    assert kinds(built)[:2] == [("001-run", "finished"), ("002-stamp-r003", "finished")]
    assert list((built.folder / ".orchestrate").glob("*.command")) == []
    built.ok("alembic", "dev", "--yes", "--", "downgrade", "base")
    assert built.ok("plan", "dev", "--format", "json").json()["steps"][0]["kind"] == "upgrade"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_plan_is_stale_when_somebody_built_first(built: Workspace, database: Database) -> None:
    """No row of a version table moved, and still the database is another one."""
    built.ok("plan", "dev", "--out", "plan.json")
    database.execute(TABLE)
    stale = built.call("apply", "plan.json", "--yes", "--format", "json")
    assert (stale.status, stale.error()["code"]) == (4, "stale-plan")
    assert "no longer empty: it has 1 tables" in stale.error()["message"]


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_command_that_fails(built: Workspace, database: Database) -> None:
    """Nothing there: a clean failure. Something there: a doubt, and a person decides."""
    (built.folder / "build.sql").write_text("fail")
    failed = built.call("apply", "dev", "--yes")
    assert failed.status == 1
    assert "ended with status 3\n  | building with" in failed.stderr
    (built.folder / "build.sql").write_text(f"{TABLE};fail")
    doubt = built.call("resume")
    assert doubt.status == 7
    assert "table t1 added" in doubt.stderr
    database.execute(INDEX)
    built.ok("resume", "--mark-applied")
    assert (database.heads(), database.tables()) == (["r006"], WHOLE)
    assert kinds(built)[0] == ("001-run", "marked")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_dump_that_brings_its_version_along(one: Workspace, database: Database) -> None:
    """What the command left is what is stamped, so the stamp is done; anything else is told."""
    version = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
    dump = f"{TABLE};{INDEX};{version};INSERT INTO alembic_version VALUES ('r003')"
    declare(one, dump, stamp="r002")
    told = one.call("apply", "dev", "--yes", "--format", "json")
    assert told.status == 7
    assert "left the version table at r003" in told.error()["message"]
    (run,) = one.ok("history", "--format", "json").json()["runs"]
    one.ok("abort", run["id"])
    database.execute("DROP TABLE t1", "DROP TABLE alembic_version")
    declare(one, dump, stamp="r003")
    one.ok("apply", "dev", "--yes")
    assert (database.heads(), database.tables()) == (["r006"], WHOLE)
    assert kinds(one)[1] == ("002-stamp-r003", "finished")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_command_that_outlives_us(built: Workspace, database: Database) -> None:
    """Killed while it works, we wait for its end before anything is decided about its step."""
    (built.folder / "build.sql").write_text(f"{TABLE};sleep;{INDEX}")
    process = built.start("apply", "dev", "--yes")
    await_file(built.folder / "asleep")
    kill_group(process)
    process.communicate()
    waiting = built.call("resume")
    assert waiting.status == 6
    assert "is still at work" in waiting.stderr
    (built.folder / "wake").touch()
    lock = next((built.folder / ".orchestrate").glob("*.command"))
    deadline = time.monotonic() + 20
    while "is still at work" in (doubt := built.call("resume")).stderr:
        assert time.monotonic() < deadline, lock
    assert doubt.status == 7
    built.ok("resume", "--mark-applied")
    assert (database.heads(), database.tables()) == (["r006"], WHOLE)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_command_that_is_interrupted(built: Workspace, database: Database) -> None:
    """The first Ctrl-C waits for the command, the second one ends it; resume runs it again."""
    (built.folder / "build.sql").write_text(f"sleep;{TABLE};{INDEX}")
    process = built.start("apply", "dev", "--yes")
    await_file(built.folder / "asleep")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "press Ctrl-C again" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    (built.folder / "wake").touch()
    built.ok("resume")
    assert (database.heads(), database.tables()) == (["r006"], WHOLE)


def await_file(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_program_that_is_not_there(one: Workspace) -> None:
    """One sentence says where it was looked for, and nothing was done."""
    baseline = {"run": ["./nothing.sh"]}
    one.spec(project={"config": "alembic.ini", "baseline": baseline})
    failed = one.call("apply", "dev", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "command-failed")
    assert failed.error()["message"] == "`./nothing.sh` cannot be started: no such program"
    one.spec(project={"config": "alembic.ini", "baseline": {}})
    assert "one of `stamp`, `run` is missing" in one.call("validate").stderr
