"""A process killed while SQLite has written pages to the file that nobody committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.projects import Project
from tests.support.workspace import Workspace

ROWS = """
INSERT INTO many WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000)
SELECT x, 'some text of a row' FROM n"""
TOLD = "SELECT sum(n), sum(length(t)) FROM many"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_its_journal_is_rolled_back_by_whoever_looks_next(
    database: Database, tmp_path: Path
) -> None:
    """SQLite does that for a connection that may write, and refuses one that may not."""
    again = tmp_path / "again"
    project = Project(tmp_path / "work").linear(1)
    workspace = Workspace(folder=project.folder, project=project).spec(
        include="environments/*.yaml"
    )
    project.revision(
        "r002",
        down="r001",
        # More pages than the cache holds, so that the file is written before the commit.
        upgrade=f"""
            op.execute("PRAGMA cache_size = 1")
            op.execute("UPDATE many SET n = n + 1, t = t || t || t")
            if not os.path.exists({str(again)!r}):
                os.kill(os.getpid(), signal.SIGKILL)
        """,
        first="import os, signal",
    )
    workspace.environment("dev", database)
    workspace.ok("apply", "dev", "--yes", "--to", "r001")
    database.execute("CREATE TABLE many (n INTEGER, t TEXT)", ROWS)
    (before,) = database.rows(TOLD)
    journal = Path(f"{database.path}-journal")
    killed = workspace.call("apply", "dev", "--yes")
    assert killed.status == 6
    assert "could not be read" not in killed.stderr
    assert not journal.exists()
    assert database.rows(TOLD) == [before]
    again.touch()
    workspace.ok("resume")
    ((number, length),) = database.rows(TOLD)
    assert (number, length) == (before[0] + 2000, before[1] * 3)
    workspace.ok("backup", "dev")
