"""Backups of databases that others use meanwhile: they write, lock, migrate, and hang up."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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
def met(
    folder: Path,
    database: Database,
    moment: str,
    act: Callable[[], None],
    *,
    program: str | None = None,
) -> Iterator[str]:
    """Act once, `before` or `after` the program writes a copy; yield a path for programs."""
    name = program or PROGRAMS[database.kind]
    real = shutil.which(name)
    assert real is not None
    here, go = folder / "here", folder / "go"
    wait = f"touch '{here}'; while [ ! -e '{go}' ]; do sleep 0.02; done"
    order = (wait, f'"{real}" "$@"; status=$?')
    wrapper = folder / "bin" / name
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) exec "{real}" "$@";; esac\n'
        + "\n".join(order if moment == "before" else order[::-1])
        + "\nexit $status\n"
    )
    wrapper.chmod(0o755)
    over = threading.Event()

    def meet() -> None:
        while not here.exists() and not over.wait(0.02):
            pass
        try:
            if here.exists():
                act()
        finally:
            go.touch()

    thread = threading.Thread(target=meet)
    thread.start()
    try:
        yield f"{wrapper.parent}:{os.environ['PATH']}"
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
        "prod", database, backup=order(database, verify="restore"), lock_timeout="500ms"
    )
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with locked(database) as release:

        def outwait() -> None:
            until(database, waiting, 1)
            until(database, waiting, 0)
            release()

        made = meanwhile("before", outwait)
    assert made.status == 0, made.stderr
    assert "were not compared (public.alembic_version, public.busy" in made.stdout
    assert counted(workspace) == {}
    (copy,) = catalogue(workspace, "prod")
    assert "public.busy" in copy["uncompared"]


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


COUNTING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND state = 'active' AND query ILIKE '%count(*)%busy%'"
)


def until(database: Database, query: str, number: int) -> None:
    """Wait until a query's only value is that number."""
    ends_at = time.monotonic() + 30
    while database.rows(query) != [(number,)]:
        assert time.monotonic() < ends_at, query


@contextmanager
def locked(database: Database) -> Iterator[Callable[[], None]]:
    """Make a table that nobody can read until what is yielded was called."""
    database.execute("CREATE TABLE busy (id INTEGER)")
    with holding(database) as release:
        yield release


@contextmanager
def holding(database: Database) -> Iterator[Callable[[], None]]:
    """Let nobody read that table until what is yielded was called."""
    with contextlib.closing(database.connect()) as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE busy IN ACCESS EXCLUSIVE MODE")
        yield holder.rollback


@POSTGRESQL
def test_counting_that_waits_sees_no_more_than_the_copy(
    workspace: Workspace, database: Database
) -> None:
    """Counting and copy wait for the same lock, while others write to another table."""
    database.execute("CREATE TABLE other (id INTEGER)")
    copying = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'pg_dump' AND wait_event_type = 'Lock'"
    )

    def write(release: Callable[[], None]) -> None:
        until(database, copying, 1)
        database.execute("INSERT INTO other SELECT generate_series(1, 100)")
        release()

    with locked(database) as release:
        thread = threading.Thread(target=write, args=[release])
        thread.start()
        made = workspace.call("backup", "prod")
        thread.join()
    assert made.status == 0, made.stderr
    assert counted(workspace)["other"] == 0


@POSTGRESQL
def test_ctrl_c_while_rows_are_counted_leaves_nothing(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    """No file that nobody knows of, and no question in the server that nobody waits for."""
    workspace.environment(
        "prod", database, backup=order(database, verify="list"), lock_timeout="60s"
    )
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    real = shutil.which("pg_dump")
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) exec "{real}" "$@";; esac\n'
        f'exec "{real}" --exclude-table=busy "$@"\n'
    )
    program.chmod(0o755)
    with locked(database):
        path = f"{program.parent}:{os.environ['PATH']}"
        child = workspace.start("backup", "prod", environ={"PATH": path})
        folder = workspace.folder / "backups"
        ends_at = time.monotonic() + 30
        while not list(folder.glob("by-hand-*.dump")):
            assert time.monotonic() < ends_at
            assert child.poll() is None
        assert database.rows(COUNTING) == [(1,)]
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
        assert child.returncode == 130
        assert list(folder.iterdir()) == []
        until(database, COUNTING, 0)
    assert catalogue(workspace) == []


@POSTGRESQL
def test_ctrl_c_while_a_proof_counts_ends_it(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    """Nobody waits for the rows of a scratch database, and none is left."""
    database.execute("CREATE TABLE busy (id INTEGER)")
    scratch = "SELECT datname FROM pg_database WHERE datname LIKE 'orchestrate_scratch%'"
    with contextlib.ExitStack() as held:

        def lock() -> None:
            ((name,),) = database.rows(scratch)
            held.enter_context(holding(replace(database, name=name)))

        with met(tmp_path, database, "after", lock, program="pg_restore") as path:
            child = workspace.start("apply", "prod", "--yes", environ={"PATH": path})
            held.callback(child.kill)
            anywhere = COUNTING.replace("datname = current_database()", "datname LIKE '%scratch%'")
            until(database, anywhere, 1)
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=30)
    assert child.returncode == 130, errors
    assert "Stopping before the next step" in errors
    assert database.rows(scratch) == []
    assert database.heads() == ["r002"]
    shown = workspace.ok("status", "prod").stdout
    assert "resume" in shown
    workspace.ok("resume")
    assert database.heads() == ["r004"]
