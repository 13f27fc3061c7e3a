"""Backups as a person meets them: before a run, by hand, in the catalogue, proven, pruned."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from tests.support.databases import Database
from tests.support.workspace import Workspace, part_way

STRATEGIES = {"sqlite": "sqlite", "postgresql": "pg_dump", "mysql": "mysqldump"}


def order(database: Database, **keys: Any) -> dict[str, Any]:
    return {"strategy": STRATEGIES[database.dialect], "destination": "backups/", **keys}


@pytest.fixture
def workspace(tmp_path: Path, database: Database) -> Workspace:
    """Four revisions, two of them applied, with a row that must not be lost."""
    space = part_way(tmp_path / "work", database)
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'it''s ünïcode')")
    return space


def declare(workspace: Workspace, database: Database, **keys: Any) -> None:
    workspace.environment("prod", database, backup=order(database, **keys))


def catalogue(workspace: Workspace, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workspace.ok("backups", *words, "--format", "json").json()[
        "backups"
    ]
    return found


def test_a_copy_comes_first_and_is_proven(workspace: Workspace, database: Database) -> None:
    declare(workspace, database, verify="restore", keep=14)
    plan = workspace.ok("plan", "prod", "--format", "json").json()
    assert [step["kind"] for step in plan["steps"]] == ["backup", "upgrade", "upgrade"]
    (gate,) = (one for one in plan["gates"] if one["kind"] == "backup")
    assert (gate["state"], gate["detail"]) == ("open", "can be made at backups/")
    done = workspace.ok("apply", "prod", "--yes", "--format", "json")
    kinds = [event["event"] for event in done.events()]
    assert kinds.index("step.finished") < kinds.index("step.started", kinds.index("step.finished"))
    (copy,) = catalogue(workspace, "prod")
    path = Path(copy["location"])
    assert path.parent == workspace.folder / "backups"
    assert path.name.startswith("before-migrate-")
    assert path.stat().st_mode & 0o077 == 0
    assert (copy["bytes"], copy["sha256"]) == (
        path.stat().st_size,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    assert (copy["heads"], copy["verified"]) == (["r002"], "restore")
    assert [count for name, count in copy["rows"].items() if name.endswith("t1")] == [1]
    assert workspace.state("prod")["heads"] == ["r004"]
    assert scratch_databases(database) == []


def test_rows_are_those_of_each_table(workspace: Workspace, database: Database) -> None:
    made = {"empty": 0, "two lines": 3, "wide": 500}
    quote = "`" if database.dialect == "mysql" else '"'
    for name in made:
        database.execute(f"CREATE TABLE {quote}{name}{quote} (id INTEGER, body TEXT)")
    body = "one\n(2, 'two');\nINSERT INTO `empty` VALUES\n(3"
    database.execute(
        f"INSERT INTO {quote}two lines{quote} VALUES "
        + ", ".join(f"({number}, '{body.replace(chr(39), chr(39) * 2)}')" for number in range(3))
    )
    database.execute(
        "INSERT INTO wide VALUES " + ", ".join(f"({one}, '{'x' * 9000}')" for one in range(500))
    )
    if database.dialect == "mysql":  # what its program writes in another way, or of the past
        made |= {"unseen": 2, "past": 1}
        database.execute("CREATE TABLE unseen (id INTEGER, more INTEGER INVISIBLE DEFAULT 1)")
        database.execute("INSERT INTO unseen (id) VALUES (1), (2)")
        database.execute("CREATE TABLE past (id INTEGER) WITH SYSTEM VERSIONING")
        database.execute("INSERT INTO past VALUES (1), (2)")
        database.execute("DELETE FROM past WHERE id = 1")
        database.execute(
            "CREATE PROCEDURE fill() BEGIN\nINSERT INTO `empty` VALUES\n(1, ''),\n(2, '');\nEND"
        )
    declare(workspace, database, verify="restore")
    workspace.ok("backup", "prod")
    (copy,) = catalogue(workspace, "prod")
    rows = {name.rpartition(".")[2]: count for name, count in copy["rows"].items()}
    assert {name: rows[name] for name in made} == made
    assert copy["verified"] == "restore"


def scratch_databases(database: Database) -> list[str]:
    if database.server is None:
        return [str(one) for one in database.path.parent.rglob("*orchestrate_scratch*")]
    listed = {"postgresql": "SELECT datname FROM pg_database", "mysql": "SHOW DATABASES"}
    names = [str(row[0]) for row in database.rows(listed[database.dialect])]
    return [name for name in names if "orchestrate_scratch" in name]


def test_by_hand_and_verified_again(workspace: Workspace, database: Database) -> None:
    """Without `backup` in the spec the server's own program makes it; damage is found."""
    told = workspace.ok("backup", "prod")
    assert "prod at r002 is saved as by-hand-" in told.stdout
    (copy,) = catalogue(workspace)
    assert copy["verified"] is None
    assert catalogue(workspace, "verify")[0]["verified"] == "list"
    assert catalogue(workspace, "verify", "--restore")[0]["verified"] == "restore"
    path = Path(copy["location"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    cut = workspace.call("backups", "verify")
    assert (cut.status, "broken" in cut.stdout) == (1, True), cut.stderr
    assert copy["id"] in cut.stderr
    path.write_bytes(whole[:-200] + bytes(200))
    assert workspace.call("backups", "verify", copy["id"]).status == 1
    path.write_bytes(whole)
    assert catalogue(workspace, "verify")[0]["broken"] is None
    path.unlink()
    assert workspace.call("backups", "verify").status == 1


def test_what_is_in_the_way_is_found_before(workspace: Workspace, database: Database) -> None:
    """No client program, a folder that is a file, a strategy of another server."""
    (workspace.folder / "taken").write_text("")
    declare(workspace, database, destination="taken/")
    plan = workspace.ok("plan", "prod", "--format", "json").json()
    gate = next(gate for gate in plan["gates"] if gate["kind"] == "backup")
    assert (gate["state"], "is no folder" in gate["detail"]) == ("closed", True)
    refused = workspace.call("apply", "prod", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "backup-impossible")
    other = "sqlite" if database.dialect != "sqlite" else "pg_dump"
    workspace.environment("prod", database, backup={"strategy": other})
    refused = workspace.call("apply", "prod", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "backup-impossible")
    assert f"`{other}` does not copy" in refused.error()["message"]
    assert workspace.state("prod")["heads"] == ["r002"]
    why = ("--override", "backup", "--reason", "the disk is full and it is urgent")
    workspace.ok("apply", "prod", "--yes", *why)
    run = workspace.ok("history", "--format", "json").json()["runs"][0]
    assert "it is urgent" in run["overrides"]["backup"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_kept_plan_has_its_copy_or_has_none(workspace: Workspace, database: Database) -> None:
    """An override belongs to the planning: the plan itself says whether it copies."""
    declare(workspace, database)
    workspace.ok("apply", "prod", "--to", "r001", "--yes")
    workspace.ok("plan", "prod", "--out", "plan.json")
    why = ("--override", "backup", "--reason", "it is urgent")
    refused = workspace.call("apply", "plan.json", "--yes", *why, "--format", "json")
    assert (refused.status, refused.error()["code"]) == (2, "usage")
    assert "is a step of plan-" in refused.error()["message"]
    assert len(catalogue(workspace)) == 0
    workspace.ok("apply", "plan.json", "--yes")
    assert len(catalogue(workspace)) == 1
    assert workspace.state("prod")["heads"] == ["r004"]


def test_a_copy_that_fails_ends_the_run_before_anything_else(
    workspace: Workspace, database: Database, tmp_path: Path
) -> None:
    """Whatever its program says, in the words of a revision's trouble or others."""
    script = tmp_path / "copy.sh"
    words = (
        "ERROR:  permission denied for table orders",
        "Duplicate entry '1' for key 'PRIMARY'",
        "UNIQUE constraint failed: orders.id",
        "disk on fire",
    )
    said = "".join(f"echo {shlex.quote(one)} >&2\n" for one in words)
    script.write_text(f"#!/bin/sh\n{said}exit 3\n")
    script.chmod(0o755)
    workspace.environment(
        "prod", database, backup={"strategy": "command", "command": [str(script)]}
    )
    failed = workspace.call("apply", "prod", "--yes")
    assert failed.status == 1
    assert "backup-failed" in failed.stderr
    assert all(one in failed.stderr for one in words)
    assert "existing rows" not in failed.stderr
    assert "may not do" not in failed.stderr
    assert "after a change of the spec, `orchestrate apply prod` plans again" in failed.stderr
    assert workspace.state("prod")["heads"] == ["r002"]
    assert catalogue(workspace) == []
    script.write_text("#!/bin/sh\necho working\necho snapshot-4711\n")
    workspace.ok("apply", "prod", "--yes")
    (copy,) = catalogue(workspace)
    assert (copy["location"], copy["sha256"]) == ("snapshot-4711", None)
    assert workspace.state("prod")["heads"] == ["r004"]


def test_retention_keeps_the_last_good_one(workspace: Workspace, database: Database) -> None:
    declare(workspace, database, keep=2)
    names = []
    for _ in range(3):
        workspace.ok("backup", "prod")
        names.append(catalogue(workspace)[0]["id"])
    assert {one["id"] for one in catalogue(workspace)} == set(names[1:])
    assert len(list((workspace.folder / "backups").iterdir())) == 2
    refused = workspace.call("backups", "prune", "--keep", "1", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (2, "no-input")
    Path(catalogue(workspace)[0]["location"]).write_bytes(b"")
    assert workspace.call("backups", "verify").status == 1
    workspace.ok("backups", "prune", "--keep", "1", "--yes")
    (kept,) = catalogue(workspace)
    assert (kept["id"], kept["broken"]) == (names[1], None)
    assert len(catalogue(workspace, "--all")) == 3


def test_stamps_are_preceded_by_one_too(workspace: Workspace, database: Database) -> None:
    why = ("--override", "proof", "--reason", "a test")
    broken = {"strategy": "command", "command": ["false"]}
    workspace.environment("prod", database, backup=broken)
    failed = workspace.call("stamp", "prod", "r001", "--yes", *why)
    assert failed.status == 1
    assert "after a change of the spec, `orchestrate stamp prod r001` plans" in failed.stderr
    declare(workspace, database)
    workspace.ok("stamp", "prod", "r001", "--yes", *why)
    (copy,) = catalogue(workspace)
    assert Path(copy["location"]).name.startswith("before-stamp-")


def test_a_saved_plan_carries_its_order(workspace: Workspace, database: Database) -> None:
    """What was approved is what is done: the spec's backup is part of the digest."""
    declare(workspace, database)
    workspace.ok("plan", "prod", "--out", "plan.json")
    step = json.loads((workspace.folder / "plan.json").read_text())["steps"][0]
    assert (step["kind"], step["backup"]["destination"]) == ("backup", "backups/")
    path = workspace.folder / "environments/prod.yaml"
    value = yaml.safe_load(path.read_text())
    del value["backup"]
    path.write_text(yaml.safe_dump(value))
    stale = workspace.call("apply", "plan.json", "--yes", "--format", "json")
    assert (stale.status, stale.error()["code"]) == (4, "stale-plan")
    declare(workspace, database)
    workspace.ok("apply", "plan.json", "--yes")
    assert len(catalogue(workspace)) == 1


def test_no_password_in_what_is_written(workspace: Workspace, database: Database) -> None:
    declare(workspace, database, verify="list")
    done = workspace.ok("apply", "prod", "--yes", "-v")
    password = make_url(database.url).password
    if password is None:
        return  # a file has none
    assert password not in done.stdout + done.stderr
    for path, content in workspace.written().items():
        if ".orchestrate" in path.parts:
            assert password.encode() not in content, path
