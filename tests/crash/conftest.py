"""A project whose third revision can be made to kill somebody in its middle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.projects import Project
from tests.support.workspace import Workspace

MIDDLE = """
    import os, pathlib, signal
    op.create_table("first", sa.Column("id", sa.Integer, primary_key=True))
    mark = pathlib.Path({mark!r})
    if mark.exists():
        victims = mark.read_text().split()
        mark.unlink()
        for victim in victims:
            number = {{"orchestrator": os.getppid, "agent": os.getpid}}.get(victim, lambda: int(victim))()
            os.kill(number, signal.SIGKILL)
    op.create_table("second", sa.Column("id", sa.Integer, primary_key=True))
"""
BACK = 'op.drop_table("second"); op.drop_table("first")'


@dataclass
class Scene:
    """A workspace with the environment `dev`, and the file that arms its third revision."""

    workspace: Workspace
    database: Database
    mark: Path

    def arm(self, *victims: str | int) -> None:
        """Have the third revision kill these between its two tables, once."""
        self.mark.write_text(" ".join(str(victim) for victim in victims))


@pytest.fixture
def scene(tmp_path: Path, database: Database) -> Scene:
    """Start five revisions on a fresh database of each dialect."""
    folder = tmp_path / "work"
    mark = tmp_path / "kill"
    project = Project(folder).linear(2)
    project.revision(
        "r003", down="r002", doc="two tables", upgrade=MIDDLE.format(mark=str(mark)), downgrade=BACK
    )
    for number in (4, 5):
        project.revision(
            f"r00{number}",
            down=f"r00{number - 1}",
            doc=f"table {number}",
            upgrade=f'op.create_table("t{number}", sa.Column("id", sa.Integer, primary_key=True))',
            downgrade=f'op.drop_table("t{number}")',
        )
    workspace = Workspace(folder=folder, project=project).spec().environment("dev", database)
    return Scene(workspace=workspace, database=database, mark=mark)
