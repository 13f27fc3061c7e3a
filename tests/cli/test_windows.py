"""The maintenance window on every path, on a clock that the tests move."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.databases import sqlite_database
from tests.support.projects import Project
from tests.support.workspace import Result, Workspace

SATURDAY = "2026-11-21T"
WINDOW = {"timezone": "UTC", "open": ["sat 01:00-05:00"]}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "work"
    project = Project(folder).linear(4)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    database = sqlite_database(folder / "prod.db")
    return space.environment("prod", database, window=WINDOW)


def call(workspace: Workspace, hour: str, *arguments: str, step_seconds: float = 0) -> Result:
    child = (sys.executable, "-m", "tests.support.clock_child")
    moment = f"{SATURDAY}{hour}:00+00:00"
    return workspace.call(*arguments, program=(*child, moment, str(step_seconds), "--"))


def heads(workspace: Workspace) -> list[str]:
    found: list[str] = workspace.state("prod")["heads"]
    return found


def test_outside_of_the_window_nothing_is_done(workspace: Workspace) -> None:
    shown = call(workspace, "05:30", "plan", "prod")
    assert shown.status == 0
    assert "closed  window: opens Sat 2026-11-28 01:00 UTC, in 6 d 19 h" in shown.stdout
    refused = call(workspace, "05:30", "apply", "prod", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "window-closed")
    assert "--override window" in refused.error()["hint"]
    assert refused.events()[-1]["status"] == "blocked"
    assert heads(workspace) == []
    status = call(workspace, "00:30", "status")
    assert "prod: window is closed: opens Sat 01:00 UTC, in 30 min" in status.stdout


def test_inside_it_runs(workspace: Workspace) -> None:
    done = call(workspace, "01:00", "apply", "prod", "--yes")
    assert done.status == 0, done.stderr
    assert "open  window: open until Sat 05:00 UTC, for 4 h" in done.stdout
    assert heads(workspace) == ["r004"]


def test_waiting_for_it(workspace: Workspace) -> None:
    done = call(workspace, "00:30", "apply", "prod", "--yes", "--wait")
    assert done.status == 0, done.stderr
    assert "waiting for the window, which opens Sat 01:00 UTC, in 30 min" in done.stderr
    assert heads(workspace) == ["r004"]


def test_a_saved_plan_meets_the_window_of_now(workspace: Workspace) -> None:
    assert call(workspace, "01:30", "plan", "prod", "--out", "plan.json").status == 0
    refused = call(workspace, "05:30", "apply", "plan.json", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "window-closed")
    assert call(workspace, "02:00", "apply", "plan.json", "--yes").status == 0


def test_it_closes_between_two_steps_and_the_run_is_resumed_in_the_next(
    workspace: Workspace,
) -> None:
    stopped = call(workspace, "04:00", "apply", "prod", "--yes", step_seconds=1800)
    assert stopped.status == 6
    assert "the window is closed; it opens Sat 2026-11-28 01:00 UTC" in stopped.stderr
    assert heads(workspace) == ["r002"]
    for command in ("resume", "apply"):
        arguments = ["prod", "--yes"] if command == "apply" else []
        refused = call(workspace, "06:00", command, *arguments)
        assert refused.status == (4 if command == "resume" else 6)
    assert heads(workspace) == ["r002"]
    assert call(workspace, "03:00", "resume").status == 0
    assert heads(workspace) == ["r004"]


def test_a_step_that_would_not_end_in_time_is_not_begun(workspace: Workspace) -> None:
    """The same revisions took half an hour each elsewhere, as the journal knows."""
    database = sqlite_database(workspace.folder / "dev.db")
    workspace.environment("dev", database)
    slow = "import time; time.sleep(2)"
    workspace.project.revision("r005", down="r004", doc="slow", upgrade=slow, downgrade="pass")
    assert workspace.call("apply", "dev", "--yes").status == 0
    stopped = call(workspace, "04:59", "apply", "prod", "--yes", step_seconds=14.7)
    assert stopped.status == 6, stopped.stdout
    assert "the window is open until Sat 05:00 UTC, for 1.2 s, and it took 2." in stopped.stderr
    assert heads(workspace) == ["r004"]


def test_overriding_needs_a_reason_and_is_kept(workspace: Workspace) -> None:
    silent = call(workspace, "06:00", "apply", "prod", "--yes", "--override", "window")
    assert (silent.status, "needs a reason" in silent.stderr) == (2, True)
    for name in ("identity", "lease", "nonsense"):
        wrong = call(
            workspace, "06:00", "apply", "prod", "--yes", "--override", name, "--reason", "x"
        )
        assert (wrong.status, "no such gate" in wrong.stderr) == (2, True)
    assert heads(workspace) == []
    why = ("--override", "window", "--reason", "the shop is down anyway")
    done = call(workspace, "06:00", "apply", "prod", "--yes", *why)
    assert done.status == 0, done.stderr
    assert "overridden  window: " in done.stdout
    run = workspace.ok("history", "--format", "json").json()["runs"][0]
    assert "the shop is down anyway" in run["overrides"]["window"]
    assert heads(workspace) == ["r004"]


def test_stamps_and_alembics_own_commands_meet_it_too(workspace: Workspace) -> None:
    for arguments in (
        ["stamp", "prod", "r001", "--yes"],
        ["alembic", "prod", "--yes", "--", "upgrade", "r001"],
        ["alembic", "prod", "--yes", "--", "stamp", "r001"],
    ):
        refused = call(workspace, "06:00", *arguments)
        assert refused.status == 4, (arguments, refused.stderr)
    assert heads(workspace) == []
