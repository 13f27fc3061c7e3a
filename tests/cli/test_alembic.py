"""`orchestrate alembic ENV -- …`: Alembic's own commands, with the target's values filled in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.databases import Database, NewDatabase
from tests.support.workspace import Workspace

SA = "import sqlalchemy as sa"
WANTS = """
if context.get_x_argument(as_dictionary=True).get("tenant") != "a":
    raise RuntimeError("no tenant")
if context.get_tag_argument() != "blue":
    raise RuntimeError("no tag")
"""


def test_what_only_looks_is_alembics_own(one: Workspace, database: Database) -> None:
    """Data comes on stdout, as from Alembic itself, and an empty database stays empty."""
    own = one.project.alembic("history", "-r", "r002:r004").stdout
    assert one.ok("alembic", "dev", "--", "history", "-r", "r002:r004").stdout == own
    assert one.ok("alembic", "dev", "--", "current").stdout == ""
    sql = one.ok("alembic", "dev", "--", "upgrade", "head", "--sql").stdout
    assert "CREATE TABLE alembic_version" in sql
    assert "CREATE TABLE t2" in sql
    behind = one.call("alembic", "dev", "--format", "json", "--", "check")
    assert (behind.status, behind.error()["code"]) == (1, "alembic-failed")
    assert behind.error()["message"].endswith("(Target database is not up to date)")
    assert database.tables() == [], "`check` of plain Alembic makes a version table"
    one.ok("apply", "dev", "--yes", "--to", "r004")
    assert one.ok("alembic", "--env", "dev", "--", "current").stdout == "r004\n"


def test_downgrade_and_upgrade_are_runs(one: Workspace, database: Database) -> None:
    """What changes the database goes the way of `apply`: a step a revision, in the journal."""
    one.ok("apply", "dev", "--yes")
    asked = one.call("alembic", "dev", "--no-input", "--format", "json", "--", "downgrade", "-1")
    assert (asked.status, asked.error()["code"]) == (2, "no-input")
    assert database.heads() == ["r006"]
    one.ok("alembic", "dev", "--yes", "--", "downgrade", "-2")
    assert database.heads() == ["r004"]
    assert "note" not in database.columns("t2")
    run = one.ok("history", "--format", "json").json()["runs"][0]
    assert (run["direction"], run["command"]) == ("downgrade", "alembic downgrade -2")
    assert [step["id"] for step in run["steps"]] == ["001-r006", "002-r005", "003-verify"]
    assert "downgrade from r006 to r004" in one.ok("show", run["id"]).stdout
    one.ok("alembic", "dev", "--yes", "--", "upgrade", "+1")
    assert database.heads() == ["r005"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_revisions_are_written_by_the_projects_own_alembic(
    one: Workspace, oldest_python: Path
) -> None:
    """A command that writes files works through the runner, on the oldest Alembic as well."""
    one.spec(project={"config": "alembic.ini", "runner": {"python": str(oldest_python)}})
    one.ok("apply", "dev", "--yes")
    told = one.ok("alembic", "dev", "--", "revision", "-m", "made here", "--rev-id", "r007").stdout
    assert "r007_made_here.py" in told
    assert one.project.revision_file("r007").exists()
    assert one.state("dev")["state"] == "behind"
    assert one.ok("alembic", "dev", "--", "heads").stdout == "r007 (head)\n"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_autogenerate_compares_with_the_target(one: Workspace) -> None:
    """env.py gets Alembic's command-line options, which its own template asks for."""
    one.project.env("default", metadata="context.config.cmd_opts and sa.MetaData()", first=SA)
    one.ok("apply", "dev", "--yes")
    told = one.ok("alembic", "dev", "--", "revision", "--autogenerate", "-m", "x", "--rev-id", "a1")
    assert "a1_x.py" in told.stdout
    assert 'op.drop_table("t1")' in one.project.revision_file("a1").read_text().replace("'", '"')


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_env_py_is_given_is_resumed_with(one: Workspace, database: Database) -> None:
    """Values of `-x` and a tag are part of the plan: a killed run goes on with the same."""
    one.project.env("default", setup=WANTS)
    refused = one.call("alembic", "dev", "--yes", "--", "upgrade", "r002")
    assert refused.status == 1
    assert "no tenant" in refused.stderr
    typed = ("alembic", "dev", "--yes", "--", "-x", "tenant=a", "upgrade", "r002", "--tag", "blue")
    program = (sys.executable, "-m", "tests.support.crash_child", "committed:1", "--")
    assert one.call(*typed, program=program).status == -9
    one.ok("resume")
    assert database.heads() == ["r002"]
    run = one.ok("history", "--format", "json").json()["runs"][0]
    assert run["command"] == "alembic -x tenant=a upgrade r002 --tag blue"
    assert one.call("resume", run["id"]).status == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_contradicts_the_spec_is_refused(one: Workspace) -> None:
    """Values that the spec fills in cannot be given beside it, and mistakes are sentences."""
    one.environment("dev", url="sqlite:///dev.db", inject={"x": {"tenant": "a"}, "option": "u"})
    for typed, said in {
        ("-c", "other.ini", "current"): "`-c other.ini` is not the project's config, `alembic.ini`",
        ("-n", "other", "current"): "`-n other` is not the section that the spec names, `alembic`",
        ("-x", "tenant=b", "current"): "`-x tenant=…` is filled in by the spec already",
        ("upgrade",): "the following arguments are required: revision",
        ("edit", "r001"): "`alembic edit` opens an editor, and there is no terminal where the "
        "project runs",
    }.items():
        refused = one.call("alembic", "dev", "--format", "json", "--", *typed)
        assert (refused.status, refused.error()["code"]) == (2, "usage")
        assert refused.error()["message"] == said
    assert "usage: alembic" in one.ok("alembic", "dev", "--", "--help").stdout
    assert one.call("alembic", "dev").status == 2


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_another_database_is_refused(
    workspace: Workspace, new_database: NewDatabase, kind: str
) -> None:
    """The guard holds for Alembic's own commands: env.py must be where the spec leads."""
    wanted, other = new_database(kind), new_database(kind)
    for database in (wanted, other):
        database.execute("CREATE TABLE something (id INTEGER)")
    workspace.project.linear(1).env("connects_elsewhere")
    workspace.environment("dev", wanted)
    refused = workspace.call(
        *("alembic", "dev", "--format", "json", "--", "current"),
        environ={"ELSEWHERE_URL": other.url},
    )
    assert (refused.status, refused.error()["code"]) == (1, "wrong-database")
