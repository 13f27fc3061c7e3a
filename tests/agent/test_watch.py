"""Locks between runs, and what is told while a statement waits for one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestrate.adapters.agent_process import Message
from tests.agent.driving import Driver, failure
from tests.dialects.reading import trouble
from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project

KEY = "0123456789abcdef"


def test_only_one_agent_has_the_targets_lock(
    project: Project, database: Database, python: Path
) -> None:
    """It never waits, is given back on request, and ends with the process."""
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(1)
    with (
        Driver(project, database, python=python) as first,
        Driver(project, database, python=python) as second,
    ):
        assert first.ask("lock", key=KEY)["locked"] is True
        assert first.ask("lock", key=KEY)["locked"] is True
        assert second.ask("lock", key=KEY)["locked"] is False
        first.ask("unlock", key=KEY)
        assert second.ask("lock", key=KEY)["locked"] is True
        second.agent.kill()
        for _ in range(100):  # a server notices a dead client after a moment
            if first.ask("lock", key=KEY)["locked"]:
                break
        else:
            pytest.fail("the lock outlived its holder")


def test_the_lock_does_not_disturb_a_run(project: Project, database: Database) -> None:
    """Held on a connection of its own, without a transaction."""
    project.linear(3)
    with Driver(project, database) as driver:
        assert driver.ask("lock", key=KEY) == {"locked": True, "note": None}
        driver.run(["r001", "r002", "r003"])
        assert driver.ask("unlock", key=KEY)["locked"] is False
    assert database.heads() == ["r003"]


def test_a_concurrent_index_is_built_under_the_lock(
    project: Project, new_database: NewDatabase
) -> None:
    """A lock held in an open transaction would make it wait for ever."""
    database = new_database("postgresql")
    project.linear(1).revision(
        "r002",
        down="r001",
        upgrade="""
            with op.get_context().autocommit_block():
                op.execute("CREATE INDEX CONCURRENTLY ix ON t1 (name)")
        """,
    )
    with Driver(project, database, lock_timeout=None) as driver:
        driver.ask("lock", key=KEY)
        driver.run(["r001", "r002"], deadline=20)
    assert database.heads() == ["r002"]


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_who_blocks_a_statement_is_told_while_it_waits(
    project: Project, database: Database, python: Path
) -> None:
    """Statement, seconds and blockers; then the lock timeout ends it, and the blockers are kept."""
    project.linear(2)
    heard: list[Message] = []
    with (
        contextlib.closing(database.connect()) as other,
        Driver(project, database, python=python, lock_timeout=3) as driver,
    ):
        driver.run(["r001"])
        cursor = other.cursor()
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM t1")
        cursor.fetchall()
        error = failure(lambda: driver.run(["r002"], on_message=heard.append))
        cursor.execute("ROLLBACK")
        details: dict[str, Any] = dict(error.details)
        assert trouble(driver.dialect, error.message, details["sqlstate"]) == "lock-timeout"
    assert error.code == "step-failed"
    slow = [one.fields for one in heard if one.event == "statement"]
    assert slow[0]["text"].startswith("ALTER TABLE t1 ADD COLUMN")
    waiting = [one.fields for one in heard if one.event == "waiting"]
    assert waiting
    assert waiting[-1]["blockers"] == details["blockers"]
    assert "SELECT * FROM t1" in str(details["blockers"]) or database.kind == "mariadb"
    assert "tester" in str(details["blockers"])


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells of locks")
def test_a_process_that_holds_a_sqlite_file_is_named(
    project: Project, new_database: NewDatabase
) -> None:
    """By process number and program."""
    database = new_database("sqlite")
    project.linear(2)
    heard: list[Message] = []
    with Driver(project, database, lock_timeout=2) as driver:
        driver.run(["r001"])
        with contextlib.closing(sqlite3.connect(database.name, isolation_level=None)) as other:
            steps = driver.steps(["r002"])

            def hold(message: Message) -> None:
                heard.append(message)
                if message.event == "start":
                    other.execute("BEGIN IMMEDIATE")

            error = failure(lambda: driver.run([], steps=steps, on_message=hold))
            other.execute("ROLLBACK")
    assert error.code == "step-failed"
    assert trouble(driver.dialect, error.message) == "lock-timeout"
    assert str(os.getpid()) in str(error.details["blockers"])
    assert any(one.event == "waiting" for one in heard)


def test_a_deadline_in_a_statement_names_it(project: Project, new_database: NewDatabase) -> None:
    """The revision's line and the statement's text."""
    database = new_database("postgresql")
    project.revision("r001", down=None, upgrade='op.execute("SELECT pg_sleep(30)")')
    with Driver(project, database) as driver:
        driver.revisions()
        error = failure(lambda: driver.run(["r001"], deadline=2))
    assert error.code == "agent-stalled"
    assert error.message.startswith("no end within 2 s, during: upgrade r001, at ")
    assert "in the statement `SELECT pg_sleep(30)`" in error.message
    assert "r001_revision_r001.py:" in str(error.where)


@pytest.mark.slow
def test_a_long_statement_is_alive(project: Project, new_database: NewDatabase) -> None:
    """Every five seconds, so that silence means trouble."""
    database = new_database("postgresql")
    project.revision("r001", down=None, upgrade='op.execute("SELECT pg_sleep(5.6)")')
    with Driver(project, database) as driver:
        heard = driver.run(["r001"], deadline=None)
    kinds = [one.event for one in heard]
    assert "alive" in kinds
    ended = [one.fields for one in heard if one.event == "statement"]
    assert [one["ended"] for one in ended] == [False, True]
    assert ended[-1]["seconds"] > 5


def test_two_targets_are_served_one_after_the_other(
    project: Project, new_database: NewDatabase
) -> None:
    """A warm agent with the URL as an option goes to each database it is told."""
    project.linear(2)
    for kind in ("sqlite", "postgresql"):
        databases = [new_database(kind) for _ in range(3)]
        with Driver(project, databases[0]) as driver:
            for database in databases:
                driver.url = database.url
                driver.fields["options"] = {"sqlalchemy.url": database.url}
                assert driver.ask("probe")["heads"] == []
                driver.run(["r001", "r002"])
        assert [one.heads() for one in databases] == [["r002"]] * 3
    assert threading.active_count() >= 1
