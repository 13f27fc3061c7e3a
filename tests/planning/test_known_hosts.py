"""What `known_hosts` says of a key, as OpenSSH reads it."""

import base64
import hashlib
import hmac

import pytest

from orchestrate.planning.known_hosts import (
    fingerprint,
    host_name,
    judge,
    kinds_first,
    known_keys,
)

ONE, OTHER = b"one key", b"another key"
HERE = "known_hosts"


def line(names: str, blob: bytes = ONE, kind: str = "ssh-ed25519") -> str:
    return f"{names} {kind} {base64.b64encode(blob).decode()} a comment\n"


def hashed(name: str, salt: bytes = b"salt") -> str:
    made = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(made).decode()}"


def verdict(text: str, name: str, blob: bytes = ONE, kind: str = "ssh-ed25519") -> str:
    known = known_keys([(HERE, text)], name)
    return judge(known, kind=kind, blob=blob).judgement


@pytest.mark.parametrize(
    "names",
    [
        "db1",
        "other,db1",
        "DB1",
        "db?",
        "d*,!db2",
        hashed("db1"),
    ],
)
def test_a_line_names_a_host(names: str) -> None:
    """By name, in a list, in other letters, by pattern, hashed."""
    assert verdict(line(names), "db1") == "known"
    assert verdict(line(names), "db1", OTHER) == "changed"
    assert verdict(line(names), "elsewhere") == "unknown"


@pytest.mark.parametrize(
    "names", ["db1,!db1", "[db1]:2222", "", "# db1", "@cert-authority db1", hashed("db2"), "|1|!|!"]
)
def test_a_line_says_nothing_of_a_host(names: str) -> None:
    """Excluded, for another port, a remark, an authority, another hash, a broken one."""
    assert verdict(line(names), "db1") == "unknown"


def test_another_port_has_another_name() -> None:
    """Brackets are no set of characters."""
    assert host_name("db1", 22) == "db1"
    assert verdict(line("[db1]:2222"), host_name("db1", 2222)) == "known"
    assert verdict(line(hashed("[db1]:2222")), host_name("db1", 2222)) == "known"
    assert verdict(line("[*]:2222"), host_name("db1", 2222)) == "known"
    assert verdict(line("d"), "[d]") == "unknown"


def test_a_revoked_key_is_refused_whatever_another_line_says() -> None:
    text = line("db1") + line("@revoked *")
    assert verdict(text, "db1") == "revoked"
    assert verdict(text, "db1", OTHER) == "changed"
    assert verdict(line("@revoked db1"), "db1", OTHER) == "unknown"


def test_a_key_of_another_kind_is_another_key() -> None:
    """Else whoever is in between would offer the kind that nobody recorded."""
    assert verdict(line("db1"), "db1", kind="ecdsa-sha2-nistp256") == "changed"
    both = line("db1") + line("db1", OTHER, kind="ecdsa-sha2-nistp256")
    assert verdict(both, "db1", OTHER, kind="ecdsa-sha2-nistp256") == "known"


def test_the_place_of_a_line_is_told() -> None:
    known = known_keys([("first", "#\n\n"), ("second", "\n" + line("db1"))], "db1")
    assert [one.place for one in known] == ["second:2"]


def test_lines_that_are_none_are_passed_over() -> None:
    text = "db1\ndb1 ssh-rsa\ndb1 ssh-rsa !!!\n\x00\x00\n" + line("db1")
    assert verdict(text, "db1") == "known"


def test_known_kinds_are_asked_for_first() -> None:
    """A server with several keys offers the one that can be checked."""
    known = known_keys([(HERE, line("db1", kind="ssh-rsa"))], "db1")
    supported = ("ssh-ed25519", "rsa-sha2-512", "ecdsa-sha2-nistp256")
    assert list(kinds_first(known, supported)) == [
        "rsa-sha2-512",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
    ]


def test_a_fingerprint_is_written_as_ssh_keygen_does() -> None:
    assert fingerprint(b"") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
