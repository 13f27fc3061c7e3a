"""What `~/.ssh/config` and `/etc/ssh/ssh_config` say of a host, as far as a connection needs it.

The parser is paramiko's; `Include`, which it does not know, is resolved here. Must not connect.
"""

from __future__ import annotations

import getpass
import glob
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import paramiko

from orchestrate.domain.far_hosts import FarHost
from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded
from orchestrate.values import dataclass

_SYSTEM: Final = Path("/etc/ssh")
_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
_DEEPEST: Final = 16
_CONNECT_SECONDS: Final = 15.0
_ALIVE_SECONDS: Final = 15.0
_ALIVE_COUNT: Final = 3
_LINE: Final = re.compile(r"\s*(?P<key>\w+)(?:\s*=\s*|\s+)(?P<value>.*\S)\s*")
_NONE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How a host is reached and logged in to."""

    host: str
    """As it was asked for."""
    address: str
    """What is connected to."""
    port: int
    user: str
    keys: tuple[Path, ...]
    """Files of keys that are there, or whose public half is, in their order."""
    only_these_keys: bool
    """Whether an agent may offer no other ones."""
    agent: str | None
    """The agent's socket; empty for none, None for that of `SSH_AUTH_SOCK`."""
    jumps: tuple[FarHost, ...]
    """Hosts to go through, the first one first."""
    proxy_command: str | None
    """A program whose standard input and output lead there."""
    known_hosts: tuple[Path, ...]
    key_alias: str | None
    """The name under which the host's key is looked up, in place of its own."""
    connect_seconds: float
    alive_seconds: float
    """After so long without a word the server is asked whether it is there; 0 for never."""
    alive_count: int
    """How many such questions may be left without an answer."""


def read_login(place: FarHost) -> Login:
    """Return how a host is reached. Raises `ssh-unreachable` when the files cannot be read."""
    try:
        found = paramiko.SSHConfig.from_text("\n".join(_lines())).lookup(place.host)
    except (paramiko.SSHException, ImportError, KeyError, ValueError) as error:
        text = f"~/.ssh/config cannot be read for `{place.host}`: {error}"
        raise OrchestrateError("ssh-unreachable", text) from error
    try:
        return _login(place, found)
    except ValueError as error:
        text = f"~/.ssh/config says of `{place.host}` what cannot be understood: {error}"
        raise OrchestrateError("ssh-unreachable", text) from error


def _login(place: FarHost, found: Mapping[str, Any]) -> Login:
    port = place.port or int(found.get("port", 22))
    user = place.user or found.get("user") or getpass.getuser()
    named = [_path(one) for one in found.get("identityfile", []) if one.lower() != _NONE]
    keys = named or [Path.home() / ".ssh" / name for name in _KEYS]
    jumps = _jumps(found.get("proxyjump"))
    command = found.get("proxycommand")
    return Login(
        host=place.host,
        address=found["hostname"],
        port=port,
        user=user,
        keys=tuple(
            path for path in keys if path.is_file() or path.with_name(f"{path.name}.pub").is_file()
        ),
        only_these_keys=found.get("identitiesonly", "no").lower() == "yes",
        agent=_agent(found.get("identityagent")),
        # A jump host whose own pattern covers itself does not go through itself.
        jumps=tuple(one for one in jumps if one.host not in {place.host, found["hostname"]}),
        proxy_command=None if jumps or not command or command.lower() == _NONE else command,
        known_hosts=_known_hosts(found),
        key_alias=found.get("hostkeyalias"),
        connect_seconds=_seconds(found.get("connecttimeout"), _CONNECT_SECONDS),
        alive_seconds=_seconds(found.get("serveraliveinterval"), _ALIVE_SECONDS),
        alive_count=int(found.get("serveralivecountmax", _ALIVE_COUNT)),
    )


def parse_jump(text: str) -> FarHost:
    """Return the host that `ProxyJump` names: `user@host:port`, `[::1]:22`, `ssh://host`."""
    user, at, rest = text.strip().removeprefix("ssh://").rpartition("@")
    found = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:]+))(?::(?P<port>\d+))?/?", rest)
    if not found:
        raise ValueError(f"`ProxyJump {text}`")
    port = found["port"]
    return FarHost(
        host=found["six"] or found["host"],
        user=user if at else None,
        port=int(port) if port else None,
    )


def _jumps(text: str | None) -> tuple[FarHost, ...]:
    if not text or text.lower() == _NONE:
        return ()
    return tuple(parse_jump(one) for one in text.split(","))


def _agent(text: str | None) -> str | None:
    if text is None or text == "SSH_AUTH_SOCK":
        return None
    if text.lower() == _NONE:
        return ""
    return str(_path(text))


def _known_hosts(found: Mapping[str, Any]) -> tuple[Path, ...]:
    own = shlex.split(found.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"))
    everyones = shlex.split(
        found.get("globalknownhostsfile", f"{_SYSTEM}/ssh_known_hosts {_SYSTEM}/ssh_known_hosts2")
    )
    return tuple(_path(word) for word in (*own, *everyones) if word.lower() != _NONE)


def _path(text: str) -> Path:
    text = text.replace("%d", str(Path.home()))
    return expanded(text)


def _seconds(text: str | None, otherwise: float) -> float:
    """Return a time as ssh writes it: `90`, `2m`, `1h30m`."""
    if not text or text.lower() == _NONE:
        return otherwise
    units = {"s": 1, "m": 60, "h": 3600}
    parts = re.findall(r"(\d+)([smh]?)", text.lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.lower():
        raise ValueError(f"`{text}` is no time")
    return float(sum(int(number) * units[unit or "s"] for number, unit in parts))


def _lines() -> Iterator[str]:
    """Yield the lines of the user's file and then of the system's: what comes first counts."""
    yield from _lines_of(Path.home() / ".ssh" / "config", "Host *", 0)
    yield "Host *"
    yield from _lines_of(_SYSTEM / "ssh_config", "Host *", 0)


def _lines_of(path: Path, block: str, depth: int) -> Iterator[str]:
    """Yield a file's lines, those of included files in their place.

    `block` is the line that opened the block in which the file stands: it goes on behind an
    included file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        key = found["key"].lower() if found else ""
        if key in {"host", "match"}:
            block = line
        if found is None or key != "include" or depth >= _DEEPEST:
            yield line
            continue
        for pattern in shlex.split(found["value"]):
            base = Path.home() / ".ssh" if path.is_relative_to(Path.home()) else _SYSTEM
            for name in sorted(glob.glob(str(base / expanded(pattern)))):  # noqa: PTH207
                yield from _lines_of(Path(name), block, depth + 1)
                yield block
