"""SSH signatures against OpenSSH's own programs, both ways, with every type of key."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from orchestrate.adapters.signing_keys import agent_keys, private_key, public_key
from orchestrate.adapters.ssh_signatures import (
    BadSignatureError,
    check_signature,
    fingerprint,
    read_signature,
    signed,
    ssh_text,
)
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.planning.allowed_signers import SignersError, read_signers, refusal
from tests.support import ssh_keys

TEXT = "orchestrate approval\nplan: sha256:1\n"
NAMESPACE = "plan@orchestrate"


def never(path: Path) -> Secret:
    raise AssertionError(f"a passphrase of {path} was asked for")


def check(armoured: str, text: str = TEXT, *, namespace: str = NAMESPACE) -> bytes:
    found = read_signature(armoured)
    check_signature(found, text.encode(), namespace=namespace)
    return found.key


def written(folder: Path, armoured: str) -> Path:
    path = folder / "text.sig"
    path.write_text(armoured)
    return path


@pytest.mark.parametrize("kind", ssh_keys.KINDS)
def test_both_ways(kind: str, tmp_path: Path) -> None:
    """What we sign ssh-keygen takes, what it signs we take, and neither takes anything else."""
    key = ssh_keys.new_key(tmp_path / "bob", kind)
    signers = ssh_keys.allow(tmp_path / "signers", bob=key)

    ours = private_key(key, never).signature(TEXT.encode(), namespace=NAMESPACE)
    file = written(tmp_path, ours)
    assert ssh_keys.verifies(signers, "bob@example.com", file, TEXT)
    assert not ssh_keys.verifies(signers, "bob@example.com", file, TEXT + " ")
    assert check(ours) == public_key(Path(f"{key}.pub"))

    text = tmp_path / "said"
    for sha256 in (False, True):
        text.write_text(TEXT)
        theirs = ssh_keys.sign(key, text, sha256=sha256).read_text()
        text.with_name("said.sig").unlink()
        assert check(theirs) == public_key(Path(f"{key}.pub"))
        with pytest.raises(BadSignatureError, match="not made over this text"):
            check(theirs, TEXT.replace("1", "2"))
        with pytest.raises(BadSignatureError, match="another purpose"):
            check(theirs, namespace="git")


def test_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that the agent holds sign without ever being seen; no agent holds no key."""
    kept = [ssh_keys.new_key(tmp_path / kind, kind) for kind in ("ed25519", "rsa", "ecdsa-256")]
    with ssh_keys.agent(tmp_path, *kept) as environ:
        monkeypatch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
        with agent_keys() as held:
            assert [one.name for one in held] == ["ed25519", "rsa", "ecdsa-256"]
            for key, one in zip(kept, held, strict=True):
                armoured = one.signature(TEXT.encode(), namespace=NAMESPACE)
                assert check(armoured) == public_key(Path(f"{key}.pub")) == one.public
                signers = ssh_keys.allow(tmp_path / "signers", bob=key)
                file = written(tmp_path, armoured)
                assert ssh_keys.verifies(signers, "bob@example.com", file, TEXT)
                assert one.line == ssh_keys.public_line(key)
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with agent_keys() as held:
        assert held == ()


@pytest.mark.parametrize(("kind", "pem"), [("ed25519", False), ("rsa", True), ("ecdsa-256", False)])
def test_passphrases(kind: str, pem: bool, tmp_path: Path) -> None:
    """It is asked for once, where there is one; a wrong one is told without a word of it."""
    key = ssh_keys.new_key(tmp_path / "bob", kind, passphrase="correct horse", pem=pem)
    found = private_key(key, lambda _: Secret("correct horse"))
    assert check(found.signature(TEXT.encode(), namespace=NAMESPACE)) == found.public
    with pytest.raises(OrchestrateError) as raised:
        private_key(key, lambda _: Secret("battery staple"))
    assert raised.value.code == "signing-key-unavailable"
    assert "staple" not in f"{raised.value.message} {raised.value.__cause__}"


def test_what_is_no_key(tmp_path: Path) -> None:
    """A missing file, a file of something else, a public key that is none."""
    other = tmp_path / "other"
    other.write_text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    for read in (
        lambda: private_key(tmp_path / "missing", never),
        lambda: private_key(other, never),
        lambda: public_key(other),
    ):
        with pytest.raises(OrchestrateError) as raised:
            read()
        assert raised.value.code == "signing-key-unavailable"


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    """People compare them by eye."""
    import subprocess

    key = ssh_keys.new_key(tmp_path / "bob")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] == fingerprint(public_key(Path(f"{key}.pub")))


def blob_of(armoured: str) -> bytes:
    return base64.b64decode("".join(armoured.split("\n")[1:-2]))


def armour(blob: bytes) -> str:
    body = base64.b64encode(blob).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n"


def test_damage_is_told_and_never_believed(tmp_path: Path) -> None:
    """Every byte changed, every length cut off: an error of ours each time, and never a defect."""
    for kind in ("ed25519", "ecdsa-256", "rsa"):
        key = private_key(ssh_keys.new_key(tmp_path / kind, kind), never)
        blob = blob_of(key.signature(TEXT.encode(), namespace=NAMESPACE))
        assert check(armour(blob)) == key.public
        damaged = [
            blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
            for place in range(len(blob))
        ]
        damaged += [blob[:length] for length in range(0, len(blob), 5)]
        damaged += [blob + b"\0", blob[:10] + b"\xff" * 4 + blob[14:]]
        for one in damaged:
            with pytest.raises(BadSignatureError):
                check(armour(one))


@pytest.mark.parametrize(
    "text",
    ["", "hello", armour(b"SSHSIG\0\0\0\x01").replace("SSH ", "PGP ")],
    ids=["empty", "text", "pgp"],
)
def test_what_is_no_signature(text: str) -> None:
    """A file of something else."""
    with pytest.raises(BadSignatureError, match="armour"):
        read_signature(text)


def test_rsa_with_sha1_is_refused(tmp_path: Path) -> None:
    """As PROTOCOL.sshsig has it, however well the arithmetic holds."""
    key = private_key(ssh_keys.new_key(tmp_path / "bob", "rsa"), never)
    armoured = signed(
        TEXT.encode(),
        namespace=NAMESPACE,
        key=key.public,
        sign=lambda data: key.sign(data).replace(b"\0\0\0\x0crsa-sha2-512", ssh_text(b"ssh-rsa")),
    )
    with pytest.raises(BadSignatureError, match="rsa-sha2"):
        check(armoured)


# --- security tokens ------------------------------------------------------------------------------


def _token_ed25519() -> tuple[bytes, str, Callable[[bytes], bytes]]:
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    name = "sk-ssh-ed25519@openssh.com"
    return ssh_text(name.encode()) + ssh_text(raw), name, key.sign


def _token_ecdsa() -> tuple[bytes, str, Callable[[bytes], bytes]]:
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    name = "sk-ecdsa-sha2-nistp256@openssh.com"

    def sign(data: bytes) -> bytes:
        numbers = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(
            ssh_text(b"\0" + one.to_bytes(32, "big"))
            if one >> 255
            else ssh_text(one.to_bytes((one.bit_length() + 8) // 8, "big"))
            for one in numbers
        )

    return b"".join(map(ssh_text, (name.encode(), b"nistp256", point))), name, sign


@pytest.mark.parametrize("token", [_token_ed25519, _token_ecdsa])
def test_security_tokens(token: Any, tmp_path: Path) -> None:
    """A key that signs as a token does, here in software: ssh-keygen and we agree on it."""
    public, name, sign_raw = token()
    public += ssh_text(b"ssh:")
    after = b"\x01" + (7).to_bytes(4, "big")

    def sign(data: bytes) -> bytes:
        told = hashlib.sha256(b"ssh:").digest() + after + hashlib.sha256(data).digest()
        return ssh_text(name.encode()) + ssh_text(sign_raw(told)) + after

    armoured = signed(TEXT.encode(), namespace=NAMESPACE, key=public, sign=sign)
    signers = tmp_path / "signers"
    signers.write_text(f"bob@example.com {name} {base64.b64encode(public).decode()}\n")
    assert ssh_keys.verifies(signers, "bob@example.com", written(tmp_path, armoured), TEXT)
    assert check(armoured) == public
    with pytest.raises(BadSignatureError):
        check(armoured.replace("A", "B", 1), TEXT)
    with pytest.raises(BadSignatureError, match="not made over this text"):
        check(armoured, TEXT + "x")


# --- allowed signers ------------------------------------------------------------------------------


LINES = [
    "bob@example.com KEY",
    "bob@example.com KEY with a comment",
    "\tbob@example.com\t KEY",
    "alice@example.com,bob@example.com KEY",
    "*@example.com KEY",
    "b?b@*,!eve@* KEY",
    "*@example.com,!bob@* KEY",
    "!eve@example.com KEY",
    "Bob@Example.com KEY",
    "bob@example.co KEY",
    "bob@example.com OTHER",
    "bob@example.com OTHER\nbob@example.com KEY",
    "# bob@example.com KEY",
    "\n\n# people\nbob@example.com KEY",
    '"bob@example.com" KEY',
    '"alice@example.com,bob@example.com" KEY',
    "bob@example.com cert-authority KEY",
    "bob@example.com CERT-AUTHORITY KEY",
    'bob@example.com namespaces="plan@orchestrate" KEY',
    'bob@example.com namespaces="git,plan@*" KEY',
    'bob@example.com NAMESPACES="git" KEY',
    'bob@example.com namespaces="*,!plan@orchestrate" KEY',
    'bob@example.com namespaces="" KEY',
    'bob@example.com namespaces="git" KEY\nbob@example.com KEY',
    'bob@example.com valid-after="20261121" KEY',
    'bob@example.com valid-after="20261121120000Z" KEY',
    'bob@example.com valid-after="20261121120001Z" KEY',
    'bob@example.com valid-before="20261121120000Z" KEY',
    'bob@example.com valid-before="20261121115959Z" KEY',
    'bob@example.com valid-before="202611211200" KEY',
    'bob@example.com valid-after="202611201200Z",valid-before="20261122Z" KEY',
    'bob@example.com valid-after="20261120Z",namespaces="plan@orchestrate" KEY',
    # What cannot be read.
    "bob@example.com",
    "bob@example.com namespaces=plan@orchestrate KEY",
    'bob@example.com namespaces="a",namespaces="plan@orchestrate" KEY',
    'bob@example.com namespaces="plan@orchestrate", KEY',
    "bob@example.com nonsense KEY",
    'bob@example.com valid-after="tomorrow" KEY',
    'bob@example.com valid-after="20261122Z",valid-before="20261120Z" KEY',
    '"bob@example.com KEY',
]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_allowed_signers_are_read_as_ssh_keygen_reads_them(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line by line the same answer, at the same moment, also where the machine's time zone counts."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    key, other = (ssh_keys.new_key(tmp_path / name) for name in ("bob", "other"))
    armoured = private_key(key, never).signature(TEXT.encode(), namespace=NAMESPACE)
    signature, signers = written(tmp_path, armoured), tmp_path / "signers"
    noon = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    answers = {}
    for line in LINES:
        text = line.replace("KEY", ssh_keys.public_line(key)) + "\n"
        text = text.replace("OTHER", ssh_keys.public_line(other))
        signers.write_text(text)
        theirs = ssh_keys.verifies(
            signers, "bob@example.com", signature, TEXT, at="20261121120000Z"
        )
        answers[line] = (theirs, _allows(text, public_key(Path(f"{key}.pub")), noon))
    monkeypatch.undo()
    time.tzset()
    assert {line: two for line, two in answers.items() if two[0] is not two[1]} == {}
    assert {True, False} == {theirs for theirs, _ in answers.values()}


def _allows(text: str, key: bytes, now: datetime) -> bool:
    try:
        signers = read_signers(text)
    except SignersError:
        return False
    principal = "bob@example.com"
    return refusal(signers, principal=principal, key=key, namespace=NAMESPACE, now=now) is None
