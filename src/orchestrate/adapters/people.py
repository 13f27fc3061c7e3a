"""Who somebody says they are: by a variable, or as git knows them. A claim, never a proof."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

VARIABLE: Final = "ORCHESTRATE_USER"
_SECONDS: Final = 5.0
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+")


def stated_address(folder: Path) -> str | None:
    """Return the e-mail address of `ORCHESTRATE_USER`, else that of git in a folder, if any."""
    found = os.environ.get(VARIABLE, "").strip() or _of_git(folder)
    return found if _ADDRESS.fullmatch(found) else None


def _of_git(folder: Path) -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, "-C", str(folder), "config", "user.email"],
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
