"""Killed at any point of a baseline, a run can be resumed, and ends as one that was never killed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.projects import Project
from tests.support.workspace import Workspace

BUILD = """
import os
import sqlalchemy as sa
with sa.create_engine(os.environ["ORCHESTRATE_DATABASE_URL"]).begin() as connection:
    connection.execute(sa.text("CREATE TABLE base (id INTEGER PRIMARY KEY)"))
"""
POINTS = {
    "after:step.started:1": "resume",
    "before:step.finished:1": "decide",
    "go:1": "resume",
    "committed:1": "resume",
}


@pytest.mark.parametrize(
    ("database", "point"),
    [
        *(("sqlite", point) for point in POINTS),
        ("postgresql", "go:1"),
        ("mariadb", "committed:1"),
    ],
    indirect=["database"],
)
def test_killed_in_a_baseline(tmp_path: Path, database: Database, point: str) -> None:
    """A command whose end nobody recorded is a doubt; a stamp is found in the version table."""
    folder = tmp_path / "work"
    project = Project(folder).linear(2)
    (folder / "build.py").write_text(BUILD)
    baseline = {"run": [sys.executable, "build.py"], "stamp": "r002"}
    project.revision("r003", down="r002", upgrade='op.execute("CREATE TABLE later (id INTEGER)")')
    workspace = Workspace(folder=folder, project=project).environment("dev", database)
    workspace.spec(project={"config": "alembic.ini", "baseline": baseline})
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    assert workspace.call("apply", "dev", "--yes", program=program).status == -9
    if POINTS[point] == "decide":
        assert workspace.call("resume").status == 7
        workspace.ok("resume", "--mark-applied")
    else:
        workspace.ok("resume")
    assert database.heads() == ["r003"]
    assert database.tables() == ["alembic_version", "base", "later"]
    workspace.ok("history", "--verify")
    assert workspace.state("dev")["remarks"] == []
