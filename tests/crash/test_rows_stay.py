"""Rows that a step changed and committed before it failed: begun again, it would change them twice.

MariaDB commits them before each statement that changes the schema, PostgreSQL where a revision
leaves its transaction. The schema does not show it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.test_locks import SERVERS, reading
from tests.support.databases import Database
from tests.support.workspace import Workspace, part_way

MARIADB = pytest.mark.parametrize("database", ["mariadb"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
UPDATE = "UPDATE sums SET n = n + 1"


@pytest.fixture
def workspace(tmp_path: Path, database: Database) -> Workspace:
    """A table t1 of the first revision, and a sum that each pass of the next one changes."""
    space = part_way(tmp_path / "work", database, name="dev", revisions=1, to="r001")
    space.environment("dev", database, lock_timeout="1s", lock_retries=2)
    database.execute("CREATE TABLE sums (n INTEGER)", "INSERT INTO sums VALUES (1)")
    return space


def second(workspace: Workspace, *statements: str) -> None:
    workspace.project.revision(
        "r002", down="r001", upgrade="\n".join(f"op.execute({one!r})" for one in statements)
    )


def total(database: Database) -> int:
    ((number,),) = database.rows("SELECT n FROM sums")
    return int(number)


@SERVERS
def test_a_lock_that_was_not_granted(workspace: Workspace, database: Database) -> None:
    """Not tried again by itself where rows stayed, and a doubt until a person decides."""
    second(workspace, UPDATE, "ALTER TABLE t1 ADD COLUMN z INTEGER")
    with reading(database, "t1"):
        failed = workspace.call("apply", "dev", "--yes")
    if database.kind == "postgresql":
        assert (failed.status, total(database)) == (1, 1)
        workspace.ok("resume")
        assert (total(database), database.heads()) == (2, ["r002"])
        return
    assert failed.status == 7, failed.stderr
    assert "rows that it changed are committed" in failed.stderr
    assert f"a retry does it again:\n  {UPDATE}\n" in failed.stderr
    assert "Nothing of the failed step stayed" not in failed.stderr
    assert total(database) == 2
    again = workspace.call("resume", "--format", "json")
    assert (again.status, total(database)) == (7, 2)
    assert again.events()[-1]["committed"] == again.error()["details"]["committed"] == [UPDATE]
    assert workspace.state("dev")["last_run"]["status"] == "in-doubt"
    database.execute("ALTER TABLE t1 ADD COLUMN z INTEGER")
    workspace.ok("resume", "--mark-applied")
    assert (total(database), database.heads()) == (2, ["r002"])
    workspace.ok("history", "--verify")


@MARIADB
def test_a_statement_that_fails(workspace: Workspace, database: Database) -> None:
    second(workspace, UPDATE, "ALTER TABLE t1 ADD COLUMN name INTEGER")
    failed = workspace.call("apply", "dev", "--yes")
    assert (failed.status, total(database)) == (7, 2)
    assert UPDATE in failed.stderr
    database.execute("ALTER TABLE t1 DROP COLUMN name", "UPDATE sums SET n = 1")
    workspace.ok("resume", "--retry")
    assert (total(database), database.heads()) == (2, ["r002"])


@MARIADB
def test_rows_that_the_failure_takes_back(workspace: Workspace, database: Database) -> None:
    """Nothing committed them: the step can be begun again."""
    second(workspace, UPDATE, "SELECT nothing FROM sums")
    failed = workspace.call("apply", "dev", "--yes")
    assert (failed.status, total(database)) == (1, 1)
    assert "Nothing of the failed step stayed" in failed.stderr


@MARIADB
@pytest.mark.parametrize("point", ["before:step.rows-committed:1", "after:step.rows-committed:1"])
def test_killed_at_the_record(workspace: Workspace, database: Database, point: str) -> None:
    """The agent finishes its revision, or had not committed anything yet."""
    second(workspace, UPDATE, "ALTER TABLE t1 ADD COLUMN z INTEGER")
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    assert workspace.call("apply", "dev", "--yes", program=program).status == -9
    workspace.ok("resume")
    assert (total(database), database.heads()) == (2, ["r002"])


@POSTGRESQL
def test_a_revision_that_leaves_its_transaction(workspace: Workspace, database: Database) -> None:
    workspace.project.revision(
        "r002",
        down="r001",
        upgrade=f"op.execute({UPDATE!r})\nwith op.get_context().autocommit_block():\n"
        "    op.execute('CREATE INDEX CONCURRENTLY ix ON nobody (id)')",
    )
    failed = workspace.call("apply", "dev", "--yes")
    assert (failed.status, total(database)) == (7, 2)
    assert UPDATE in failed.stderr
    database.execute("CREATE TABLE nobody (id INTEGER)")
    assert workspace.call("resume").status == 7
    assert total(database) == 2
