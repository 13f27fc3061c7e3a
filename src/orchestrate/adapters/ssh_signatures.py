"""SSH signatures over a message: the SSHSIG format, made and checked.

Written after PROTOCOL.sshsig of OpenSSH (https://github.com/openssh/openssh-portable), RFC 4253
and RFC 5656 for keys and signatures, RFC 8332 for RSA with SHA-2, and PROTOCOL.u2f for keys on
security tokens; the arithmetic is that of `cryptography`. What is made here, `ssh-keygen -Y
verify` accepts, and what `ssh-keygen -Y sign` makes is accepted here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_LINE: Final = 70
_ARMOUR: Final = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\r?\n(?P<body>[A-Za-z0-9+/=\r\n]+)"
    r"\r?\n-----END SSH SIGNATURE-----\s*",
)
_HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_CURVES: Final = {
    b"nistp256": ("SECP256R1", "SHA256"),
    b"nistp384": ("SECP384R1", "SHA384"),
    b"nistp521": ("SECP521R1", "SHA512"),
}
_RSA_HASHES: Final = {b"rsa-sha2-256": "SHA256", b"rsa-sha2-512": "SHA512"}
_RSA_LEAST_BITS: Final = 1024
"""As OpenSSH has it; who allows a key decides whether that is enough."""

RawSigner = Callable[[bytes], bytes]
"""Makes the signature of a key in SSH's wire format: `string algorithm, string signature`."""


class BadSignatureError(Exception):
    """What was given is no signature of the message; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature as it was read, not checked yet."""

    key: bytes
    namespace: bytes
    reserved: bytes
    hash_name: bytes
    raw: bytes


def fingerprint(key: bytes) -> str:
    """Return `SHA256:…` of a public key, as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def key_type(key: bytes) -> str:
    """Return the type of a public key. Raises `BadSignatureError`."""
    return _Reader(key).text().decode("ascii", "replace")


def signed(message: bytes, *, namespace: str, key: bytes, sign: RawSigner) -> str:
    """Return a signature of a message in OpenSSH's armour."""
    name = b"sha512"
    raw = sign(_to_be_signed(message, namespace.encode(), b"", name))
    blob = (
        _MAGIC
        + _VERSION.to_bytes(4, "big")
        + b"".join(ssh_text(one) for one in (key, namespace.encode(), b"", name, raw))
    )
    body = base64.b64encode(blob).decode()
    lines = [body[start : start + _LINE] for start in range(0, len(body), _LINE)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def read_signature(armoured: str) -> Signature:
    """Return a signature from its armour. Raises `BadSignatureError`."""
    found = _ARMOUR.fullmatch(armoured)
    if found is None:
        raise BadSignatureError("it is not an SSH signature in OpenSSH's armour")
    try:
        blob = base64.b64decode(re.sub(r"\s", "", found["body"]), validate=True)
    except binascii.Error:
        raise BadSignatureError("its armour is damaged") from None
    reader = _Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise BadSignatureError("it is not an SSH signature")
    if (version := reader.number()) != _VERSION:
        raise BadSignatureError(f"it is of version {version}, which is not known")
    key, namespace, reserved, hash_name, raw = (reader.text() for _ in range(5))
    reader.end()
    return Signature(key=key, namespace=namespace, reserved=reserved, hash_name=hash_name, raw=raw)


def check_signature(signature: Signature, message: bytes, *, namespace: str) -> None:
    """Return if a signature is one of this very message, made for this namespace.

    Whose key it is, and whether it may sign, is for the caller. Raises `BadSignatureError`, and
    `signatures-unavailable` without the library.
    """
    if signature.namespace != namespace.encode():
        raise BadSignatureError("it was made for another purpose than approving plans")
    if signature.hash_name not in _HASHES:
        raise BadSignatureError("its hash is neither sha256 nor sha512")
    data = _to_be_signed(message, signature.namespace, signature.reserved, signature.hash_name)
    kind = _Reader(signature.key).text()
    check = _CHECKS.get(kind)
    if check is None:
        raise BadSignatureError(f"keys of type {key_type(signature.key)} are not accepted")
    reader = _Reader(signature.raw)
    algorithm = reader.text()
    check(_Reader(signature.key), algorithm, reader, data)


def _to_be_signed(message: bytes, namespace: bytes, reserved: bytes, hash_name: bytes) -> bytes:
    digest = _HASHES[hash_name](message).digest()
    return _MAGIC + b"".join(ssh_text(one) for one in (namespace, reserved, hash_name, digest))


# --- SSH's wire format ----------------------------------------------------------------------------


def ssh_text(value: bytes) -> bytes:
    """Return bytes as SSH writes a `string`: their length before them."""
    return len(value).to_bytes(4, "big") + value


class _Reader:
    """Takes values off the front of bytes. Raises `BadSignatureError` where there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, length: int) -> bytes:
        found = self._data[self._place : self._place + length]
        if len(found) < length:
            raise BadSignatureError("it ends in the middle")
        self._place += length
        return found

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def text(self) -> bytes:
        return self.take(self.number())

    def large(self) -> int:
        return int.from_bytes(self.text(), "big", signed=True)

    def end(self) -> None:
        if self._place != len(self._data):
            raise BadSignatureError("something stands behind its end")


# --- one function a type of key -------------------------------------------------------------------

_Check = Callable[[_Reader, bytes, _Reader, bytes], None]
"""Of a key, an algorithm, what follows the algorithm in a signature, and the signed bytes."""


def _check_ed25519(key: _Reader, algorithm: bytes, signature: _Reader, data: bytes) -> None:
    _expect(algorithm, key.text())
    public, raw = key.text(), signature.text()
    _both_end(key, signature)
    _verify_ed25519(public, raw, data)


def _check_ecdsa(key: _Reader, algorithm: bytes, signature: _Reader, data: bytes) -> None:
    _expect(algorithm, key.text())
    curve, point, raw = key.text(), key.text(), signature.text()
    _both_end(key, signature)
    _expect(algorithm, b"ecdsa-sha2-" + curve)
    _verify_ecdsa(curve, point, raw, data)


def _check_rsa(key: _Reader, algorithm: bytes, signature: _Reader, data: bytes) -> None:
    key.text()
    exponent, modulus, raw = key.large(), key.large(), signature.text()
    _both_end(key, signature)
    if algorithm not in _RSA_HASHES:
        raise BadSignatureError("of RSA, rsa-sha2-256 and rsa-sha2-512 are accepted")
    if modulus.bit_length() < _RSA_LEAST_BITS:
        raise BadSignatureError("its RSA key is too short")
    _verify_rsa(exponent, modulus, algorithm, raw, data)


def _check_token_ed25519(key: _Reader, algorithm: bytes, signature: _Reader, data: bytes) -> None:
    _expect(algorithm, key.text())
    public, application, raw = key.text(), key.text(), signature.text()
    told = _told_by_token(application, signature, data)
    _both_end(key, signature)
    _verify_ed25519(public, raw, told)


def _check_token_ecdsa(key: _Reader, algorithm: bytes, signature: _Reader, data: bytes) -> None:
    _expect(algorithm, key.text())
    curve, point, application, raw = key.text(), key.text(), key.text(), signature.text()
    told = _told_by_token(application, signature, data)
    _both_end(key, signature)
    _expect(b"nistp256", curve)
    _verify_ecdsa(curve, point, raw, told)


def _told_by_token(application: bytes, signature: _Reader, data: bytes) -> bytes:
    """Return what a security token signs: it adds whether it was touched, and a counter."""
    flags_and_counter = signature.take(5)
    return hashlib.sha256(application).digest() + flags_and_counter + hashlib.sha256(data).digest()


_CHECKS: Final[Mapping[bytes, _Check]] = {
    b"ssh-ed25519": _check_ed25519,
    b"ssh-rsa": _check_rsa,
    b"ecdsa-sha2-nistp256": _check_ecdsa,
    b"ecdsa-sha2-nistp384": _check_ecdsa,
    b"ecdsa-sha2-nistp521": _check_ecdsa,
    b"sk-ssh-ed25519@openssh.com": _check_token_ed25519,
    b"sk-ecdsa-sha2-nistp256@openssh.com": _check_token_ecdsa,
}


def _expect(found: bytes, expected: bytes) -> None:
    if found != expected:
        raise BadSignatureError("its key and its algorithm do not go together")


def _both_end(key: _Reader, signature: _Reader) -> None:
    key.end()
    signature.end()


# --- arithmetic -----------------------------------------------------------------------------------


def _verify_ed25519(public: bytes, raw: bytes, data: bytes) -> None:
    with _library():
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(raw, data)


def _verify_ecdsa(curve: bytes, point: bytes, raw: bytes, data: bytes) -> None:
    if curve not in _CURVES:
        raise BadSignatureError("its curve is not known")
    numbers = _Reader(raw)
    r, s = numbers.large(), numbers.large()
    numbers.end()
    with _library():
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

        name, hash_name = _CURVES[curve]
        public = ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, name)(), point)
        chosen = ec.ECDSA(getattr(hashes, hash_name)())
        public.verify(utils.encode_dss_signature(r, s), data, chosen)


def _verify_rsa(exponent: int, modulus: int, algorithm: bytes, raw: bytes, data: bytes) -> None:
    with _library():
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        # RFC 8332 has as many bytes as the modulus; OpenSSH takes fewer as well.
        full = raw.rjust((modulus.bit_length() + 7) // 8, b"\0")
        chosen = getattr(hashes, _RSA_HASHES[algorithm])()
        public.verify(full, data, padding.PKCS1v15(), chosen)


@contextmanager
def _library() -> Iterator[None]:
    """Turn what the library raises into our errors.

    It is an extra, and slow to import: only those who sign or check signatures pay for it.
    """
    try:
        from cryptography.exceptions import (  # noqa: PLC0415
            InvalidSignature,
            UnsupportedAlgorithm,
        )
    except ImportError as error:
        raise library_missing(error) from error
    try:
        yield
    except InvalidSignature:
        raise BadSignatureError("it was not made over this text by this key") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSignatureError(f"its key cannot be used: {error}") from None


def library_missing(error: ImportError) -> OrchestrateError:
    """Return the error of an installation without the extra `signatures`."""
    return OrchestrateError(
        "signatures-unavailable",
        f"SSH signatures need a library that is not installed: {error.name or error}",
        hint="`pip install 'orchestrate[signatures]'`",
    )
