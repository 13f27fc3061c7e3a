"""OpenSSH's allowed-signers file: reading it, and whether it allows a key. Pure.

Written after ssh-keygen(1), ALLOWED SIGNERS, and `sshsig.c` of OpenSSH, so that `ssh-keygen -Y
verify` comes to the same answer. Two things are stricter here: a line that cannot be read is a
mistake whoever it is about, and certificates are not followed, so that `cert-authority` lines allow
nobody.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from orchestrate.domain.approvals import Signer

_KEY: Final = re.compile(r"(?P<type>[!-~]+)[ \t]+(?P<blob>[A-Za-z0-9+/]+=*)(?:[ \t].*)?$")
_MOMENT: Final = re.compile(r"(\d{8})(\d{4}(?:\d{2})?)?(Z|UTC)?", re.IGNORECASE)
_OPTION: Final = re.compile(
    r'(?P<name>[A-Za-z-]+)(?:="(?P<value>(?:\\"|[^"])*)")?(?P<end>,|$)', re.IGNORECASE
)


class SignersError(Exception):
    """A line of the file cannot be read; the message says which and why."""


def read_signers(text: str) -> tuple[Signer, ...]:
    """Return the lines of an allowed-signers file. Raises `SignersError`."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if stripped and not stripped.startswith("#"):
            try:
                found.append(_signer(number, stripped))
            except ValueError as error:
                raise SignersError(f"line {number}: {error}") from error
    return tuple(found)


def _signer(number: int, line: str) -> Signer:
    principals, rest = _first_word(line)
    key = _key(rest)
    options = ""
    if key is None:
        options, rest = _options_and_rest(rest)
        key = _key(rest)
        if key is None:
            raise ValueError("there is no key that could be read")
    given = _options(options)
    after, before = (_moment(given.get(name)) for name in ("valid-after", "valid-before"))
    if after is not None and before is not None and after >= before:
        raise ValueError("`valid-after` is not before `valid-before`")
    return Signer(
        line=number,
        principals=principals,
        key=key,
        namespaces=given.get("namespaces"),
        valid_after=after,
        valid_before=before,
        authority="cert-authority" in given,
    )


def _first_word(line: str) -> tuple[str, str]:
    if not line.startswith('"'):
        word, *rest = re.split(r"[ \t]+", line, maxsplit=1)
        return word, rest[0] if rest else ""
    word, quote, after = line[1:].partition('"')
    if not quote:
        raise ValueError("a quotation mark is not closed")
    return word, after.lstrip(" \t")


def _key(text: str) -> bytes | None:
    """Return the key at the beginning of a text, or None where something else stands there."""
    found = _KEY.match(text)
    if found is None:
        return None
    try:
        blob = base64.b64decode(found["blob"], validate=True)
    except binascii.Error:
        return None
    name = found["type"].encode()
    return blob if blob.startswith(len(name).to_bytes(4, "big") + name) else None


def _options_and_rest(text: str) -> tuple[str, str]:
    quoted = escaped = False
    for place, letter in enumerate(text):
        if letter in " \t" and not quoted:
            return text[:place], text[place:].lstrip(" \t")
        if letter == '"' and not escaped:
            quoted = not quoted
        escaped = letter == "\\" and not escaped
    return text, ""


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        one = _OPTION.match(text, place)
        name = one["name"].lower() if one else ""
        valued = one is not None and one["value"] is not None
        if one is None or valued != (name in {"namespaces", "valid-after", "valid-before"}):
            raise ValueError(f"the options `{text}` cannot be read")
        if not valued and name != "cert-authority":
            raise ValueError(f"`{name}` is no option that is known")
        if valued and name in found:
            raise ValueError(f"`{name}` is given twice")
        found[name] = (one["value"] or "").replace('\\"', '"')
        place = one.end()
        if one["end"] and place == len(text):
            raise ValueError("the options end with a comma")
    return found


def _moment(text: str | None) -> float | None:
    """Return seconds since 1970; without `Z` it is the time of this machine, as for OpenSSH."""
    if text is None:
        return None
    wrong = f"`{text}` is no moment: YYYYMMDD, or YYYYMMDDHHMM[SS], with or without Z"
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(wrong)
    day, hour, zone = found.groups()
    try:
        moment = datetime.strptime(day + (hour or "0000").ljust(6, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise ValueError(wrong) from None
    return (moment.replace(tzinfo=UTC) if zone else moment).timestamp()


# --- deciding -------------------------------------------------------------------------------------


def refusal(
    signers: Sequence[Signer], *, principal: str, key: bytes, namespace: str, now: datetime
) -> str | None:
    """Return why a key may not sign for a principal, or None if it may."""
    told = f"no line allows this key for {principal}"
    for one in signers:
        if one.key != key or one.authority or not matches(principal, one.principals):
            continue
        why = _closed(one, namespace, now.timestamp())
        if why is None:
            return None
        told = f"line {one.line} allows this key for {principal}, but {why}"
    return told


def _closed(signer: Signer, namespace: str, now: float) -> str | None:
    if signer.namespaces is not None and not matches(namespace, signer.namespaces):
        return f"not in the namespace {namespace}"
    if signer.valid_after is not None and int(now) < signer.valid_after:
        return "not yet"
    if signer.valid_before is not None and int(now) > signer.valid_before:
        return "no longer"
    return None


def named_principals(signers: Sequence[Signer]) -> tuple[str, ...]:
    """Return the principals that the file names in full, in its order; patterns name nobody."""
    found: dict[str, None] = {}
    for one in signers:
        if not one.authority:
            found |= dict.fromkeys(
                word for word in one.principals.split(",") if word and not re.search(r"[*?!]", word)
            )
    return tuple(found)


def matches(text: str, patterns: str) -> bool:
    """Tell whether a list of patterns (ssh_config(5), PATTERNS) has a text in it."""
    found = False
    for pattern in patterns.split(","):
        negated = pattern.startswith("!")
        if _pattern(pattern.removeprefix("!")).fullmatch(text):
            if negated:
                return False
            found = True
    return found


def _pattern(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(one) or re.escape(one) for one in pattern), re.DOTALL)
