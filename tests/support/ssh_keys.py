"""Real keys of OpenSSH's own programs, and an agent that holds some."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = {
    "ed25519": ("-t", "ed25519"),
    "rsa": ("-t", "rsa", "-b", "2048"),
    "ecdsa-256": ("-t", "ecdsa", "-b", "256"),
    "ecdsa-384": ("-t", "ecdsa", "-b", "384"),
    "ecdsa-521": ("-t", "ecdsa", "-b", "521"),
}


def new_key(path: Path, kind: str = "ed25519", *, passphrase: str = "", pem: bool = False) -> Path:
    """Make a key pair, PATH and PATH.pub."""
    form = ("-m", "PEM") if pem else ()
    run("ssh-keygen", "-q", *KINDS[kind], *form, "-N", passphrase, "-C", path.name, "-f", str(path))
    return path


def public_line(path: Path) -> str:
    """Return `TYPE BLOB` of a key."""
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])


def allow(signers: Path, **keys: Path) -> Path:
    """Write an allowed-signers file: each name's key, for `NAME@example.com`."""
    lines = [f"{name}@example.com {public_line(key)}\n" for name, key in keys.items()]
    signers.write_text("".join(lines))
    return signers


def sign(
    key: Path, file: Path, *, namespace: str = "plan@orchestrate", sha256: bool = False
) -> Path:
    """Sign a file as people do; return FILE.sig."""
    options = ("-O", "hashalg=sha256") if sha256 else ()
    run("ssh-keygen", "-Y", "sign", *options, "-n", namespace, "-f", str(key), str(file))
    return file.with_name(f"{file.name}.sig")


def verifies(
    signers: Path,
    principal: str,
    signature: Path,
    text: str,
    *,
    namespace: str = "plan@orchestrate",
    at: str | None = None,
) -> bool:
    """Return whether `ssh-keygen -Y verify` takes a signature, now or at a moment."""
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", principal]
    done = subprocess.run(
        [
            *command,
            *(["-O", f"verify-time={at}"] if at else []),
            *("-n", namespace, "-s", str(signature)),
        ],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[dict[str, str]]:
    """Run an SSH agent with these keys; gives the variables that lead to it."""
    # A socket's path has some hundred letters at the most, and a test's folder may be longer.
    socket = folder / "agent"
    running = subprocess.Popen(
        ["ssh-agent", "-D", "-a", socket.name], cwd=folder, stdout=subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        running.stdout.readline()  # it listens before it tells where
        environ = {"SSH_AUTH_SOCK": str(socket)}
        for key in keys:
            run("ssh-add", "-q", str(key), environ=environ)
        yield environ
    finally:
        running.terminate()
        running.wait(timeout=30)
        assert running.stdout is not None
        running.stdout.close()


def run(*command: str, environ: dict[str, str] | None = None) -> None:
    """Run one of OpenSSH's programs; one that is not installed is an error, never a skip."""

    subprocess.run(
        command,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
