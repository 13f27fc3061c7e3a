"""Spec, status, plan, apply, history: the main job on every dialect, as a person types it."""

from __future__ import annotations

import json

from tests.support.databases import Database, NewDatabase
from tests.support.projects import names
from tests.support.workspace import Workspace


def test_from_empty_to_head(one: Workspace, database: Database) -> None:
    """Status, plan, apply, status again, history: every command says what is so."""
    assert one.state("dev")["state"] == "empty"
    assert database.tables() == [], "looking writes nothing"

    plan = one.ok("plan", "dev", "--format", "json").json()
    assert [step["revision"] for step in plan["steps"]] == names(range(1, 7))
    assert plan["basis"][0]["heads"] == []
    assert database.tables() == []

    applied = one.ok("apply", "dev", "--yes", "--format", "json")
    told = [event["event"] for event in applied.events()]
    assert told == ["run.started", *(["step.started", "step.finished"] * 6), "run.finished"]
    assert applied.events()[-1]["status"] == "succeeded"
    assert database.heads() == ["r006"]
    assert database.tables() == ["alembic_version", "t1", "t2"]

    assert one.state("dev")["state"] == "current"
    assert "nothing to do" in one.ok("apply", "--env", "dev", "--yes").stdout
    (run,) = one.ok("history", "--format", "json").json()["runs"]
    assert run["status"] == "succeeded"
    assert [step["status"] for step in run["steps"]] == ["finished"] * 6
    assert "hash chain holds" in one.ok("history", "--verify").stdout
    assert "r006" in one.ok("show", run["id"]).stdout


def test_to_and_exit_code(one: Workspace, database: Database) -> None:
    """`--to` takes what Alembic takes; `--exit-code` tells a machine that something is pending."""
    one.ok("apply", "dev", "--yes", "--to", "+2")
    assert database.heads() == ["r002"]
    one.ok("apply", "dev", "--yes", "--to", "r004")
    assert database.heads() == ["r004"]
    assert one.call("plan", "dev", "--exit-code").status == 3
    assert one.call("plan", "dev", "--to", "r004", "--exit-code").status == 0
    assert one.call("plan", "dev", "--to", "nowhere").status == 2
    row = one.state("dev")
    assert (row["state"], row["pending"]) == ("behind", 2)


def test_saved_plan_runs_once_and_goes_stale(one: Workspace, database: Database) -> None:
    """A saved plan is carried out exactly, once, and refused when the world has moved."""
    one.ok("plan", "dev", "--to", "r002", "--out", "first.json")
    one.ok("plan", "dev", "--to", "r001", "--out", "other.json")
    one.ok("apply", "first.json", "--yes")
    assert database.heads() == ["r002"]
    used = one.call("apply", "first.json", "--yes", "--format", "json")
    assert (used.status, used.error()["code"]) == (4, "plan-already-used")
    assert used.events()[-1]["status"] == "blocked"
    stale = one.call("apply", "other.json", "--yes", "--format", "json")
    assert (stale.status, stale.error()["code"]) == (4, "stale-plan")
    assert "the database moved: planned from base, found r002" in stale.error()["message"]

    one.ok("plan", "dev", "--out", "third.json")
    file = one.project.revision_file("r003")
    file.write_text(file.read_text() + "\n# edited\n")
    edited = one.call("apply", "third.json", "--yes", "--format", "json")
    assert edited.error()["code"] == "stale-plan"
    assert "`r003`" in edited.error()["message"]

    tampered = json.loads((one.folder / "third.json").read_text())
    tampered["steps"][0]["file_sha256"] = "0" * 64
    (one.folder / "fourth.json").write_text(json.dumps(tampered))
    refused = one.call("apply", "fourth.json", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (2, "plan-unreadable")


def test_confirmation(one: Workspace, database: Database) -> None:
    """Without a person to ask and without `--yes`, nothing is done."""
    refused = one.call("apply", "dev", "--no-input", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (2, "no-input")
    assert database.tables() == []


def test_several_environments_at_once(workspace: Workspace, new_database: NewDatabase) -> None:
    """One table, one plan each; an unreachable database is a row, not a crash."""
    workspace.project.linear(3)
    for name, kind in {"dev": "sqlite", "staging": "postgresql", "prod": "mariadb"}.items():
        workspace.environment(name, new_database(kind))
    workspace.environment("gone", url="postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    value = workspace.ok("status", "--format", "json").json()
    found = {one["name"]: one["targets"][0] for one in value["environments"]}
    assert {name: row["state"] for name, row in found.items()} == {
        "dev": "empty",
        "staging": "empty",
        "prod": "empty",
        "gone": "unreachable",
    }
    assert found["gone"]["error"]["code"] == "unreachable"
    assert value["heads"] == ["r003"]
    plans = workspace.ok("plan", "dev", "staging", "prod", "--format", "json").json()["plans"]
    assert [len(plan["steps"]) for plan in plans] == [3, 3, 3]


def test_sql_of_every_revision(one: Workspace) -> None:
    """`--sql` writes up and down of each revision; what cannot be rendered is marked."""
    one.project.revision(
        "r007",
        down="r006",
        doc="reads",
        upgrade="op.get_bind().execute(sa.text('select 1')).scalar_one()",
    )
    one.ok("plan", "dev", "--sql", "sql")
    files = sorted(path.name for path in (one.folder / "sql").iterdir())
    assert files[:2] == ["001-r001.down.sql", "001-r001.up.sql"]
    assert "CREATE TABLE t1" in (one.folder / "sql/001-r001.up.sql").read_text()
    assert "DROP TABLE t1" in (one.folder / "sql/001-r001.down.sql").read_text()
    assert "NOT RENDERED" in (one.folder / "sql/007-r007.up.sql").read_text()
