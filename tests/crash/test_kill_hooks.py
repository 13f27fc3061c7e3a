"""Killed around a hook or a check, a run can be resumed; what nobody recorded, a person decides."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.databases import NewDatabase
from tests.support.projects import Project
from tests.support.waiting import wait_until
from tests.support.workspace import Workspace, kill_group

POINTS = {
    # The before hook is the first step; then r001, r002, the after hook, the check.
    "before:step.started:1": ("resume", 1),
    "after:step.started:1": ("decide", 0),
    "before:step.finished:1": ("decide", 1),
    "after:step.finished:1": ("resume", 1),
    "after:step.started:5": ("resume", 1),
    "before:step.finished:5": ("resume", 1),
}
LOG = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('a').write('x')"


def scene(tmp_path: Path, new_database: NewDatabase, before: str = LOG) -> Workspace:
    folder = tmp_path / "work"
    workspace = Workspace(folder=folder, project=Project(folder).linear(2)).spec()
    return workspace.environment(
        "dev",
        new_database("sqlite"),
        hooks={
            "before": [{"command": [sys.executable, "-c", before, "before.log"]}],
            "after": [{"sql": "insert into t1 (id, name) values (7, 'after')"}],
            "on_failure": [{"command": [sys.executable, "-c", LOG, "page.log"]}],
        },
        verify=[{"sql": "select count(*) from t1", "expect": 1}],
    )


@pytest.mark.parametrize("point", POINTS)
def test_killed_around_hooks(tmp_path: Path, new_database: NewDatabase, point: str) -> None:
    """A hook whose end is not recorded is never run again by itself; a check always is."""
    workspace = scene(tmp_path, new_database)
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    assert workspace.call("apply", "dev", "--yes", program=program).status == -9
    way, runs = POINTS[point]
    if way == "decide":
        doubt = workspace.call("resume")
        assert doubt.status == 7
        assert "was begun and its end was not recorded" in doubt.stderr
        assert "nothing in the schema" in doubt.stderr
        workspace.ok("resume", "--mark-applied")
    else:
        workspace.ok("resume")
    log = tmp_path / "work" / "before.log"
    assert (log.read_text() if log.exists() else "") == "x" * runs
    (run,) = workspace.ok("history", "--format", "json").json()["runs"]
    assert (run["status"], run["verification"]) == ("succeeded", "passed")
    workspace.ok("history", "--verify")


WAITS = """
import pathlib, time
pathlib.Path("asleep").touch()
while not pathlib.Path("wake").exists():
    time.sleep(0.02)
"""


def test_a_hook_that_outlives_us(tmp_path: Path, new_database: NewDatabase) -> None:
    """As long as it is at work nothing is decided, not even by a person; then `--retry` runs it."""
    workspace = scene(tmp_path, new_database, WAITS)
    process = workspace.start("apply", "dev", "--yes")
    folder = tmp_path / "work"
    wait_until((folder / "asleep").exists)
    kill_group(process)
    process.communicate()
    for choice in ((), ("--retry",), ("--mark-applied",)):
        waiting = workspace.call("resume", *choice)
        assert (waiting.status, "is still at work" in waiting.stderr) == (6, True), choice
    assert not (folder / "page.log").exists(), "nothing new has failed"
    (folder / "wake").touch()
    wait_until(lambda: "still at work" not in workspace.call("resume").stderr)
    assert workspace.call("resume").status == 7
    assert (folder / "page.log").read_text() == "x", "once, when the doubt was new"
    workspace.ok("resume", "--retry")
    assert workspace.state("dev")["heads"] == ["r002"]


CUTS = {
    "postgresql": "select pg_terminate_backend(pg_backend_pid())",
    "mariadb": "kill connection connection_id()",
}


@pytest.mark.parametrize("kind", CUTS)
def test_a_connection_lost_inside_a_hook(
    tmp_path: Path, new_database: NewDatabase, kind: str
) -> None:
    """What a server said is a failure; that it hung up says nothing of what the hook did."""
    folder = tmp_path / "work"
    workspace = Workspace(folder=folder, project=Project(folder).linear(2)).spec()
    refused = {"sql": "insert into nowhere values (1)"}
    workspace.environment("dev", new_database(kind), hooks={"after": [refused]})
    assert workspace.call("apply", "dev", "--yes").status == 1
    again = workspace.call("resume")
    assert (again.status, "nowhere" in again.stderr) == (1, True)
    workspace.environment("far", new_database(kind), hooks={"after": [{"sql": CUTS[kind]}]})
    for arguments in (("apply", "far", "--yes"), ("resume",), ("resume", "--retry")):
        doubt = workspace.call(*arguments)
        assert (doubt.status, "was begun and its end was not recorded" in doubt.stderr) == (7, True)
    workspace.ok("resume", "--mark-applied")
