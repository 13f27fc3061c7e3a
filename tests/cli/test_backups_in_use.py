"""Backups of databases that others use meanwhile: they write, lock, migrate, and hang up."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.test_backups import catalogue, declare, order
from tests.support.databases import Database
from tests.support.workspace import Result, Workspace, part_way

SERVERS = pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
PROGRAMS = {"postgresql": "pg_dump", "mariadb": "mariadb-dump"}

Meet = Callable[..., Result]


@pytest.fixture
def workspace(tmp_path: Path, database: Database) -> Workspace:
    """Four revisions, two of them applied, and copies that are proven by a restore."""
    space = part_way(tmp_path / "work", database)
    declare(space, database, verify="restore")
    return space


@contextmanager
def met(folder: Path, database: Database, moment: str, act: Callable[[], None]) -> Iterator[str]:
    """Act once, `before` or `after` the program writes a copy; yield a path for programs."""
    name = PROGRAMS[database.kind]
    real = shutil.which(name)
    assert real is not None
    here, go = folder / "here", folder / "go"
    wait = f"touch '{here}'; while [ ! -e '{go}' ]; do sleep 0.02; done"
    order = (wait, f'"{real}" "$@"; status=$?')
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) exec "{real}" "$@";; esac\n'
        + "\n".join(order if moment == "before" else order[::-1])
        + "\nexit $status\n"
    )
    program.chmod(0o755)
    over = threading.Event()

    def meet() -> None:
        while not here.exists() and not over.wait(0.02):
            pass
        if here.exists():
            act()
        go.touch()

    thread = threading.Thread(target=meet)
    thread.start()
    try:
        yield f"{program.parent}:{os.environ['PATH']}"
    finally:
        over.set()
        thread.join()
    assert here.exists()


@pytest.fixture
def meanwhile(workspace: Workspace, database: Database, tmp_path: Path) -> Meet:
    """Return what calls a command on `prod` while something happens beside its copy."""

    def meanwhile(moment: str, act: Callable[[], None], *command: str) -> Result:
        with met(tmp_path, database, moment, act) as path:
            return workspace.call(*(command or ("backup", "prod")), environ={"PATH": path})

    return meanwhile


def counted(workspace: Workspace) -> dict[str, int]:
    """Return the rows of the only copy, by table."""
    (copy,) = catalogue(workspace, "prod")
    return {name.rpartition(".")[2]: number for name, number in copy["rows"].items()}


@SERVERS
def test_what_is_written_meanwhile_does_no_harm(
    workspace: Workspace, database: Database, meanwhile: Meet
) -> None:
    database.execute("CREATE TABLE busy (id INTEGER)", "INSERT INTO busy VALUES (1)")
    if database.kind == "mariadb":  # whose rows the copy does not tell
        database.execute(
            "CREATE TABLE unseen (id INTEGER, more INTEGER INVISIBLE DEFAULT 1)",
            "INSERT INTO unseen (id) VALUES (1)",
            "CREATE TABLE past (id INTEGER) WITH SYSTEM VERSIONING",
            "INSERT INTO past VALUES (1)",
        )
    kept = ("busy", "unseen", "past") if database.kind == "mariadb" else ("busy",)

    def write() -> None:
        database.execute(
            "CREATE TABLE fresh (id INTEGER)",
            *(f"INSERT INTO {one} (id) VALUES (2)" for one in kept),
        )

    made = meanwhile("after", write)
    assert made.status == 0, made.stderr
    assert "proven by a restore" in made.stdout
    rows = counted(workspace)
    assert {one: rows[one] for one in kept} == dict.fromkeys(kept, 1)
    assert "fresh" not in rows


@SERVERS
@pytest.mark.parametrize("command", [("backup", "prod"), ("apply", "prod", "--yes")])
def test_connections_that_were_ended_while_idle(
    workspace: Workspace, database: Database, meanwhile: Meet, command: tuple[str, ...]
) -> None:
    """Servers, proxies and firewalls do that to who waits for a copy."""

    def hang_up() -> None:
        if database.kind == "postgresql":
            database.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        for (number,) in database.rows(
            "SELECT ID FROM information_schema.PROCESSLIST "
            "WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"
        ):
            database.execute(f"KILL {number}")

    done = meanwhile("after", hang_up, *command)
    assert done.status == 0, done.stderr
    assert counted(workspace)["t1"] == 0
    heads = ["r004"] if command[0] == "apply" else ["r002"]
    assert workspace.state("prod")["heads"] == heads


@POSTGRESQL
def test_what_cannot_be_counted_is_left_out(
    workspace: Workspace, database: Database, meanwhile: Meet
) -> None:
    """Somebody locks a table until the counting gives up; the copy itself is good."""
    workspace.environment(
        "prod", database, backup=order(database, verify="list"), lock_timeout="500ms"
    )
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    database.execute("CREATE TABLE busy (id INTEGER)")
    holder = database.connect()
    holder.autocommit = False
    holder.execute("LOCK TABLE busy IN ACCESS EXCLUSIVE MODE")

    def outwait() -> None:
        for number in (1, 0):
            ends_at = time.monotonic() + 20
            while database.rows(waiting) != [(number,)]:
                assert time.monotonic() < ends_at
        holder.rollback()

    made = meanwhile("before", outwait)
    holder.close()
    assert made.status == 0, made.stderr
    assert counted(workspace) == {}


@SERVERS
def test_a_copy_of_what_somebody_migrates_is_no_copy(
    workspace: Workspace, database: Database, meanwhile: Meet
) -> None:
    made = meanwhile(
        "after", lambda: database.execute("UPDATE alembic_version SET version_num = 'r001'")
    )
    assert made.status == 1
    assert "backup-failed" in made.stderr
    assert "somebody else migrates it" in made.stderr
    assert list((workspace.folder / "backups").iterdir()) == []
    assert catalogue(workspace) == []
