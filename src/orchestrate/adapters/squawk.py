"""squawk, a linter of PostgreSQL's SQL: one call for all revisions, its JSON turned into values.

https://squawkhq.com. Its package is a program in a wheel; nothing of it is imported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.errors import OrchestrateError

_SECONDS: Final = 300
_IN_MEMORY: Final = "/dev/shm"  # noqa: S108  (the folder made in it has a name of its own)
_FOUND_SOMETHING: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SquawkRemark:
    """What squawk says of one place."""

    key: str
    """Which of the given texts."""
    rule: str
    message: str
    help: str | None
    line: int
    """Of the text, from 1."""
    is_error: bool


def squawk_program() -> str | None:
    """Return where squawk is: beside this Python, else on PATH; None where it is not installed."""
    beside = shutil.which("squawk", path=str(Path(sys.executable).parent))
    return beside or shutil.which("squawk")


def run_squawk(
    program: str, texts: Mapping[str, str], *, folder: Path, version: str | None
) -> tuple[SquawkRemark, ...]:
    """Return what squawk has to say of texts, by their keys.

    It is run in `folder`, where it looks for its own settings, `.squawk.toml`. `version` is
    PostgreSQL's, as `15.18`. Raises `command-failed` when it cannot be run or talks nonsense.
    """
    keys = list(texts)
    if not keys:
        return ()
    with tempfile.TemporaryDirectory(prefix="orchestrate-lint-", dir=_memory()) as name:
        paths = [Path(name) / f"{number}.sql" for number in range(len(keys))]
        for path, key in zip(paths, keys, strict=True):
            path.write_text(texts[key], "utf-8")
        found = _run(program, paths, folder=folder, version=version)
    by_path = {str(path): key for path, key in zip(paths, keys, strict=True)}
    try:
        return tuple(
            SquawkRemark(
                key=by_path[one["file"]],
                rule=str(one["rule_name"]),
                message=str(one["message"]),
                help=one.get("help"),
                line=int(one["line"]) + 1,
                is_error=one["level"] == "Error",
            )
            for one in found
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _failed("its JSON is not what this version of orchestrate reads") from error


def _memory() -> str | None:
    """Return a folder in memory, where there is one: making 2,000 files on a disk takes seconds."""
    return _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK | os.X_OK) else None


def _run(program: str, paths: Sequence[Path], *, folder: Path, version: str | None) -> Any:
    # Each text is what one revision does inside its transaction.
    options = ["--reporter", "json", "--assume-in-transaction"]
    options += ["--pg-version", version] if version else []
    try:
        done = subprocess.run(
            [program, *options, *(str(path) for path in paths)],
            cwd=folder,
            # On GitHub it would print annotations of files that nobody has.
            env=child_environ({"SQUAWK_DISABLE_GITHUB_ANNOTATIONS": "1"}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode in {0, _FOUND_SOMETHING}:
            return json.loads(done.stdout or b"[]")
        problem = done.stderr.decode(errors="replace").strip().splitlines()
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        problem = [str(error)]
    raise _failed(problem[-1] if problem else "it said nothing")


def _failed(why: str) -> OrchestrateError:
    return OrchestrateError(
        "command-failed", f"squawk failed: {why}", hint="`--no-squawk` leaves it out"
    )
