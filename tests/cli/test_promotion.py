"""Promotion on the command line: what staging has not seen, production does not get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_windows import call, heads
from tests.support.databases import sqlite_database
from tests.support.projects import Project
from tests.support.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder = tmp_path / "work"
    space = Workspace(folder=folder, project=Project(folder).linear(3))
    space.spec(include="environments/*.yaml")
    space.environment("staging", sqlite_database(folder / "staging.db"), aliases=["stage"])
    return space.environment(
        "prod",
        sqlite_database(folder / "prod.db"),
        after={"environment": "stage", "soak": "2h"},
    )


def test_production_waits_for_staging(workspace: Workspace) -> None:
    """Nothing ran there, then not long enough ago, then it opens."""
    refused = call(workspace, "01:00", "apply", "prod", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "not-promoted")
    assert "r001, r002, r003 did not run in staging" in refused.error()["message"]
    assert call(workspace, "02:00", "apply", "staging", "--yes").status == 0
    shown = call(workspace, "03:30", "status")
    assert "promotion is closed: opens Sat 2026-11-21 04:00 UTC, in 30 min" in shown.stdout
    assert call(workspace, "03:30", "apply", "prod", "--yes").status == 4
    assert heads(workspace) == []
    assert call(workspace, "03:40", "plan", "prod", "--out", "plan.json").status == 0
    early = call(workspace, "03:59", "apply", "plan.json", "--yes", "--format", "json")
    assert early.error()["code"] == "not-promoted"
    done = call(workspace, "04:01", "apply", "plan.json", "--yes")
    assert done.status == 0, done.stderr
    assert "open  promotion: all 3 revisions succeeded in staging, 2 h" in done.stdout
    assert heads(workspace) == ["r003"]


def test_an_edited_revision_has_not_been_there(workspace: Workspace) -> None:
    """By content: what staging ran is not what production would get; and a person may insist."""
    assert call(workspace, "01:00", "apply", "staging", "--yes").status == 0
    (edited,) = workspace.project.versions.glob("*r002*")
    edited.write_text(edited.read_text() + "\n# changed\n")
    shown = call(workspace, "05:00", "plan", "prod", "--format", "json")
    plan = json.loads(shown.stdout)
    (gate,) = (one for one in plan["gates"] if one["kind"] == "promotion")
    assert gate["detail"] == "r002 was edited since it ran in staging"
    assert [one["message"] for one in plan["findings"] if one["code"] == "edited-revision"] == [
        "r002 was edited after it ran in staging (2026-11-21): what runs now is not that"
    ]
    forced = call(
        workspace,
        "05:00",
        "apply",
        "prod",
        "--yes",
        "--override",
        "promotion",
        "--reason",
        "only a comment",
    )
    assert forced.status == 0, forced.stderr
    run = json.loads(call(workspace, "05:01", "history", "prod", "--format", "json").stdout)
    assert run["runs"][0]["overrides"]["promotion"].endswith("only a comment")
    here = json.loads(call(workspace, "05:02", "plan", "staging", "--format", "json").stdout)
    assert "edited after it ran here" in here["findings"][0]["message"]


def test_what_was_rolled_back_there_is_not_promoted(workspace: Workspace) -> None:
    assert call(workspace, "01:00", "apply", "staging", "--yes").status == 0
    assert call(workspace, "01:10", "rollback", "staging", "--to", "r002", "--yes").status == 0
    refused = call(workspace, "05:00", "apply", "prod", "--yes", "--format", "json")
    assert "r003 was undone in staging" in refused.error()["message"]
    assert call(workspace, "05:00", "apply", "prod", "--to", "r002", "--yes").status == 0
