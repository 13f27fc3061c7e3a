"""Two runs at one database: one works, the other is told so, and nothing is applied twice."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys

import pytest
import yaml

from tests.support.databases import Database
from tests.support.waiting import Gate, read_event, rest
from tests.support.workspace import Workspace


def waiting_at(workspace: Workspace, gate: Gate, *arguments: str) -> subprocess.Popen[str]:
    """Start an apply of `dev` and return once it is inside its second revision."""
    process = workspace.start("apply", "dev", "--yes", "--format", "json", *arguments)
    read_event(process, "step.started", "r002")
    return process


@pytest.fixture
def gated(workspace: Workspace, database: Database, gate: Gate) -> Workspace:
    """Start a workspace of three revisions, the second of which waits at the gate."""
    workspace.project.linear(1)
    create = 'op.create_table("late", sa.Column("id", sa.Integer, primary_key=True))'
    gate.revision(workspace.project, "r002", down="r001", after=create)
    workspace.project.revision("r003", down="r002")
    return workspace.environment("dev", database)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_while_another_run_is_at_work(gated: Workspace, gate: Gate, database: Database) -> None:
    """Whatever is typed meanwhile ends with 5 and names who works; nothing is begun."""
    gated.ok("plan", "dev", "--out", "plan.json")
    first = waiting_at(gated, gate)
    run = json.loads(gated.ok("history", "--format", "json").stdout)["runs"][0]["id"]
    for command in (("apply", "dev", "--yes"), ("resume",), ("abort", run)):
        loser = gated.call(*command, "--format", "json")
        assert (loser.status, loser.error()["code"]) == (5, "lease-held"), command
        assert run in loser.error()["message"]
        assert "orchestrate unlock dev" in loser.error()["hint"]
    assert run in gated.ok("unlock", "dev").stdout
    assert f"run {run} of" in " ".join(gated.state("dev")["remarks"])
    gate.open()
    status, events, _ = rest(first)
    assert (status, events[-1]["status"]) == (0, "succeeded")
    assert database.heads() == ["r003"]
    again = gated.ok("apply", "dev", "--yes")
    assert "nothing to do" in again.stdout
    used = gated.call("apply", "plan.json", "--yes", "--format", "json")
    assert (used.status, used.error()["code"]) == (4, "stale-plan")
    assert gated.ok("unlock", "dev").stdout.strip() == "Nobody holds a lease on dev"


def test_with_another_state_store(gated: Workspace, gate: Gate, database: Database) -> None:
    """Runs that share nothing but the database: its own lock tells them apart."""
    other = yaml.safe_load((gated.folder / "migrations.yaml").read_text())
    other["state"] = "sqlite:///elsewhere.db"
    (gated.folder / "other.yaml").write_text(yaml.safe_dump(other))
    first = waiting_at(gated, gate)
    loser = gated.call("--spec", "other.yaml", "apply", "dev", "--yes", "--format", "json")
    gate.open()
    assert (loser.status, loser.error()["code"]) == (5, "lease-held")
    assert "another state store" in loser.error()["hint"]
    status, events, _ = rest(first)
    assert (status, events[-1]["status"]) == (0, "succeeded")
    assert database.heads() == ["r003"]


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_started_together(one: Workspace, database: Database) -> None:
    """Of applies started at the same moment one does the work and the others say what is so."""
    one.ok("status")
    racers = [one.start("apply", "dev", "--yes", "--format", "json") for _ in range(3)]
    ends = [rest(racer) for racer in racers]
    workers = [end for end in ends if any(event["event"] == "run.started" for event in end[1])]
    assert [status for status, _, _ in workers] == [0]
    for status, events, errors in ends:
        if (status, events, errors) in workers:
            continue
        last = events[-1]
        if status == 0:
            assert last["message"] == "nothing to do"
        else:
            assert last["status"] == "blocked"
            assert (status, last["code"]) in {(5, "lease-held"), (4, "stale-plan")}, errors
    assert database.heads() == ["r006"]
    (run,) = one.ok("history", "--format", "json").json()["runs"]
    assert [step["attempts"] for step in run["steps"]] == [1] * 6


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_lease_left_behind(one: Workspace, database: Database) -> None:
    """A killed holder's lease is taken over on its machine, and respected from any other."""
    program = (sys.executable, "-m", "tests.support.crash_child", "committed:2", "--")
    assert one.call("apply", "dev", "--yes", program=program).status == -9
    blocked = one.call("apply", "dev", "--yes", "--format", "json")
    assert (blocked.status, blocked.error()["code"]) == (6, "run-unfinished")
    with contextlib.closing(sqlite3.connect(one.folder / ".orchestrate/state.db")) as store:
        (lease,) = store.execute("SELECT id FROM orchestrate_leases").fetchone()
        store.execute("UPDATE orchestrate_leases SET host = 'elsewhere'")
        store.commit()
    for command in (("apply", "dev", "--yes"), ("resume",)):
        held = one.call(*command, "--format", "json")
        assert (held.status, held.error()["code"]) == (5, "lease-held")
        assert "elsewhere" in held.error()["message"]
        assert f"orchestrate unlock dev {lease}" in held.error()["hint"]
    wrong = one.call("unlock", "dev", "lease-0", "--format", "json")
    assert (wrong.status, wrong.error()["code"]) == (2, "unknown-lease")
    assert lease in one.ok("unlock", "dev").stdout
    one.ok("unlock", "dev", lease)
    one.ok("resume")
    assert database.heads() == ["r006"]
    one.ok("history", "--verify")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_expired_lease_of_another_machine(one: Workspace, database: Database) -> None:
    """What a lost machine held is free once the lease has expired."""
    program = (sys.executable, "-m", "tests.support.crash_child", "committed:2", "--")
    assert one.call("apply", "dev", "--yes", program=program).status == -9
    with contextlib.closing(sqlite3.connect(one.folder / ".orchestrate/state.db")) as store:
        store.execute(
            "UPDATE orchestrate_leases SET host = 'elsewhere',"
            " expires_at = replace(expires_at, '20', '19')"
        )
        store.commit()
    one.ok("resume")
    assert database.heads() == ["r006"]
