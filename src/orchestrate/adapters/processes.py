"""A program that was started, here or elsewhere, as far as those who talk to it care.

Imports little: an agent is started before all else (ADR 7).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Final, Protocol

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.errors import OrchestrateError


class Process(Protocol):
    """A running program with three pipes, which have descriptors of this machine."""

    stdin: IO[bytes]
    stdout: BufferedReader
    stderr: IO[bytes]
    pid: int
    """Its number on this machine; 0 for one that runs elsewhere."""

    @property
    def lost(self) -> str | None:
        """Return why the line to it broke, where that is what ended it."""

    def poll(self) -> int | None:
        """Return its exit status, negative for the signal that ended it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises `subprocess.TimeoutExpired`."""

    def end(self) -> None:
        """Kill it with all that it started; returns at once, and may come from a signal's handler.

        Safe to repeat.
        """


class Launcher(Protocol):
    """Starts programs at some place."""

    def start(
        self, command: Sequence[str], *, cwd: Path | str, environ: Mapping[str, str] | None = None
    ) -> Process:
        """Start one. `environ` is added to what is inherited.

        Raises `OSError` where there is no such program, and what connecting raises.
        """


_LONGEST_WAIT: Final = 86_400.0


class LocalProcess:
    """A program of this machine, leader of a session of its own."""

    lost: str | None = None

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        stdout = process.stdout
        if (
            process.stdin is None
            or process.stderr is None
            or not isinstance(stdout, BufferedReader)
        ):
            raise AssertionError("a program is started with three pipes")
        self._process = process
        self.stdin, self.stdout, self.stderr = process.stdin, stdout, process.stderr
        self.pid = process.pid

    def poll(self) -> int | None:
        """Return its status."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if timeout is not None and self._process.returncode is None:
            timeout = _after_waiting(self.pid, timeout)
        return self._process.wait(timeout)

    def end(self) -> None:
        """Kill its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _after_waiting(pid: int, seconds: float) -> float:
    """Wait for a child's end, where the system can tell of it; return the seconds that are left.

    The standard library looks now and then, at growing intervals; Linux knows (pidfd_open(2)).
    """
    ends_at = time.monotonic() + seconds
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return seconds
    try:
        ending = select.poll()
        ending.register(descriptor, select.POLLIN)
        ending.poll(min(max(seconds, 0.0), _LONGEST_WAIT) * 1000)
    finally:
        os.close(descriptor)
    return max(ends_at - time.monotonic(), 0.0)


class LocalLauncher:
    """Starts programs on this machine."""

    def start(
        self, command: Sequence[str], *, cwd: Path | str, environ: Mapping[str, str] | None = None
    ) -> LocalProcess:
        """Start one, without a shell."""
        return LocalProcess(
            subprocess.Popen(
                list(command),
                cwd=cwd,
                env=child_environ(environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Ctrl-C in the terminal reaches us alone, who end it at a safe point.
                start_new_session=True,
            )
        )


HERE: Final[Launcher] = LocalLauncher()


def not_started(
    command: Sequence[str], cwd: Path | str, error: OSError, *, code: str
) -> OrchestrateError:
    """Return the error of a program of this machine that could not be started."""
    missing = isinstance(error, FileNotFoundError) and Path(cwd).is_dir()
    reason = "no such program" if missing else (error.strerror or str(error))
    return OrchestrateError(code, f"`{command[0]}` cannot be started: {reason}")
