"""The guide to hooks and checks, command by command, as its reader would type it."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/hooks-and-checks.md"


def test_guide(tmp_path: Path) -> None:
    """From the plan with everything in it to a check that does not hold, and holds again."""
    folder = tmp_path / "work"
    project = Project(folder).linear(2)
    workspace = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    assert follow(GUIDE, folder, environ=workspace.environment_variables()) == 9
