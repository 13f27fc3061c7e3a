"""Approvals on every path: recorded and signed, expired, used, forged, and in an edited store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import sqlite_database
from tests.support.projects import Project
from tests.support.workspace import Result, Workspace

DAY = "2026-11-21T"
ALICE, BOB, CAROL = (f"{name}@example.com" for name in ("alice", "bob", "carol"))
RULE = {"required": 2, "approvers": [ALICE, BOB, CAROL], "exclude_author": True, "expires": "1h"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "work"
    project = Project(folder).linear(2)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    space.environ["ORCHESTRATE_USER"] = ALICE
    return declare(space, "prod", approval=RULE)


def declare(space: Workspace, name: str, **keys: Any) -> Workspace:
    return space.environment(name, sqlite_database(space.folder / f"{name}.db"), **keys)


def call(workspace: Workspace, hour: str, *arguments: str, user: str = ALICE) -> Result:
    child = (sys.executable, "-m", "tests.support.clock_child")
    return workspace.call(
        *arguments,
        program=(*child, f"{DAY}{hour}:00+00:00", "0", "--"),
        environ={"ORCHESTRATE_USER": user},
    )


def approve(workspace: Workspace, plan: str, user: str, hour: str = "12:00") -> Result:
    return call(workspace, hour, "approve", plan, "--yes", "--format", "json", user=user)


def refused(result: Result) -> str:
    """Return the code that a gate was closed with."""
    assert result.status == 4, (result.stdout, result.stderr)
    code: str = result.error()["code"]
    return code


def apply(workspace: Workspace, hour: str, *arguments: str, user: str = ALICE) -> Result:
    return call(
        workspace, hour, *(arguments or ("apply", "prod")), "--yes", "--format", "json", user=user
    )


def listed(workspace: Workspace, hour: str = "12:00") -> dict[str, Any]:
    found: dict[str, Any] = call(workspace, hour, "approvals", "--format", "json").json()
    return found


def test_from_a_refusal_to_a_run_and_not_to_a_second(workspace: Workspace) -> None:
    """Who asks first is the author; the others agree; one run is what they agreed to."""
    asked = apply(workspace, "12:00")
    assert refused(asked) == "approval-missing"
    assert f"0 of 2 approvals; may approve: {BOB}, {CAROL}" in asked.error()["message"]
    assert asked.events()[-1]["status"] == "blocked"
    (waiting,) = listed(workspace)["waiting"]
    assert f"`orchestrate approve {waiting['plan']}`" in asked.error()["hint"]
    assert refused(approve(workspace, waiting["plan"], ALICE)) == "approval-by-author"
    assert refused(approve(workspace, "prod", "eve@example.com")) == "approver-not-allowed"

    given = approve(workspace, waiting["plan"], "Bob@Example.com").json()
    assert (given["approver"], given["digest"]) == (BOB, waiting["digest"])
    again = approve(workspace, "prod", BOB).json()
    assert again["id"] == given["id"], "the plan of ENV is the same plan, and he has agreed to it"
    shown = call(workspace, "12:10", "status").stdout
    assert f"prod: approval is closed: 1 of 2 approvals ({BOB}); may approve: {CAROL}" in shown
    assert refused(apply(workspace, "12:10")) == "approval-missing"
    assert approve(workspace, "prod", CAROL, "12:20").status == 0
    planned = call(workspace, "12:30", "plan", "prod")
    assert f"open  approval: 2 of 2 approvals: {BOB}, {CAROL}" in planned.stdout

    done = apply(workspace, "12:30")
    assert done.status == 0, done.stderr
    run = done.events()[-1]["run"]
    shown = workspace.ok("show", run).stdout
    assert (
        f"approved  2 of 2 approvals: {BOB}, {CAROL}"
        in " ".join(shown.split("  ")).replace("approved    ", "approved  ")
        or f"2 of 2 approvals: {BOB}, {CAROL}" in shown
    )
    assert {(one["state"], one["run"]) for one in listed(workspace)["approvals"]} == {("used", run)}

    back = ("rollback", "prod", "--to", "base")
    assert refused(apply(workspace, "12:31", *back)) == "approval-missing"
    (waiting,) = listed(workspace)["waiting"]
    for user in (BOB, CAROL):
        assert approve(workspace, waiting["plan"], user, "12:32").status == 0
    assert apply(workspace, "12:33", *back).status == 0
    # The world is as it was, and so is the plan's digest.
    assert refused(apply(workspace, "12:34")) == "approval-used"
    assert workspace.state("prod")["heads"] == []


def test_a_saved_plan_its_author_and_its_time(workspace: Workspace) -> None:
    """A file can be edited, the journal tells who made it; approvals end; plans and specs move."""
    assert call(workspace, "12:00", "plan", "prod", "--out", "plan.json", user=BOB).status == 0
    file = workspace.folder / "plan.json"
    plan = json.loads(file.read_text())
    assert plan["author"] == BOB
    file.write_text(json.dumps({**plan, "author": "eve@example.com", "id": "plan-of-eve"}))
    assert refused(approve(workspace, "plan.json", BOB)) == "approval-by-author"
    for user in (ALICE, CAROL):
        assert approve(workspace, "plan.json", user).status == 0
    late = apply(workspace, "13:30", "apply", "plan.json")
    assert refused(late) == "approval-expired"
    assert f"that of {CAROL} expired 30 min ago" in late.error()["message"]

    taken = listed(workspace)["approvals"][0]
    silent = call(workspace, "12:30", "approvals", "revoke", taken["id"])
    assert (silent.status, "needs" in silent.stderr) == (2, True)
    gone = call(workspace, "12:30", "approvals", "revoke", taken["id"], "--reason", "too early")
    assert f"{taken['id']} of {CAROL} is revoked" in gone.stdout
    assert refused(apply(workspace, "12:31", "apply", "plan.json")) == "approval-revoked"
    assert approve(workspace, "plan.json", CAROL, "12:32").status == 0

    workspace.project.revision("r003", down="r002", doc="more", upgrade="pass", downgrade="pass")
    other = apply(workspace, "12:33")
    assert refused(other) == "approval-stale"
    assert "is for another plan" in other.error()["message"]
    (workspace.folder / "versions_gone").mkdir()
    declare(workspace, "staging", approval={"required": 1})
    assert approve(workspace, "staging", CAROL).status == 0
    declare(workspace, "other", approval={"required": 1})
    elsewhere = apply(workspace, "12:34", "apply", "other")
    assert refused(elsewhere) == "approval-elsewhere"
    declare(workspace, "prod", approval={**RULE, "required": 1})
    assert refused(approve(workspace, "plan.json", ALICE)) == "stale-plan"


def test_stamp_restore_and_alembics_own_commands(workspace: Workspace) -> None:
    """Each path has the gate; going through it by force is kept with its reason."""
    declare(workspace, "prod", approval={"required": 1}, backup={"strategy": "sqlite"})
    for arguments in (
        ("stamp", "prod", "base", "--purge"),
        ("stamp", "prod", "r001", "--override", "proof", "--reason", "sure"),
        ("alembic", "prod", "--yes", "--", "upgrade", "r001"),
    ):
        result = workspace.call(*arguments, *(() if "--" in arguments else ("--yes",)))
        told = result.stdout + result.stderr
        assert (result.status, "0 of 1 approval" in told) in {(4, True), (0, False)}, told
    for name in ("identity", "lease"):
        forced = ("--override", name, "--reason", "x")
        assert workspace.call("apply", "prod", "--yes", *forced).status == 2
    forced = ("--override", "approval", "--reason", "the site is down")
    workspace.ok("apply", "prod", "--yes", "--to", "r001", *forced)
    run = workspace.ok("history", "--format", "json").json()["runs"][0]
    assert run["overrides"] == {
        "approval": "0 of 1 approval; may approve: anybody; the site is down"
    }
    assert "the site is down" in workspace.ok("show", run["id"]).stdout
    workspace.ok("apply", "prod", "--yes", *forced)
    copy = workspace.ok("backups", "--format", "json").json()["backups"][0]["id"]
    restore = ("restore", "prod", copy, "--replace", "--yes", "--format", "json")
    assert refused(workspace.call(*restore)) == "approval-missing"
    (waiting,) = workspace.ok("approvals", "prod", "--format", "json").json()["waiting"]
    workspace.ok("approve", waiting["plan"], "--yes", "--as", BOB)
    workspace.ok(*restore)
    assert workspace.state("prod")["heads"] == ["r001"]


def test_resuming_needs_no_second_approval(workspace: Workspace) -> None:
    """The run that was begun goes on, also later than `expires`; a new one does not begin."""
    declare(workspace, "prod", approval={"required": 1, "expires": "1h"})
    failing = "import os; assert 'FAILING' not in os.environ"
    workspace.project.revision("r003", down="r002", doc="fails", upgrade=failing, downgrade="pass")
    assert approve(workspace, "prod", BOB).status == 0
    workspace.environ["FAILING"] = "1"
    stopped = apply(workspace, "12:30")
    run = stopped.events()[-1]["run"]
    assert (stopped.status, workspace.state("prod")["heads"]) == (1, ["r002"])
    del workspace.environ["FAILING"]
    assert refused(apply(workspace, "12:40")) == "approval-stale", "it is shorter by two steps"
    (given,) = listed(workspace)["approvals"]
    assert call(workspace, "12:45", "approvals", "revoke", given["id"], "--reason", "x").status == 0
    assert (
        refused(call(workspace, "13:30", "resume", run, "--format", "json")) == "approval-revoked"
    )
