"""Connections by SSH: one way for tunnels, runners and SFTP.

As `ssh -o StrictHostKeyChecking=yes -o BatchMode=yes` makes them: a host key has to be known, and
nobody is asked for anything but the passphrase of a key. A connection that falls silent is given up
and says so; whatever waits on one of its channels finds it closed. No thread of it keeps the
process alive. Every error of paramiko's becomes one of ours here.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import paramiko

from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.ssh_config import Login, read_login
from orchestrate.adapters.ssh_keys import Ask, KeyRing
from orchestrate.adapters.ssh_logins import (
    LOGIN_SECONDS,
    NO_ANSWER,
    Road,
    logged_in,
    reason_of,
    through_program,
    unreachable,
)
from orchestrate.domain.far_hosts import FarHost
from orchestrate.errors import OrchestrateError

_START_SECONDS: Final = 30.0
"""For a server to begin a program or SFTP on a channel that is open."""
_LONGEST_LOGIN: Final = 300.0
"""A person may have to look a passphrase up."""
_MOST_JUMPS: Final = 8
_PROHIBITED: Final = 1
"""RFC 4254, 5.1."""
_KEEPALIVE: Final = "keepalive@openssh.com"


class Connection:
    """One login. Its channels end when it does; `lost` tells why that was, if nobody wanted it."""

    def __init__(
        self, place: FarHost, login: Login, transport: paramiko.Transport, road: Road
    ) -> None:
        self.place = place
        self.login = login
        self._transport = transport
        self._road = road
        self._closed = threading.Event()
        self._silent: str | None = None
        if login.alive_seconds > 0:
            threading.Thread(target=self._watch, daemon=True, name="ssh-alive").start()

    @property
    def alive(self) -> bool:
        """Tell whether channels can be opened."""
        return bool(self._transport.is_active())

    @property
    def lost(self) -> str | None:
        """Return why it is no more, None while it is there or where we closed it."""
        if self.alive or self._closed.is_set():
            return None
        if self._silent is not None:
            return self._silent
        error = self._transport.get_exception()
        return reason_of(error) if error is not None else "the server closed it"

    def open_session(self) -> paramiko.Channel:
        """Open a channel for a program. Raises `ssh-lost` and its kin."""
        return self._opened(lambda: self._transport.open_session(timeout=LOGIN_SECONDS))

    def open_forward(self, host: str, port: int) -> paramiko.Channel:
        """Have the server connect to a host and port, as it names them.

        Raises `unreachable` with the server's reason.
        """
        return self._opened(
            lambda: self._transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=LOGIN_SECONDS
            )
        )

    def open_sftp(self) -> paramiko.SFTPClient:
        """Open a channel for files. Raises what `open_session`, `in_time` and paramiko raise."""
        channel = self.open_session()
        with in_time(channel):
            channel.invoke_subsystem("sftp")
            return paramiko.SFTPClient(channel)

    def close(self) -> None:
        """Log out. Safe to repeat."""
        self._closed.set()
        self._transport.close()
        self._road.end()

    def _opened(self, act: Callable[[], paramiko.Channel]) -> paramiko.Channel:
        try:
            return act()
        except paramiko.ChannelException as error:
            text = f"{self.place} says: {error.text.lower()}"
            if error.code == _PROHIBITED:
                text += " (`AllowTcpForwarding` or `PermitOpen` in its sshd_config)"
            raise OrchestrateError("unreachable", text) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if not self.alive:
                text = f"the connection to {self.place} was lost: {self.lost or reason_of(error)}"
                raise OrchestrateError("ssh-lost", text) from error
            raise OrchestrateError("unreachable", f"{self.place}: {reason_of(error)}") from error

    def _watch(self) -> None:
        """Ask now and then whether the server is there, and hang up if it does not answer."""
        seconds, patience = self.login.alive_seconds, self._patience()
        while not self._closed.wait(seconds) and self.alive:
            timer = threading.Timer(patience, self._give_up)
            timer.daemon = True
            timer.start()
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                # Whatever it answers, it is there.
                self._transport.global_request(_KEEPALIVE, wait=True)
            timer.cancel()

    def _patience(self) -> float:
        return self.login.alive_seconds * max(1, self.login.alive_count)

    def _give_up(self) -> None:
        self._silent = f"no answer for {self._patience():g} s"
        self._transport.close()
        self._road.end()


@contextmanager
def in_time(channel: paramiko.Channel) -> Iterator[None]:
    """Have what is asked of a new channel answered soon: paramiko itself waits for ever.

    The channel is closed if the body fails. Raises TimeoutError if it takes too long.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(Exception):  # paramiko raises anything of a line that is gone
            channel.close()

    timer = threading.Timer(_START_SECONDS, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except BaseException as error:
        timer.cancel()
        channel.close()
        if late.is_set():
            raise TimeoutError(NO_ANSWER) from error
        raise
    timer.cancel()
    if late.is_set():
        raise TimeoutError(NO_ANSWER)


class SshConnections:
    """The connections of one command, each made at its first use and shared from then on."""

    def __init__(self, *, ask: Ask | None, redactor: Redactor) -> None:
        self._keys = KeyRing(ask=ask, redactor=redactor)
        self._lock = threading.Lock()
        self._places: dict[FarHost, threading.RLock] = {}
        self._made: dict[FarHost, Connection] = {}
        self._closed = False

    def to(self, place: FarHost) -> Connection:
        """Return a connection that is there; one that was lost is made anew.

        Raises `ssh-unreachable`, `host-key-unknown`, `host-key-changed`, `ssh-login-refused`.
        """
        return self._to(place, None, 0)

    def close(self) -> None:
        """Log out everywhere, from hosts behind others first. Safe to repeat."""
        with self._lock:
            self._closed = True
            made, self._made = list(self._made.values()), {}
        for connection in reversed(made):
            connection.close()

    def _to(self, place: FarHost, jumps: tuple[FarHost, ...] | None, depth: int) -> Connection:
        with self._alone(place):
            found = self._made.get(place)
            if found is not None and found.alive:
                return found
            if depth > _MOST_JUMPS:
                text = f"`ProxyJump` leads round in a circle at {place}"
                raise OrchestrateError("ssh-unreachable", text)
            login = read_login(place)
            made = self._connected(place, login, jumps, depth)
            with self._lock:
                closed = self._closed
                # Behind those that it goes through, also where it is made anew.
                self._made.pop(place, None)
                self._made[place] = made
        if closed:
            made.close()
            raise OrchestrateError("ssh-lost", f"the connection to {place} is not wanted any more")
        return made

    @contextmanager
    def _alone(self, place: FarHost) -> Iterator[None]:
        """Keep other threads from connecting to the same place meanwhile."""
        with self._lock:
            lock = self._places.setdefault(place, threading.RLock())
        # Not for ever: two hosts that go through each other would wait for each other.
        if not lock.acquire(timeout=_LONGEST_LOGIN):
            raise OrchestrateError("ssh-unreachable", f"logging in to {place} takes too long")
        try:
            yield
        finally:
            lock.release()

    def _connected(
        self, place: FarHost, login: Login, jumps: tuple[FarHost, ...] | None, depth: int
    ) -> Connection:
        road = self._road(place, login, login.jumps if jumps is None else jumps, depth)
        try:
            return Connection(place, login, logged_in(place, login, road, self._keys), road)
        except BaseException:
            road.end()
            raise

    def _road(self, place: FarHost, login: Login, jumps: tuple[FarHost, ...], depth: int) -> Road:
        """Return what bytes travel over: a socket, another connection, or a program."""
        if jumps:
            # The last one goes through those before it; alone, it is reached as its own
            # configuration says.
            last = self._to(jumps[-1], jumps[:-1] or None, depth + 1)
            return Road(last.open_forward(login.address, login.port))
        if login.proxy_command:
            return through_program(place, login.proxy_command)
        try:
            address = (login.address, login.port)
            return Road(socket.create_connection(address, timeout=login.connect_seconds))
        except OSError as error:
            raise unreachable(place, login, reason_of(error)) from error


# Its messages, threads' included, would go to standard error by themselves.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
