"""What `known_hosts` files say of a host's key. Pure: takes their texts.

All that sshd(8) describes but certificates: hashed names, `[host]:port`, patterns with `*`, `?` and
`!`, and the marker `@revoked`. A line of `@cert-authority` says nothing of a plain key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, Literal

from orchestrate.values import dataclass

_SSH_PORT: Final = 22
_HASHED: Final = "|1|"

Judgement = Literal["known", "unknown", "changed", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A line about a host."""

    kind: str
    """`ssh-ed25519`, `ssh-rsa`, …"""
    blob: bytes
    revoked: bool
    place: str
    """File and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be thought of a key that a host offers."""

    judgement: Judgement
    known: KnownKey | None = None
    """The line that speaks for it, or against it."""


def host_name(host: str, port: int) -> str:
    """Return the name under which a host is looked up."""
    return host if port == _SSH_PORT else f"[{host}]:{port}"


def known_keys(texts: Iterable[tuple[str, str]], name: str) -> tuple[KnownKey, ...]:
    """Return all that the texts, each with its file's name, say of a host."""
    return tuple(
        found
        for file, text in texts
        for number, line in enumerate(text.splitlines(), 1)
        if (found := _key(line, name, f"{file}:{number}")) is not None
    )


def judge(known: Sequence[KnownKey], *, kind: str, blob: bytes) -> Verdict:
    """Return what to think of a key. A key of another kind than the known ones is another key."""
    same = [one for one in known if (one.kind, one.blob) == (kind, blob)]
    for one in same:
        if one.revoked:
            return Verdict(judgement="revoked", known=one)
    if same:
        return Verdict(judgement="known", known=same[0])
    others = sorted((one for one in known if not one.revoked), key=lambda one: one.kind != kind)
    if others:
        return Verdict(judgement="changed", known=others[0])
    return Verdict(judgement="unknown")


def fingerprint(blob: bytes) -> str:
    """Return a key's fingerprint, as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def _key(line: str, name: str, place: str) -> KnownKey | None:
    words = line.split()
    marker = words.pop(0) if words and words[0].startswith("@") else ""
    if len(words) < 3 or words[0].startswith("#") or marker not in {"", "@revoked"}:  # noqa: PLR2004
        return None
    if not _names(words[0], name):
        return None
    try:
        blob = base64.b64decode(words[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return KnownKey(kind=words[1], blob=blob, revoked=bool(marker), place=place)


def _names(patterns: str, name: str) -> bool:
    """Tell whether a line's first word means the host; one pattern with `!` excludes it."""
    if patterns.startswith(_HASHED):
        return _is_hash_of(patterns, name)
    name = name.lower()
    found = False
    for pattern in patterns.lower().split(","):
        if fnmatchcase(name, _plain_brackets(pattern.removeprefix("!"))):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _plain_brackets(pattern: str) -> str:
    """Return a pattern in which brackets are themselves, and not a set of characters."""
    return pattern.replace("[", "[[]")


def _is_hash_of(text: str, name: str) -> bool:
    salt, _, wanted = text.removeprefix(_HASHED).partition("|")
    try:
        made = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(made, base64.b64decode(wanted))
    except (binascii.Error, ValueError):
        return False


def kinds_first(known: Iterable[KnownKey], supported: Sequence[str]) -> Iterator[str]:
    """Yield the kinds of host keys to ask for, in order: those that could be checked come first.

    A server has several keys; asked for another kind than the known one, it would look unknown.
    """
    kinds = {one.kind for one in known if not one.revoked}
    if "ssh-rsa" in kinds:
        kinds |= {"rsa-sha2-512", "rsa-sha2-256"}
    yield from (one for one in supported if one in kinds)
    yield from (one for one in supported if one not in kinds)
