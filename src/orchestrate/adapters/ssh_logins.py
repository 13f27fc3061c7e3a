"""Logging in to a far host: over what, whose key it shows, and with which of ours it lets us in.

Nothing is sent before its key is a known one. Every error of paramiko's becomes one of ours here.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any, Final

import paramiko

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.adapters.ssh_config import Login
from orchestrate.adapters.ssh_keys import KeyRing
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
from orchestrate.values import dataclass

NO_ANSWER: Final = "no answer in time"
LOGIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Road:
    """What a connection is made over."""

    socket: Any
    program: subprocess.Popen[bytes] | None = None
    words: IO[bytes] | None = None
    """What the program says on standard error."""

    def end(self) -> None:
        """End it, with the program."""
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


def through_program(place: FarHost, command: str) -> Road:
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
        text = f"the `ProxyCommand` of {place} cannot be started: {reason_of(error)}"
        raise OrchestrateError("ssh-unreachable", text) from error
    finally:
        its.close()
    return Road(ours, program, words)


def logged_in(place: FarHost, login: Login, road: Road, keys: KeyRing) -> paramiko.Transport:
    """Return a connection over a road, with one of our keys taken.

    Raises `host-key-unknown`, `host-key-changed`, `ssh-login-refused`, `ssh-unreachable`.
    """
    transport = None
    try:
        transport = paramiko.Transport(road.socket)
        transport.banner_timeout = login.connect_seconds
        transport.handshake_timeout = login.connect_seconds
        transport.auth_timeout = LOGIN_SECONDS
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
        raise unreachable(place, login, reason_of(error) + road.said()) from error
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
                raise _refused(place, login, tried, f"it hung up ({reason_of(error)})") from error
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


def unreachable(place: FarHost, login: Login, reason: str) -> OrchestrateError:
    """Return the error of a host that nothing came back from."""
    there = f"{login.address}:{login.port}"
    at = "" if str(place) in {there, login.address} else f" ({there})"
    return OrchestrateError(
        "ssh-unreachable",
        f"{place}{at} cannot be reached by SSH: {reason}",
        hint=f"`{place.typed} true` has to work first",
    )


def reason_of(error: BaseException) -> str:
    """Return in words why a connection failed."""
    if isinstance(error, EOFError):
        return "the server closed the connection"
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was cut"
    text = getattr(error, "strerror", None) or str(error)
    return str(text).rstrip(".") or type(error).__name__
