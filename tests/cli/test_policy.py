"""The policy of an environment, on the command line: what it blocks, and what it wants approved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrate.cli.linting_environment import refuse_unlike
from orchestrate.errors import OrchestrateError
from tests.support.databases import sqlite_database
from tests.support.projects import Project
from tests.support.values import revision
from tests.support.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three revisions, the last of which drops a table."""
    folder = tmp_path / "work"
    project = Project(folder).linear(2)
    project.revision(
        "r003",
        down="r002",
        upgrade="op.drop_table('t1')",
        downgrade="op.create_table('t1', sa.Column('id', sa.Integer))",
    )
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    return space.environment(
        "prod", sqlite_database(folder / "prod.db"), policy={"destructive": "block"}
    )


def heads(workspace: Workspace) -> list[str]:
    found: list[str] = workspace.state("prod")["heads"]
    return found


def test_what_is_blocked_is_not_done(workspace: Workspace) -> None:
    """`plan` shows it, `apply` exits with 4; up to before it, and overridden, it goes."""
    plan = workspace.ok("plan", "prod", "--format", "json").json()
    (gate,) = (one for one in plan["gates"] if one["kind"] == "policy")
    assert gate["state"] == "closed"
    assert "blocks destructive" in gate["detail"]
    (found,) = (one for one in plan["steps"][2]["findings"] if one["code"] == "drops-table")
    assert found["severity"] == "error"
    assert "prod: policy is closed: blocks destructive" in workspace.ok("status").stdout
    refused = workspace.call("apply", "prod", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "policy-blocked")
    assert refused.events()[-1]["status"] == "blocked"
    assert heads(workspace) == []
    workspace.ok("apply", "prod", "--to", "r002", "--yes")
    workspace.ok("apply", "prod", "--yes", "--override", "policy", "--reason", "it is empty")
    assert heads(workspace) == ["r003"]
    overridden = workspace.ok("history", "prod", "--format", "json").json()["runs"][0]["overrides"]
    assert overridden["policy"].endswith("it is empty")


def test_the_way_back_is_judged_too(workspace: Workspace) -> None:
    """A downgrade that drops a table loses what is in it."""
    workspace.ok("apply", "prod", "--to", "r002", "--yes")
    refused = workspace.call("rollback", "prod", "--to", "r001", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "policy-blocked")
    assert heads(workspace) == ["r002"]


def test_what_cannot_be_seen_can_be_stopped(workspace: Workspace) -> None:
    """A drop by a computed name is not seen; that nothing can be seen is, unless it is explained."""
    named = "op.get_bind().exec_driver_sql(\"select 't1'\").scalar()"
    workspace.project.revision("r003", down="r002", upgrade=f"op.drop_table({named})")
    workspace.environment("prod", policy={"destructive": "block"}, url="sqlite:///prod.db")
    (gate,) = (one for one in gates(workspace) if one["kind"] == "policy")
    assert gate["state"] == "open"
    policy = {"destructive": "block", "not-rendered": "block"}
    workspace.environment("prod", policy=policy, url="sqlite:///prod.db")
    (gate,) = (one for one in gates(workspace) if one["kind"] == "policy")
    assert (gate["state"], "blocks not-rendered" in gate["detail"]) == ("closed", True)


def test_a_kept_plan_is_judged_by_what_is_so_now(workspace: Workspace) -> None:
    """Neither the day of its file counts nor what somebody made of its findings since."""
    policy = {"edited-revision": "block", "missing-downgrade": "block"}
    workspace.environment("prod", policy=policy, url="sqlite:///prod.db")
    workspace.environment("staging", url="sqlite:///staging.db")
    workspace.ok("plan", "prod", "--to", "r002", "--out", "plan.json")
    file = workspace.project.revision_file("r002")
    text = file.read_text()
    file.write_text(text + "# once\n")
    workspace.ok("apply", "staging", "--yes")
    file.write_text(text)
    refused = workspace.call("apply", "plan.json", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "policy-blocked")
    assert "edited-revision" in refused.error()["message"]

    workspace.project.revision("r004", down="r003")
    workspace.environment("prod", policy={"missing-downgrade": "block"}, url="sqlite:///prod.db")
    workspace.ok("plan", "prod", "--out", "plan.json")
    plan = json.loads((workspace.folder / "plan.json").read_text())
    for step in plan["steps"]:
        step["findings"] = []
    plan["findings"] = []
    (workspace.folder / "plan.json").write_text(json.dumps(plan))
    refused = workspace.call("apply", "plan.json", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "policy-blocked")


def test_a_file_that_is_not_the_one_that_runs_stops_the_policy(workspace: Workspace) -> None:
    """It is in a container, or another one lies here: what is said of it would be worth nothing."""
    (path,) = workspace.project.versions.glob("r001*")
    there = replace(revision("r001"), file=path.name)
    for sha256, found in (("0" * 64, "is another file"), ("", "is not on this machine")):
        with pytest.raises(OrchestrateError) as caught:
            refuse_unlike("prod", path.parent, [replace(there, sha256=sha256)])
        assert caught.value.code == "project-unreadable"
        assert found in caught.value.message
        path.unlink(missing_ok=True)


def gates(workspace: Workspace) -> list[dict[str, str]]:
    found: list[dict[str, str]] = workspace.ok("plan", "prod", "--format", "json").json()["gates"]
    return found


def test_a_saved_plan_is_judged_by_the_policy_of_now(workspace: Workspace) -> None:
    workspace.ok("plan", "prod", "--to", "r002", "--out", "plan.json")
    workspace.ok("apply", "plan.json", "--yes")
    workspace.ok("plan", "prod", "--out", "plan.json")
    refused = workspace.call("apply", "plan.json", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "policy-blocked")


def deleted(workspace: Workspace) -> list[str]:
    plan = workspace.ok("plan", "prod", "--format", "json").json()
    return [one["message"] for one in plan["findings"] if one["code"] == "deleted-revision"]


def test_what_ran_and_is_in_no_file(workspace: Workspace) -> None:
    """A revision was taken out from under others: every plan names it, and the policy decides."""
    database = sqlite_database(workspace.folder / "prod.db")
    workspace.environment("prod", database, policy={"edited-revision": "block"})
    workspace.ok("apply", "prod", "--to", "r002", "--yes")
    assert deleted(workspace) == []
    workspace.ok("plan", "prod", "--out", "plan.json")
    workspace.project.revision_file("r001").unlink()
    workspace.project.revision("r001x", down=None)
    following = workspace.project.revision_file("r002")
    text = following.read_text().replace("down_revision = 'r001'", "down_revision = 'r001x'")
    following.write_text(text)
    (message,) = deleted(workspace)
    assert message.startswith("r001 was applied here (")
    assert message.endswith(
        "and no file has it: prod has what it did, and nobody can go back over it"
    )
    for what in ("prod", "plan.json"):
        refused = workspace.call("apply", what, "--yes", "--format", "json")
        assert (refused.status, refused.error()["code"]) == (4, "policy-blocked"), what
    assert heads(workspace) == ["r002"]
    workspace.ok("stamp", "prod", "r001x", "--yes", "--override", "proof", "--reason", "squashed")
    assert deleted(workspace) == []
