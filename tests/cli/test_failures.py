"""Revisions that fail in their middle: what stayed is told exactly, and there is a way on."""

from __future__ import annotations

import pytest

from tests.support.databases import Database, NewDatabase
from tests.support.workspace import Workspace

MAKE = 'op.create_table("{}", sa.Column("id", sa.Integer, primary_key=True))\n'
FAILURES = {
    "sql": 'op.execute("select * from nowhere")',
    "exception": 'raise ValueError("the data is not as expected")',
    "exit": 'import sys; sys.exit("the revision says no")',
}
WORDS = {"sql": "nowhere", "exception": "not as expected", "exit": "says no"}


def failing(workspace: Workspace, failure: str) -> None:
    """Write a second revision that makes two tables and fails before the third."""
    body = MAKE.format("a") + MAKE.format("b") + failure + "\n" + MAKE.format("c")
    workspace.project.revision("r002", down="r001", doc="fails", upgrade=body)


@pytest.mark.parametrize("kind", FAILURES)
def test_revision_that_fails(workspace: Workspace, new_database: NewDatabase, kind: str) -> None:
    """On each dialect at once: undone with exit status 1, or in doubt with 7."""
    workspace.project.linear(1)
    failing(workspace, FAILURES[kind])
    databases = {name: new_database(name) for name in ("sqlite", "postgresql", "mariadb")}
    for name, database in databases.items():
        workspace.environment(name, database)
        failed = workspace.call("apply", name, "--yes")
        assert WORDS[kind] in failed.stderr, failed.stderr
        assert "Traceback" not in failed.stderr
        assert "orchestrate resume run-" in failed.stderr
        assert database.heads() == ["r001"]
        if name == "postgresql":
            assert failed.status == 1, failed.stderr
            assert "Nothing of the failed step stayed" in failed.stderr
            assert database.tables() == ["alembic_version", "t1"]
        else:
            assert failed.status == 7, failed.stderr
            assert "002-r002 is half applied" in failed.stderr
            assert "+ table a" in failed.stderr
            assert "+ table b" in failed.stderr
            assert "table c" not in failed.stderr
            assert database.tables() == ["a", "alembic_version", "b", "t1"]


def test_way_on_after_repair(workspace: Workspace, database: Database) -> None:
    """The cause repaired by hand, `resume` goes on; the file repaired, a new plan does."""
    workspace.project.linear(1)
    failing(workspace, 'op.execute("insert into wanted values (1)")')
    workspace.project.revision("r003", down="r002")
    workspace.environment("dev", database)
    undone = database.kind == "postgresql"
    failed = workspace.call("apply", "dev", "--yes", "--format", "json")
    assert failed.status == (1 if undone else 7), failed.stderr
    last = failed.events()[-1]
    assert last["status"] == ("failed" if undone else "in-doubt")
    assert "wanted" in failed.error()["details"]["failing"]
    if not undone:
        assert {one["name"] for one in last["differences"]} >= {"a", "b"}
        blocked = workspace.call("apply", "dev", "--yes", "--format", "json")
        assert (blocked.status, blocked.error()["code"]) == (6, "run-unfinished")
        assert "--mark-applied" in blocked.error()["hint"]
        database.execute("DROP TABLE a", "DROP TABLE b")
    database.execute("CREATE TABLE wanted (id integer)")
    if not undone:
        again = workspace.call("resume")
        assert again.status == 7, "the table that is there now is a change as well"
        assert "+ table wanted" in again.stderr
    resumed = workspace.ok("resume", *([] if undone else ["--retry"]))
    assert "003-r003" in resumed.stderr
    assert database.heads() == ["r003"]
    assert {"a", "b", "c"} <= set(database.tables())
    assert database.rows("SELECT * FROM wanted") == [(1,)]


def test_way_on_after_an_edit(workspace: Workspace, database: Database) -> None:
    """A revision edited after it failed is another one: the old run ends, a new plan begins."""
    workspace.project.linear(1)
    failing(workspace, FAILURES["sql"])
    workspace.environment("dev", database)
    failed = workspace.call("apply", "dev", "--yes", "--format", "json")
    run = failed.events()[-1]["run"]
    failing(workspace, "pass")
    changed = workspace.call("resume", "--format", "json")
    assert (changed.status, changed.error()["code"]) == (6, "revision-changed"), changed.stderr
    if database.kind == "postgresql":
        # It failed cleanly and blocks nobody; that somebody tried to go on must not change that.
        assert changed.error()["hint"] == (
            "It has ended as it failed and blocks nothing, so that there is nothing to abort; "
            "`orchestrate plan dev` looks again"
        )
    else:
        assert f"orchestrate abort {run}" in changed.error()["hint"]
        workspace.ok("abort", run)
    for table in set(database.tables()) & {"a", "b"}:
        database.execute(f"DROP TABLE {table}")
    workspace.ok("apply", "dev", "--yes")
    assert database.heads() == ["r002"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_index_that_cannot_be_built(workspace: Workspace, database: Database) -> None:
    """A concurrent build that failed leaves an invalid index, which is named and not used."""
    index = 'op.create_index("ix_t1_name", "t1", ["name"], unique=True, {})'
    build = index.format("postgresql_concurrently=True")
    workspace.project.linear(1).revision(
        "r002", down="r001", upgrade=f"with op.get_context().autocommit_block():\n    {build}"
    )
    workspace.environment("dev", database)
    workspace.ok("apply", "dev", "--yes", "--to", "r001")
    database.execute("INSERT INTO t1 VALUES (1, 'same'), (2, 'same')")
    failed = workspace.call("apply", "dev", "--yes")
    assert failed.status == 7, failed.stderr
    assert "could not create unique index" in failed.stderr
    assert "+ index t1.ix_t1_name" in failed.stderr or "ix_t1_name" in failed.stderr
    assert "drop it before a retry" in failed.stderr
    assert "'same'" not in failed.stderr, "values of rows are nobody's business"
    database.execute("DELETE FROM t1 WHERE id = 2", "DROP INDEX ix_t1_name")
    workspace.ok("resume")
    assert database.heads() == ["r002"]

    # The trap: with IF NOT EXISTS a retry is content with the invalid index.
    build = index.format("postgresql_concurrently=True, if_not_exists=True").replace("ix_t1", "ix2")
    workspace.project.revision(
        "r003", down="r002", upgrade=f"with op.get_context().autocommit_block():\n    {build}"
    )
    database.execute("DROP INDEX ix_t1_name", "INSERT INTO t1 VALUES (2, 'same')")
    assert workspace.call("apply", "dev", "--yes").status == 7
    retried = workspace.ok("resume", "--retry")
    assert "warning: not usable as it is (invalid): " in retried.stderr
    assert "ix2_name" in retried.stderr
