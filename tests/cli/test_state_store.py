"""The state store of a team: on a server, named by URL, shared by those who apply."""

from __future__ import annotations

import sys

import pytest

from tests.support.databases import Database, NewDatabase
from tests.support.workspace import Workspace


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_killed_and_resumed_by_another(
    workspace: Workspace, new_database: NewDatabase, kind: str
) -> None:
    """What one person's killed apply has begun, another finishes from a checkout of their own."""
    database, store = new_database("postgresql"), new_database(kind)
    workspace.project.linear(4)
    workspace.spec(state={"env": "STATE_URL"}).environment("dev", database)
    workspace.environ["STATE_URL"] = store.url
    program = (sys.executable, "-m", "tests.support.crash_child", "go:3", "--")
    assert workspace.call("apply", "dev", "--yes", program=program).status == -9
    assert not (workspace.folder / ".orchestrate/state.db").exists()
    assert workspace.call("apply", "dev", "--yes").status == 6
    workspace.ok("resume")
    assert database.heads() == ["r004"]
    (run,) = workspace.ok("history", "--format", "json").json()["runs"]
    assert [step["status"] for step in run["steps"]] == ["finished"] * 4
    assert "hash chain holds" in workspace.ok("history", "--verify").stdout
    assert all(table.startswith("orchestrate_") for table in store.tables())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_store_that_is_not_there(one: Workspace, database: Database) -> None:
    """Without its store nothing is planned or applied, and the message says which store."""
    one.spec(state={"env": "STATE_URL"})
    one.environ["STATE_URL"] = "postgresql+psycopg://somebody:secret@127.0.0.1:1/state"
    for command in (("status",), ("plan", "dev"), ("apply", "dev", "--yes"), ("history",)):
        failed = one.call(*command, "--format", "json")
        assert (failed.status, failed.error()["code"]) == (1, "state-unavailable"), command
        assert "127.0.0.1:1" in failed.error()["message"]
        assert failed.error()["hint"]
        assert "secret" not in failed.stderr
    assert database.tables() == []
    del one.environ["STATE_URL"]
    unset = one.call("plan", "dev", "--format", "json")
    assert unset.status == 2
    assert "STATE_URL" in unset.stderr
