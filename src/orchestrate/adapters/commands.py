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
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.adapters.printed_lines import printed_lines
from orchestrate.adapters.redaction import Redactor
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

SHOWN_LINES: Final = 20
"""So many lines of what a command printed are worth a place in a message."""
_OUTPUT_LINES: Final = 100
_GRACE_SECONDS: Final = 2.0
_TERM_SECONDS: Final = 5.0
"""Between the wish that a command ends and the end."""
_LONGEST_PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    """As a shell has it; negative for the signal that ended it."""
    output: tuple[str, ...]
    """The last lines of what it printed, on either descriptor, without secrets."""
    timed_out: bool = False
    cut_short: bool = False
    """Whether it was told to end, by its time limit or by a person, before it did."""

    @property
    def how(self) -> str:
        """Return in words how it ended, where no time limit ended it."""
        if self.status < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-self.status).name}"
        return f"ended with status {self.status}"


class RunningCommand:
    """A command at work. `wait` for it once; `end` and `kill` may come from a signal's handler."""

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
        self._kill_at: float | None = None
        self._output: deque[str] = deque(maxlen=_OUTPUT_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True, name="command-output")
        self._listener.start()

    def wait(self, timeout: float | None) -> Ended:
        """Wait for its end; after `timeout` seconds it is ended, with all that it started."""
        deadline = None if timeout is None else time.monotonic() + timeout
        timed_out = False
        pause = 0.001
        while self._process.poll() is None:
            now = time.monotonic()
            if deadline is not None and now >= deadline and not timed_out:
                timed_out = True
                self.end()
            if self._kill_at is not None and now >= self._kill_at:
                self.kill()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if self._kill_at is not None:
            self.kill()  # what heeded the wish may have left somebody who does not
        # Something that it left running may keep the pipe open for ever.
        self._listener.join(timeout=_GRACE_SECONDS)
        return Ended(
            status=self._process.returncode,
            output=tuple(self._output),
            timed_out=timed_out,
            cut_short=self._kill_at is not None,
        )

    def end(self) -> None:
        """Have it end, and all that it started in its group: at once when said a second time."""
        if self._kill_at is not None:
            self.kill()
            return
        self._kill_at = time.monotonic() + _TERM_SECONDS
        end_group(self._process, signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started in its group, at once."""
        end_group(self._process)

    def _listen(self) -> None:
        pipe = self._process.stdout
        if pipe is None:
            raise AssertionError("a command is started with a pipe")
        with pipe:
            for text in printed_lines(pipe, self._redactor):
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
    lock: Path | None,
    redactor: Redactor,
    on_output: Callable[[str], None] | None,
    stdin: str | None = None,
) -> Iterator[RunningCommand]:
    """Start a command with these variables added to ours; kill it if the body is left early.

    `lock` is held as long as any process of it lives, and removed when it ended in the body. It
    reads `stdin`, or nothing. Raises `command-failed` when it is not started: there is no such
    program, an earlier one holds the lock, or the lock or what it reads cannot be written.
    """
    descriptor = None if lock is None else _locked(lock, command[0])
    try:
        process = _popen(
            command, folder=folder, environ=environ, descriptor=descriptor, stdin=stdin
        )
    finally:
        if descriptor is not None:
            os.close(descriptor)
    running = RunningCommand(process, redactor=redactor, on_output=on_output)
    try:
        yield running
    except BaseException:
        running.kill()
        raise
    # A folder that nobody can write to any more says nothing of a command that has ended.
    with contextlib.suppress(OSError):
        if lock is not None and not is_at_work(lock):
            lock.unlink(missing_ok=True)


def is_at_work(lock: Path) -> bool:
    """Return whether the command that was started with this lock, or a child of it, still lives."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _locked(lock: Path, name: str) -> int:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unprepared(name, f"the file `{lock}` cannot be made", error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        text = f"`{name}` is still at work from an earlier time, or something that it started"
        raise OrchestrateError("command-failed", text) from None
    except OSError as error:
        os.close(descriptor)
        raise _unprepared(name, f"the file `{lock}` cannot be locked", error) from error
    return descriptor


def _unprepared(name: str, what: str, error: OSError) -> OrchestrateError:
    """Return why a command was not even tried to be started."""
    return OrchestrateError(
        "command-failed",
        f"`{name}` was not started: {what}: {error.strerror or error}",
        hint="Check the rights of the folder and the room on its disk",
    )


def _popen(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    descriptor: int | None,
    stdin: str | None,
) -> subprocess.Popen[bytes]:
    with _given(stdin or "", command[0]) as given:
        try:
            return subprocess.Popen(
                list(command),
                cwd=folder,
                env=child_environ(environ),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=() if descriptor is None else (descriptor,),
                # Ctrl-C in the terminal reaches us alone; the second one ends the command.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise _not_started(command[0], folder, error) from error


def _given(text: str, name: str) -> IO[bytes]:
    """Return an open file with what a command reads.

    A file and no pipe: a command that never reads must not stop whoever writes.
    """
    try:
        with contextlib.ExitStack() as stack:
            given = stack.enter_context(tempfile.TemporaryFile())
            given.write(text.encode())
            given.seek(0)
            stack.pop_all()
            return given
    except OSError as error:
        what = "what it is to read cannot be written to a temporary file"
        raise _unprepared(name, what, error) from error


def _not_started(name: str, folder: Path, error: OSError | ValueError) -> OrchestrateError:
    if not folder.is_dir():
        text = f"there is no folder `{folder}` to run `{name}` in"
        return OrchestrateError("command-failed", text)
    missing = isinstance(error, FileNotFoundError)
    told = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return OrchestrateError(
        "command-failed",
        f"`{name}` cannot be started: {'no such program' if missing else told}",
        hint=f"It is looked for on PATH, and a path is relative to {folder}",
    )


def end_group(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """Send a process that leads a session of its own, with all that it started there, a signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
