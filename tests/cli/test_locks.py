"""Tables that somebody else has locked, and statements that take too long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.waiting import read_event, rest
from tests.support.workspace import Workspace

SERVERS = pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)


@contextlib.contextmanager
def reading(database: Database, table: str) -> Iterator[Any]:
    """Stay in a transaction that has read a table, so that nobody can alter it."""
    with contextlib.closing(database.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT * FROM {table}")
        cursor.fetchall()
        yield connection
        cursor.execute("ROLLBACK")


@pytest.fixture
def altering(workspace: Workspace, database: Database) -> Workspace:
    """Start a workspace whose pending revision alters a table that is there."""
    workspace.project.linear(3)
    workspace.environment("dev", database, lock_timeout="300ms", lock_retries=2)
    workspace.ok("apply", "dev", "--yes", "--to", "r001")
    return workspace


@SERVERS
def test_lock_that_stays(altering: Workspace, database: Database) -> None:
    """After all retries the run has failed cleanly, and says who was in the way."""
    with reading(database, "t1"):
        failed = altering.call("apply", "dev", "--yes", "--format", "json")
    assert failed.status == 1
    last = failed.events()[-1]
    assert (last["status"], last["code"]) == ("failed", "lock-timeout")
    assert "3 attempts" in last["message"]
    assert [event["event"] for event in failed.events()].count("step.retried") == 2
    assert failed.error()["code"] == "lock-timeout"
    told = " ".join(failed.error()["details"]["blockers"])
    # MariaDB knows who is connected, and not what an open transaction has read.
    assert {"postgresql": "SELECT * FROM t1", "mariadb": "tester"}[database.kind] in told, told
    assert "note" not in database.columns("t1")
    assert database.heads() == ["r001"]
    altering.ok("resume")
    assert database.heads() == ["r003"]


@SERVERS
def test_lock_that_goes(altering: Workspace, database: Database) -> None:
    """A lock released between two attempts costs nothing but the wait."""
    with reading(database, "t1"):
        process = altering.start("apply", "dev", "--yes", "--format", "json")
        read_event(process, "step.retried", "r002")
    status, events, errors = rest(process)
    assert (status, events[-1]["status"]) == (0, "succeeded"), errors
    assert database.heads() == ["r003"]


@SERVERS
def test_statement_that_takes_too_long(workspace: Workspace, database: Database) -> None:
    """`statement_timeout` ends it, and it is not tried again."""
    sleep = {"postgresql": "select pg_sleep(60)", "mariadb": "select sleep(60)"}[database.kind]
    workspace.project.linear(1).revision("r002", down="r001", upgrade=f'op.execute("{sleep}")')
    workspace.environment("dev", database, statement_timeout="500ms")
    failed = workspace.call("apply", "dev", "--yes")
    assert failed.status == 1, failed.stderr
    assert "error[step-failed]: dev: " in failed.stderr
    assert sleep in failed.stderr
    assert "orchestrate resume" in failed.stderr
    assert database.heads() == ["r001"]


@SERVERS
def test_what_only_takes_long_waits_for_nobody(workspace: Workspace, database: Database) -> None:
    """Nobody is told to be in its way, and we least of all."""
    sleep = {"postgresql": "SELECT pg_sleep(1)", "mariadb": "SELECT SLEEP(1)"}[database.kind]
    workspace.project.revision("r001", down=None, upgrade=f"op.execute({sleep!r})")
    workspace.environment("dev", database)
    with contextlib.closing(database.connect()):
        done = workspace.ok("apply", "dev", "--yes", "--format", "json")
    events = [event["event"] for event in done.events()]
    assert "step.statement" in events
    assert "step.waiting" not in events


@SERVERS
def test_our_own_connections_are_in_nobodys_way(altering: Workspace, database: Database) -> None:
    with reading(database, "t1") as holder:
        failed = altering.call("apply", "dev", "--yes", "--format", "json")
        query = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}
        cursor = holder.cursor()
        cursor.execute(query[database.kind])
        ((number,),) = cursor.fetchall()
    waiting = [event for event in failed.events() if event["event"] == "step.waiting"]
    assert waiting
    assert {row[0] for event in waiting for row in event["blockers"]} == {number}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_table_that_nobody_may_read_holds_up_no_report(
    workspace: Workspace, database: Database
) -> None:
    """A column's default is read under a lock: reading the schema gives up, and says why."""
    workspace.project.linear(1).revision(
        "r002",
        down="r001",
        upgrade="""
            with op.get_context().autocommit_block():
                op.execute("SELECT 1")
        """,
    )
    workspace.project.revision("r003", down="r002", upgrade='op.execute("CREATE TABLE o ()")')
    workspace.environment("dev", database)
    workspace.ok("apply", "dev", "--yes", "--to", "r001")
    with contextlib.closing(database.connect()) as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE t1")
        report = workspace.ok("drift", "dev", "--against", "snapshot", "--format", "json").json()
        (target,) = report["environments"][0]["targets"]
        assert "another session holds a lock" in target["error"]["message"]
        assert target["error"]["docs"] == "docs/troubles/lock-timeout.md"
        stopped = workspace.call("apply", "dev", "--yes", "--format", "json")
        assert stopped.status == 6
        assert stopped.error()["docs"] == "docs/troubles/lock-timeout.md"
        assert "another session holds a lock" in stopped.error()["message"]
        holder.rollback()
    workspace.ok("resume")
    assert database.heads() == ["r003"]
