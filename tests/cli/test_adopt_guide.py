"""The guide to databases that others made, command by command, as its reader would type it."""

from __future__ import annotations

from pathlib import Path

from tests.support.databases import sqlite_database
from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/adopt-a-database.md"
CREATE = """
    import os, sqlite3
    path = os.environ["ORCHESTRATE_DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.executescript(open("schema.sql").read())
"""
SCHEMA = """
    CREATE TABLE t1 (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL, note VARCHAR(100));
    CREATE INDEX ix_t1_name ON t1 (name);
"""


def test_guide(tmp_path: Path) -> None:
    """A database of another tool's is adopted, brought up to date, and built anew from a dump."""
    folder = tmp_path / "work"
    project = Project(folder).linear(5).configure(url=f"sqlite:///{folder}/legacy.db")
    project.alembic("upgrade", "r003")
    project.file("create_schema.py", CREATE).file("schema.sql", SCHEMA)
    sqlite_database(folder / "legacy.db").execute("DROP TABLE alembic_version")
    workspace = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    workspace.environment("legacy", url="sqlite:///legacy.db")
    workspace.environment("fresh", url="sqlite:///fresh.db")
    environ = workspace.environment_variables()
    assert follow(GUIDE, folder, environ=environ) == 9
