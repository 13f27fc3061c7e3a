"""What happens between the first look and the lease: a run begins only on what is still so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_backups import order
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


@pytest.mark.parametrize("to", ["r002", "r003"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_failed_run_that_was_overtaken(workspace: Workspace, database: Database, to: str) -> None:
    """Somebody else did what it failed at: it stays failed, in nobody's way, and did nothing."""
    workspace.project.linear(1).revision("r002", down="r001", upgrade=FAILS)
    workspace.project.revision("r003", down="r002").revision("r004", down="r003")
    workspace.environment("dev", database)
    assert workspace.call("apply", "dev", "--yes").status == 1
    database.execute("CREATE TABLE nowhere (id integer)")
    workspace.ok("apply", "dev", "--yes", "--to", to)
    before = runs(workspace)
    failed = before[-1]
    refused = workspace.call("resume", failed["id"], "--format", "json")
    assert (refused.status, refused.error()["code"]) == (6, "target-moved")
    assert refused.error()["message"] == (
        f"{failed['id']} cannot be gone on with: it failed before step 002-r002, with the database "
        f"at r001, which is at {to} now: someone else moved it"
    )
    assert "there is nothing to abort" in refused.error()["hint"]
    assert refused.events()[-1]["status"] == "blocked"
    assert runs(workspace) == before
    workspace.ok("apply", "dev", "--yes")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_failed_run_whose_plan_is_stale(workspace: Workspace, database: Database) -> None:
    """A later revision of its plan was edited: nothing of it is begun, it stays failed."""
    workspace.project.linear(1).revision("r002", down="r001", upgrade=FAILS)
    workspace.project.revision("r003", down="r002")
    workspace.environment("dev", database)
    assert workspace.call("apply", "dev", "--yes").status == 1
    database.execute("CREATE TABLE nowhere (id integer)")
    path = workspace.project.revision_file("r003")
    path.write_text(path.read_text() + "# edited\n")
    before = runs(workspace)
    refused = workspace.call("resume", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (6, "revision-changed")
    assert "revision `r003`" in refused.error()["message"]
    assert (runs(workspace), database.heads()) == (before, ["r001"])
    workspace.ok("apply", "dev", "--yes")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_an_unfinished_run_that_was_overtaken(one: Workspace, database: Database) -> None:
    """It blocks until a person ends it; how to do that is told, and nothing is recorded."""
    killed(one, "after:step.finished:2", "apply", "dev", "--yes", "--to", "r004")
    one.project.configure(url=database.url).alembic("upgrade", "r005")
    before = runs(one)
    refused = one.call("resume", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (6, "target-moved"), refused.stderr
    run = before[0]["id"]
    assert f"`orchestrate abort {run}` ends this run, then" in refused.error()["hint"]
    assert runs(one) == before
    one.ok("abort", run)
    one.ok("apply", "dev", "--yes")
    assert database.heads() == ["r006"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [("moved", "stale-plan"), ("aborted", "run-ended"), ("gone on with", "run-unfinished")],
)
def test_a_run_to_be_undone_meanwhile(
    one: Workspace, database: Database, meanwhile: str, code: str
) -> None:
    """It is over when the way back begins, and not where that was refused."""
    killed(one, "committed:2", "apply", "dev", "--yes")
    name = runs(one)[0]["id"]
    terminal = Terminal(one, "rollback", "dev", "--run", name, NO_COLOR="1")
    terminal.child.expect("Type dev to carry it out")
    if meanwhile == "moved":
        one.project.configure(url=database.url).alembic("upgrade", "r003")
    elif meanwhile == "aborted":
        one.ok("abort", name)
    else:
        killed(one, "after:run.resumed:1", "resume", name)
    before = runs(one)
    terminal.child.send("dev\r")
    status, said = terminal.ends()
    assert (status, f"error[{code}]" in said) == (6 if code == "run-unfinished" else 4, True), said
    assert runs(one) == before
    assert before[0]["status"] == ("aborted" if meanwhile == "aborted" else "running")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_run_whose_copy_is_to_be_put_back_meanwhile(one: Workspace, database: Database) -> None:
    """Given up by somebody else while a person is asked: the database is left alone."""
    one.ok("apply", "dev", "--yes", "--to", "r001")
    one.environment("dev", database, backup=order(database))
    killed(one, "committed:1", "apply", "dev", "--yes")
    name = runs(one)[0]["id"]
    terminal = Terminal(one, "resume", name, "--restore", NO_COLOR="1")
    terminal.child.expect("Type dev to carry it out")
    one.ok("abort", name)
    terminal.child.send("dev\r")
    status, said = terminal.ends()
    assert (status, f"{name} has ended meanwhile: aborted" in said) == (4, True), said
    assert [(run["id"], run["status"]) for run in runs(one)[:-1]] == [(name, "aborted")]
    assert database.heads() == ["r002"]


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


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_rehearsed_again_and_failed(one: Workspace, database: Database) -> None:
    """A rehearsal that went well opened the gate; one that failed since has closed it."""
    one.ok("apply", "dev", "--to", "r001", "--yes")
    one.environment("dev", database, policy={"rehearsed": "required"})
    one.ok("rehearse", "dev", "--forward-only")
    terminal = Terminal(one, "apply", "dev", NO_COLOR="1")
    terminal.child.expect("Type dev to carry it out")
    database.execute("CREATE TABLE t2 (id integer)")
    one.call("rehearse", "dev", "--forward-only")
    terminal.child.send("dev\r")
    status, said = terminal.ends()
    assert (status, "error[not-rehearsed]" in said) == (4, True), said
    assert "has closed meanwhile: the last rehearsal failed at step 003-r004" in said
    assert "`orchestrate rehearse dev` tells at what it fails" in said
    assert len(runs(one)) == 1
    assert database.heads() == ["r001"]


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
