"""Who somebody says they are: by a variable, or as git knows them. A claim, never a proof."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.errors import OrchestrateError

VARIABLE: Final = "ORCHESTRATE_USER"
_SECONDS: Final = 5.0
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+")


def is_address(text: str) -> bool:
    """Tell whether a text may stand for a person: one word with `@` in it, nothing unseen."""
    return text.isprintable() and _ADDRESS.fullmatch(text) is not None


def stated_address(folder: Path) -> str | None:
    """Return the e-mail address of `ORCHESTRATE_USER`, else that of git in a folder, if any.

    Raises `usage` where the variable says something else.
    """
    stated = os.environ.get(VARIABLE, "").strip()
    if stated and not is_address(stated):
        raise OrchestrateError(
            "usage",
            f"`{VARIABLE}` is no e-mail address: {stated!r}",
            hint=f"`export {VARIABLE}=alice@example.com`, for one",
        )
    found = stated or _of_git(folder)
    return found if is_address(found) else None


def _of_git(folder: Path) -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "-C", str(folder), "config", "user.email"],
            env=child_environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
