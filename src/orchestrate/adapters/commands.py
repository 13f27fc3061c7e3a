"""Running a command of the spec's on this machine: no shell, its output captured, never orphaned.

A lock file that the command inherits tells whether it, or anything that it started, is still at
work, also after the program that started it was killed. Must not decide what an end means.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from orchestrate.adapters.redaction import Redactor
from orchestrate.errors import OrchestrateError

_OUTPUT_LINES: Final = 20
_LINE_LIMIT: Final = 2000
_GRACE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    """As a shell has it; negative for the signal that ended it."""
    output: tuple[str, ...]
    """The last lines of what it printed, on either descriptor, without secrets."""
    timed_out: bool = False


class RunningCommand:
    """A command at work. `wait` for it once; `kill` may come from a signal's handler."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        *,
        redactor: Redactor,
        on_output: Callable[[str], None] | None,
    ) -> None:
        self._process = process
        self._redactor = redactor
        self._on_output = on_output
        self._output: deque[str] = deque(maxlen=_OUTPUT_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True, name="command-output")
        self._listener.start()

    def wait(self, timeout: float | None) -> Ended:
        """Wait for its end; after `timeout` seconds it is killed."""
        timed_out = False
        try:
            status = self._process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            self.kill()
            status = self._process.wait()
        # Something that it left running may keep the pipe open for ever.
        self._listener.join(timeout=_GRACE_SECONDS)
        return Ended(status=status, output=tuple(self._output), timed_out=timed_out)

    def kill(self) -> None:
        """End it and all that it started in its group."""
        end_group(self._process)

    def _listen(self) -> None:
        pipe = self._process.stdout
        if pipe is None:
            raise AssertionError("a command is started with a pipe")
        for line in lines_of(pipe):
            text = self._redactor.redact(line.decode("utf-8", "replace").rstrip("\r\n"))
            self._output.append(text)
            if self._on_output is not None:
                with contextlib.suppress(Exception):
                    self._on_output(text)


@contextmanager
def started_command(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    lock: Path,
    redactor: Redactor,
    on_output: Callable[[str], None] | None,
) -> Iterator[RunningCommand]:
    """Start a command with these variables added to ours; kill it if the body is left early.

    `lock` is held as long as any process of it lives, and removed when it ended in the body. Raises
    `command-failed` when there is no such program.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        process = _popen(command, folder=folder, environ=environ, descriptor=descriptor)
    finally:
        os.close(descriptor)
    running = RunningCommand(process, redactor=redactor, on_output=on_output)
    try:
        yield running
    except BaseException:
        running.kill()
        raise
    if not is_at_work(lock):
        lock.unlink(missing_ok=True)


def is_at_work(lock: Path) -> bool:
    """Return whether the command that was started with this lock, or a child of it, still lives."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _popen(
    command: Sequence[str], *, folder: Path, environ: Mapping[str, str], descriptor: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(descriptor,),
            # Ctrl-C in the terminal reaches us alone; the second one ends the command.
            start_new_session=True,
        )
    except OSError as error:
        if not folder.is_dir():
            text = f"there is no folder `{folder}` to run `{command[0]}` in"
            raise OrchestrateError("command-failed", text) from error
        missing = isinstance(error, FileNotFoundError)
        reason = "no such program" if missing else (error.strerror or str(error))
        raise OrchestrateError(
            "command-failed",
            f"`{command[0]}` cannot be started: {reason}",
            hint=f"It is looked for on PATH, and a path is relative to {folder}",
        ) from error


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session of its own, with all that it started there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def lines_of(pipe: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a pipe until it ends or is closed; longer ones come in pieces."""
    with contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(_LINE_LIMIT):
            yield line
