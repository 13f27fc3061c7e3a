"""Starting an agent, and saying what went wrong when that did not work."""

from __future__ import annotations

import os
import shlex
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrate import agent
from orchestrate.adapters import agent_start
from orchestrate.adapters.agent_process import AgentProcess
from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError


def start(*command: str, folder: Path, **more: Any) -> AgentProcess:
    return AgentProcess.start(command, cwd=folder, redactor=Redactor(), **more)


def program(folder: Path, text: str) -> str:
    """Write a program that stands where a runner ends in a Python."""
    path = folder / "runner"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def error_of(*command: str, folder: Path) -> OrchestrateError:
    """Return what an agent behind a command says to `hello`."""
    with pytest.raises(OrchestrateError) as raised, start(*command, folder=folder) as process:
        process.hello(deadline=20)
    return raised.value


def test_hello_tells_who_answers(tmp_path: Path, python: Path) -> None:
    """Versions and place, at both ends of what is supported."""
    with start(str(python), folder=tmp_path) as process:
        found = process.hello()
        assert found["protocol"] == 1
        assert found["executable"] == str(python)
        assert found["directory"] == str(tmp_path)
        assert found["alembic"] == "1.8.0" or python.parts[-3] == "newest"
        assert process.usable
    assert not process.usable


@pytest.fixture(params=["wide", "narrow"])
def pipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pipe that holds the agent's source, and one that it has to be written to piece by piece."""
    if request.param == "narrow":
        monkeypatch.setattr(agent_start, "_holds", lambda *_: False)
    return str(request.param)


@pytest.mark.usefixtures("pipe")
def test_the_source_goes_through_any_pipe(tmp_path: Path) -> None:
    with start(sys.executable, folder=tmp_path) as process:
        assert process.hello()["pid"]


def test_a_runner_may_be_a_prefix(tmp_path: Path) -> None:
    """As `docker compose exec -T api python` is."""
    with start("env", "MARK=1", "nice", sys.executable, folder=tmp_path) as process:
        assert process.hello()["pid"]


def test_a_runner_may_pass_its_arguments_through_a_shell(tmp_path: Path) -> None:
    """As `ssh -T host python3` does: it joins them to one line, which a shell at the far end reads."""
    ssh = Path(program(tmp_path, 'shift 2\nexec sh -c "$*"\n')).rename(tmp_path / "ssh")
    with start(str(ssh), "-T", "host", sys.executable, folder=tmp_path) as process:
        assert process.hello()["pid"]


def test_boot_is_harmless_to_quoting() -> None:
    """One line without single quotes, backslashes, dollars or backticks."""
    assert not set(agent.BOOT) & set("'\\$`!\n")
    assert shlex.split(shlex.quote(agent.BOOT)) == [agent.BOOT]


def test_a_missing_program_is_said_so(tmp_path: Path) -> None:
    """Before anything is asked."""
    error = error_of("no-such-program", folder=tmp_path)
    assert (error.code, error.message) == (
        "agent-failed",
        "cannot start `no-such-program`: no such program",
    )
    assert error.hint


def test_a_missing_folder_is_told_from_a_missing_program(tmp_path: Path) -> None:
    """The system's error is the same for both."""
    error = error_of(sys.executable, folder=tmp_path / "gone")
    assert error.message == f"there is no folder {tmp_path / 'gone'} to start the agent in"


def test_what_is_not_python_is_quoted(tmp_path: Path) -> None:
    """With its first line, so that one sees what it is."""
    error = error_of(program(tmp_path, "echo usage: something else\n"), folder=tmp_path)
    assert error.code == "agent-failed"
    assert "is not a Python interpreter" in error.message
    assert error.message.endswith("the first line was: usage: something else")


def test_a_runner_that_fails_has_its_say(tmp_path: Path) -> None:
    """Docker and SSH say on standard error what is wrong."""
    runner = program(tmp_path, 'echo "service \\"api\\" is not running" >&2; exit 1\n')
    error = error_of(runner, folder=tmp_path)
    assert error.message == (
        f'`{runner}` ended with status 1 before it answered: service "api" is not running'
    )


@pytest.mark.usefixtures("pipe")
def test_a_program_that_never_reads_is_ended(tmp_path: Path) -> None:
    """The source alone is more than a pipe holds."""
    begun = time.monotonic()
    with (
        pytest.raises(OrchestrateError) as raised,
        start(program(tmp_path, "exec sleep 60\n"), folder=tmp_path) as process,
    ):
        process.hello(deadline=0.5)
    assert raised.value.code == "agent-stalled"
    assert time.monotonic() - begun < 10


def test_an_old_python_is_told_its_age(tmp_path: Path) -> None:
    """BOOT looks before the source, which such a Python could not even parse."""
    boot = agent.BOOT.replace("(3,8)", "(9,9)")
    runner = program(tmp_path, f"exec {sys.executable} -c {shlex.quote(boot)}\n")
    error = error_of(runner, folder=tmp_path)
    assert error.message == (
        f"`{runner}`: Python 3.8 or newer is needed, this is"
        f" {sys.version.split()[0]} at {sys.executable}"
    )


def test_a_python_without_alembic_is_named(tmp_path: Path) -> None:
    """The usual mistake: the system's Python in place of the project's."""
    error = error_of(sys.executable, "-S", "-I", folder=tmp_path)
    assert error.code == "agent-failed"
    assert sys.executable in error.message
    assert (
        "cannot import Alembic: ModuleNotFoundError: No module named 'sqlalchemy'" in error.message
    )
    assert error.hint


def test_output_is_bounded_redacted_and_handed_on(tmp_path: Path) -> None:
    """The last 200 lines stay; each goes to the callback."""
    redactor = Redactor([Secret("hunter22")])
    heard: list[str] = []
    runner = program(
        tmp_path,
        f"i=0; while [ $i -lt 300 ]; do echo line $i hunter22 >&2; i=$((i+1)); done;"
        f' exec {sys.executable} "$@"\n',
    )
    with AgentProcess.start(
        [runner], cwd=tmp_path, redactor=redactor, on_output=heard.append
    ) as process:
        process.hello()
    assert len(process.output) == 200
    assert process.output[-1] == "line 299 ***"
    assert len(heard) == 300
    assert "hunter22" not in "".join(heard)


def test_a_callback_that_fails_harms_nothing(tmp_path: Path) -> None:
    """It runs in a thread that has other things to do."""
    runner = program(tmp_path, f'echo hello >&2; exec {sys.executable} "$@"\n')

    def fail(line: str) -> None:
        raise ValueError(line)

    with start(runner, folder=tmp_path, on_output=fail) as process:
        assert process.hello()["pid"]


def test_a_request_may_be_left_before_its_end(tmp_path: Path) -> None:
    """What still comes of it is dropped."""
    with start(sys.executable, folder=tmp_path) as process:
        for _ in range(2):
            for message in process.request("hello", deadline=20):
                assert message.fields["result"]["pid"]
                break
        process._send({"id": 99, "do": "hello"})
        assert process.hello()["pid"]


def test_an_unknown_request_is_an_error_and_ends_the_agent(tmp_path: Path) -> None:
    """After any error an agent is thrown away."""
    with start(sys.executable, folder=tmp_path) as process:
        with pytest.raises(OrchestrateError, match="unknown request `dance`"):
            process.call("dance", deadline=20)
        assert not process.usable
        with pytest.raises(OrchestrateError, match="no longer usable"):
            process.hello()


def test_an_interrupt_of_the_terminal_does_not_reach_the_agent(tmp_path: Path) -> None:
    """It is in a session of its own, and ignores the signal besides."""
    with start(sys.executable, folder=tmp_path) as process:
        process.hello()
        assert os.getsid(process.pid) == process.pid
        os.kill(process.pid, signal.SIGINT)
        assert process.hello()["pid"] == process.pid


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """No thread, no descriptor, no process, after `close` as after `kill`."""
    threads, descriptors = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for end in (AgentProcess.close, AgentProcess.kill):
        process = start(sys.executable, folder=tmp_path)
        process.hello()
        end(process)
        end(process)
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)
    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
