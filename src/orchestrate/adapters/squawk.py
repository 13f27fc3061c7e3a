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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.errors import OrchestrateError

_SECONDS: Final = 300
_IN_MEMORY: Final = "/dev/shm"  # noqa: S108  (the folder made in it has a name of its own)
_FOUND_SOMETHING: Final = 1
_OUT: Final = "out.json"
_ERRORS: Final = "errors.txt"


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


@contextmanager
def squawk_at_work(
    program: str, texts: Mapping[str, str], *, folder: Path, version: str | None
) -> Iterator[Callable[[], tuple[SquawkRemark, ...]]]:
    """Have squawk judge texts, by their keys, while the body does something else.

    What the body gets waits for all that squawk has to say. It is run in `folder`, where it looks
    for its own settings, `.squawk.toml`. `version` is PostgreSQL's, as `15.18`. Raises
    `command-failed` when it cannot be run or talks nonsense.
    """
    keys = list(texts)
    if not keys:
        yield tuple
        return
    with tempfile.TemporaryDirectory(prefix="orchestrate-lint-", dir=_memory()) as name:
        paths = [Path(name) / f"{number}.sql" for number in range(len(keys))]
        for path, key in zip(paths, keys, strict=True):
            path.write_text(texts[key], "utf-8")
        by_path = {str(path): key for path, key in zip(paths, keys, strict=True)}
        with _started(program, paths, folder=folder, version=version) as process:
            yield lambda: _remarks(_told(process, Path(name)), by_path)


def _remarks(found: Any, by_path: Mapping[str, str]) -> tuple[SquawkRemark, ...]:
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


@contextmanager
def _started(
    program: str, paths: Sequence[Path], *, folder: Path, version: str | None
) -> Iterator[subprocess.Popen[bytes]]:
    # Each text is what one revision does inside its transaction.
    options = ["--reporter", "json", "--assume-in-transaction"]
    options += ["--pg-version", version] if version else []
    place = paths[0].parent
    # Into files: nobody reads while it is at work, and a pipe that is full would hold it up.
    with (place / _OUT).open("wb") as out, (place / _ERRORS).open("wb") as errors:
        try:
            process = subprocess.Popen(
                [program, *options, *(str(path) for path in paths)],
                cwd=folder,
                # On GitHub it would print annotations of files that nobody has.
                env=child_environ({"SQUAWK_DISABLE_GITHUB_ANNOTATIONS": "1"}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
            )
        except OSError as error:
            raise _failed(str(error)) from error
    try:
        yield process
    finally:
        process.kill()  # nothing, where it has ended
        process.wait()


def _told(process: subprocess.Popen[bytes], place: Path) -> Any:
    try:
        status = process.wait(timeout=_SECONDS)
        if status in {0, _FOUND_SOMETHING}:
            return json.loads((place / _OUT).read_bytes() or b"[]")
        problem = (place / _ERRORS).read_text("utf-8", "replace").strip().splitlines()
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        problem = [str(error)]
    raise _failed(problem[-1] if problem else "it said nothing")


def _failed(why: str) -> OrchestrateError:
    return OrchestrateError(
        "command-failed", f"squawk failed: {why}", hint="`--no-squawk` leaves it out"
    )
