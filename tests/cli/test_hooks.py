"""Hooks and checks around a run: what they are told, how they fail, what can be done then."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import pytest

from tests.support.databases import NewDatabase
from tests.support.waiting import wait_until
from tests.support.workspace import Result, Workspace

HOOK = """
import json, os, pathlib, subprocess, sys, time
name = sys.argv[1]
told = json.load(sys.stdin)
variables = {k: v for k, v in os.environ.items() if k.startswith("ORCHESTRATE_")}
with open("told.jsonl", "a") as file:
    file.write(json.dumps({"name": name, "json": told, "variables": variables}) + "\\n")
print("this is", name, flush=True)
mode = pathlib.Path(f"{name}.mode")
mode = mode.read_text() if mode.exists() else ""
if mode == "fail":
    sys.exit(3)
if mode == "locked":
    sys.exit("sqlite3.OperationalError: database is locked")
if mode == "die":
    os.kill(os.getpid(), 9)
if mode == "hang":
    subprocess.Popen(["sleep", "600"])
    time.sleep(600)
"""
AFTER = "insert into t1 (id, name) values (7, 'after')"


def command(name: str, **more: Any) -> dict[str, Any]:
    return {"command": [sys.executable, "hook.py", name], **more}


@pytest.fixture
def hooked(workspace: Workspace, new_database: NewDatabase) -> Workspace:
    """Declare one hook of each moment and two checks; the program does what a file says."""
    workspace.project.linear(4)
    (workspace.folder / "hook.py").write_text(HOOK)
    database = new_database("sqlite")
    return workspace.environment(
        "dev",
        database,
        hooks={
            "before": [command("before", timeout="2s")],
            "after": [{"sql": AFTER}],
            "on_failure": [command("page"), {"sql": "insert into nowhere values (1)"}],
        },
        verify=[
            {"sql": "select count(*) from t1 where name = 'after'", "expect": 1},
            command("smoke", url=True),
        ],
    )


def told(space: Workspace) -> list[dict[str, Any]]:
    lines = (space.folder / "told.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def mode(space: Workspace, name: str, text: str) -> None:
    (space.folder / f"{name}.mode").write_text(text)


def last_run(space: Workspace) -> dict[str, Any]:
    run: dict[str, Any] = space.ok("history", "--format", "json").json()["runs"][0]
    return run


def statuses(space: Workspace) -> dict[str, str]:
    return {step["id"]: step["status"] for step in last_run(space)["steps"]}


def test_a_run_with_everything_around_it(hooked: Workspace) -> None:
    """All are steps: in the plan, in the journal, with what they printed; and none on the way on."""
    shown = hooked.ok("plan", "dev", "--out", "plan.json").stdout
    assert "before: " in shown
    assert "if it fails" in shown
    hooked.ok("apply", "plan.json", "--yes")
    run = last_run(hooked)
    assert [step["id"] for step in run["steps"]] == [
        "000-before-1", "001-r001", "002-r002", "003-r003", "004-r004",
        "006-after-1", "007-check-1", "008-check-2",
    ]  # fmt: skip
    assert run["verification"] == "passed"
    before, smoke = told(hooked)
    assert before["variables"]["ORCHESTRATE_HOOK"] == "before"
    assert before["variables"]["ORCHESTRATE_DIRECTION"] == "upgrade"
    assert before["variables"]["ORCHESTRATE_TO"] == "r004"
    assert "ORCHESTRATE_DATABASE_URL" not in before["variables"]
    assert smoke["variables"]["ORCHESTRATE_DATABASE_URL"].startswith("sqlite:///")
    assert smoke["json"]["run"] == run["id"]
    assert smoke["json"]["revisions"] == ["r001", "r002", "r003", "r004"]
    text = hooked.ok("show", run["id"]).stdout
    assert "checks: all hold" in text
    assert "  | this is before" in text
    assert "nothing to do" in hooked.ok("apply", "dev", "--yes").stdout
    assert len(told(hooked)) == 2
    # The way back has hooks, told where it leads, and no checks; a stamp has neither.
    hooked.ok("rollback", "dev", "--to", "r003", "--yes")
    assert [one["name"] for one in told(hooked)[2:]] == ["before"]
    assert told(hooked)[2]["variables"]["ORCHESTRATE_DIRECTION"] == "downgrade"
    hooked.ok("stamp", "dev", "r004", "--yes", "--override", "proof", "--reason", "a test")
    assert len(told(hooked)) == 3


def test_a_check_that_does_not_hold(hooked: Workspace) -> None:
    """A failed run with the way back printed; resume makes all checks again."""
    mode(hooked, "smoke", "fail")
    failed = hooked.call("apply", "dev", "--yes")
    assert failed.status == 1
    run = last_run(hooked)
    assert f"orchestrate rollback dev --run {run['id']}" in failed.stderr
    assert "ended with status 3\n  | this is smoke" in failed.stderr
    assert (run["status"], run["verification"]) == ("failed", "failed")
    assert [one["name"] for one in told(hooked)] == ["before", "smoke", "page"]
    page = told(hooked)[-1]["variables"]
    assert (page["ORCHESTRATE_STATUS"], page["ORCHESTRATE_ERROR_CODE"]) == (
        "failed",
        "check-failed",
    )
    assert page["ORCHESTRATE_STEP"] == "008-check-2"
    assert [bool(one["problem"]) for one in run["told"]] == [False, True]
    assert "no such table: nowhere" in failed.stderr
    for form in ("text", "json"):
        silent = hooked.ok("apply", "dev", "--yes", "--format", form)
        assert f"`orchestrate resume {run['id']}` goes on there" in silent.stderr
        assert "nothing to do" in silent.stdout
        assert form == "text" or run["id"] in silent.events()[-1]["message"]
    assert len(told(hooked)) == 3, "nothing was run for that"
    database = hooked.environ["DEV_URL"].removeprefix("sqlite:///")
    _execute(database, "UPDATE t1 SET name = 'other'")
    again = hooked.call("resume", "--format", "json")
    assert (again.status, again.error()["code"]) == (1, "check-failed")
    assert "expected 1, found 0" in again.error()["message"]
    assert "status 3" in again.error()["message"], "all that do not hold are told at once"
    assert again.error()["details"]["rollback"] == f"orchestrate rollback dev --run {run['id']}"
    assert again.events()[-1]["event"] == "run.finished"
    mode(hooked, "smoke", "")
    _execute(database, "UPDATE t1 SET name = 'after'")
    hooked.ok("resume")
    assert "resume" not in hooked.ok("apply", "dev", "--yes").stderr
    assert last_run(hooked)["verification"] == "passed"
    _execute(database, "DELETE FROM t1")
    done = hooked.ok("rollback", "dev", "--run", run["id"], "--yes")
    assert "is not undone by a revision" in done.stdout
    assert hooked.state("dev")["heads"] == []
    hooked.ok("history", "--verify")


def test_a_hook_that_fails(hooked: Workspace) -> None:
    """Nothing of the run was begun; its own failure is told, whatever the hooks of that do."""
    mode(hooked, "before", "fail")
    mode(hooked, "page", "fail")
    failed = hooked.call("apply", "dev", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "command-failed")
    assert "runs the hook again" in failed.error()["hint"]
    assert hooked.state("dev")["heads"] == []
    assert failed.events()[-1]["event"] == "run.finished"
    ended = [one for one in failed.events() if one["event"] == "hook.ended"]
    assert [bool(one["problem"]) for one in ended] == [True, True]
    mode(hooked, "before", "")
    hooked.ok("resume")
    assert statuses(hooked)["000-before-1"] == "finished"


def test_a_hook_that_prints_of_a_lock(hooked: Workspace) -> None:
    """Words like a lock timeout's are no reason to run it again: only a revision is retried."""
    mode(hooked, "before", "locked")
    failed = hooked.call("apply", "dev", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "command-failed")
    assert "database is locked" in failed.error()["message"]
    assert [one for one in failed.events() if one["event"] == "step.retried"] == []
    assert [one["name"] for one in told(hooked)] == ["before", "page"]


def test_a_hook_that_cannot_be_started(hooked: Workspace) -> None:
    """Where its lock has no place nothing was begun: a clean failure, and no doubt."""
    hooked.spec(state="sqlite:///state.db")
    place = hooked.folder / ".orchestrate"
    place.write_text("a file where a folder is wanted")
    failed = hooked.call("apply", "dev", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "command-failed")
    assert "was not started: the file" in failed.error()["message"]
    assert [one["name"] for one in told(hooked)] == ["page"]
    place.unlink()
    hooked.ok("resume")
    assert statuses(hooked)["000-before-1"] == "finished"


def test_a_hook_that_hangs(hooked: Workspace) -> None:
    """Its time limit ends it with all its children, Ctrl-C said twice does: all that is a doubt."""
    mode(hooked, "before", "hang")
    doubt = hooked.call("apply", "dev", "--yes")
    assert doubt.status == 7
    assert "it took longer than 2.0 s and was ended" in doubt.stderr
    assert "  | this is before" in doubt.stderr
    ran = len(told(hooked))
    assert hooked.call("resume").status == 7
    assert len(told(hooked)) == ran, "not again without a word"
    mode(hooked, "before", "die")
    killed = hooked.call("resume", "--retry")
    assert (killed.status, "was ended by SIGKILL" in killed.stderr) == (7, True)
    mode(hooked, "before", "hang")
    process = hooked.start("resume", "--retry")
    count = len(told(hooked))
    wait_until(lambda: len(told(hooked)) > count)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "press Ctrl-C again" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 7
    assert statuses(hooked)["000-before-1"] == "started"
    mode(hooked, "before", "")
    hooked.ok("resume", "--retry")
    assert hooked.state("dev")["heads"] == ["r004"]


def _execute(path: str, statement: str) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


WRITES = {
    "postgresql": "with gone as (delete from t1 returning 1) select count(*) from gone",
    "mariadb": "delete from t1",
    "sqlite": "delete from t1",
}
SLOW = {"postgresql": "select pg_sleep(60)", "mariadb": "select sleep(60)"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_a_check_may_only_read(workspace: Workspace, new_database: NewDatabase, kind: str) -> None:
    """The server refuses what writes and ends what takes too long; the other checks go on."""
    workspace.project.linear(2)
    database = new_database(kind)
    slow = [{"sql": SLOW[kind], "expect": 5, "timeout": "1s"}] if kind in SLOW else []
    workspace.environment(
        "dev",
        database,
        hooks={"after": [{"sql": "insert into t1 (id, name) values (7, 'it is 100%')"}]},
        verify=[
            {"sql": WRITES[kind], "expect": 0},
            *slow,
            {"sql": "select count(*) from t1 where name like '%100\\%' or 1 = 1", "expect": 1},
            {"sql": "select max(id) from t1", "expect": 8},
        ],
    )
    failed: Result = workspace.call("apply", "dev", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "check-failed"), failed.stderr
    first, *rest = failed.error()["message"].splitlines()
    assert "read" in first.lower().replace("-", ""), first
    assert rest[-1].endswith("expected 8, found 7")
    assert len(rest) == 1 + len(slow)
    assert database.rows("SELECT count(*) FROM t1") == [(1,)]


def test_with_a_copy(workspace: Workspace, new_database: NewDatabase) -> None:
    """The copy is older than the first hook, and is offered where a check does not hold."""
    workspace.project.linear(2)
    (workspace.folder / "hook.py").write_text(HOOK)
    workspace.environment(
        "dev",
        new_database("sqlite"),
        backup={"strategy": "sqlite", "destination": "backups/"},
        hooks={
            "before": [command("before")],
            "after": [command("after"), {"sql": "insert into t1 (name) values ('after')"}],
        },
        verify=[{"sql": "select count(*) from t1", "expect": 1}],
    )
    workspace.ok("apply", "dev", "--to", "r001", "--yes")
    failed = workspace.call("apply", "dev", "--yes")
    assert failed.status == 1
    assert [*statuses(workspace)][:2] == ["000-backup", "000-before-1"]
    (line,) = [line for line in failed.stderr.splitlines() if "--backup" in line]
    identifier = line.split("--backup ")[1].split("`")[0]
    done = workspace.ok("rollback", "dev", "--backup", identifier, "--yes")
    assert "dev is at r001" in done.stdout
    assert [one["variables"]["ORCHESTRATE_DIRECTION"] for one in told(workspace)] == [
        *["upgrade"] * 4,
        *["restore"] * 2,
    ]
    assert last_run(workspace)["verification"] == "none"
