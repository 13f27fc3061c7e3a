"""The git checkout that a folder lies in, as `git` itself tells it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.domain.diagnosis import Checkout

_SECONDS: Final = 10


def read_checkout(folder: Path) -> Checkout | None:
    """Return the checkout, or None where there is none, or no git. Writes nothing."""
    try:
        branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
        commit = _git(folder, "rev-parse", "--short", "HEAD")
        changed = _git(folder, "--no-optional-locks", "status", "--porcelain")
    except (OSError, subprocess.SubprocessError):
        return None
    return Checkout(branch=branch.strip(), commit=commit.strip(), changed=len(changed.splitlines()))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=child_environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=True,
    )
    return done.stdout.decode("utf-8", "replace")
