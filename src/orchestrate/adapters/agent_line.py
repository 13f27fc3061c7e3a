"""The line to an agent: its three pipes, the threads at them, and the end of its process.

Knows neither the protocol nor what the requests mean: bytes in, lines out. Two threads of its own
write, and listen to what the project prints; what the agent says is read by whoever asks.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from orchestrate.adapters.agent_start import Started
from orchestrate.adapters.printed_lines import printed_lines
from orchestrate.adapters.redaction import Redactor

OUTPUT_LINES: Final = 200
_GRACE_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 3.0
_SHORT: Final = 1024


class AgentLine:
    """The pipes of one agent's process."""

    def __init__(
        self, started: Started, *, redactor: Redactor, on_output: Callable[[str], None] | None
    ) -> None:
        self.process = started.process
        self.closed = False
        self.output: deque[str] = deque(maxlen=OUTPUT_LINES)
        """The last lines that the project, or the runner, printed."""
        self._redactor = redactor
        self._on_output = on_output
        self._unread = b""
        self._to_write: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._write_lock = threading.Lock()
        self._unwritten = 0 if started.handing_over is None else 1  # the agent's own source
        self._handing_over = started.handing_over
        self._threads = [
            threading.Thread(target=work, daemon=True, name=f"agent-{work.__name__.strip('_')}")
            for work in (self._write, self._listen)
        ]
        for thread in self._threads:
            thread.start()

    # --- both ways ----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write a line; returns at once, also where the other end does not read."""
        with self._write_lock:
            if self._unwritten == 0 and len(data) <= _SHORT:
                # An answer between two revisions: not worth waking a thread for. The agent reads
                # all that comes, so there is room in the pipe.
                with contextlib.suppress(OSError, ValueError):
                    self.process.stdin.write(data)
                    self.process.stdin.flush()
                return
            self._unwritten += 1
        self._to_write.put(data)

    def send_from_signal(self, data: bytes) -> None:
        """Write a short line in a signal's handler, which may have interrupted this very class.

        Where something is being written just now nothing is sent.
        """
        if self._unwritten == 0 and not self._write_lock.locked() and not self.closed:
            with contextlib.suppress(OSError, ValueError):
                os.write(self.process.stdin.fileno(), data)

    def read(self, ends_at: float | None) -> bytes | None:
        """Read one line; nothing where the output ended, None where the time is over."""
        descriptor = self.process.stdout.fileno()
        poll = select.poll()  # `select` knows no descriptor above 1023
        poll.register(descriptor, select.POLLIN)
        pieces = []
        line, found, rest = self._unread.partition(b"\n")
        while not found:
            pieces.append(line)
            left = None if ends_at is None else max(0.0, ends_at - time.monotonic()) * 1000
            if not poll.poll(left):
                self._unread = b"".join(pieces)
                return None
            data = os.read(descriptor, 65536)
            if not data:
                self._unread = b""
                return b"".join(pieces)
            line, found, rest = data.partition(b"\n")
        self._unread = rest
        return b"".join([*pieces, line, found])

    # --- ending -------------------------------------------------------------------------------

    def close(self, *, leave: bool) -> None:
        """End the agent's input and wait a little for its end; `leave` it to work on after that.

        Safe to repeat.
        """
        if self.closed:
            return
        self._to_write.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_CLOSE_SECONDS)
        if self.process.poll() is None and not leave:
            self._end()
        self._release()

    def kill(self) -> None:
        """End the process at once. Safe to repeat."""
        if self.closed:
            return
        self._end()
        self._to_write.put(None)
        self._release()

    def status(self) -> int | None:
        """Return the exit status of a process whose output has ended, None where it lives on.

        That one is ended.
        """
        status: int | None = None
        try:
            status = self.process.wait(timeout=_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._end()
        self._threads[1].join(timeout=_GRACE_SECONDS)
        return status

    def _end(self) -> None:
        self.process.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_CLOSE_SECONDS)

    def _release(self) -> None:
        """Close the pipes, unless a child of the project's keeps a thread at one of them."""
        self.closed = True
        for thread in self._threads:
            thread.join(timeout=_GRACE_SECONDS)
        self.process.stdout.close()
        pipes = (self.process.stdin, self.process.stderr)
        for thread, pipe in zip(self._threads, pipes, strict=True):
            if not thread.is_alive():
                with contextlib.suppress(OSError):
                    pipe.close()

    # --- threads ------------------------------------------------------------------------------

    def _write(self) -> None:
        """Write: a program that never reads must not stop the user's thread."""
        pipe = self.process.stdin
        if self._handing_over is not None:
            self._handing_over.join()
            with self._write_lock:
                self._unwritten -= 1
        with contextlib.suppress(OSError, ValueError):
            while (data := self._to_write.get()) is not None:
                pipe.write(data)
                pipe.flush()
                with self._write_lock:
                    self._unwritten -= 1
        with contextlib.suppress(OSError):
            pipe.close()

    def _listen(self) -> None:
        for text in printed_lines(self.process.stderr, self._redactor):
            self.output.append(text)
            if self._on_output is not None:
                with contextlib.suppress(Exception):
                    self._on_output(text)
