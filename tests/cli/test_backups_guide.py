"""The guide to backups, command by command, as its reader would type it."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/backups.md"


def test_guide(tmp_path: Path) -> None:
    """From the first copy to putting one back, on a database that is two revisions behind."""
    folder = tmp_path / "work"
    project = Project(folder).linear(4).configure(url=f"sqlite:///{folder}/prod.db")
    project.alembic("upgrade", "r002")
    workspace = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    assert follow(GUIDE, folder, environ=workspace.environment_variables()) == 10
