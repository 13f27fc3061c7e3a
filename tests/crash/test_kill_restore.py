"""A restore on MariaDB cut off at every point: the old database or the new one, told, then resumed.

The server is killed as well as the program. What `resume` leaves is compared with what was saved,
which is what a restore that nobody cuts off leaves (`tests/cli/test_restores.py`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_backups import catalogue, order, scratch_databases
from tests.support.copies import content, differing, fill
from tests.support.databases import Database
from tests.support.projects import Project
from tests.support.waiting import wait_until
from tests.support.workspace import Result, Workspace

CHILD = (sys.executable, "-m", "tests.support.crash_child")
KILLED = -9
NEWER = (
    "INSERT INTO users (name) VALUES ('newer')",
    # What was a view is a table and the other way round; what the copy lacks has a bit of all.
    "DROP VIEW a_view",
    "CREATE TABLE a_view (id INT PRIMARY KEY)",
    "DROP TABLE notes",
    "CREATE VIEW notes AS SELECT id FROM users",
    "CREATE TABLE extra (id INT PRIMARY KEY, owner INT, CONSTRAINT fk_extra FOREIGN KEY (owner)"
    " REFERENCES users (id))",
    "CREATE TRIGGER more BEFORE INSERT ON extra FOR EACH ROW SET NEW.owner = 1",
    "CREATE SEQUENCE other_ticket",
    "DROP PROCEDURE fill",
    "CREATE PROCEDURE newer() SELECT 1",
    "DROP EVENT nightly",
    "CREATE EVENT weekly ON SCHEDULE EVERY 1 WEEK DO SELECT 1",
)


@dataclass
class Scene:
    """A database that is to be put back as it was, and what it was and is."""

    workspace: Workspace
    database: Database
    copy: str
    saved: dict[str, Any]
    newer: dict[str, Any]

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("restore", "dev", self.copy, "--replace", "--yes")

    def die(self, point: str, **environ: str) -> Result:
        """Begin the restore and end it at a point."""
        return self.workspace.call(*self.arguments, program=(*CHILD, point, "--"), environ=environ)

    def told(self) -> str:
        """Return what `show` has to say of what is there; `status` and `abort` say the same."""
        (run,) = [
            one["id"]
            for one in self.workspace.ok("history", "--format", "json").json()["runs"]
            if one["direction"] == "restore"
        ]
        left: str = self.workspace.ok("show", run, "--format", "json").json().get("left", "none")
        words = {
            "old": "the old one: nothing",
            "tables": "the copy's tables",
            "whole": "as the copy",
        }
        if left in words:
            assert words[left] in self.workspace.ok("show", run).stdout
            assert words[left] in self.workspace.call("status", "dev").stdout
        return left

    def resume(self) -> None:
        """Go on with it, and insist that nothing but the copy's content is there afterwards."""
        assert self.workspace.call("apply", "dev", "--yes").status == 6
        self.workspace.ok("resume")
        assert differing(self.saved, content(self.database)) == []
        assert self.workspace.state("dev")["heads"] == ["r001"]
        assert own_tables(self.database) == []
        assert scratch_databases(self.database) == []
        self.workspace.ok("history", "--verify")


def own_tables(database: Database) -> list[str]:
    return [name for name in database.tables() if name.startswith("orchestrate_")]


@pytest.fixture
def scene(tmp_path: Path, new_database: Any) -> Scene:
    """Start a database with everything that MariaDB has, changed since it was copied."""
    database: Database = new_database("mariadb")
    folder = tmp_path / "work"
    project = Project(folder).linear(3)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    space.environment("dev", database, backup=order(database))
    fill(database)
    database.execute("DROP TABLE alembic_version")
    space.ok("apply", "dev", "--to", "r001", "--yes", "--override", "backup", "--reason", "empty")
    space.ok("backup", "dev")
    saved = content(database)
    space.ok("apply", "dev", "--yes", "--override", "backup", "--reason", "quick")
    database.execute(*NEWER)
    return Scene(
        workspace=space,
        database=database,
        copy=catalogue(space)[-1]["id"],
        saved=saved,
        newer=content(database),
    )


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("after:scratch.created:1", "old"),
        ("half:fill:1", "old"),
        ("before:rename:1", "old"),
        ("after:rename:1", "tables"),
        ("half:programs:1", "tables"),
        ("after:programs:1", "whole"),
        ("before:step.finished:2", "whole"),
        ("after:step.finished:2", "none"),
    ],
)
def test_the_program_is_killed(scene: Scene, point: str, left: str) -> None:
    assert scene.die(point).status == KILLED
    if left == "old":
        assert differing(scene.newer, content(scene.database)) == []
    else:
        assert scene.database.rows("SELECT COUNT(*) FROM users WHERE name = 'newer'") == [(0,)]
        assert {"notes", "kinds", "t1"} <= {*scene.database.tables()}
        assert not {"extra", "t2"} & {*scene.database.tables()}
    if left in {"whole", "none"}:
        there = content(scene.database)
        assert [one for one in differing(scene.saved, there) if "orchestrate_" not in one[0]] == []
    assert scene.told() == left
    scene.resume()


@pytest.mark.parametrize(
    ("point", "possible"),
    [
        ("server:half:fill:1", {"old"}),
        ("server:half:rename:1", {"old", "tables"}),
        ("server:half:programs:1", {"tables", "whole"}),
    ],
)
def test_the_server_is_killed(scene: Scene, point: str, possible: set[str]) -> None:
    server = scene.database.server
    assert server is not None
    died = scene.die(point, VICTIM=str(server.pid))
    assert died.status in {1, 6}, died.stderr
    server.kill()
    server.start()
    left = scene.told()
    assert left in possible
    if left == "old":
        assert differing(scene.newer, content(scene.database)) == []
    scene.resume()


def test_killed_twice_and_given_up(scene: Scene) -> None:
    """Each time another half of it is there; a sign of a run that is over means nothing."""
    assert scene.die("after:rename:1").status == KILLED
    again = scene.workspace.call("resume", program=(*CHILD, "before:rename:1", "--"))
    assert again.status == KILLED
    assert scene.told() == "tables"
    again = scene.workspace.call("resume", program=(*CHILD, "half:programs:1", "--"))
    assert again.status == KILLED
    assert scene.told() == "tables"
    runs = scene.workspace.ok("history", "--format", "json").json()["runs"]
    ended = scene.workspace.ok("abort", runs[0]["id"])
    assert "the copy's tables are in the place of all the old" in ended.stdout
    scene.workspace.ok(*scene.arguments)
    assert differing(scene.saved, content(scene.database)) == []
    assert own_tables(scene.database) == []
    assert scratch_databases(scene.database) == []


def test_a_lock_of_somebody_else_leaves_the_old(scene: Scene) -> None:
    """The exchange waits as long as the spec says, and nothing has changed when it gives up."""
    space, database = scene.workspace, scene.database
    space.environment("dev", database, backup=order(database), lock_timeout="1s")
    holder = database.connect()
    cursor = holder.cursor()
    cursor.execute("BEGIN")
    cursor.execute("SELECT * FROM orders LIMIT 1")
    failed = space.call(*scene.arguments)
    assert failed.status == 1, failed.stderr
    assert "Lock wait timeout" in failed.stderr
    assert "The database is as it was before" in failed.stderr
    holder.close()
    assert differing(scene.newer, content(database)) == []
    assert scratch_databases(database) == []
    space.ok("resume")
    assert differing(scene.saved, content(database)) == []


def test_a_client_that_outlives_the_program(scene: Scene) -> None:
    """The exchange waits for a lock when the program is killed, and comes about afterwards."""
    holder = scene.database.connect()
    cursor = holder.cursor()
    cursor.execute("BEGIN")
    cursor.execute("SELECT * FROM orders LIMIT 1")
    assert scene.die("late:half:rename:1", DELAY="1").status == KILLED
    assert scene.told() == "changing"
    assert scene.database.rows("SELECT COUNT(*) FROM users WHERE name = 'newer'") == [(1,)]
    holder.close()
    wait_until(lambda: scene.told() != "changing")
    assert scene.told() == "tables"
    scene.resume()
