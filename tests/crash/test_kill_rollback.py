"""Killed on the way back, a run can be resumed, and the schema is compared all the same."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.crash.conftest import MIDDLE, Scene

HALF_BACK = """
    import os, pathlib, signal
    op.drop_table("second")
    mark = pathlib.Path({mark!r})
    if mark.exists():
        mark.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    op.drop_table("first")
"""
POINTS = [
    "after:run.started:1",
    "go:2",
    "committed:3",
    "after:step.started:4",
    "before:step.finished:4",
    "before:run.finished:1",
]


def runs(scene: Scene) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scene.workspace.ok("history", "--format", "json").json()["runs"]
    return found


def assert_back(scene: Scene) -> None:
    """The database is as after a rollback that was never interrupted, and that was shown."""
    assert scene.database.heads() == ["r002"]
    assert scene.database.tables() == ["alembic_version", "t1"]
    rollback, rest, _ = runs(scene)
    assert rollback["status"] == "succeeded"
    assert rollback["steps"][-1]["id"] == "004-verify"
    assert rollback["schema_after"] == rest["schema_before"]
    scene.workspace.ok("history", "--verify")
    assert scene.workspace.ok("resume").stdout.strip() == "Nothing is unfinished"


@pytest.mark.parametrize(
    ("database", "point"),
    [
        *(("sqlite", point) for point in POINTS),
        ("postgresql", "go:2"),
        ("postgresql", "after:step.started:4"),
        ("mariadb", "committed:3"),
    ],
    indirect=["database"],
)
def test_orchestrator_killed_on_the_way_back(scene: Scene, point: str) -> None:
    """Whatever had become durable, resume undoes the rest and then compares."""
    scene.workspace.ok("apply", "dev", "--yes", "--to", "r002")
    scene.workspace.ok("apply", "dev", "--yes")
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    run = runs(scene)[0]["id"]
    killed = scene.workspace.call("rollback", "dev", "--run", run, "--yes", program=program)
    assert killed.status == -9
    scene.workspace.ok("resume")
    assert_back(scene)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_killed_inside_a_downgrade(scene: Scene) -> None:
    """What the server does not take back is a doubt here as well, and compared when it is over."""
    project = scene.workspace.project
    project.revision(
        "r003",
        down="r002",
        doc="two tables",
        upgrade=MIDDLE.format(mark=str(scene.mark)),
        downgrade=HALF_BACK.format(mark=str(scene.mark)),
    )
    scene.workspace.ok("apply", "dev", "--yes", "--to", "r002")
    scene.workspace.ok("apply", "dev", "--yes")
    scene.arm("agent")
    stopped = scene.workspace.call("rollback", "dev", "--to", "r002", "--yes")
    if scene.database.kind == "sqlite":
        assert stopped.status == 7
        assert "table second removed" in stopped.stderr
        assert "there is no good backup of dev" in stopped.stderr
        scene.database.execute("CREATE TABLE second (id INTEGER NOT NULL, PRIMARY KEY (id))")
    else:
        assert stopped.status == 6
    scene.workspace.ok("resume")
    assert_back(scene)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_killed_run_is_undone(scene: Scene) -> None:
    """One that stands between two steps for certain need not be aborted first."""
    scene.workspace.ok("apply", "dev", "--yes", "--to", "r002")
    program = (sys.executable, "-m", "tests.support.crash_child", "committed:2", "--")
    assert scene.workspace.call("apply", "dev", "--yes", program=program).status == -9
    killed = runs(scene)[0]["id"]
    scene.workspace.ok("rollback", "dev", "--run", killed, "--yes")
    assert scene.database.heads() == ["r002"]
    assert scene.database.tables() == ["alembic_version", "t1"]
    assert [run["status"] for run in runs(scene)] == ["succeeded", "aborted", "succeeded"]


@pytest.mark.parametrize(
    ("database", "point"),
    [
        *(
            ("sqlite", f"{side}:{kind}:1")
            for kind in ("run.aborted", "run.started", "run.finished")
            for side in ("before", "after")
        ),
        ("postgresql", "after:run.aborted:1"),
    ],
    indirect=["database"],
)
def test_killed_while_a_killed_run_is_undone(scene: Scene, point: str) -> None:
    """That run is over exactly when the one that undoes it is in the journal."""
    scene.workspace.ok("apply", "dev", "--yes", "--to", "r002")
    program = (sys.executable, "-m", "tests.support.crash_child", "committed:2", "--")
    assert scene.workspace.call("apply", "dev", "--yes", program=program).status == -9
    name = runs(scene)[0]["id"]
    undo = ("rollback", "dev", "--run", name, "--yes")
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    assert scene.workspace.call(*undo, program=program).status == -9
    newest, second, *_ = runs(scene)
    if newest["id"] == name:
        assert (newest["status"], point.partition(":")[0]) == ("running", "before")
        scene.workspace.ok(*undo)
    else:
        assert (second["id"], second["status"]) == (name, "aborted")
        assert second["message"] == f"given up, to be undone by {newest['id']}"
        scene.workspace.ok("resume")
    assert scene.database.heads() == ["r002"]
    assert [run["status"] for run in runs(scene)] == ["succeeded", "aborted", "succeeded"]
    scene.workspace.ok("history", "--verify")
