"""Commands of the spec's end when their time is over, with all that they started."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrate.adapters import commands
from orchestrate.adapters.commands import Ended, is_at_work, started_command
from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from tests.support.waiting import wait_until

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; print('child', flush=True); time.sleep(600)"])
print("pid", child.pid, flush=True)
time.sleep(600)
"""
OBEDIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("tidied up", flush=True), sys.exit(0)))
print("waiting", flush=True)
time.sleep(600)
"""


def run(
    folder: Path, code: str, *, timeout: float = 30, lock: Path | None = None, **more: object
) -> Ended:
    environ = more.pop("environ", {})
    assert isinstance(environ, Mapping)
    with started_command(
        [sys.executable, "-c", code],
        folder=folder,
        environ=environ,
        lock=lock,
        redactor=Redactor([Secret("p4ssw0rd")]),
        on_output=None,
        **more,  # type: ignore[arg-type]
    ) as running:
        return running.wait(timeout)


def test_who_does_not_want_to_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM, then KILL, the children that hold the pipe included."""
    monkeypatch.setattr(commands, "_TERM_SECONDS", 0.3)
    ended = run(tmp_path, STUBBORN, timeout=1.5)
    assert (ended.status, ended.timed_out) == (-9, True)
    pid = int(ended.output[0].split()[1])
    wait_until(lambda: not _alive(pid))


def test_who_tidies_up_is_let(tmp_path: Path) -> None:
    """Ended in time it still counts as too late."""
    ended = run(tmp_path, OBEDIENT, timeout=1.5)
    assert (ended.status, ended.timed_out, ended.cut_short) == (0, True, True)
    assert ended.output == ("waiting", "tidied up")


def test_a_child_that_stays_behind(tmp_path: Path) -> None:
    """It may hold the pipe for ever: nobody waits for it, and its lock tells that it is there."""
    lock = tmp_path / "locks" / "one.command"
    popen = "subprocess.Popen(['sleep', '600'], close_fds=False)"  # as a shell would
    code = f"import subprocess; print({popen}.pid, flush=True)"
    began = time.monotonic()
    ended = run(tmp_path, code, lock=lock)
    assert (ended.status, time.monotonic() - began < 10) == (0, True)
    assert is_at_work(lock)
    with pytest.raises(OrchestrateError) as caught:
        run(tmp_path, "pass", lock=lock)
    assert "still at work" in caught.value.message
    os.kill(int(ended.output[0]), signal.SIGKILL)
    wait_until(lambda: not is_at_work(lock))


def test_what_cannot_be_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No place for the lock, or for what it reads: it is not started, and that is said."""
    (tmp_path / "file").touch()
    proof = "open('ran', 'w')"
    with pytest.raises(OrchestrateError, match=r"was not started: the file .* cannot be made"):
        run(tmp_path, proof, lock=tmp_path / "file" / "one.command")

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(OrchestrateError, match="No space left on device") as caught:
        run(tmp_path, proof, lock=tmp_path / "one.command")
    assert caught.value.code == "command-failed"
    assert not (tmp_path / "ran").exists()
    assert not is_at_work(tmp_path / "one.command")


def test_what_it_reads_and_prints(tmp_path: Path) -> None:
    """A megabyte on standard input that nobody reads; output without secrets and escapes."""
    code = r"print('a p4ssw0rd \x1b[31m\x00red'); print('x' * 5000); print(b'\xff')"
    ended = run(tmp_path, code, stdin="y" * 2**20)
    assert ended.output[0] == "a *** red"
    assert max(map(len, ended.output)) == 2000
    many = run(tmp_path, "import sys; print(sys.stdin.read() * 1000)", stdin="line\n")
    assert len(many.output) == 100


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
