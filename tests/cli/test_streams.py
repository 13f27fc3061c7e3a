"""Standard streams that are closed, full or read by nobody, and a terminal that is closed."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrate.run.interruption import ended_by_sigterm
from tests.support.databases import Database
from tests.support.waiting import Gate, read_event, read_line, rest
from tests.support.workspace import Result, Workspace

PROGRAM = (sys.executable, "-m", "orchestrate")
LOST = "Standard output could not be written: No space left on device"

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def gated(workspace: Workspace, database: Database, gate: Gate) -> Workspace:
    """Start a workspace of three revisions, the second of which waits at the gate."""
    workspace.project.linear(1)
    gate.revision(workspace.project, "r002", down="r001")
    workspace.project.revision("r003", down="r002")
    return workspace.environment("dev", database)


def redirected(workspace: Workspace, redirection: str, *arguments: str) -> Result:
    """Run the program with what a shell does to its streams, or before it."""
    shell = f'{redirection}; exec "$@"' if ";" in redirection else f'exec "$@" {redirection}'
    return workspace.call(*arguments, program=("bash", "-c", shell, "bash", *PROGRAM))


def started(
    workspace: Workspace, *arguments: str, program: tuple[str, ...] = (), **streams: Any
) -> subprocess.Popen[str]:
    """Start the program behind another one, with pipes or with other streams."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*program, *PROGRAM, *arguments],
        cwd=workspace.folder,
        env=workspace.environment_variables(),
        text=True,
        **{**pipes, **streams},
    )


@pytest.fixture
def unread() -> Iterator[int]:
    """Make a pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


# --- streams that are not there ---------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_the_null_device(
    one: Workspace, database: Database, closed: str
) -> None:
    """Commands do what they do, and no file of ours gets the number of a stream."""
    looked = redirected(one, closed, "status")
    assert (looked.status, looked.stderr) == (0, "")
    assert ("dev" in looked.stdout) == (">&-" not in closed.replace("2>&-", ""))
    refused = redirected(one, closed, "apply", "dev")
    assert refused.status == 2, refused
    assert ("error[no-input]" in refused.stderr) == ("2>&-" not in closed)
    done = redirected(one, closed, "apply", "dev", "--yes")
    assert done.status == 0, done
    assert database.heads() == ["r006"]
    assert one.ok("history", "--format", "json").json()


@pytest.mark.parametrize("command", ["status", "validate", "init"])
def test_the_folder_is_gone(one: Workspace, command: str) -> None:
    """It is said, with what to do about it; a spec that is named in full needs no folder."""
    gone = "mkdir gone; cd gone; rmdir ../gone"
    result = redirected(one, gone, command)
    assert result.status == 2
    assert "error[usage]: The current folder is gone" in result.stderr
    assert "--spec" in result.stderr
    assert "Traceback" not in result.stderr
    if command != "init":
        spec = str(one.folder / "migrations.yaml")
        assert redirected(one, gone, command, "--spec", spec).status == 0


# --- looking ----------------------------------------------------------------------------------------


def test_data_that_cannot_be_written(one: Workspace) -> None:
    """One line says so, for whatever would have been printed; JSON where that was asked for."""
    for arguments in (["status"], ["--help"], ["schema"], ["apply", "--help"]):
        result = redirected(one, ">/dev/full", *arguments)
        assert (result.status, result.stderr) == (1, f"error: {LOST}\n"), arguments
    result = redirected(one, ">/dev/full", "status", "--format", "json")
    assert (result.status, len(result.stderr.splitlines())) == (1, 1)
    assert (result.error()["code"], result.error()["message"]) == (None, LOST)
    assert redirected(one, ">/dev/full 2>&1", "status").status == 1


def test_messages_that_cannot_be_written(one: Workspace) -> None:
    """The exit status says what it says without them."""
    assert redirected(one, "2>/dev/full", "no-such-command").status == 2
    looked = redirected(one, "2>/dev/full", "status", "-v")
    assert looked.status == 0
    assert "dev" in looked.stdout


def test_a_reader_that_left(one: Workspace, unread: int) -> None:
    """`| head` ends what only looks, without a word."""
    process = started(one, "status", stdout=unread)
    status, _, errors = rest_of(process)
    assert (status, errors) == (1, "")


def test_a_pipe_that_does_not_wait(one: Workspace) -> None:
    """Whoever shares a pipe may make it so; all of the text arrives nevertheless."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    process = started(one, "schema", stdout=writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as file:
        text = file.read()
    status, _, errors = rest_of(process)
    assert (status, errors) == (0, "")
    assert len(text) > 4096
    assert json.loads(text) == one.ok("schema").json()


def rest_of(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; return exit status and what the pipes still hold."""
    output, errors = process.communicate(timeout=60)
    return process.returncode, output or "", errors or ""


# --- carrying out -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "lost"),
    [("text", ">/dev/full"), ("text", "2>/dev/full"), ("json", ">/dev/full 2>&1")],
)
def test_a_run_on_a_full_disk(one: Workspace, database: Database, form: str, lost: str) -> None:
    """It goes on to its end and ends as it would have."""
    result = redirected(one, lost, "apply", "dev", "--yes", "--format", form)
    assert result.status == 0, result
    assert "error" not in result.stderr
    assert database.heads() == ["r006"]


def test_a_run_without_a_reader(one: Workspace, database: Database, unread: int) -> None:
    """Neither for its plan nor for its lines; `--yes` says that nobody has to read the plan."""
    process = started(one, "apply", "dev", "--yes", stdout=unread, stderr=unread)
    assert process.wait(timeout=60) == 0
    assert database.heads() == ["r006"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_that_leaves_in_the_middle(
    gated: Workspace, gate: Gate, database: Database, form: str
) -> None:
    """Whatever it read, the run is carried out."""
    process = gated.start("apply", "dev", "--yes", "--format", form)
    assert process.stdout is not None
    assert process.stderr is not None
    if form == "json":
        read_event(process, "step.started", "r002")
    else:
        read_line(process, "[1/3]")
    process.stdout.close()
    process.stderr.close()
    gate.open()
    assert process.wait(timeout=60) == 0
    assert database.heads() == ["r003"]
    assert gated.state("dev")["state"] == "current"


def test_a_run_that_fails_says_so_with_its_status(one: Workspace, database: Database) -> None:
    """Output that is lost neither hides a failure nor makes one up."""
    one.project.revision("r007", down="r006", upgrade='raise RuntimeError("not today")')
    result = redirected(one, ">/dev/full", "apply", "dev", "--yes")
    assert result.status == 1
    assert "not today" in result.stderr
    assert LOST not in result.stderr
    assert database.heads() == ["r006"]


def test_a_plan_that_cannot_be_shown_is_not_asked_about(one: Workspace, database: Database) -> None:
    """Who is to confirm it has to see it."""
    master, terminal = os.openpty()
    with Path("/dev/full").open("w") as full:
        process = started(one, "apply", "dev", stdin=terminal, stdout=full)
    os.close(terminal)
    status, _, errors = rest_of(process)
    os.close(master)
    assert (status, errors) == (1, f"error: {LOST}\n")
    assert database.tables() == []


# --- a terminal that is closed ----------------------------------------------------------------------


def test_a_closed_terminal_stops_a_run_at_the_next_safe_point(
    gated: Workspace, gate: Gate, database: Database
) -> None:
    """The kernel says so, then the shell once more: the running step is not ended by it."""
    master, terminal = os.openpty()
    process = started(
        gated,
        *("apply", "dev", "--yes", "-v"),
        program=("env", "--default-signal=HUP", "setsid", "--ctty"),
        stdin=terminal,
        stdout=terminal,
    )
    os.close(terminal)
    read_line(process, "waiting at the gate")
    os.close(master)
    read_line(process, "Stopping before the next step")
    process.send_signal(signal.SIGHUP)
    gate.open()
    status, _, errors = rest_of(process)
    assert status == 130, errors
    assert "Traceback" not in errors
    assert database.heads() == ["r002"]
    gated.ok("resume")
    assert database.heads() == ["r003"]


def test_nohup(gated: Workspace, gate: Gate, database: Database) -> None:
    """A signal that is ignored when the program starts stays ignored."""
    process = started(
        gated,
        *("apply", "dev", "--yes", "--format", "json"),
        program=("env", "--ignore-signal=HUP"),
    )
    read_event(process, "step.started", "r002")
    process.send_signal(signal.SIGHUP)
    gate.open()
    status, events, errors = rest(process)
    assert (status, events[-1]["status"]) == (0, "succeeded"), errors
    assert database.heads() == ["r003"]


def test_what_a_rehearsal_made_is_tidied_up(database: Database) -> None:
    """A closed terminal ends it as Ctrl-C does, and only once."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    tidied = []

    @contextmanager
    def tidying() -> Iterator[None]:
        try:
            yield
        finally:
            signal.raise_signal(signal.SIGHUP)
            tidied.append("all of it")

    try:
        with pytest.raises(KeyboardInterrupt), ended_by_sigterm(), tidying():
            signal.raise_signal(signal.SIGHUP)
        assert tidied == ["all of it"]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
