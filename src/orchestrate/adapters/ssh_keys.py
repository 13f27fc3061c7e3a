"""The keys that are offered to an SSH server: those of an agent, those of files.

A passphrase is asked for once a key, and only when the key's turn comes.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Final

import paramiko
from paramiko.agent import AgentSSH

from orchestrate.adapters.own_secrets import PASSPHRASE, passphrase
from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.ssh_config import Login
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

_KINDS: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_AGENT_SECONDS: Final = 10.0
_PUBLIC: Final = ".pub"

Ask = Callable[[str], str]
"""Asks a person for a secret; the argument says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A key with what it is called."""

    name: str
    key: paramiko.PKey


class KeyRing:
    """The keys of this machine, each decrypted once a command."""

    def __init__(self, *, ask: Ask | None, redactor: Redactor) -> None:
        self._ask = ask
        self._redactor = redactor
        self._lock = threading.Lock()
        self._open: dict[Path, paramiko.PKey] = {}

    def offers(self, login: Login) -> Generator[Offer, None, None]:
        """Yield the keys to offer: the agent's, those of the named files first; then the files'.

        Raises `ssh-login-refused` for an encrypted key whose passphrase nobody gives.
        """
        public = {path: _public(path) for path in login.keys}
        with _agent_keys(login) as held:
            offered = {key.asbytes() for key in held}
            named = [key for key in held if key.asbytes() in public.values()]
            others = [] if login.only_these_keys else [key for key in held if key not in named]
            for key in (*named, *others):
                yield Offer(name=f"{_words(key)} of the agent", key=key)
        for path in login.keys:
            # Of some keys there is but the public half here: the agent has the other one.
            private = path.is_file() and path.suffix != _PUBLIC
            if private and (public[path] is None or public[path] not in offered):
                with self._lock:
                    key = self._opened(path)
                yield Offer(name=str(path), key=key)

    def _opened(self, path: Path) -> paramiko.PKey:
        if path not in self._open:
            self._open[path] = self._load(path)
        return self._open[path]

    def _load(self, path: Path) -> paramiko.PKey:
        try:
            return _loaded(path, None)
        except paramiko.PasswordRequiredException:
            pass
        given = passphrase()
        secret = None if given is None else given.reveal()
        if secret is None and self._ask is not None:
            secret = self._ask(f"Passphrase of {path}")
        if secret is None:
            raise OrchestrateError(
                "ssh-login-refused",
                f"the key {path} is encrypted, and nobody can be asked for its passphrase",
                hint=f"`ssh-add {path}` gives it to the agent; or set {PASSPHRASE}",
            )
        self._redactor.add(Secret(secret))
        try:
            return _loaded(path, secret)
        except (OrchestrateError, paramiko.SSHException) as error:
            raise OrchestrateError(
                "ssh-login-refused", f"the passphrase given does not open the key {path}"
            ) from error


def _loaded(path: Path, secret: str | None) -> paramiko.PKey:
    """Read a key of whatever kind. Raises `PasswordRequiredException` as paramiko does."""
    for kind in _KINDS:
        # A wrong passphrase shows in many ways, as a file of another kind does.
        try:
            key: paramiko.PKey = kind.from_private_key_file(str(path), secret)
        except paramiko.PasswordRequiredException:
            raise
        except OSError as error:
            text = f"the key {path} cannot be read: {error.strerror}"
            raise OrchestrateError("ssh-login-refused", text) from error
        except Exception:  # noqa: BLE001, S112
            continue
        certificate = path.with_name(f"{path.name}-cert.pub")
        if certificate.is_file():
            key.load_certificate(str(certificate))
        return key
    raise OrchestrateError("ssh-login-refused", f"{path} is not a private key that can be used")


def _public(path: Path) -> bytes | None:
    """Return the public half of a key, from the file beside it, or from itself."""
    if path.suffix != _PUBLIC:
        path = path.with_name(path.name + _PUBLIC)
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = path.read_text(encoding="utf-8", errors="replace")
        return base64.b64decode(text.split()[1])
    return None


@contextlib.contextmanager
def _agent_keys(login: Login) -> Iterator[tuple[paramiko.PKey, ...]]:
    """Yield the keys that an agent holds; none where there is no agent, or a broken one."""
    place = os.environ.get("SSH_AUTH_SOCK", "") if login.agent is None else login.agent
    agent = _Agent()
    try:
        found: tuple[paramiko.PKey, ...] = ()
        with contextlib.suppress(OSError, paramiko.SSHException):
            found = agent.keys_at(place)
        yield found
    finally:
        agent.end()


class _Agent(AgentSSH):
    """An agent at a socket that is named."""

    def __init__(self) -> None:
        super().__init__()
        self._socket: socket.socket | None = None

    def keys_at(self, place: str) -> tuple[paramiko.PKey, ...]:
        if not place:
            return ()
        self._socket = socket.socket(socket.AF_UNIX)
        # It may ask a person before it signs; but it tells its keys at once, or it hangs.
        self._socket.settimeout(_AGENT_SECONDS)
        self._socket.connect(place)
        agent: Any = self  # paramiko has no other way, and its types do not know this one
        agent._connect(self._socket)  # noqa: SLF001
        self._socket.settimeout(None)
        return tuple(self.get_keys())

    def end(self) -> None:
        if self._socket is not None:
            self._socket.close()


def _words(key: paramiko.PKey) -> str:
    comment = getattr(key, "comment", "")
    return f"key `{comment}`" if comment else f"{key.get_name()} key"
