"""Who is told what of a run, by a real server; and that nobody who cannot be told is in the way."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.support.databases import NewDatabase
from tests.support.receivers import receiving
from tests.support.workspace import Workspace


def test_everything_that_people_are_told(workspace: Workspace, new_database: NewDatabase) -> None:
    """Planned, started, overridden, failed, resumed, finished, and the same of the way back."""
    workspace.project.linear(2)
    check = {"command": [sys.executable, "-c", "import os, sys; sys.exit(os.path.exists('bad'))"]}
    with receiving() as server:
        workspace.environ["HOOK_URL"] = server.url("T0kenInTheUrl")
        workspace.environment(
            "dev",
            new_database("sqlite"),
            notify=[{"env": "HOOK_URL"}],
            verify=[check],
            window={
                "timezone": "UTC",
                "open": ["mon 00:00-00:01"],
                "freeze": ["2026-01-01/2999-12-31"],
            },
        )
        override = ("--override", "window", "--reason", "the shop is down")
        workspace.ok("plan", "dev", "--out", "plan.json")
        assert server.titles == ["dev: planned"]
        assert "Next: orchestrate apply plan.json" in server.messages[0]["message"]
        (workspace.folder / "bad").touch()
        failed = workspace.call("apply", "dev", "--yes", *override)
        assert failed.status == 1
        told = server.messages[1:]
        assert [one["title"] for one in told] == [
            "dev: run started",
            "dev: gate overridden: window",
            "dev: run failed",
        ]
        assert "the shop is down" in told[1]["message"]
        assert "does not hold" in told[2]["message"]
        assert "`orchestrate resume run-" in told[2]["message"]
        assert told[2]["type"] == "failure"
        (workspace.folder / "bad").unlink()
        workspace.ok("resume", *override)
        assert server.titles[-3:] == ["dev: run resumed", server.titles[-2], "dev: run finished"]
        count = len(server.messages)
        workspace.ok("rollback", "dev", "--to", "r001", "--yes", *override)
        assert "downgrade of dev from r002 to r001" in server.messages[count]["message"]
        workspace.ok("stamp", "dev", "r002", "--yes", *override, "--override", "proof")
        assert server.titles[-1] == "dev: run finished"
        before = len(server.messages)
        assert "nothing to do" in workspace.ok("apply", "dev", "--yes", *override).stdout
        assert len(server.messages) == before
        (run,) = workspace.ok("history", "--limit", "1", "--format", "json").json()["runs"]
        assert {one["kind"] for one in run["told"]} == {"notice"}
        texts = workspace.ok("history").stdout + workspace.ok("show", run["id"]).stdout
        assert "window overridden: " in texts
        assert "T0kenInTheUrl" not in texts + failed.stdout + failed.stderr
        state = (workspace.folder / ".orchestrate" / "state.db").read_bytes()
        assert b"T0kenInTheUrl" not in state


def test_a_plan_that_waits_for_approval(workspace: Workspace, new_database: NewDatabase) -> None:
    """People are told once of a plan that is refused for want of approvals, and how to give one."""
    workspace.project.linear(1)
    with receiving() as server:
        workspace.environment(
            "dev", new_database("sqlite"), approval={"required": 1}, notify=[server.url()]
        )
        for _ in range(2):
            assert workspace.call("apply", "dev", "--yes").status == 4
        assert server.titles == ["dev: waiting for approval"]
        assert "Next: orchestrate approve plan-" in server.messages[0]["message"]


def test_who_cannot_be_told_is_in_nobodys_way(
    workspace: Workspace, new_database: NewDatabase
) -> None:
    """A server that hangs, a variable that is not set: told here, journalled, and the run is done."""
    workspace.project.linear(1)
    with receiving() as server:
        workspace.environ["HANG"] = server.url("hang/T0ken")
        workspace.environment(
            "dev", new_database("sqlite"), notify=[{"env": "HANG"}, {"env": "UNSET"}]
        )
        began = time.monotonic()
        done = workspace.call("apply", "dev", "--yes", "--format", "json")
        assert (done.status, time.monotonic() - began < 40) == (0, True)
        assert done.events()[-1]["status"] == "succeeded"
        # apprise's own limit or ours, whichever comes first.
        assert "dev: finished was not told to notify[0] (json): " in done.stderr
        assert "notify[1]: the environment variable `UNSET` is not set" in done.stderr
        assert "T0ken" not in done.stderr
    assert workspace.call("validate").status == 2
    workspace.environ["UNSET"] = "json://localhost:1/"
    workspace.ok("validate")


def test_without_the_library(
    workspace: Workspace, new_database: NewDatabase, tmp_path: Path
) -> None:
    """It is said when the spec is checked and when a plan is made, not in the night."""
    workspace.project.linear(1)
    workspace.environment("dev", new_database("sqlite"), notify=["json://localhost:1/"])
    (tmp_path / "program.py").write_text(
        "import sys\nsys.modules['apprise'] = None\n"
        "from orchestrate.cli.main import main\nmain(sys.argv[1:])\n"
    )
    program = (sys.executable, str(tmp_path / "program.py"))
    checked = workspace.call("validate", program=program)
    assert (checked.status, "orchestrate[notify]" in checked.stderr) == (2, True)
    refused = workspace.call("plan", "dev", "--format", "json", program=program)
    assert (refused.status, refused.error()["code"]) == (2, "notify-unavailable")
    assert "orchestrate[notify]" in refused.error()["hint"]
