"""`orchestrate rollback`: planned, told beforehand what it costs, and compared afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.workspace import Result, Workspace

TABLE = 'op.create_table("{0}", sa.Column("id", sa.Integer, primary_key=True))'


def runs(workspace: Workspace) -> list[dict[str, Any]]:
    """Return what `history` tells, newest first."""
    found: list[dict[str, Any]] = workspace.ok("history", "--format", "json").json()["runs"]
    return found


def back(workspace: Workspace, *arguments: str) -> Result:
    return workspace.call("rollback", "dev", "--yes", "--format", "json", *arguments)


def test_back_to_a_revision(one: Workspace, database: Database) -> None:
    """Whatever `alembic downgrade` takes; what is deleted is named, with the rows that are there."""
    one.ok("apply", "dev", "--yes")
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'a'), (2, 'b')")
    if database.kind != "sqlite":
        database.execute("ANALYZE t1" if database.kind == "postgresql" else "ANALYZE TABLE t1")
    one.ok("rollback", "dev", "--to", "-1", "--yes")
    one.ok("rollback", "dev", "--to", "r004", "--yes")
    assert (database.heads(), "note" in database.columns("t2")) == (["r004"], False)
    told = one.ok("rollback", "dev", "--to", "r001", "--yes", "--sql", "sql").stdout
    about = "" if database.kind == "sqlite" else "about "
    assert f"drops column t1.note, which has {about}2 rows" in told
    assert "drops table t2" in told
    assert "ALTER TABLE t1 DROP COLUMN note" in told
    assert "open  way-back: every revision on it has a downgrade" in told
    assert "DROP TABLE t2" in (one.folder / "sql" / "001-r004.down.sql").read_text()
    assert "CREATE TABLE t2" in (one.folder / "sql" / "001-r004.up.sql").read_text()
    assert [step["id"] for step in runs(one)[0]["steps"]][-1] == "004-verify"
    one.ok("rollback", "dev", "--to", "base", "--yes")
    assert database.tables() == ["alembic_version"]
    assert runs(one)[0]["schema_after"] == runs(one)[-1]["schema_before"], "as it began"
    one.ok("history", "--verify")


def test_a_run_is_undone(one: Workspace, database: Database) -> None:
    """Exactly what it did; and undoing that goes forward again, by the same revisions."""
    one.ok("apply", "dev", "--yes", "--to", "r002")
    one.ok("apply", "dev", "--yes")
    second, first = runs(one)
    early = back(one, "--run", first["id"])
    assert (early.status, early.error()["code"]) == (4, "run-overtaken")
    assert f"orchestrate rollback dev --run {second['id']}" in early.error()["hint"]
    one.ok("rollback", "dev", "--run", second["id"], "--yes")
    assert database.heads() == ["r002"]
    undone = runs(one)[0]
    assert undone["schema_after"] == second["schema_before"]
    again = one.ok("rollback", "dev", "--run", undone["id"], "--yes").stdout
    assert "tables and columns come back empty" in again
    assert database.heads() == ["r006"]
    assert runs(one)[0]["direction"] == "upgrade"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_was_said(one: Workspace) -> None:
    """Without a destination the choices are told; two are too many; a run has to be known."""
    one.ok("apply", "dev", "--yes")
    asked = back(one)
    assert (asked.status, asked.error()["code"]) == (2, "usage")
    assert f"--run {runs(one)[0]['id']}` undoes the last run" in asked.error()["hint"]
    assert back(one, "--to", "base", "--run", "x").status == 2
    assert back(one, "--run", "x").error()["code"] == "unknown-run"
    refused = one.call("rollback", "dev", "--to", "base", "--no-input", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (2, "no-input")


def test_a_downgrade_that_leaves_something(one: Workspace, database: Database) -> None:
    """It is never trusted: the run fails, names each difference, and compares again when mended."""
    one.project.revision(
        "r007",
        down="r006",
        upgrade=TABLE.format("kept") + "; " + TABLE.format("gone"),
        downgrade='op.drop_table("gone")',
    )
    one.ok("apply", "dev", "--yes")
    failed = back(one, "--to", "r006")
    assert (failed.status, failed.error()["code"]) == (1, "schema-differs")
    assert database.heads() == ["r006"]
    last = failed.events()[-1]
    assert last["status"] == "failed"
    assert {(one["object"], one["change"]) for one in last["differences"]} >= {("table", "added")}
    assert "the version table says r006 and the schema is not that of r006" in last["message"]
    told = one.call("resume")
    assert told.status == 1
    assert "+ table kept added" in told.stderr.replace("public.", "")
    assert "there is no good backup of dev" in told.stderr
    database.execute("DROP TABLE kept")
    one.ok("resume")
    done, applied = runs(one)
    assert done["status"] == "succeeded"
    assert done["schema_after"] != applied["schema_after"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_no_way_back(one: Workspace, database: Database) -> None:
    """A revision without a downgrade closes the plan; an empty one as well, unless it is said."""
    one.project.revision("r007", down="r006", upgrade=TABLE.format("more"))
    file = one.project.revision("r008", down="r007").revision_file("r008")
    file.write_text(file.read_text().partition("def downgrade")[0])
    one.project.revision("r009", down="r008", upgrade="op.execute('UPDATE t1 SET note = name')")
    one.ok("apply", "dev", "--yes")
    assert back(one, "--to", "r008").status == 0, "no schema was changed, so nothing is undone"
    closed = back(one, "--to", "r007")
    assert (closed.status, closed.error()["code"]) == (4, "no-way-back")
    assert [found["message"] for found in closed.error()["findings"]] == ["has no downgrade"]
    assert "No good backup of dev at r007 or before it" in closed.error()["hint"]
    assert closed.events()[-1]["status"] == "blocked"
    forced = back(one, "--to", "r007", "--override", "way-back", "--reason", "by hand")
    assert forced.error()["code"] == "no-way-back", "there is nothing that could run"

    file.write_text(file.read_text() + "\n\ndef downgrade():\n    pass\n")
    assert back(one, "--to", "r007").status == 0
    empty = back(one, "--to", "r006")
    assert empty.error()["findings"][0]["message"] == (
        "has an empty downgrade, and its upgrade changed the schema"
    )
    forced = back(one, "--to", "r006", "--override", "way-back", "--reason", "by hand")
    assert (forced.status, forced.error()["code"]) == (1, "schema-differs")
    assert "by hand" in runs(one)[0]["overrides"]["way-back"]


def test_a_failing_downgrade(one: Workspace, database: Database) -> None:
    """It fails as an upgrade does, is resumed when mended, and compared in the end."""
    bad = 'op.drop_table("nowhere")'
    one.project.revision("r007", down="r006", upgrade=TABLE.format("more"), downgrade=bad)
    one.ok("apply", "dev", "--yes")
    failed = one.call("rollback", "dev", "--to", "r005", "--yes")
    assert failed.status == 1
    assert "there is no good backup of dev" in failed.stderr
    assert database.heads() == ["r007"]
    file = one.project.revision_file("r007")
    file.write_text(file.read_text().replace("nowhere", "more"))
    one.ok("rollback", "dev", "--to", "r005", "--yes")
    assert database.heads() == ["r005"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_second_line_is_a_copy(one: Workspace, database: Database) -> None:
    """Taken before the way back as before any change, and named with its command when it is due."""
    one.environment("dev", database, backup={"strategy": "sqlite", "destination": "copies/"})
    one.project.revision("r007", down="r006", upgrade=TABLE.format("kept"), downgrade="1 / 0")
    one.ok("apply", "dev", "--yes", "--to", "r006")
    one.ok("apply", "dev", "--yes")
    before = one.ok("backups", "dev", "--format", "json").json()["backups"]
    (copy,) = (found for found in before if found["heads"] == ["r006"])
    failed = back(one, "--to", "-1")
    assert failed.status == 1
    own = failed.error()["details"]["backup"]
    assert own not in {found["id"] for found in before}
    assert f"orchestrate rollback dev --backup {own}" in failed.error()["hint"]
    file = one.project.revision_file("r007")
    file.write_text(file.read_text().partition("def downgrade")[0])
    closed = back(one, "--to", "-1")
    assert closed.error()["code"] == "no-way-back"
    assert f"`orchestrate rollback dev --backup {copy['id']}`" in closed.error()["hint"]
    assert "a copy of r006" in closed.error()["hint"]


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_branches_merges_and_a_dependency(workspace: Workspace, database: Database) -> None:
    """A run that crossed them is undone in its own opposite order, row by row."""
    project = workspace.project
    project.revision("b1", down=None, upgrade=TABLE.format("b1"), downgrade='op.drop_table("b1")')
    for name, down, depends in (
        ("l1", "b1", None),
        ("x1", "b1", None),
        ("x2", "x1", "l1"),
        ("l2", "l1", None),
    ):
        project.revision(
            name,
            down=down,
            depends_on=depends,
            upgrade=TABLE.format(name),
            downgrade=f'op.drop_table("{name}")',
        )
    workspace.environment("dev", database)
    workspace.ok("apply", "dev", "--yes", "--to", "l1")
    workspace.ok("apply", "dev", "--yes", "--to", "x1")
    between = database.heads()
    project.revision("m1", down=("l2", "x2"))
    workspace.ok("apply", "dev", "--yes")
    assert database.heads() == ["m1"]
    workspace.ok("rollback", "dev", "--run", runs(workspace)[0]["id"], "--yes")
    assert database.heads() == between == ["l1", "x1"]
    assert database.tables() == ["alembic_version", "b1", "l1", "x1"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_stamp_is_undone_by_a_stamp(one: Workspace, database: Database) -> None:
    """Rows alone; the schema is still what it was."""
    one.ok("apply", "dev", "--yes", "--to", "r002")
    reason = ("--override", "proof", "--reason", "a mistake")
    one.ok("stamp", "dev", "r005", "--yes", *reason)
    one.ok("rollback", "dev", "--run", runs(one)[0]["id"], "--yes")
    assert database.heads() == ["r002"]
    assert runs(one)[0]["direction"] == "stamp"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_run_that_stopped_is_undone_as_far_as_it_came(one: Workspace, database: Database) -> None:
    """A clean failure, and one that is given up for it; nothing that was not done is undone."""
    bad = 'op.drop_table("nowhere")'
    one.project.revision("r007", down="r006", upgrade=bad)
    one.ok("apply", "dev", "--yes", "--to", "r003")
    assert one.call("apply", "dev", "--yes").status == 1
    failed = runs(one)[0]
    one.ok("rollback", "dev", "--run", failed["id"], "--yes")
    assert database.heads() == ["r003"]
    assert runs(one)[0]["schema_after"] == failed["schema_before"]
    assert "nothing to do" in one.ok("rollback", "dev", "--to", "r003", "--yes").stdout


def test_what_alembic_itself_did(one: Workspace, database: Database) -> None:
    """Without a recorded schema it is made anew; else it is said that nothing can be shown."""
    one.environ["TMPDIR"] = str(one.folder.parent)
    one.project.configure(url=database.url).alembic("upgrade", "head")
    told = one.ok("alembic", "dev", "--yes", "--", "downgrade", "-2")
    assert "compares  the schema with that of r004, made anew in a scratch database" in told.stdout
    assert database.heads() == ["r004"]
    run = runs(one)[0]
    assert (run["direction"], run["command"]) == ("downgrade", "alembic downgrade -2")
    assert [step["revision"] for step in run["steps"]] == ["r006", "r005", "r004"]
    if database.kind == "sqlite":
        one.environ["ELSEWHERE_URL"] = database.url
        one.project.env("connects_elsewhere")
        shown = one.ok("rollback", "dev", "--to", "r002", "--yes")
        assert "whether the schema is as it was cannot be shown: " in shown.stderr
        assert runs(one)[0]["status"] == "succeeded"
