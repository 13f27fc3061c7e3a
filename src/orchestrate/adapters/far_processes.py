"""Programs behind SSH, with the same three pipes as those of this machine.

Threads carry bytes between the pipes and the channel, so that whoever talks to an agent need not
know where it runs. Whoever kills a program from a signal's handler only leaves a wish: a handler
must not wait for a lock that the code it interrupted holds.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import paramiko

from orchestrate.adapters.ssh_connections import Connection, in_time
from orchestrate.errors import OrchestrateError

_PIECE: Final = 65536
_GRACE_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.1
_NUMBER: Final = b"orchestrate-process "
_TELL_NUMBER: Final = f'echo "{_NUMBER.decode()}$$" >&2; exec "$@"'


class FarProcess:
    """A program at the other end of a channel."""

    pid: int = 0

    def __init__(self, connection: Connection, channel: paramiko.Channel) -> None:
        self._connection = connection
        self._channel = channel
        self._ended = False
        self._number: int | None = None
        """Of the program over there, and of its group."""
        feed, stdin = os.pipe()
        stdout, out = os.pipe()
        stderr, err = os.pipe()
        self.stdin: IO[bytes] = os.fdopen(stdin, "wb")
        self.stdout = os.fdopen(stdout, "rb")
        self.stderr: IO[bytes] = os.fdopen(stderr, "rb")
        for name, work in (
            ("in", lambda: self._feed(feed)),
            ("out", lambda: self._fetch(channel.recv, out)),
            ("err", lambda: self._fetch_words(err)),
            ("end", self._await_end),
        ):
            threading.Thread(target=work, daemon=True, name=f"ssh-{name}").start()

    @property
    def lost(self) -> str | None:
        """Return why the connection ended, if that ended it."""
        if self._ended or self._channel.exit_status >= 0:
            return None
        lost = self._connection.lost
        return None if lost is None else f"the connection to {self._connection.place}: {lost}"

    def poll(self) -> int | None:
        """Return its status, as far as the server has told it."""
        return self._status() if self._channel.status_event.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, or for that of the connection."""
        if not self._channel.status_event.wait(timeout):
            raise subprocess.TimeoutExpired("ssh", timeout or 0.0)
        return self._status()

    def end(self) -> None:
        """Have it killed, with its group, by a thread of ours."""
        self._ended = True

    def _status(self) -> int:
        # A server does not tell the number of a signal, only its name; paramiko not even that.
        return self._channel.exit_status if self._channel.exit_status >= 0 else -signal.SIGKILL

    def _feed(self, source: int) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while data := os.read(source, _PIECE):
                self._channel.sendall(data)
        os.close(source)
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.shutdown_write()

    def _fetch(self, receive: Callable[[int], bytes], sink: int) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while data := receive(_PIECE):
                _write(sink, data)
        os.close(sink)

    def _fetch_words(self, sink: int) -> None:
        """Take the program's number off what is said on standard error, and hand on the rest."""
        held = b""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while len(held) < _PIECE and (data := self._channel.recv_stderr(_PIECE)):
                held += data
                before, _, rest = held.partition(_NUMBER)
                number, line_break, after = rest.partition(b"\n")
                if line_break:
                    self._number, held = int(number), before + after
                    break
            _write(sink, held)
        self._fetch(self._channel.recv_stderr, sink)

    def _await_end(self) -> None:
        """Kill the program when somebody wants it; end with the channel."""
        while not self._channel.status_event.wait(_LOOK_SECONDS):
            if self._ended:
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    self._kill()
                    self._channel.status_event.wait(_GRACE_SECONDS)
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    self._channel.close()
                return

    def _kill(self) -> None:
        """Kill the program's group through a channel of its own.

        A server passes signals on only from OpenSSH 7.9 on, and never for root.
        """
        if self._number is None:
            return
        with contextlib.suppress(OrchestrateError):
            channel = self._connection.open_session()
            with in_time(channel):
                channel.exec_command(f"kill -s KILL -- -{self._number}")
            channel.status_event.wait(_GRACE_SECONDS)
            channel.close()


class FarLauncher:
    """Starts programs on another host."""

    def __init__(self, connect: Callable[[], Connection], directory: str | None) -> None:
        self._connect = connect
        self._directory = directory

    def start(
        self, command: Sequence[str], *, cwd: Path | str, environ: Mapping[str, str] | None = None
    ) -> FarProcess:
        """Start one in the far folder; `cwd` and `environ` are of this machine and stay here."""
        del cwd, environ
        connection = self._connect()
        channel = connection.open_session()
        try:
            with in_time(channel):
                channel.exec_command(far_line(command, self._directory))
        except (paramiko.SSHException, EOFError, OSError) as error:
            if connection.lost:
                text = f"the connection to {connection.place} was lost: {connection.lost}"
                raise OrchestrateError("ssh-lost", text) from error
            text = f"{connection.place} runs no programs: {error}"
            raise OrchestrateError("agent-failed", text) from error
        return FarProcess(connection, channel)


def far_line(command: Sequence[str], directory: str | None) -> str:
    """Return the line for the far shell, whichever it is, that becomes the program itself.

    It tells its number first, by which it is killed.
    """
    line = f"exec {shlex.join(['sh', '-c', _TELL_NUMBER, 'sh', *command])}"
    return f"cd {shlex.quote(directory)} && {line}" if directory else line


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]
