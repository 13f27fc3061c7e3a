"""Keys that sign: from a private key's file, or from the SSH agent, where they stay."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from orchestrate.adapters.ssh_signatures import (
    RawSigner,
    key_type,
    library_missing,
    signed,
    ssh_text,
)
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded
from orchestrate.values import dataclass

AskPassphrase = Callable[[Path], Secret]
"""Gives the passphrase of a key's file. Raises `no-input` where nobody can be asked."""

_RSA: Final = "rsa-sha2-512"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that can sign."""

    public: bytes
    """In SSH's wire format."""
    name: str
    """A file, or the comment that the agent has: for people."""
    sign: RawSigner

    @property
    def line(self) -> str:
        """Return the public key as a file has it: `ssh-ed25519 AAAA…`."""
        return f"{key_type(self.public)} {base64.b64encode(self.public).decode()}"

    def signature(self, message: bytes, *, namespace: str) -> str:
        """Return a signature of a message in OpenSSH's armour.

        Raises `signing-key-unavailable`.
        """
        return signed(message, namespace=namespace, key=self.public, sign=self.sign)


def public_key(path: Path) -> bytes:
    """Return the key of a file `NAME.pub`. Raises `signing-key-unavailable`."""
    words = _read(path).decode("utf-8", "replace").split()
    with contextlib.suppress(binascii.Error, IndexError):
        blob = base64.b64decode(words[1], validate=True)
        if blob.startswith(ssh_text(words[0].encode())):
            return blob
    raise _unavailable(f"`{path}` is not a public key in OpenSSH's format")


def private_key(path: Path, ask: AskPassphrase) -> SigningKey:
    """Return the key of a file, its passphrase asked for where it has one.

    Ed25519, ECDSA and RSA, in OpenSSH's format or in PEM. Raises `signing-key-unavailable` and
    what `ask` raises.
    """
    data = _read(path)
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (an extra, slow)
    except ImportError as error:
        raise library_missing(error) from error
    openssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load: Callable[..., Any] = (
        serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    )
    key = _loaded(path, data, load, ask)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return SigningKey(
        public=base64.b64decode(public.split()[1]),
        name=str(path),
        sign=_signer(path, key),
    )


def _loaded(path: Path, data: bytes, load: Callable[..., Any], ask: AskPassphrase) -> Any:
    try:
        return load(data, password=None)
    except TypeError:
        pass  # what the library raises for a key that has a passphrase
    except Exception as error:
        if "password" not in str(error).lower():
            raise _unavailable(f"`{path}` cannot be used as a key: {error}") from error
    passphrase = ask(path)
    try:
        return load(data, password=passphrase.reveal().encode())
    except Exception as error:
        # The library tells a wrong passphrase from a damaged file only in words that change.
        raise _unavailable(
            f"`{path}` cannot be opened with this passphrase",
            hint="Try again, or add the key to the SSH agent: `ssh-add`",
        ) from error


def _signer(path: Path, key: Any) -> RawSigner:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415
        ec,
        ed25519,
        padding,
        rsa,
        utils,
    )

    def sign(data: bytes) -> bytes:
        match key:
            case ed25519.Ed25519PrivateKey():
                return _raw("ssh-ed25519", key.sign(data))
            case rsa.RSAPrivateKey():
                return _raw(_RSA, key.sign(data, padding.PKCS1v15(), hashes.SHA512()))
            case ec.EllipticCurvePrivateKey() if key.curve.name in curves:
                name, chosen = curves[key.curve.name]
                r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(chosen)))
                return _raw(f"ecdsa-sha2-{name}", ssh_text(_large(r)) + ssh_text(_large(s)))
        raise _unavailable(f"`{path}` is a key of a type that does not sign plans")

    curves = {
        "secp256r1": ("nistp256", hashes.SHA256()),
        "secp384r1": ("nistp384", hashes.SHA384()),
        "secp521r1": ("nistp521", hashes.SHA512()),
    }
    return sign


def _raw(algorithm: str, signature: bytes) -> bytes:
    return ssh_text(algorithm.encode()) + ssh_text(signature)


def _large(number: int) -> bytes:
    """Return a positive number as SSH's `mpint` has it: never with the sign's bit set."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _read(path: Path) -> bytes:
    try:
        return expanded(path).read_bytes()
    except OSError as error:
        raise _unavailable(f"The key `{path}` cannot be read: {error.strerror}") from error


def _unavailable(message: str, hint: str | None = None) -> OrchestrateError:
    return OrchestrateError("signing-key-unavailable", message, hint=hint)


# --- the agent ------------------------------------------------------------------------------------


@contextmanager
def agent_keys() -> Iterator[tuple[SigningKey, ...]]:
    """Give the keys of the SSH agent of SSH_AUTH_SOCK for a while; none where there is no agent.

    Raises `signatures-unavailable` without the library, `signing-key-unavailable` where the agent
    does not answer as one.
    """
    try:
        from paramiko.agent import Agent  # noqa: PLC0415  (an extra, slow to import)
        from paramiko.ssh_exception import SSHException  # noqa: PLC0415
    except ImportError as error:
        raise library_missing(error) from error
    try:
        agent = Agent()
    except (SSHException, OSError) as error:
        raise _unavailable(f"The SSH agent cannot be asked: {error}") from error
    try:
        yield tuple(_agent_key(one, SSHException) for one in agent.get_keys())
    finally:
        agent.close()


def _agent_key(key: Any, failure: type[Exception]) -> SigningKey:
    name = key.comment or key.get_name()

    def sign(data: bytes) -> bytes:
        algorithm = _RSA if key.get_name() == "ssh-rsa" else None
        try:
            found: bytes = key.sign_ssh_data(data, algorithm)
        except (failure, OSError) as error:
            raise _unavailable(
                f"The SSH agent did not sign with `{name}`: {error}",
                hint="It may have asked for a confirmation or a touch that was not given",
            ) from error
        return found

    return SigningKey(public=key.blob, name=name, sign=sign)
