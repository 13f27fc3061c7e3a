"""The guide to approvals, command by command, as its reader would type it."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/approvals.md"


def test_guide(tmp_path: Path) -> None:
    """A refusal, an approval, a run; a way back that is signed for; a signature of ssh-keygen's."""
    folder = tmp_path / "work"
    project = Project(folder).linear(3).configure(url=f"sqlite:///{folder}/prod.db")
    workspace = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    environ = {**workspace.environment_variables(), "ORCHESTRATE_USER": "", "SSH_AUTH_SOCK": ""}
    assert follow(GUIDE, folder, environ=environ) == 16
