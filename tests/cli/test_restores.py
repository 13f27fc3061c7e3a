"""Putting copies back: everything that was there is there again, or nothing has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_backups import catalogue, order
from tests.support.copies import content, differing, fill, make_alike
from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project
from tests.support.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, database: Database) -> Workspace:
    """Four revisions applied, a row, and objects of every kind that the server has."""
    folder = tmp_path / "work"
    project = Project(folder).linear(4)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    space.environment("prod", database, backup=order(database))
    fill(database)
    database.execute("DROP TABLE alembic_version")
    space.ok("apply", "prod", "--to", "r002", "--yes", "--override", "backup", "--reason", "empty")
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'before')")
    space.ok("backup", "prod")
    return space


def copy_of(workspace: Workspace) -> str:
    found: str = catalogue(workspace)[-1]["id"]
    return found


def names(database: Database) -> list[Any]:
    return database.rows("SELECT name FROM t1 ORDER BY id")


def test_what_was_migrated_since_is_gone_again(workspace: Workspace, database: Database) -> None:
    first, saved = copy_of(workspace), content(database)
    workspace.ok("apply", "prod", "--yes")
    database.execute("INSERT INTO t1 (id, name) VALUES (2, 'after')", "CREATE TABLE extra (id int)")
    refused = workspace.call("restore", "prod", first, "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "target-not-empty")
    assert names(database) == [("before",), ("after",)]
    done = workspace.ok("restore", "prod", first, "--replace", "--yes")
    assert "prod is at r002" in done.stdout
    assert names(database) == [("before",)]
    assert differing(saved, content(database)) == []
    assert "extra" not in database.tables()
    assert workspace.state("prod")["heads"] == ["r002"]
    safety = catalogue(workspace)[0]
    assert Path(safety["location"]).name.startswith("before-restore-")
    assert safety["heads"] == ["r004"]
    assert workspace.ok("history", "--verify").status == 0
    run = workspace.ok("history", "--format", "json").json()["runs"][0]
    assert (run["direction"], run["status"]) == ("restore", "succeeded")
    # And forward again, from the safety copy.
    workspace.ok("rollback", "prod", "--backup", safety["id"], "--yes")
    assert names(database) == [("before",), ("after",)]
    assert workspace.state("prod")["heads"] == ["r004"]


def test_into_another_empty_database(
    workspace: Workspace, database: Database, new_database: NewDatabase
) -> None:
    other = new_database(database.kind)
    make_alike(other)
    workspace.environment("dev", other)
    workspace.ok("restore", "dev", copy_of(workspace), "--yes")
    assert names(other) == [("before",)]
    assert workspace.state("dev")["heads"] == ["r002"]
    assert workspace.state("prod")["heads"] == ["r002"]
    workspace.ok("apply", "dev", "--yes")
    assert workspace.state("dev")["heads"] == ["r004"]


def test_a_damaged_copy_touches_nothing(workspace: Workspace, database: Database) -> None:
    copy = catalogue(workspace)[-1]
    path = Path(copy["location"])
    whole = path.read_bytes()
    workspace.ok("apply", "prod", "--yes")
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    failed = workspace.call("restore", "prod", copy["id"], "--replace", "--yes")
    assert failed.status == 1
    assert "SHA-256" in failed.stderr or "its last line is missing" in failed.stderr
    assert workspace.state("prod")["heads"] == ["r004"]
    path.unlink()
    failed = workspace.call("restore", "prod", copy["id"], "--replace", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "backup-broken")


def test_an_unknown_copy_and_no_copy(workspace: Workspace) -> None:
    wrong = workspace.call("restore", "prod", copy_of(workspace)[:-1], "--format", "json")
    assert (wrong.status, wrong.error()["code"]) == (2, "unknown-backup")
    assert copy_of(workspace) in wrong.error()["hint"]
    assert workspace.call("restore", "prod").status == 2
    assert workspace.call("restore", "prod", copy_of(workspace), "--no-input").status in {2, 4}
