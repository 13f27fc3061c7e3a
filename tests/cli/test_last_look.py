"""What happens between the first look and the lease: a run begins only on what is still so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project
from tests.support.terminal import Terminal
from tests.support.waiting import Gate, read_line, rest
from tests.support.workspace import Workspace

FAILS = 'op.execute("select * from nowhere")'
WAITS = """
if "WAITS_FOR" in os.environ:
    import pathlib, time
    print("looking", flush=True)
    while not pathlib.Path(os.environ["WAITS_FOR"]).exists():
        time.sleep(0.02)
"""


def killed(workspace: Workspace, point: str, *arguments: str) -> None:
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    assert workspace.call(*arguments, program=program).status == -9


def runs(workspace: Workspace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workspace.ok("history", "--format", "json").json()["runs"]
    return found


@pytest.fixture
def promoted(tmp_path: Path, new_database: NewDatabase) -> Workspace:
    """Start a workspace whose `prod` comes after `staging`, where three revisions ran."""
    folder = tmp_path / "work"
    space = Workspace(folder=folder, project=Project(folder).linear(3)).spec()
    space.environment("staging", new_database("sqlite"))
    space.environment("prod", new_database("sqlite"), after={"environment": "staging"})
    space.ok("apply", "staging", "--yes")
    return space


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_failed_run_beside_an_unfinished_one(workspace: Workspace, database: Database) -> None:
    """What failed blocks nobody, so that another began; going on beside that one is refused."""
    workspace.project.linear(1).revision("r002", down="r001", upgrade=FAILS)
    workspace.environment("dev", database)
    assert workspace.call("apply", "dev", "--yes").status == 1
    killed(workspace, "after:run.started:1", "apply", "dev", "--yes")
    begun, failed = runs(workspace)
    assert failed["status"] == "failed"
    refused = workspace.call("resume", failed["id"], "--format", "json")
    assert (refused.status, refused.error()["code"]) == (6, "run-unfinished")
    assert f"Run {begun['id']} of dev is unfinished" in refused.error()["message"]
    assert f"`orchestrate abort {begun['id']}` ends it" in refused.error()["hint"]
    assert refused.events()[-1]["status"] == "blocked"
    assert runs(workspace) == [begun, failed], "nothing of it is in the journal"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_ended_while_it_is_looked_at(one: Workspace, database: Database, tmp_path: Path) -> None:
    """Given up by somebody else while `resume` looks at the database: it is not gone on with."""
    one.project.env("default", setup=WAITS)
    killed(one, "committed:2", "apply", "dev", "--yes")
    (run,) = runs(one)
    gate = Gate(tmp_path / "go")
    process = one.start("resume", "-v", "--format", "json", environ={"WAITS_FOR": str(gate.path)})
    read_line(process, "looking")
    one.ok("abort", run["id"])
    gate.open()
    status, events, errors = rest(process)
    assert (status, events[-1]["code"]) == (4, "run-ended"), errors
    assert f"{run['id']} has ended meanwhile: aborted" in errors
    assert f"orchestrate show {run['id']}" in errors
    assert database.heads() == ["r002"]
    assert [run["status"] for run in runs(one)] == ["aborted"]


def test_taken_back_where_it_has_to_run_first(promoted: Workspace) -> None:
    """Staging is rolled back while a person is asked about production."""
    terminal = Terminal(promoted, "apply", "prod", NO_COLOR="1")
    terminal.child.expect("Type prod to carry it out")
    promoted.ok("rollback", "staging", "--to", "r002", "--yes")
    terminal.child.send("prod\r")
    status, said = terminal.ends()
    assert (status, "error[not-promoted]" in said) == (4, True), said
    assert "has closed meanwhile: r003 was undone in staging" in said
    assert promoted.state("prod")["heads"] == []


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_carried_out_by_somebody_else(
    workspace: Workspace, database: Database, outcome: str
) -> None:
    """A saved plan runs once, also where two people were asked about it at the same time."""
    workspace.project.linear(1)
    if outcome == "failed":
        workspace.project.revision("r001", down=None, doc="create t1", upgrade=FAILS)
    workspace.environment("dev", database)
    workspace.ok("plan", "dev", "--out", "plan.json")
    terminal = Terminal(workspace, "apply", "plan.json", NO_COLOR="1")
    terminal.child.expect("Type dev to carry it out")
    first = workspace.call("apply", "plan.json", "--yes")
    assert first.status == (1 if outcome == "failed" else 0), first.stderr
    terminal.child.send("dev\r")
    status, said = terminal.ends()
    (run,) = runs(workspace)
    assert (status, "error[plan-already-used]" in said) == (4, True), said
    assert f"was carried out meanwhile by {run['id']} ({outcome})" in " ".join(said.split())
    assert f"orchestrate show {run['id']}" in said
