"""Copies on their way: from a program into a destination, and from there into a program.

Memory stays flat whatever the size. A program never outlives what it was started for. Must not
decide which copy is good.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from orchestrate.adapters.commands import end_group, lines_of
from orchestrate.adapters.destinations import PIECE, Destination, Guarded
from orchestrate.adapters.redaction import Redactor
from orchestrate.dialects.copies import LINE_LIMIT, PATH_VARIABLE, READY, Edit, Program
from orchestrate.errors import OrchestrateError

_MISSING: Final = 127
_NOISE_LIMIT: Final = 64 * 1024
_OUTPUT_LINES: Final = 20
_TAIL: Final = 4096
_GRACE_SECONDS: Final = 5.0
_READY_SECONDS: Final = 120.0
"""What does not answer within it does not pass our input on, or asks somebody for a password."""
_LOOK_SECONDS: Final = 0.2
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
class Written:
    """A copy as it was written, or read."""

    bytes: int
    sha256: str
    """Of the file; of a folder that of its lines `SHA-256  PATH`, sorted by path."""


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


def dump(program: Program, destination: Destination, name: str, going: Going) -> Written:
    """Run a program and keep what it writes under a name, complete or not at all.

    Raises `backup-failed` with the program's own last words.
    """
    if program.place == "folder" or (program.place == "either" and destination.path is not None):
        with destination.placing(name) as path:
            with _started(program, going, "backup-failed", path=path) as child:
                child.take_opening()
                child.finish()
            if not path.exists():
                text = f"`{program.name}` ended well and wrote nothing where it was told to"
                raise OrchestrateError("backup-failed", text)
            return fingerprint(path)
    with (
        destination.writing(name) as file,
        _started(program, going, "backup-failed") as child,
    ):
        child.take_opening()
        sink = _Sink(file, going.on_bytes)
        for piece in _edited(iter(lambda: child.read(PIECE), b""), program.edits):
            sink.write(piece)
        child.finish()
        if program.trailer is not None and program.trailer not in sink.tail:
            text = f"`{program.name}` ended well, and its copy lacks its last line"
            raise OrchestrateError("backup-failed", text)
        return sink.written()


def load(
    program: Program, destination: Destination, name: str, going: Going, *, code: str
) -> tuple[str, ...]:
    """Give a copy to a program; return the last lines that it printed.

    Raises an error of `code` with the program's own last words, `backup-broken` when the copy
    cannot be read.
    """
    if program.place == "folder" or (program.place == "either" and destination.path is not None):
        with (
            destination.fetching(name) as path,
            _started(program, going, code, path=path) as child,
        ):
            child.take_opening()
            return child.finish()
    with destination.reading(name) as file, _started(program, going, code) as child:
        child.take_opening()
        child.drain()
        done = 0
        for piece in _edited(iter(lambda: file.read(PIECE), b""), program.edits):
            if not child.write(piece):
                break  # it has ended: its status tells why
            done += len(piece)
            if going.on_bytes is not None:
                going.on_bytes(done)
        else:
            child.write(program.closing)
        return child.finish()


def ask(program: Program, going: Going) -> str:
    """Run a program that prints a few lines; return them. Raises `backup-impossible`."""
    with _started(program, going, "backup-impossible") as child:
        child.take_opening()
        text = b"".join(iter(lambda: child.read(PIECE), b""))
        child.finish()
    return going.redactor.redact(text.decode("utf-8", "replace"))


def read_through(
    destination: Destination, name: str, *, trailer: bytes | None, going: Going
) -> Written:
    """Read a copy to its end. Raises `backup-broken` if it is not there, or lacks its trailer."""
    if destination.is_folder(name):
        with destination.fetching(name) as path:
            return fingerprint(path)
    with destination.reading(name) as file:
        sink = _Sink(None, going.on_bytes)
        while piece := file.read(PIECE):
            sink.write(piece)
    if trailer is not None and trailer not in sink.tail:
        text = f"{destination.location(name)} ends in the middle: its last line is missing"
        raise OrchestrateError("backup-broken", text)
    return sink.written()


def fingerprint(path: Path) -> Written:
    """Return the size and hash of a file or a folder."""
    if not path.is_dir():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Written(bytes=path.stat().st_size, sha256=digest)
    files = sorted(one for one in path.rglob("*") if one.is_file())
    parts = [(fingerprint(one), one.relative_to(path).as_posix()) for one in files]
    text = "".join(f"{part.sha256}  {name}\n" for part, name in parts)
    return Written(
        bytes=sum(part.bytes for part, _ in parts),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _edited(pieces: Iterator[bytes], edits: Sequence[Edit]) -> Iterator[bytes]:
    """Yield a text with its edits made, a line's beginning never cut in two."""
    if not edits:
        yield from pieces
        return
    held = b""
    for piece in pieces:
        text = held + piece
        end = text.rfind(b"\n")
        cut = end if end >= 0 and len(text) - end < LINE_LIMIT else len(text)
        held = text[cut:]
        yield _changed(text[:cut], edits)
    yield _changed(held, edits)


def _changed(text: bytes, edits: Sequence[Edit]) -> bytes:
    for edit in edits:
        text = edit.pattern.sub(edit.replacement, text)
    return text


class _Sink:
    """Counts and hashes what passes into a file."""

    def __init__(self, file: Guarded | None, on_bytes: Callable[[int], None] | None) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._on_bytes = on_bytes
        self.tail = b""

    def write(self, piece: bytes) -> None:
        if self._file is not None:
            self._file.write(piece)
        self._hash.update(piece)
        self._bytes += len(piece)
        self.tail = (self.tail + piece)[-_TAIL:] if len(piece) < _TAIL else piece[-_TAIL:]
        if self._on_bytes is not None:
            self._on_bytes(self._bytes)

    def written(self) -> Written:
        return Written(bytes=self._bytes, sha256=self._hash.hexdigest())


class _Child:
    """A program at work, with its three streams."""

    def __init__(
        self, program: Program, process: subprocess.Popen[bytes], going: Going, code: str
    ) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("a program is started with three pipes")
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
            end_group(self._process)
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
        """Read what it writes; nothing more goes to it."""
        self._close_input()
        return self._out.read(size)

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
            end_group(self._process)
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
            for line in lines_of(pipe):
                if text := self._text(line):
                    self._said.append(text)

    def _text(self, line: bytes) -> str:
        return self._redactor.redact(line.decode("utf-8", "replace").strip())

    def _heed(self, stop: Callable[[], bool]) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if stop():
                self._stopped = True
                end_group(self._process)
                return

    def _time_out(self) -> None:
        self._late = True
        end_group(self._process)

    def _error(self, status: int) -> OrchestrateError:
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
def _started(
    program: Program, going: Going, code: str, *, path: Path | None = None
) -> Iterator[_Child]:
    environ = {**os.environ, PATH_VARIABLE: "" if path is None else str(path.absolute())}
    try:
        process = subprocess.Popen(
            list(program.command),
            cwd=going.folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C in the terminal reaches us alone, and we end it.
            start_new_session=True,
        )
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) and going.folder.is_dir()
        reason = "no such program" if missing else (error.strerror or str(error))
        text = f"`{program.command[0]}` cannot be started: {reason}"
        raise OrchestrateError(code, text) from error
    child = _Child(program, process, going, code)
    try:
        yield child
    finally:
        child.end()
