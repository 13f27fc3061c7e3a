"""A run with a backup, and a restore, killed at each of their points, then resumed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_backups import catalogue, order, scratch_databases
from tests.support.databases import Database
from tests.support.workspace import Result, Workspace, part_way

CHILD = (sys.executable, "-m", "tests.support.crash_child")
KILLED = -9
POINTS = [
    "after:step.started:1",
    "after:backup.begun:1",  # nothing is written yet
    "before:backup.made:1",  # it is complete and nobody knows
    "after:backup.made:1",
    "after:scratch.created:1",  # while it is proven
    "before:backup.verified:1",
    "before:step.finished:1",
    "before:backup.removed:1",  # while an older one is removed
    "after:backup.removed:1",
]


@pytest.fixture
def workspace(tmp_path: Path, database: Database) -> Workspace:
    space = part_way(tmp_path / "work", database, name="dev", revisions=3, to="r001")
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'kept')")
    space.environment("dev", database, backup=order(database, keep=1, verify="restore"))
    return space


def killed(workspace: Workspace, point: str, *arguments: str) -> Result:
    result = workspace.call(*arguments, program=(*CHILD, point, "--"))
    assert result.status == KILLED, (point, result.stdout, result.stderr)
    return result


def files(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.folder / "backups").iterdir())


def good(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the good copies, each of which has to be where and what the catalogue says."""
    workspace.ok("backups", "verify")
    found = [copy for copy in catalogue(workspace) if copy["broken"] is None]
    assert files(workspace) == sorted(Path(copy["location"]).name for copy in found)
    return found


@pytest.mark.parametrize(
    ("database", "point"),
    [
        *(("sqlite", point) for point in POINTS),
        *(("postgresql", point) for point in POINTS[2::3]),
        *(("mariadb", point) for point in POINTS[1::3]),
    ],
    indirect=["database"],
)
def test_killed_while_the_copy_is_made(
    workspace: Workspace, database: Database, point: str
) -> None:
    """Whatever was cut off is no copy; the run goes on with a whole one."""
    if "removed" in point:
        workspace.ok("backup", "dev")  # one that retention removes
    killed(workspace, point, "apply", "dev", "--yes")
    assert workspace.state("dev")["heads"] == ["r001"]
    assert workspace.call("apply", "dev", "--yes").status == 6
    workspace.ok("resume")
    assert workspace.state("dev")["heads"] == ["r003"]
    assert ["r001"] in [copy["heads"] for copy in catalogue(workspace)]
    workspace.ok("backup", "dev")  # whatever was left is found and dropped now
    assert ["r003"] in [copy["heads"] for copy in good(workspace)]
    assert scratch_databases(database) == []
    assert not [name for name in files(workspace) if name.startswith(".")]
    workspace.ok("history", "--verify")


@pytest.mark.parametrize("point", ["after:step.started:2", "before:step.finished:2"])
def test_killed_while_a_copy_is_put_back(
    workspace: Workspace, database: Database, point: str
) -> None:
    workspace.ok("apply", "dev", "--yes")
    copy = good(workspace)[-1]["id"]
    database.execute("INSERT INTO t1 (id, name) VALUES (2, 'newer')")
    arguments = ("restore", "dev", copy, "--replace", "--yes")
    killed(workspace, point, *arguments)
    there = workspace.state("dev")["heads"]
    assert there in (["r003"], ["r001"])
    assert workspace.call("apply", "dev", "--yes").status == 6
    workspace.ok("resume")
    assert workspace.state("dev")["heads"] == ["r001"]
    assert database.rows("SELECT name FROM t1") == [("kept",)]
    workspace.ok("apply", "dev", "--yes")


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_killed_together_with_half_of_a_dump(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    """The program has written a part and then everything dies, as when the machine does."""
    names = {"postgresql": ["pg_dump"], "mariadb": ["mariadb-dump", "mysqldump"]}[database.kind]
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in names:
        shim = shims / name
        shim.write_text(
            "#!/bin/sh\n"
            'case "$*" in *--version*) PATH=${PATH#*:} exec ' + name + ' "$@";; esac\n'
            f'PATH=${{PATH#*:}} {name} "$@" | head -c 300\n'
            'sleep 0.3; kill -9 "$(cat "$VICTIM")"\nsleep 5\n'
        )
        shim.chmod(0o755)
    import os

    victim = tmp_path / "victim"
    process = workspace.start(
        "apply",
        "dev",
        "--yes",
        environ={"PATH": f"{shims}{os.pathsep}{os.environ['PATH']}", "VICTIM": str(victim)},
    )
    victim.write_text(str(process.pid))
    process.communicate(timeout=60)
    assert process.returncode == KILLED
    assert catalogue(workspace) == []
    workspace.ok("resume")
    assert [copy["heads"] for copy in good(workspace)] == [["r001"]]


def doubtful(workspace: Workspace) -> str:
    """Leave a run whose last revision is half applied; return its name."""
    workspace.project.revision(
        "r004",
        down="r003",
        doc="half",
        upgrade="""
    op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("COMMIT")
    op.execute("nonsense")
""",
        downgrade="pass",
    )
    doubt = workspace.call("apply", "dev", "--yes")
    assert doubt.status == 7, doubt.stderr
    assert "--restore" in doubt.stderr
    name: str = workspace.ok("history", "--format", "json").json()["runs"][0]["id"]
    return name


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_a_doubt_ends_by_putting_the_copy_back(workspace: Workspace, database: Database) -> None:
    """Half a revision stays where DDL is not undone; `--restore` makes it as it was before."""
    run = doubtful(workspace)
    refused = workspace.call("resume", run, "--restore", "--no-input", "--format", "json")
    assert refused.error()["code"] == "no-input"
    (last,) = refused.events()
    assert (last["event"], last["status"], last["code"]) == ("run.finished", "blocked", "no-input")
    assert workspace.call("resume", run, "--restore", "--no-input").status == 2
    done = workspace.ok("resume", run, "--restore", "--yes")
    assert f"{run} is over" in done.stderr
    assert workspace.state("dev")["heads"] == ["r001"]
    assert "first" not in database.tables()
    assert database.rows("SELECT name FROM t1") == [("kept",)]
    statuses = [one["status"] for one in workspace.ok("history", "--format", "json").json()["runs"]]
    assert statuses[:2] == ["succeeded", "aborted"]
    workspace.ok("apply", "dev", "--to", "r003", "--yes")


@pytest.mark.parametrize(
    ("database", "point"),
    [
        ("sqlite", "before:run.finished:1"),
        ("sqlite", "before:run.aborted:1"),
        ("sqlite", "after:run.finished:1"),
        ("sqlite", "after:run.aborted:1"),
        ("mariadb", "after:run.finished:1"),
    ],
    indirect=["database"],
)
def test_killed_as_a_doubt_ends(workspace: Workspace, database: Database, point: str) -> None:
    """The run whose copy was put back is over exactly when that is in the journal."""
    run = doubtful(workspace)
    killed(workspace, point, "resume", run, "--restore", "--yes")
    assert "first" not in database.tables()
    if point.startswith("before"):
        workspace.ok("resume")
    statuses = [one["status"] for one in workspace.ok("history", "--format", "json").json()["runs"]]
    assert statuses[:2] == ["succeeded", "aborted"]
    assert workspace.ok("resume").stdout.strip() == "Nothing is unfinished"
    assert database.rows("SELECT name FROM t1") == [("kept",)]
    workspace.ok("history", "--verify")
    workspace.ok("apply", "dev", "--to", "r003", "--yes")
