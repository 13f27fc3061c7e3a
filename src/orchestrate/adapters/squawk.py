"""squawk, a linter of PostgreSQL's SQL: one call for many revisions, its JSON turned into values.

https://squawkhq.com. Its package is a program in a wheel; nothing of it is imported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

_SECONDS: Final = 300
_IN_MEMORY: Final = "/dev/shm"  # noqa: S108  (the folder made in it has a name of its own)
_FOUND_SOMETHING: Final = 1
_MANY: Final = 500
"""As soon as so many texts wait, it is called."""


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
def squawk_at_work(program: str, *, folder: Path, version: str | None) -> Iterator[Squawk]:
    """Yield a squawk that judges texts while the body does something else, and end it.

    It is run in `folder`, where it looks for its own settings, `.squawk.toml`. `version` is
    PostgreSQL's, as `15.18`.
    """
    # Each text is what one revision does inside its transaction.
    command = [program, "--reporter", "json", "--assume-in-transaction"]
    command += ["--pg-version", version] if version else []
    with tempfile.TemporaryDirectory(prefix="orchestrate-lint-", dir=_memory()) as name:
        squawk = Squawk(command, folder=folder, place=Path(name))
        try:
            yield squawk
        finally:
            squawk.kill()


class Squawk:
    """Calls of squawk on texts, as they come; each call judges many.

    What a call says is read by a thread as soon as it ends, while others are at work.
    """

    def __init__(self, command: Sequence[str], *, folder: Path, place: Path) -> None:
        self._command = command
        self._folder = folder
        self._place = place
        self._keys: dict[str, str] = {}
        """By the path of a text."""
        self._waiting: list[Path] = []
        """Texts that no call was made for."""
        self._calls: list[subprocess.Popen[bytes]] = []
        self._readers = ThreadPoolExecutor(thread_name_prefix="squawk")
        self._told: list[Future[tuple[SquawkRemark, ...]]] = []

    def give(self, texts: Mapping[str, str]) -> None:
        """Have texts judged, by their keys. Raises `command-failed` when it cannot be run."""
        for key, text in texts.items():
            path = self._place / f"{len(self._keys)}.sql"
            path.write_text(text, "utf-8")
            self._keys[str(path)] = key
            self._waiting.append(path)
        if len(self._waiting) >= _MANY:
            self._call()

    def remarks(self) -> tuple[SquawkRemark, ...]:
        """Wait for all that it has to say.

        Raises `command-failed` when it cannot be run or talks nonsense.
        """
        if self._waiting:
            self._call()
        return tuple(remark for one in self._told for remark in one.result())

    def kill(self) -> None:
        """End what is still at work."""
        for process in self._calls:
            process.kill()  # nothing, where it has ended
        self._readers.shutdown()

    def _call(self) -> None:
        paths, self._waiting = self._waiting, []
        try:
            process = subprocess.Popen(
                [*self._command, *map(str, paths)],
                cwd=self._folder,
                # On GitHub it would print annotations of files that nobody has.
                env=child_environ({"SQUAWK_DISABLE_GITHUB_ANNOTATIONS": "1"}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise _failed(str(error)) from error
        self._calls.append(process)
        self._told.append(self._readers.submit(self._read, process, paths))

    def _read(
        self, process: subprocess.Popen[bytes], paths: Sequence[Path]
    ) -> tuple[SquawkRemark, ...]:
        try:
            out, errors = process.communicate(timeout=_SECONDS)
            # Taking thousands of files away at the end would have somebody wait for it.
            for path in paths:
                path.unlink()
            if process.returncode in {0, _FOUND_SOMETHING}:
                return _remarks(json.loads(out or b"[]"), self._keys)
            problem = errors.decode("utf-8", "replace").strip().splitlines()
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            problem = [str(error)]
        raise _failed(problem[-1] if problem else "it said nothing")


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


def _failed(why: str) -> OrchestrateError:
    return OrchestrateError(
        "command-failed", f"squawk failed: {why}", hint="`--no-squawk` leaves it out"
    )
