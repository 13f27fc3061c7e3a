"""Standard input, output and error: there from the first moment, and what writing does that fails.

The one place where text goes out, whoever prints it: Click, a live line, a thread. Imports nothing
that takes time (ADR 7).
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MISSING: Final = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))


class OutputLostError(Exception):
    """Standard output cannot be written, for another reason than that its reader left."""


class Output(io.FileIO):
    """A stream that fails once at the most: whatever is written afterwards is dropped.

    Where it is not `needed` it never fails. An interpreter that flushes it at exit finds nothing.
    """

    def __init__(self, descriptor: int, *, needed: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.needed = needed
        self._lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what can be. Raises `BrokenPipeError`, `OutputLostError` where it is needed."""
        if not self._lost:
            try:
                return self._written(data)
            except OSError as error:
                self._lost = True
                if self.needed:
                    if isinstance(error, BrokenPipeError):
                        raise
                    raise OutputLostError(error.strerror or str(error)) from error
        return memoryview(data).nbytes

    def _written(self, data: ReadableBuffer) -> int:
        """Write, waiting where somebody who shares a pipe made it one that does not wait."""
        while True:
            try:
                return os.write(self.fileno(), data)
            except BlockingIOError:
                select.select([], [self], [])


def standard_streams() -> Output | None:
    """Put the streams in order, at the very start; return standard output if it is ordinary.

    Nobody depends on what is said on standard error: it tells beside the data and the exit status.
    """
    _give_missing()
    sys.stderr, _ = _guarded(sys.stderr, needed=False)
    sys.stdout, output = _guarded(sys.stdout, needed=True)
    return output


def _give_missing() -> None:
    """Open the null device for what the caller closed, before another file gets its number.

    Else a child's message, or ours, would be written into the state store.
    """
    for name, access in _MISSING:
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, access)  # the lowest number that is free: its own
            os.set_inheritable(descriptor, True)  # noqa: FBT003  (it takes no name)
            mode = "r" if access == os.O_RDONLY else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def _guarded(stream: TextIO, *, needed: bool) -> tuple[TextIO, Output | None]:
    """Return a stream that goes out through an `Output`; a console of Windows stays as it is."""
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO or not isinstance(stream, io.TextIOWrapper):
        return stream, None
    output = Output(raw.fileno(), needed=needed)
    text = io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return text, output
