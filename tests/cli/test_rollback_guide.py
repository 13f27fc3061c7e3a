"""The guide to the way back, command by command, as its reader would type it."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/rollback.md"


def test_guide(tmp_path: Path) -> None:
    """To a revision, before a run, no way back, and a downgrade that leaves something."""
    folder = tmp_path / "work"
    workspace = Workspace(folder=folder, project=Project(folder).linear(5)).spec()
    workspace.environment("dev", url="sqlite:///dev.db")
    assert follow(GUIDE, folder, environ=workspace.environment_variables()) == 9
