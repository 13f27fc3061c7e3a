"""Projects whose env.py does what it likes, through the whole program: success or one clear error."""

from __future__ import annotations

import dataclasses

import pytest

from tests.support.databases import NewDatabase
from tests.support.env_shapes import HOSTILE, TRANSACTIONS
from tests.support.projects import Project
from tests.support.workspace import Result, Workspace

REFUSED = {
    "exits": ("env-failed", "SystemExit: the project says no"),
    "exits_cleanly": ("env-failed", "without a call of `context.run_migrations()`"),
    "exits_afterwards": ("env-failed", "SystemExit: 3"),
    "exits_at_once": ("agent-failed", "ended with status 0, during: running env.py"),
    "raises": ("env-failed", "RuntimeError: the project is broken"),
    "connects_elsewhere": ("wrong-database", "elsewhere.db"),
    "never_migrates": ("env-failed", "without a call of `context.run_migrations()`"),
    "hangs": ("agent-stalled", "no end within 3 s, during: running env.py, at "),
    "hangs_connected": ("agent-stalled", "no end within 3 s, during: running env.py, at "),
    "hangs_deaf": ("agent-stalled", "no end within 3 s, during: running env.py, at "),
    "syntax_error": ("env-failed", "SyntaxError"),
}
FINE = sorted(set(HOSTILE) - set(REFUSED))


def several(workspace: Workspace, new_database: NewDatabase, kind: str, shapes: list[str]) -> None:
    """Write a project and an environment for each shape of env.py."""
    for shape in shapes:
        Project(workspace.folder / shape).linear(2).env(shape)
        workspace.environment(shape, new_database(kind), project=shape)
    projects = {
        shape: {"directory": shape, "agent_timeout": "3s" if "hangs" in shape else "60s"}
        for shape in shapes
    }
    workspace.spec(project=None, projects=projects)


def one_error(result: Result) -> None:
    """A failed call says one thing, with what to do about it, and shows no traceback."""
    assert "Traceback" not in result.stderr + result.stdout
    error = result.error()
    assert error["hint"], error
    assert error["where"], error
    assert "\n" not in error["message"]


def test_all_at_once(workspace: Workspace, new_database: NewDatabase) -> None:
    """`status` and `plan` of all of them: a row and a plan each, the bad ones with their cause."""
    several(workspace, new_database, "sqlite", sorted(HOSTILE))
    elsewhere = workspace.folder / "elsewhere.db"
    workspace.environ["ELSEWHERE_URL"] = f"sqlite:///{elsewhere}"
    value = workspace.ok("status", "--format", "json").json()
    rows = {one["name"]: one["targets"][0] for one in value["environments"]}
    assert {name: rows[name]["state"] for name in FINE} == dict.fromkeys(FINE, "empty")
    for name, (code, words) in REFUSED.items():
        assert rows[name]["state"] == "unreachable"
        assert rows[name]["error"]["code"] == code, rows[name]
        assert words in rows[name]["error"]["message"]
        assert rows[name]["error"]["hint"]
    planned = workspace.call("plan", *FINE, "raises", "exits", "--format", "json")
    assert planned.status == 1
    assert [one["environment"] for one in planned.json()["plans"]] == FINE
    assert "the project says no" in planned.stderr
    assert "the project is broken" in planned.stderr
    for name in ("hangs_deaf", "connects_elsewhere", "exits_at_once"):
        one_error(workspace.call("apply", name, "--yes", "--format", "json"))
    assert not elsewhere.exists()


@pytest.mark.parametrize("shape", FINE)
def test_noise_changes_nothing(workspace: Workspace, new_database: NewDatabase, shape: str) -> None:
    """What env.py prints, reads, forks or changes has no part in what is told and done."""
    database = new_database("sqlite")
    workspace.project.linear(2).env(shape)
    workspace.environment("dev", database)
    applied = workspace.ok("apply", "dev", "--yes", "--format", "json")
    told = [event["event"] for event in applied.events()]
    assert told == ["run.started", *(["step.started", "step.finished"] * 2), "run.finished"]
    assert database.heads() == ["r002"]


def test_error_that_env_py_swallows(workspace: Workspace, new_database: NewDatabase) -> None:
    """env.py catches the revision's error and ends well: the run has failed all the same."""
    database = new_database("postgresql")
    workspace.project.linear(1).env("swallows_errors")
    workspace.project.revision("r002", down="r001", upgrade="op.execute('select * from nowhere')")
    workspace.environment("dev", database)
    failed = workspace.call("apply", "dev", "--yes", "--format", "json")
    assert failed.status == 1
    assert failed.error()["code"] == "swallowed"
    assert "nowhere" in failed.error()["message"]
    assert database.heads() == ["r001"]


def test_transactions(workspace: Workspace, new_database: NewDatabase) -> None:
    """However env.py keeps its transactions, each revision is committed, or it is told that not."""
    shapes = sorted(shape for shape in TRANSACTIONS if not shape.startswith("sqlite_"))
    several(workspace, new_database, "postgresql", shapes)
    for shape in shapes:
        database = new_database("postgresql")
        if shape == "version_table_schema":
            database.execute("CREATE SCHEMA meta")
        workspace.environment(shape, database, project=shape)
        applied = workspace.call("apply", shape, "--yes", "--format", "json")
        last = applied.events()[-1]
        if shape == "autobegin":
            assert (applied.status, last["code"]) == (1, "not-committed"), applied.stderr
            assert database.tables() == []
            assert "transaction" in applied.error()["hint"]
        else:
            assert (applied.status, last["status"]) == (0, "succeeded"), applied.stderr
            assert "t1" in database.tables()


def test_error_after_a_commit(workspace: Workspace, new_database: NewDatabase) -> None:
    """env.py fails after a revision was committed: no step has failed, and the run stops."""
    database = new_database("postgresql")
    broken = workspace.folder / "broken"
    broken.touch()
    workspace.project.linear(2).env(
        "outer_transaction",
        last=f"""
            import os
            if os.path.exists({str(broken)!r}) and migrated:
                raise RuntimeError("after all was done")
        """,
        first="migrated = []",
        configure="on_version_apply=lambda **_: migrated.append(1)",
    )
    workspace.environment("dev", database)
    stopped = workspace.call("apply", "dev", "--yes", "--format", "json")
    last = stopped.events()[-1]
    assert (stopped.status, last["status"]) == (6, "stopped"), stopped.stderr
    assert last["message"].endswith("is committed, and then: RuntimeError: after all was done")
    assert database.heads() == ["r001"]
    shown = workspace.ok("show", last["run"], "--format", "json").json()
    assert [one["status"] for one in shown["steps"]][:1] == ["finished"]
    broken.unlink()
    workspace.ok("resume")
    assert database.heads() == ["r002"]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_a_version_table_that_becomes_wider(
    workspace: Workspace, new_database: NewDatabase, driver: str
) -> None:
    """A revision changes the type of the very column that we ask for after each."""
    database = new_database("postgresql")
    assert database.server is not None
    wider = 'op.alter_column("alembic_version", "version_num", type_=sa.Text)'
    workspace.project.linear(8).revision("r009", down="r008", upgrade=wider).linear(12, start=10)
    workspace.project.env("async" if driver == "asyncpg" else "default")
    url = database.server.url(database.name, driver=driver)
    workspace.environment("dev", dataclasses.replace(database, url=url))
    workspace.ok("apply", "dev", "--yes")
    assert database.heads() == ["r012"]
