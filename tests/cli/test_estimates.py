"""Estimates by what the same revision took elsewhere, as large as the tables are here."""

from __future__ import annotations

import pytest

from tests.support.databases import Database, NewDatabase
from tests.support.workspace import Workspace

SERVERS = pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
SLEEP = {"postgresql": "pg_sleep(0.3) IS NOT NULL", "mariadb": "SLEEP(0.3) = 0"}


def grow(database: Database, rows: int) -> None:
    """Put as many wide rows into `t1`, and let the server look at them."""
    name = "repeat('x', 40)"
    numbers = {
        "postgresql": f"SELECT n, {name} FROM generate_series(10, {rows + 9}) AS n",
        "mariadb": f"SELECT seq, {name} FROM seq_10_to_{rows + 9}",
        "sqlite": "WITH RECURSIVE r (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM r"
        f" WHERE n < {rows + 9}) SELECT n, '{'x' * 40}' FROM r",
    }[database.kind]
    analyze = {"postgresql": "ANALYZE t1", "mariadb": "ANALYZE TABLE t1", "sqlite": "ANALYZE"}
    database.execute(
        f"INSERT INTO t1 (id, name) {numbers}",
        f"INSERT INTO t1 (id, name) VALUES (1, {name})".replace(name, "'one'"),
        analyze[database.kind],
    )


@pytest.fixture
def project(workspace: Workspace) -> Workspace:
    workspace.project.linear(1)
    return workspace


def slow_revision(workspace: Workspace, kind: str) -> None:
    sleep = SLEEP.get(kind, "1 = 1")
    workspace.project.revision(
        "r002",
        down="r001",
        upgrade=f"""
            op.execute("UPDATE t1 SET name = 'two' WHERE id = 1 AND {sleep}")
        """,
    )


@SERVERS
def test_a_larger_table_takes_longer(
    project: Workspace, new_database: NewDatabase, kind: str
) -> None:
    """The size there is noted with the step, the size here is asked for the plan, both are said."""
    staging, production = new_database(kind), new_database(kind)
    slow_revision(project, kind)
    for name, database in (("staging", staging), ("production", production)):
        project.environment(name, database)
        project.ok("apply", name, "--to", "r001", "--yes")
    grow(staging, 20_000)
    grow(production, 200_000)
    plan = project.ok("plan", "production", "--format", "json").json()
    assert [one["estimate_seconds"] for one in plan["steps"]] == [None]

    events = project.ok("apply", "staging", "--yes", "--format", "json").events()
    (done,) = [one for one in events if one["event"] == "step.finished"]
    (table,) = done["tables"]
    assert table["table"] == "t1"
    assert table["bytes"] > 1024 * 1024
    assert 0.3 <= done["sql_seconds"] <= done["seconds"]

    plan = project.ok("plan", "production", "--format", "json").json()
    (step,) = plan["steps"]
    assert step["estimate_origin"].startswith("ran in staging, scaled ")
    assert step["estimate_origin"].count("MiB") == 2
    assert step["estimate_seconds"] > done["seconds"] + 0.3 * 3
    text = project.ok("plan", "production").stdout
    assert f"({step['estimate_origin']})" in text
    # The way back of what is smaller takes as long as it did.
    project.environment("dev", new_database(kind))
    project.ok("apply", "dev", "--to", "r001", "--yes")
    (step,) = project.ok("plan", "dev", "--format", "json").json()["steps"]
    assert (step["estimate_origin"], step["estimate_seconds"]) == (
        "ran in staging",
        done["seconds"],
    )
    project.ok("apply", "production", "--yes")
    project.ok("history", "--verify")


def test_where_nobody_knows_the_sizes(project: Workspace, new_database: NewDatabase) -> None:
    """On SQLite times are taken as they are, and nothing more is noted."""
    slow_revision(project, "sqlite")
    for name in ("staging", "production"):
        database = new_database("sqlite")
        project.environment(name, database)
        project.ok("apply", name, "--to", "r001", "--yes")
        grow(database, 100)
    events = project.ok("apply", "staging", "--yes", "--format", "json").events()
    (done,) = [one for one in events if one["event"] == "step.finished"]
    assert "tables" not in done
    (step,) = project.ok("plan", "production", "--format", "json").json()["steps"]
    assert (step["estimate_origin"], step["estimate_seconds"]) == (
        "ran in staging",
        done["seconds"],
    )
