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
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import paramiko

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.ssh_config import Login, read_login
from orchestrate.adapters.ssh_keys import Ask, KeyRing
from orchestrate.domain.far_hosts import FarHost
from orchestrate.errors import OrchestrateError
from orchestrate.planning.known_hosts import (
    KnownKey,
    fingerprint,
    host_name,
    judge,
    kinds_first,
    known_keys,
)

_LOGIN_SECONDS: Final = 30.0
_START_SECONDS: Final = 30.0
"""For a server to begin a program or SFTP on a channel that is open."""
_NO_ANSWER: Final = "no answer in time"
_LONGEST_LOGIN: Final = 300.0
"""A person may have to look a passphrase up."""
_MOST_JUMPS: Final = 8
_PROHIBITED: Final = 1
"""RFC 4254, 5.1."""
_KEEPALIVE: Final = "keepalive@openssh.com"


class Connection:
    """One login. Its channels end when it does; `lost` tells why that was, if nobody wanted it."""

    def __init__(
        self, place: FarHost, login: Login, transport: paramiko.Transport, road: _Road
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
        return _reason(error) if error is not None else "the server closed it"

    def open_session(self) -> paramiko.Channel:
        """Open a channel for a program. Raises `ssh-lost` and its kin."""
        return self._opened(lambda: self._transport.open_session(timeout=_LOGIN_SECONDS))

    def open_forward(self, host: str, port: int) -> paramiko.Channel:
        """Have the server connect to a host and port, as it names them.

        Raises `unreachable` with the server's reason.
        """
        return self._opened(
            lambda: self._transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=_LOGIN_SECONDS
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
                text = f"the connection to {self.place} was lost: {self.lost or _reason(error)}"
                raise OrchestrateError("ssh-lost", text) from error
            raise OrchestrateError("unreachable", f"{self.place}: {_reason(error)}") from error

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
            raise TimeoutError(_NO_ANSWER) from error
        raise
    timer.cancel()
    if late.is_set():
        raise TimeoutError(_NO_ANSWER)


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
            return Connection(place, login, _logged_in(place, login, road, self._keys), road)
        except BaseException:
            road.end()
            raise

    def _road(self, place: FarHost, login: Login, jumps: tuple[FarHost, ...], depth: int) -> _Road:
        """Return what bytes travel over: a socket, another connection, or a program."""
        if jumps:
            # The last one goes through those before it; alone, it is reached as its own
            # configuration says.
            last = self._to(jumps[-1], jumps[:-1] or None, depth + 1)
            return _Road(last.open_forward(login.address, login.port))
        if login.proxy_command:
            return _through_program(place, login.proxy_command)
        try:
            address = (login.address, login.port)
            return _Road(socket.create_connection(address, timeout=login.connect_seconds))
        except OSError as error:
            raise _unreachable(place, login, _reason(error)) from error


@dataclass(frozen=True, slots=True)
class _Road:
    """What a connection is made over."""

    socket: Any
    program: subprocess.Popen[bytes] | None = None
    words: IO[bytes] | None = None
    """What the program says on standard error."""

    def end(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.socket.close()
        if self.program is not None:
            self.program.kill()
            self.program.wait()
        if self.words is not None:
            self.words.close()

    def said(self) -> str:
        """Return the last line that the program said."""
        if self.words is None or self.words.closed:
            return ""
        self.words.seek(0)
        lines = self.words.read().decode("utf-8", "replace").strip().splitlines()
        return f" ({lines[-1].strip()})" if lines else ""


def _through_program(place: FarHost, command: str) -> _Road:
    """Start the program of `ProxyCommand` at one end of a pair of sockets."""
    words = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the road)
    ours, its = socket.socketpair()
    try:
        program = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            env=child_environ(),
            stdin=its.fileno(),
            stdout=its.fileno(),
            stderr=words,
            # Ctrl-C in the terminal reaches us alone.
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        text = f"the `ProxyCommand` of {place} cannot be started: {_reason(error)}"
        raise OrchestrateError("ssh-unreachable", text) from error
    finally:
        its.close()
    return _Road(ours, program, words)


def _logged_in(place: FarHost, login: Login, road: _Road, keys: KeyRing) -> paramiko.Transport:
    transport = None
    try:
        transport = paramiko.Transport(road.socket)
        transport.banner_timeout = login.connect_seconds
        transport.handshake_timeout = login.connect_seconds
        transport.auth_timeout = _LOGIN_SECONDS
        known = _known(login)
        options = transport.get_security_options()
        options.key_types = tuple(kinds_first(known, tuple(options.key_types)))
        transport.start_client(timeout=login.connect_seconds)
        if not transport.initial_kex_done:
            raise TimeoutError
        _check_host_key(place, login, known, transport.get_remote_server_key())
        _log_in(place, login, transport, keys)
    except OrchestrateError:
        _end(transport)
        raise
    except (paramiko.SSHException, EOFError, OSError) as error:
        _end(transport)
        raise _unreachable(place, login, _reason(error) + road.said()) from error
    except BaseException:
        _end(transport)
        raise
    return transport


def _end(transport: paramiko.Transport | None) -> None:
    if transport is not None:
        transport.close()


def _known(login: Login) -> tuple[KnownKey, ...]:
    texts = []
    for path in login.known_hosts:
        with contextlib.suppress(OSError):
            texts.append((str(path), path.read_text(encoding="utf-8", errors="replace")))
    return known_keys(texts, login.key_alias or host_name(login.address, login.port))


def _check_host_key(
    place: FarHost, login: Login, known: tuple[KnownKey, ...], key: paramiko.PKey
) -> None:
    """Raise `host-key-unknown` or `host-key-changed` unless the key is a known one."""
    kind, blob = key.get_name(), key.asbytes()
    verdict = judge(known, kind=kind, blob=blob)
    if verdict.judgement == "known":
        return
    name = login.key_alias or host_name(login.address, login.port)
    offered = f"{kind} {fingerprint(blob)}"
    if verdict.known is None:
        port = f"-p {login.port} " if login.port != 22 else ""  # noqa: PLR2004
        file = next(iter(login.known_hosts), Path("~/.ssh/known_hosts"))
        raise OrchestrateError(
            "host-key-unknown",
            f"the host key of {place} is not known: {name} offers {offered}",
            hint=f"Compare that with what the host's owner says; then `{place.typed}` records it "
            f"once you say yes, or `ssh-keyscan {port}{login.address} >> {file}`",
        )
    if verdict.judgement == "revoked":
        text = f"the host key of {place} is revoked by {verdict.known.place}: {offered}"
        raise OrchestrateError("host-key-changed", text)
    raise OrchestrateError(
        "host-key-changed",
        f"the host key of {place} is not the one that is known: {name} offers {offered}, "
        f"{verdict.known.place} has {verdict.known.kind} {fingerprint(verdict.known.blob)}. "
        "Somebody may be in between",
        hint=f"Nothing was sent. Ask the host's owner; if the key was replaced on purpose, "
        f"`ssh-keygen -R '{name}'` forgets the old one and `{place.typed}` records the new one",
    )


def _log_in(place: FarHost, login: Login, transport: paramiko.Transport, keys: KeyRing) -> None:
    """Offer keys until one is taken. Raises `ssh-login-refused`."""
    tried = []
    offers = keys.offers(login)
    with contextlib.closing(offers):
        for offer in offers:
            tried.append(offer.name)
            try:
                more = transport.auth_publickey(login.user, offer.key)
            except paramiko.BadAuthenticationType as error:
                kinds = ", ".join(error.allowed_types)
                raise _refused(place, login, tried, f"it takes {kinds} alone") from error
            except paramiko.AuthenticationException as error:
                if not transport.is_active():
                    raise _refused(place, login, tried, f"it hung up ({error})") from error
                continue
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise _refused(place, login, tried, f"it hung up ({_reason(error)})") from error
            if more:
                raise _refused(place, login, tried, f"it wants {', '.join(more)} as well")
            return
    raise _refused(place, login, tried, "none of the keys is one that it takes")


def _refused(place: FarHost, login: Login, tried: list[str], reason: str) -> OrchestrateError:
    offered = ", ".join(tried) or "none: there is no key in ~/.ssh and none in an agent"
    return OrchestrateError(
        "ssh-login-refused",
        f"{place} does not let `{login.user}` in: {reason}. Offered: {offered}",
        hint=f"`{place.typed} true` has to work without a question; `IdentityFile` and "
        "`IdentitiesOnly yes` in ~/.ssh/config say which key to offer",
    )


def _unreachable(place: FarHost, login: Login, reason: str) -> OrchestrateError:
    there = f"{login.address}:{login.port}"
    at = "" if str(place) in {there, login.address} else f" ({there})"
    return OrchestrateError(
        "ssh-unreachable",
        f"{place}{at} cannot be reached by SSH: {reason}",
        hint=f"`{place.typed} true` has to work first",
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "the server closed the connection"
    if isinstance(error, TimeoutError):
        return _NO_ANSWER
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was cut"
    text = getattr(error, "strerror", None) or str(error)
    return str(text).rstrip(".") or type(error).__name__


# Its messages, threads' included, would go to standard error by themselves.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
