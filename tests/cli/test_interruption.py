"""Ctrl-C and SIGTERM, at every time they may come, and the program in a real terminal."""

from __future__ import annotations

import signal

import pytest

from tests.support.databases import Database
from tests.support.terminal import Terminal
from tests.support.waiting import Gate, read_event, read_line, rest
from tests.support.workspace import Workspace

MAKE = 'op.create_table("{}", sa.Column("id", sa.Integer, primary_key=True))'


@pytest.fixture
def gated(workspace: Workspace, database: Database, gate: Gate) -> Workspace:
    """Start a workspace of three revisions, the second of which waits at the gate."""
    workspace.project.linear(1)
    gate.revision(
        workspace.project,
        "r002",
        down="r001",
        before=MAKE.format("early"),
        after=MAKE.format("late"),
        doc="waits",
    )
    workspace.project.revision("r003", down="r002")
    return workspace.environment("dev", database)


@pytest.mark.parametrize(
    ("database", "number"),
    [("sqlite", signal.SIGINT), ("postgresql", signal.SIGTERM)],
    indirect=["database"],
)
def test_stops_at_the_next_safe_point(
    gated: Workspace, gate: Gate, database: Database, number: int
) -> None:
    """The running revision is finished, no other is begun, and the run can be resumed."""
    process = gated.start("apply", "dev", "--yes", "--format", "json")
    read_event(process, "step.started", "r002")
    process.send_signal(number)
    read_line(process, "Stopping before the next step")
    gate.open()
    status, events, errors = rest(process)
    assert status == 130, errors
    last = events[-1]
    assert (last["event"], last["status"]) == ("run.finished", "stopped")
    assert last["code"] == "interrupted"
    assert "Traceback" not in errors
    assert database.heads() == ["r002"]
    assert "unfinished" in " ".join(gated.state("dev")["remarks"])
    gated.ok("resume")
    assert database.heads() == ["r003"]


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_second_time_ends_the_running_step(
    gated: Workspace, gate: Gate, database: Database
) -> None:
    """Asked twice, the step is ended in its middle: undone where the server can, else in doubt."""
    process = gated.start("apply", "dev", "--yes", "--format", "json", "-v")
    read_event(process, "step.started", "r002")
    read_line(process, "waiting at the gate")
    process.send_signal(signal.SIGINT)
    read_line(process, "Stopping before the next step")
    process.send_signal(signal.SIGINT)
    status, events, errors = rest(process)
    assert "Traceback" not in errors
    assert events[-1]["event"] == "run.finished"
    assert database.heads() == ["r001"]
    gate.open()
    if database.kind == "postgresql":
        assert (status, events[-1]["status"], events[-1]["code"]) == (130, "stopped", "interrupted")
        assert "early" not in database.tables()
    else:
        assert (status, events[-1]["status"]) == (7, "in-doubt"), errors
        assert "early" in database.tables()
        database.execute("DROP TABLE early")
    gated.ok("resume", timeout=30)
    assert database.heads() == ["r003"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("command", ["status", "plan"])
def test_while_looking(workspace: Workspace, database: Database, command: str) -> None:
    """Ctrl-C while a project hangs ends at once, without a traceback."""
    workspace.project.env("hangs", setup="import time\nprint('here', flush=True)\ntime.sleep(600)")
    workspace.environment("dev", database)
    process = workspace.start(command, "dev", "--format", "json", "-v")
    read_line(process, "here")
    process.send_signal(signal.SIGINT)
    status, _, errors = rest(process)
    assert status == 130, errors
    assert "Traceback" not in errors
    assert '"code": "interrupted"' in errors


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_asks_for_the_name(gated: Workspace, gate: Gate, database: Database) -> None:
    """A wrong name, Ctrl-C, the end of input: nothing is done; the right name shows it live."""
    typed = {"production\r": (4, "not-confirmed"), "\x03": (130, "interrupted")}
    for keys, (wanted, word) in {**typed, "\x04": (130, "interrupted")}.items():
        terminal = Terminal(gated, "apply", "dev", NO_COLOR="1")
        terminal.child.expect("Type dev to carry it out")
        terminal.child.send(keys)
        status, said = terminal.ends()
        assert (status, word in said) == (wanted, True), said
        assert "Traceback" not in said
        assert "\x1b[" not in said, "NO_COLOR"
        assert database.tables() == []
    assert gated.ok("history").stdout.strip() == "No run has been recorded yet"

    terminal = Terminal(gated, "apply", "dev")
    terminal.child.expect("to carry it out")
    terminal.child.send("dev\r")
    terminal.child.expect(r"\[1/3\] 001-r001: create t1, done in")
    terminal.child.expect(r"002-r002  \d+\.\d s  waits")
    gate.open()
    status, said = terminal.ends()
    assert status == 0, said
    assert "\x1b[1mdev\x1b[0m is at r003" in said
    assert database.heads() == ["r003"]
