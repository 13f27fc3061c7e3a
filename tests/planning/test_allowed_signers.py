"""OpenSSH's allowed-signers file, line by line."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from orchestrate.planning.allowed_signers import (
    SignersError,
    matches,
    named_principals,
    read_signers,
    refusal,
)


def blob(letter: str) -> bytes:
    return b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + letter.encode() * 32


BOB, EVE = blob("b"), blob("e")
BOB_LINE, EVE_LINE = (f"ssh-ed25519 {base64.b64encode(one).decode()}" for one in (BOB, EVE))
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def why(text: str, *, principal: str = "bob@example.com", key: bytes = BOB) -> str | None:
    signers = read_signers(text)
    return refusal(signers, principal=principal, key=key, namespace="plan@orchestrate", now=NOON)


@pytest.mark.parametrize(
    "line",
    [
        f"bob@example.com {BOB_LINE}",
        f"bob@example.com {BOB_LINE} bob's laptop # not a comment",
        f"  bob@example.com\t{BOB_LINE}\r",
        f"alice@example.com,bob@example.com {BOB_LINE}",
        f"*@example.com,!eve@example.com {BOB_LINE}",
        f'"bob@example.com,bob the builder" {BOB_LINE}',
        f'bob@example.com namespaces="git,plan@*" {BOB_LINE}',
        f'bob@example.com NameSpaces="plan@orchestrate",valid-after="20261121Z" {BOB_LINE}',
        f'bob@example.com valid-after="20261121115959Z",valid-before="202611211200Z" {BOB_LINE}',
        f'bob@example.com valid-before="20261122Z" {BOB_LINE}',
        f"# a comment\n\nbob@example.com {EVE_LINE}\nbob@example.com {BOB_LINE}",
        f'bob@example.com namespaces="git" {BOB_LINE}\nbob@example.com {BOB_LINE}',
    ],
)
def test_lines_that_allow(line: str) -> None:
    """Each of these lets Bob's key sign plans at noon, as `ssh-keygen -Y verify` would."""
    assert why(line) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "no line allows this key for bob@example.com"),
        (f"bob@example.com {EVE_LINE}", "no line allows"),
        (f"eve@example.com {BOB_LINE}", "no line allows"),
        (f"Bob@example.com {BOB_LINE}", "no line allows"),
        (f"*@example.com,!bob@example.com {BOB_LINE}", "no line allows"),
        (f"!eve@example.com {BOB_LINE}", "no line allows"),
        (f"bob@example.com cert-authority {BOB_LINE}", "no line allows"),
        (
            f'bob@example.com namespaces="git,file" {BOB_LINE}',
            "line 1 allows this key for bob@example.com, but not in the namespace",
        ),
        (f'bob@example.com namespaces="*,!plan@*" {BOB_LINE}', "not in the namespace"),
        (f'bob@example.com valid-after="20261122Z" {BOB_LINE}', "but not yet"),
        (f'bob@example.com valid-before="202611211159Z" {BOB_LINE}', "but no longer"),
    ],
)
def test_lines_that_do_not(line: str, told: str) -> None:
    """Another key, another person, an authority, another purpose, another time."""
    found = why(line)
    assert found is not None
    assert told in found


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bob@example.com", "no key"),
        ("bob@example.com ssh-ed25519", "no key"),
        ("bob@example.com ssh-ed25519 AAAA!", "no key"),
        (f"bob@example.com ssh-rsa {BOB_LINE.split()[1]}", "no key"),
        (f'"bob@example.com {BOB_LINE}', "a quotation mark is not closed"),
        (f"bob@example.com namespaces=git {BOB_LINE}", "cannot be read"),
        (f"bob@example.com namespaces {BOB_LINE}", "cannot be read"),
        (f"bob@example.com no-touch-required {BOB_LINE}", "no option that is known"),
        (f'bob@example.com namespaces="a",namespaces="b" {BOB_LINE}', "given twice"),
        (f'bob@example.com namespaces="a", {BOB_LINE}', "end with a comma"),
        (f'bob@example.com valid-after="soon" {BOB_LINE}', "`soon` is no moment"),
        (f'bob@example.com valid-after="20261301Z" {BOB_LINE}', "`20261301Z` is no moment"),
        (
            f'bob@example.com valid-after="20261122Z",valid-before="20261121Z" {BOB_LINE}',
            "not before",
        ),
    ],
)
def test_lines_that_cannot_be_read(line: str, told: str) -> None:
    """A mistake is told with its line: a file that is half read allows too much or too little."""
    with pytest.raises(SignersError) as raised:
        read_signers(f"# people\n{line}\n")
    assert str(raised.value).startswith("line 2: ")
    assert told in str(raised.value)


def test_who_is_named() -> None:
    """Patterns and authorities name nobody."""
    text = f"bob@example.com,*@b.com {BOB_LINE}\nca@example.com cert-authority {EVE_LINE}\n!x,eve@c.com {EVE_LINE}\n"
    assert named_principals(read_signers(text)) == ("bob@example.com", "eve@c.com")


def test_patterns_are_not_regular_expressions() -> None:
    """`.` is a full stop, `?` one letter, and the whole text has to fit."""
    assert matches("bob@example.com", "b?b@*.com")
    assert not matches("bob@exampleXcom", "bob@example.com")
    assert not matches("bob@example.com.evil", "bob@example.com")
    assert not matches("bob@example.com\n", "bob@example.com")
