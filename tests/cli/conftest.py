"""Workspaces for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.projects import Project
from tests.support.waiting import Gate
from tests.support.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Start a folder with an Alembic project without revisions and a spec without environments."""
    folder = tmp_path / "work"
    return Workspace(folder=folder, project=Project(folder)).spec()


@pytest.fixture
def one(workspace: Workspace, database: Database) -> Workspace:
    """Start a workspace of six ordinary revisions with the environment `dev`, for each dialect."""
    workspace.project.linear(6)
    return workspace.environment("dev", database)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Name a file that a revision waits for."""
    return Gate(tmp_path / "go")
