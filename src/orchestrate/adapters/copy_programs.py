"""The programs that write and read copies: started, spoken to, ended; their last words kept.

A program never outlives what it was started for, and no secret is in its argument list.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from orchestrate.adapters.destinations import PIECE
from orchestrate.adapters.printed_lines import printed_lines, shown
from orchestrate.adapters.processes import HERE, Launcher, Process, not_started
from orchestrate.adapters.redaction import Redactor
from orchestrate.dialects.copies import PATH_VARIABLE, READY, Program
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

_MISSING: Final = 127
_NOISE_LIMIT: Final = 64 * 1024
_OUTPUT_LINES: Final = 20
_GRACE_SECONDS: Final = 5.0
_READY_SECONDS: Final = 120.0
"""What does not answer within it does not pass our input on, or asks somebody for a password."""
_LOOK_SECONDS: Final = 0.2
_QUICK: Final = 200_000_000
"""Bytes a second that hardly a program writes: who waits for less of them holds none up."""
_UNCONNECTED: Final = re.compile(
    r"connection refused|could not translate host|can't connect|unknown (mysql )?server host",
    re.IGNORECASE,
)
_INSTALL: Final = (
    "Install the server's client programs, or name what stands before them in `prefix`"
)
_OPEN_ENDS: Final = (
    "What stands before it has to pass on standard input and output as they are: "
    "`docker compose exec -T`, `docker exec -i`, `kubectl exec -i`, `ssh -T`"
)
_FAR_HOST: Final = (
    "The URL's host and port mean behind `prefix` what they mean there: name a host in the URL "
    "that both ends reach, or run the programs here"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """What goes with every program that is run here."""

    folder: Path
    """Where it is started: relative paths of URLs are relative to it."""
    redactor: Redactor
    timeout: float | None = None
    """Seconds until it is killed."""
    on_bytes: Callable[[int], None] | None = None
    """Called with the bytes so far, about once a piece."""
    stop: Callable[[], bool] | None = None
    """Asked now and then whether to end in the middle."""
    launcher: Launcher = HERE
    """Where programs without a prefix are started."""


def _widened(pipe: IO[bytes]) -> int:
    """Have a pipe hold a whole piece; return the bytes that it holds, 0 where that is not known.

    With Linux's 64 KiB a copy of 1 GB takes 2 s longer.
    """
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415  (not on every platform)

        # More than an ordinary user's pipes may hold together is refused, and only slower.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIECE)
        with contextlib.suppress(OSError):
            return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    return 0


class RunningProgram:
    """A program at work, with its three streams: opening first, then read or write, then finish."""

    def __init__(self, program: Program, process: Process, going: Going, code: str) -> None:
        _widened(process.stdin)
        self._half = _widened(process.stdout) // 2
        self._program = program
        self._process = process
        self._in, self._out = process.stdin, process.stdout
        self._code = code
        self._redactor = going.redactor
        self._seconds = going.timeout
        self._said: deque[str] = deque(maxlen=_OUTPUT_LINES)
        self._late = False
        self._stopped = False
        self._ended = threading.Event()
        self._drained = False
        self._ready = False
        self._listeners = [self._listening(process.stderr)]
        self._clock = threading.Timer(going.timeout or 0, self._time_out)
        self._clock.daemon = True
        if going.timeout is not None:
            self._clock.start()
        if going.stop is not None:
            threading.Thread(
                target=self._heed, args=[going.stop], daemon=True, name="copy-stop"
            ).start()

    def take_opening(self) -> None:
        """Hand over the opening and wait until it was taken; skip what a login shell prints."""
        patience = threading.Timer(_READY_SECONDS, self._time_out)
        patience.daemon = True
        patience.start()
        try:
            self.write(self._program.opening.reveal().encode())
            self._ready = self._answers()
        finally:
            patience.cancel()
        if not self._ready:
            self._close_input()
            with contextlib.suppress(subprocess.TimeoutExpired):
                # Its own status tells more than that of a kill.
                self._process.wait(timeout=_GRACE_SECONDS)
            self._process.end()
            self.finish()
            raise AssertionError("a program that was not ready ends in an error")

    def _answers(self) -> bool:
        """Read up to the line that says that data comes next; without it there is no far end."""
        expected = f"{READY}\n".encode()
        noise = 0
        while noise <= _NOISE_LIMIT and (line := self._out.readline(_NOISE_LIMIT)):
            if line == expected:
                return True
            if line.strip() == READY.encode():
                return False  # a terminal in between, which would change the copy, too
            noise += len(line)
            self._said.append(self._text(line))
        return False

    def read(self, size: int) -> bytes:
        """Read some of what it writes, nothing at the end; nothing more goes to it.

        Programs write 4 KB at a time, and being woken for each costs more than all the copying. So
        a pipe that held little is left alone until a quick program has filled half of it.
        """
        self._close_input()
        piece = self._out.read1(size)
        if 0 < len(piece) < self._half:
            time.sleep(self._half / _QUICK)
        return piece

    def drain(self) -> None:
        """Have what it prints on standard output kept with its messages."""
        self._drained = True
        self._listeners.append(self._listening(self._out))

    def write(self, piece: bytes) -> bool:
        """Give it something; return whether it was taken."""
        try:
            self._in.write(piece)
            self._in.flush()
        except BrokenPipeError:
            return False
        return True

    def finish(self) -> tuple[str, ...]:
        """Wait for its end and return its last words; raise the error if it did not end well."""
        self._close_input()
        status = self._process.wait()
        self._clock.cancel()
        for listener in self._listeners:
            # Something that it left running may keep the pipe open for ever.
            listener.join(timeout=_GRACE_SECONDS)
        if status != 0 or self._late or not self._ready:
            raise self._error(status)
        return tuple(self._said)

    def end(self) -> None:
        """Kill it and everything in its group, whatever it does."""
        self._clock.cancel()
        self._ended.set()
        if self._process.poll() is None:
            self._process.end()
            self._process.wait()
        with contextlib.suppress(OSError):
            self._in.close()
        if not self._drained:
            self._out.close()

    def _close_input(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._in.close()

    def _listening(self, pipe: IO[bytes]) -> threading.Thread:
        thread = threading.Thread(target=self._listen, args=[pipe], daemon=True, name="copy-words")
        thread.start()
        return thread

    def _listen(self, pipe: IO[bytes]) -> None:
        # Its own to close: closing a pipe that another thread reads waits for that thread.
        with pipe:
            for line in printed_lines(pipe, self._redactor):
                if text := line.strip():
                    self._said.append(text)

    def _text(self, line: bytes) -> str:
        return shown(line.decode("utf-8", "replace"), self._redactor).strip()

    def _heed(self, stop: Callable[[], bool]) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if stop():
                self._stopped = True
                self._process.end()
                return

    def _time_out(self) -> None:
        self._late = True
        self._process.end()

    def _error(self, status: int) -> OrchestrateError:
        if self._process.lost:
            return OrchestrateError("ssh-lost", self._process.lost)
        words = [line for line in self._said if line not in {">>>", ""}]
        text, hint = self._told(status, words)
        if words and status != _MISSING:
            text += f": {_cause(words)}"
        details = {"status": status, "output": words}
        return OrchestrateError(self._code, text, hint=hint, details=details)

    def _told(self, status: int, words: list[str]) -> tuple[str, str | None]:
        """Return what became of it, and what to do about it."""
        name, command = self._program.name, self._program.command
        where = f" behind `{command[0]}`" if len(command) > 1 else ""
        if self._stopped:
            return f"`{name}` was ended in the middle, as it was asked for", None
        if status == _MISSING:
            return f"there is no `{name}`{where}", _INSTALL
        if not self._ready:
            return f"`{name}`{where} was not reached{' in time' if self._late else ''}", _OPEN_ENDS
        if self._late:
            return f"`{name}` did not end within {self._seconds:g} s", None
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        lost = where and any(_UNCONNECTED.search(line) for line in words)
        return f"`{name}` ended with {ended}", _FAR_HOST if lost else None


def _cause(words: list[str]) -> str:
    """Return the line that says why: the first that speaks of an error, else the last."""
    telling = [line for line in words if "error" in line.lower()]
    return (telling or words[-1:])[0]


@contextmanager
def started_program(
    program: Program, going: Going, code: str, *, path: Path | None = None
) -> Iterator[RunningProgram]:
    """Start a program, `path` being where the copy is; kill it if the body is left early.

    Raises an error of `code` when there is nothing to be started.
    """
    environ = {PATH_VARIABLE: "" if path is None else str(path.absolute())}
    try:
        process = going.launcher.start(program.command, cwd=going.folder, environ=environ)
    except OSError as error:
        raise not_started(program.command, going.folder, error, code=code) from error
    child = RunningProgram(program, process, going, code)
    try:
        yield child
    finally:
        child.end()
