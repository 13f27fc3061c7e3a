"""Copies on their way: from a program into a destination, and from there into a program.

Memory stays flat whatever the size. A program never outlives what it was started for. Must not
decide which copy is good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from orchestrate.adapters.copy_programs import Going, started_program
from orchestrate.adapters.destinations import PIECE, Destination, Guarded
from orchestrate.dialects.copies import LINE_LIMIT, Edit, Program
from orchestrate.dialects.row_tally import RowTally
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

_TAIL: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A copy as it was written, or read."""

    bytes: int
    sha256: str
    """Of the file; of a folder that of its lines `SHA-256  PATH`, sorted by path."""


def dump(
    program: Program,
    destination: Destination,
    name: str,
    going: Going,
    *,
    tally: RowTally | None = None,
) -> Written:
    """Run a program and keep what it writes under a name, complete or not at all.

    A copy that passes through here is shown to `tally` as it does. Raises `backup-failed` with the
    program's own last words.
    """
    if program.place == "folder" or (program.place == "either" and destination.path is not None):
        with destination.placing(name) as path:
            with started_program(program, going, "backup-failed", path=path) as child:
                child.take_opening()
                child.drain()
                child.finish()
            if not path.exists():
                text = f"`{program.name}` ended well and wrote nothing where it was told to"
                raise OrchestrateError("backup-failed", text)
            return fingerprint(path)
    with (
        destination.writing(name) as file,
        started_program(program, going, "backup-failed") as child,
    ):
        child.take_opening()
        sink = _Sink(file, going.on_bytes)
        for piece in _edited(iter(lambda: child.read(PIECE), b""), program.edits):
            sink.write(piece)
            if tally is not None:
                tally.take(piece)
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
            started_program(program, going, code, path=path) as child,
        ):
            child.take_opening()
            child.drain()
            return child.finish()
    with destination.reading(name) as file, started_program(program, going, code) as child:
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
    with started_program(program, going, "backup-impossible") as child:
        child.take_opening()
        text = b"".join(iter(lambda: child.read(PIECE), b""))
        child.finish()
    return going.redactor.redact(text.decode("utf-8", "replace"))


def captured(program: Program, going: Going, *, code: str) -> bytes:
    """Run a program that writes a short copy; return all of it, its edits made.

    Raises an error of `code` with the program's own last words, also where it is not complete.
    """
    with started_program(program, going, code) as child:
        child.take_opening()
        pieces = iter(lambda: child.read(PIECE), b"")
        text = b"".join(_edited(pieces, program.edits))
        child.finish()
    if program.trailer is not None and program.trailer not in text[-_TAIL:]:
        raise OrchestrateError(code, f"`{program.name}` ended well, and its last line is missing")
    return text


def given(program: Program, text: bytes, going: Going, *, code: str) -> None:
    """Give a text to a program. Raises an error of `code` with the program's own last words."""
    with started_program(program, going, code) as child:
        child.take_opening()
        child.drain()
        child.write(text)
        child.finish()


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
        # Looked for first: a plain search is three times as fast as the pattern.
        if edit.literal in text:
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
