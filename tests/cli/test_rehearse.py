"""`rehearse`: a plan on a clone, measured, taken back, and the clone dropped whatever happens."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_backups import order, scratch_databases
from tests.support.databases import Database, NewDatabase
from tests.support.workspace import Workspace

CHILD = (sys.executable, "-m", "tests.support.crash_child")
KILLED = -9


@pytest.fixture
def prod(workspace: Workspace, database: Database) -> Workspace:
    """Return a workspace with `prod` at r001, two rows, and three revisions ahead."""
    project = workspace.project.linear(1)
    project.revision(
        "r002",
        down="r001",
        upgrade="""
            op.add_column("t1", sa.Column("note", sa.String(100)))
            op.execute("UPDATE t1 SET note = upper(name)")
        """,
        downgrade='op.drop_column("t1", "note")',
        doc="fill notes",
    )
    project.revision(
        "r003",
        down="r002",
        upgrade='op.drop_column("t1", "kept")',
        downgrade='op.add_column("t1", sa.Column("kept", sa.String(20)))',
        doc="drop what was kept",
    )
    project.revision(
        "r004",
        down="r003",
        upgrade='op.create_index("ix_t1_name", "t1", ["name"])',
        downgrade='op.drop_index("ix_t1_name", table_name="t1")',
        doc="index names",
    )
    workspace.environment("prod", database)
    workspace.ok("apply", "prod", "--to", "r001", "--yes")
    database.execute(
        "ALTER TABLE t1 ADD COLUMN kept VARCHAR(20)",
        "INSERT INTO t1 (id, name, kept) VALUES (1, 'one', 'x'), (2, 'two', 'y')",
    )
    return workspace


def rehearsed(workspace: Workspace, *arguments: str, status: int = 0) -> dict[str, Any]:
    found = workspace.call("rehearse", "prod", "--format", "json", *arguments)
    assert found.status == status, f"{found.status}\n{found.stdout}\n{found.stderr}"
    value: dict[str, Any] = found.json()
    return value


def scratch_names(workspace: Workspace, word: str) -> set[str]:
    """Return the scratch databases that the journal calls created, or dropped."""
    store = sqlite3.connect(workspace.folder / ".orchestrate" / "state.db")
    with contextlib.closing(store):
        kind = (f"scratch.{word}",)
        rows = store.execute("SELECT data FROM orchestrate_events WHERE kind = ?", kind)
        return {json.loads(row[0])["name"] for row in rows}


def test_on_a_copy_of_the_live_database_then_of_a_backup(
    prod: Workspace, database: Database
) -> None:
    """Time, rows and locks of each step, what is lost on the way back; the plan tells of it."""
    found = rehearsed(prod, "--exit-code", status=3)
    assert (found["succeeded"], found["clone"]["source"]) == (True, "live")
    assert found["clone"]["passed_over"] == ["backup: no proven backup is in the catalogue"]
    assert [(one["revision"], one["verdict"]) for one in found["steps"]] == [
        ("r002", "reversible"),
        ("r003", "lossy"),
        ("r004", "reversible"),
    ]
    fill, drop, _ = found["steps"]
    update = next(one for one in fill["statements"] if one["text"].startswith("UPDATE"))
    assert update["rows"] == 2
    (reason,) = drop["reasons"]
    assert reason.endswith("t1.kept holds other values")
    assert all(one["again_seconds"] is not None for one in found["steps"])
    assert [one["table"] for one in fill["tables"]] == ([] if database.kind == "sqlite" else ["t1"])
    expected = {
        "sqlite": [("the whole file", "EXCLUSIVE")],
        "postgresql": [("t1", "ACCESS EXCLUSIVE"), ("t1", "ROW EXCLUSIVE")],
        "mariadb": None,  # the server does not tell
    }
    locks = fill["locks"] and sorted((one["table"], one["mode"]) for one in fill["locks"])
    assert locks == expected[database.kind]
    # Nothing of it is left, nothing was changed, no run is recorded.
    assert scratch_databases(database) == []
    assert prod.state("prod")["heads"] == ["r001"]
    assert len(prod.ok("history", "--format", "json").json()["runs"]) == 1
    assert not list((prod.folder / ".orchestrate").glob("rehearsal-*"))

    plan = prod.ok("plan", "prod", "--format", "json").json()
    (told,) = [one for one in plan["findings"] if one["code"] == "rehearsed"]
    assert "on a copy of the live database" in told["message"]
    assert "r003 is lossy" in told["message"]
    assert [one["estimate_seconds"] for one in plan["steps"]] == [
        one["seconds"] for one in found["steps"]
    ]
    assert {one["estimate_origin"] for one in plan["steps"]} == {"rehearsed"}

    prod.environment("prod", database, backup=order(database, verify="restore"))
    copy = prod.ok("backup", "prod", "--format", "json").json()
    prod.ok("apply", "prod", "--to", "r002", "--yes", "--override", "backup", "--reason", "a test")
    text = prod.ok("rehearse", "prod").stdout
    assert f"a copy of backup {copy['id']}" in text
    assert "brought up by 1 revision first" in text
    assert "lossy" in text
    run = prod.ok("history", "--format", "json").json()["runs"][0]["id"]
    assert "expected of all steps: " in prod.ok("show", run).stdout
    prod.ok("history", "--verify")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_many_statements_that_differ_in_their_values(prod: Workspace, database: Database) -> None:
    """Each is counted, and what another one locks among them is seen."""
    prod.project.revision(
        "r005",
        down="r004",
        upgrade="""
            op.create_table("t2", sa.Column("id", sa.Integer, primary_key=True))
        """,
        downgrade='op.drop_table("t2")',
    )
    prod.project.revision(
        "r006",
        down="r005",
        upgrade="""
            for one in range(300):
                op.execute(f"UPDATE t1 SET name = 'it''s {one}' WHERE id = {one}")
            op.execute("DELETE FROM t2 WHERE id = 7")
        """,
    )
    found = rehearsed(prod, "--from", "live", "--forward-only")
    last = found["steps"][-1]
    assert last["statement_count"] == 301
    locked = {(one["table"], one["mode"]) for one in last["locks"]}
    assert {("t1", "ROW EXCLUSIVE"), ("t2", "ROW EXCLUSIVE")} <= locked


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_has_no_way_back_and_what_fails(prod: Workspace, database: Database) -> None:
    """A downgrade that refuses ends the way back; a step that fails is told as `apply` would."""
    prod.project.revision(
        "r005",
        down="r004",
        upgrade='op.create_table("more", sa.Column("id", sa.Integer, primary_key=True))',
        downgrade="raise NotImplementedError",
        doc="no way back",
    )
    found = rehearsed(prod, "--exit-code", "--from", "schema", "--to", "r005", status=1)
    assert found["trouble"]["step"] == "002-r003"  # `kept` was made by hand
    assert found["steps"][1]["seconds"] is None
    found = rehearsed(prod, "--exit-code", status=3)
    assert [(one["revision"], one["verdict"]) for one in found["steps"]] == [
        ("r002", "unreached"),
        ("r003", "unreached"),
        ("r004", "unreached"),
        ("r005", "irreversible"),
    ]
    assert found["steps"][-1]["reasons"] == ["its downgrade refuses"]
    assert scratch_databases(database) == []
    assert prod.ok("rehearse", "prod", "--format", "markdown").stdout.startswith("### Rehearsal")
    prod.ok("apply", "prod", "--yes", "--to", "r004")
    # A revision that was edited since counts as not rehearsed.
    prod.environment("prod", database, policy={"rehearsed": "required"})
    path = prod.project.revision_file("r005")
    path.write_text(path.read_text() + "# edited\n")
    refused = prod.call("apply", "prod", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "not-rehearsed")
    quick = rehearsed(prod, "--forward-only", "--exit-code")
    assert (quick["succeeded"], quick["steps"][0]["verdict"]) == (True, None)
    prod.ok("apply", "prod", "--yes")
    assert "nothing to do" in prod.ok("rehearse", "prod").stdout


def test_on_generated_rows(prod: Workspace, database: Database) -> None:
    """A clone of revisions alone has rows, as many as are asked for, and all that is told of them."""
    prod.project.revision_file("r003").unlink()
    prod.project.revision_file("r004").unlink()
    prod.project.revision(
        "r003",
        down="r002",
        upgrade="""
            op.execute("UPDATE t1 SET note = 'x' WHERE note IS NULL")
            op.execute("DELETE FROM t1 WHERE id > 50")
        """,
        downgrade="pass",
        doc="a data migration",
    )
    found = rehearsed(prod, "--from", "schema")
    clone = found["clone"]
    assert (clone["source"], clone["generated_rows"], clone["filled_tables"]) == ("schema", 100, 1)
    assert clone["left_empty"] == []
    fill, data = found["steps"]
    update = next(one for one in fill["statements"] if one["text"].startswith("UPDATE"))
    assert update["rows"] == 100
    assert data["verdict"] == "irreversible"  # by its rows: without any, nobody would know
    assert any("rows where it had 100" in one for one in data["reasons"])
    text = prod.ok("rehearse", "prod", "--from", "schema", "--rows", "7").stdout
    assert "its schema with 7 generated rows in 1 table" in text
    markdown = prod.ok("rehearse", "prod", "--from", "schema", "--format", "markdown").stdout
    assert "on its schema with 100 generated rows in 1 table" in markdown
    plan = prod.ok("plan", "prod", "--format", "json").json()
    (told,) = [one for one in plan["findings"] if one["code"] == "rehearsed"]
    assert "on its schema with 100 generated rows in 1 table" in told["message"]
    assert {one["estimate_seconds"] for one in plan["steps"]} == {None}
    assert scratch_databases(database) == []
    without = rehearsed(prod, "--from", "schema", "--rows", "0")
    assert without["clone"]["generated_rows"] == 0
    assert without["steps"][1]["verdict"] == "reversible"


def test_rows_that_the_schema_allows_and_a_revision_does_not(
    workspace: Workspace, database: Database
) -> None:
    """It fails as it would on such rows; what that is worth is said, and tables left empty are."""
    workspace.project.revision(
        "r001",
        down=None,
        upgrade="""
            op.create_table(
                "t1",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("name", sa.String(40)),
                sa.Column("kind", sa.String(10), sa.CheckConstraint("kind IN ('a', 'b')"), nullable=False),
            )
            op.create_table(
                "t2",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("a", sa.Integer, sa.CheckConstraint("a * a = 2"), nullable=False),
            )
        """,
    )
    workspace.project.revision(
        "r002", down="r001", upgrade='op.create_index("one", "t1", ["name"], unique=True)'
    )
    workspace.environment("prod", database)
    workspace.ok("apply", "prod", "--to", "r001", "--yes")
    found = rehearsed(workspace, "--from", "schema", status=1)
    assert found["trouble"]["step"] == "001-r002"
    assert found["trouble"]["message"].startswith("generated rows contradict what r002 demands")
    assert found["clone"]["generated_rows"] == 100
    (empty,) = found["clone"]["left_empty"]
    assert empty["table"] == "t2"
    assert "constraint" in empty["reason"].lower()
    (remark,) = found["remarks"]
    assert "the schema allows them, and prod may have none like them" in remark
    text = workspace.call("rehearse", "prod", "--from", "schema")
    assert "left empty  t2: " in text.stdout
    assert "left empty: t2: " in text.stderr
    rehearsed(workspace, "--from", "schema", "--rows", "0")
    assert scratch_databases(database) == []


@pytest.mark.parametrize("way", [(), ("--forward-only",)])
def test_a_file_that_is_not_there_yet(
    workspace: Workspace, new_database: NewDatabase, way: tuple[str, ...]
) -> None:
    """Its revisions are made on an empty clone, and no file is made."""
    database = new_database("sqlite")
    workspace.project.linear(3)
    workspace.environment("prod", database)
    found = rehearsed(workspace, *way)
    assert found["clone"]["source"] == "schema"
    assert all(one["written_bytes"] is not None for one in found["steps"])
    assert not database.path.exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_failure_in_one_run_of_env(prod: Workspace, database: Database) -> None:
    """Forward only, the steps are one run of env.py: those before the failure are measured."""
    prod.project.revision("r005", down="r004", upgrade='op.execute("SELECT broken")')
    prod.project.revision("r006", down="r005", upgrade='op.execute("SELECT 1")')
    found = rehearsed(prod, "--forward-only", "--exit-code", "--to", "r006", status=1)
    assert found["trouble"]["step"] == "004-r005"
    assert "SELECT broken" in found["trouble"]["statement"]
    timed = [one["revision"] for one in found["steps"] if one["seconds"] is not None]
    assert timed == ["r002", "r003", "r004"]
    assert found["steps"][0]["written_bytes"] > 0
    assert scratch_databases(database) == []


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_killed_in_the_middle(prod: Workspace, database: Database) -> None:
    """What a killed rehearsal left is dropped by the next command that makes a clone."""
    died = prod.call("rehearse", "prod", program=(*CHILD, "go:2", "--"))
    assert died.status == KILLED
    (left,) = scratch_names(prod, "created") - scratch_names(prod, "dropped")
    assert Path(left).exists() if database.kind == "sqlite" else scratch_databases(database)
    rehearsed(prod)
    assert scratch_names(prod, "created") == scratch_names(prod, "dropped")
    assert not Path(left).exists()
    assert scratch_databases(database) == []
    prod.ok("history", "--verify")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_check_that_takes_too_long(prod: Workspace, database: Database) -> None:
    """It is a remark; what was measured is kept, and the way back goes on."""
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    checks = [
        {"sql": f"{endless} SELECT count(*) FROM n", "expect": 0, "timeout": "500ms"},
        {"sql": "SELECT count(*) FROM t1", "expect": 3},
    ]
    prod.environment("prod", database, verify=checks)
    found = rehearsed(prod, "--to", "r002")
    assert (found["succeeded"], found["steps"][0]["verdict"]) == (True, "reversible")
    stalled, wrong = found["remarks"]
    assert "could not be asked on the clone" in stalled
    assert "no end within" in stalled
    assert "does not hold on the clone" in wrong
    assert scratch_databases(database) == []
