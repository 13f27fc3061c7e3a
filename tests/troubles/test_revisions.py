"""Revisions that fail for a known reason: what it is, in this environment, and what mends it."""

from __future__ import annotations

import pytest

from tests.support.databases import Database, NewDatabase
from tests.support.workspace import Result, Workspace

AGAIN = 'op.create_table("t1", sa.Column("id", sa.Integer))'
Cases = dict[str, tuple[str, str, str, str]]

POSTGRESQL: Cases = {
    "again": (
        AGAIN,
        "already-exists",
        "again creates the table `t1`, which dev has already though its version table says r001 (",
        "`orchestrate stamp dev REV` records that revision",
    ),
    "mood": (
        'sa.Enum("a", name="mood").create(op.get_bind())',
        "enum-exists",
        "mood creates the enum type `mood`, which dev has already (",
        "create_type=False",
    ),
    "gone": (
        'op.add_column("nowhere", sa.Column("x", sa.Integer))',
        "missing-object",
        "gone needs the table `nowhere`, which dev has not though its version table says r001 (",
        "`orchestrate stamp dev REV` records the revision that the schema really has",
    ),
    "column": (
        'op.drop_column("t1", "nothing")',
        "missing-object",
        "column needs the column `nothing`, which dev has not though its version table says r001",
        "from a backup",
    ),
    "rows": (
        'op.create_unique_constraint("uq", "t1", ["name"])',
        "rows-in-the-way",
        "existing rows of dev contradict what rows demands (",
        "Correct the rows",
    ),
    "concurrent": (
        'op.create_index("ix", "t1", ["id"], postgresql_concurrently=True)',
        "needs-autocommit",
        "concurrent has a statement that the server runs only outside a transaction (",
        "`with op.get_context().autocommit_block():`",
    ),
    "slow": (
        'op.execute("select pg_sleep(9)")',
        "statement-timeout",
        "slow ran longer than a statement may in dev (",
        "`statement_timeout` for dev",
    ),
    "module": (
        "import backend.models",
        "module-missing",
        "module imports `backend`, which the project's Python does not find (",
        "`sys_path`",
    ),
}

SQLITE: Cases = {
    "constraint": (
        'op.create_unique_constraint("uq", "t1", ["name"])',
        "sqlite-alter",
        "constraint alters something in place, which SQLite cannot (NotImplementedError",
        "render_as_batch=True",
    ),
    "nullable": (
        'op.alter_column("t1", "name", nullable=True)',
        "sqlite-alter",
        "nullable alters something in place, which SQLite cannot (OperationalError",
        '`with op.batch_alter_table("t1") as batch:`',
    ),
    "again": (
        AGAIN,
        "already-exists",
        "again creates the table `t1`, which dev has already",
        "orchestrate stamp dev REV",
    ),
}

MARIADB: Cases = {
    "again": (
        AGAIN,
        "already-exists",
        "again creates the table `t1`, which dev has already though its version table says r001 (",
        "orchestrate stamp dev REV",
    ),
    "gone": (
        'op.add_column("nowhere", sa.Column("x", sa.Integer))',
        "missing-object",
        "gone needs the table `nowhere`, which dev has not",
        "from a backup",
    ),
    "rows": (
        'op.create_unique_constraint("uq", "t1", ["name"])',
        "rows-in-the-way",
        "existing rows of dev contradict what rows demands (",
        "Correct the rows",
    ),
}


def started(workspace: Workspace, database: Database, cases: Cases, **keys: object) -> None:
    """Apply a first revision; each case is a branch of its own after it."""
    workspace.project.linear(1)
    for name, (body, *_) in cases.items():
        workspace.project.revision(name, down="r001", branch_labels=(f"to-{name}",), upgrade=body)
    workspace.environment("dev", database, **keys)
    workspace.ok("apply", "dev", "--yes", "--to", "r001")
    database.execute("INSERT INTO t1 VALUES (1, 'same'), (2, 'same')")


def explained(workspace: Workspace, cases: Cases) -> None:
    """Apply each case and compare page, sentence and hint; nothing of it stays."""
    for name, (_, page, sentence, hint) in cases.items():
        failed = workspace.call("apply", "dev", "--yes", "--to", name, "--format", "json")
        assert failed.status == 1, failed.stderr
        error = failed.error()
        assert error["message"].startswith(sentence), error
        assert hint in error["hint"], error
        assert "`orchestrate resume run-" in error["hint"]
        assert error["docs"] == f"docs/troubles/{page}.md"
        assert "same" not in error["message"], "values of rows are nobody's business"


def test_postgresql(workspace: Workspace, new_database: NewDatabase) -> None:
    """Each reason once, told by SQLSTATE."""
    database = new_database("postgresql")
    started(workspace, database, POSTGRESQL, statement_timeout="1s")
    database.execute("CREATE TYPE mood AS ENUM ('a')")
    explained(workspace, POSTGRESQL)
    assert database.server is not None
    database.execute("GRANT INSERT, UPDATE, DELETE ON alembic_version TO PUBLIC")
    workspace.environ["DEV_URL"] = database.server.create_reader(database.name)
    right = {
        "again": (
            "",
            "missing-right",
            "the user of dev's URL may not do what again does (InsufficientPrivilege",
            "`GRANT` the right",
        )
    }
    workspace.project.revision("again", down="r001", upgrade=AGAIN.replace("t1", "t9"))
    explained(workspace, right)


@pytest.mark.parametrize(("kind", "cases"), [("sqlite", SQLITE), ("mariadb", MARIADB)])
def test_others(workspace: Workspace, new_database: NewDatabase, kind: str, cases: Cases) -> None:
    """By words on SQLite, by numbers on MariaDB."""
    started(workspace, new_database(kind), cases)
    explained(workspace, cases)


def test_invalid_index(workspace: Workspace, new_database: NewDatabase) -> None:
    """What a failed concurrent build left is named with the statement that takes it away."""
    database = new_database("postgresql")
    build = 'op.create_index("Ix", "t1", ["name"], unique=True, postgresql_concurrently=True)'
    body = f"with op.get_context().autocommit_block():\n    {build}"
    started(workspace, database, {"build": (body, "", "", "")})
    failed = workspace.call("apply", "dev", "--yes")
    assert failed.status == 7
    assert 't1.Ix  DROP INDEX CONCURRENTLY "Ix"' in failed.stderr
    assert "The cause: existing rows of dev contradict what build demands (" in failed.stderr
    assert "the cause: Correct the rows" in failed.stderr
    assert "more: docs/troubles/invalid-index.md" in failed.stderr
    database.execute('DROP INDEX CONCURRENTLY "Ix"', "DELETE FROM t1 WHERE id = 2")
    workspace.ok("resume")
    assert database.heads() == ["build"]


@pytest.mark.parametrize("shape", ["swallows_errors", "autobegin"])
def test_env_py_that_hides(workspace: Workspace, new_database: NewDatabase, shape: str) -> None:
    """An error that env.py swallows, a transaction that it never commits: found, not believed."""
    database = new_database("postgresql")
    body = "pass" if shape == "autobegin" else "op.execute('select nothing')"
    workspace.project.env(shape).revision("r001", down=None, upgrade=body)
    workspace.environment("dev", database)
    failed = workspace.call("apply", "dev", "--yes")
    assert failed.status == 1
    sentence, hint, page = {
        "swallows_errors": ("env.py hid what ended revision r001", "take the `try`", "swallowed"),
        "autobegin": ("its commit is not visible", "have it commit", "not-committed"),
    }[shape]
    assert sentence in failed.stderr
    assert hint in failed.stderr
    assert f"more: docs/troubles/{page}.md" in failed.stderr
    assert database.tables() == []
    if shape == "autobegin":
        text = (workspace.project.scripts / "env.py").read_text().splitlines()
        line = next(number for number, one in enumerate(text, 1) if "SELECT 1" in one)
        assert f"env.py:{line}\n" in failed.stderr


def test_failure_in_one_transaction(workspace: Workspace, new_database: NewDatabase) -> None:
    """`transactions: native`: a failing revision takes the run's earlier ones along, and says so."""
    database = new_database("postgresql")
    workspace.spec(project={"config": "alembic.ini", "transactions": "native"})
    workspace.project.linear(2).revision("r003", down="r002", upgrade=AGAIN)
    workspace.environment("dev", database)
    failed: Result = workspace.call("apply", "dev", "--yes")
    assert failed.status == 1
    assert "creates the table `t1`, which dev has already" in failed.stderr
    assert database.tables() == []


def test_run_after_a_failed_asynchronous_one(
    workspace: Workspace, new_database: NewDatabase
) -> None:
    """The agent of a failed run is thrown away, so that no closed event loop meets the next."""
    database = new_database("postgresql")
    workspace.project.linear(1).env("async")
    workspace.project.revision("r002", down="r001", upgrade=AGAIN)
    workspace.spec(project={"config": "alembic.ini", "drivers": {"postgresql": "asyncpg"}})
    workspace.environment("dev", database)
    failed = workspace.call("apply", "dev", "--yes")
    assert failed.status == 1
    assert "r002 creates the table `t1`, which dev has already" in failed.stderr
    workspace.project.revision("r002", down="r001", upgrade=AGAIN.replace("t1", "t2"))
    workspace.ok("apply", "dev", "--yes")
    assert database.heads() == ["r002"]
