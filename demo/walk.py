"""The walk: each command as it is typed, what it prints, and whether that is as it should be.

Owns the scenes and their expectations. It runs the program as a person does, in a copy of the
example in a temporary folder, with nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_PARTS: Final = ("migrations.yaml", "environments", "example")
_SLOW_STEP: Final = "012-d5e93072bc4a"
_BEFORE_IT: Final = "011-6c41d8fa20e9"
_PATIENCE_SECONDS: Final = 120
_INTO_THE_STEP_SECONDS: Final = 0.15

Show = Callable[[str], None]
"""Where the lines of the walk go."""


class UnexpectedError(Exception):
    """Something was not as it should be."""


@dataclass(frozen=True)
class Walk:
    """A folder with a copy of the example, and where its story is told."""

    folder: Path
    show: Show

    def say(self, text: str) -> None:
        """Tell what comes next, as a comment in a shell."""
        self.show("")
        self.show(f"# {text}")

    def run(self, command: str, *, status: int = 0, having: tuple[str, ...] = ()) -> str:
        """Run a command, show it with what it prints, and hold it to its expectations."""
        self.show(f"$ {command}")
        process = self._start(command)
        printed, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        for line in _without_plan(printed.splitlines(), command):
            self.show(line)
        if status:
            self.show(f"[exit status {process.returncode}]")
        if process.returncode != status:
            raise UnexpectedError(
                f"`{command}` ended with {process.returncode}, expected {status}:\n{printed}"
            )
        for text in having:
            if text not in printed:
                raise UnexpectedError(f"`{command}` does not say `{text}`:\n{printed}")
        return printed

    def run_killed(self, command: str, *, after: str) -> None:
        """Run a command and kill it and its agent with SIGKILL, soon after a line with `after`."""
        self.show(f"$ {command}")
        process = self._start(command)
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if after in line and line.startswith("["):
                time.sleep(_INTO_THE_STEP_SECONDS)
                _kill(process)
                break
        process.communicate(timeout=_PATIENCE_SECONDS)
        for line in _without_plan(lines, command):
            self.show(line)
        if process.returncode != -signal.SIGKILL:
            raise UnexpectedError(f"`{command}` ended with {process.returncode} before the kill")
        self.show("Killed")

    def _start(self, command: str) -> subprocess.Popen[str]:
        # The programs beside this Python: `make demo` needs no activated environment.
        binaries = str(Path(sys.executable).parent)
        return subprocess.Popen(
            shlex.split(command),
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "NO_COLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def _without_plan(lines: list[str], command: str) -> Iterator[str]:
    """Yield what `apply` prints, with the plan that it shows first left out: it was seen before."""
    if " apply " not in command or "Gates" not in lines:
        yield from lines
        return
    ends = lines.index("", lines.index("Gates"))
    yield "(the plan, as above)"
    yield from lines[ends:]


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and its children, as the end of a container or a machine does."""
    children = _children(process.pid)
    process.kill()
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task")
    if tasks.is_dir():
        found = [path.read_text() for path in tasks.glob("*/children")]
    else:
        done = subprocess.run(
            ["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False
        )
        found = [done.stdout]
    return [int(number) for text in found for number in text.split()]


@contextmanager
def copied() -> Iterator[Path]:
    """Yield a temporary folder with a copy of the example, without what earlier runs left there."""
    with tempfile.TemporaryDirectory(prefix="orchestrate-demo-") as name:
        folder = Path(name).resolve()
        for part in _PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(
                    source,
                    folder / part,
                    ignore=shutil.ignore_patterns("*.db", "*.db-*", "__pycache__"),
                )
            else:
                shutil.copy(source, folder / part)
        yield folder


def walk(folder: Path, show: Show) -> None:
    """Walk through the example; raises `UnexpectedError` at the first thing that is amiss."""
    here = Walk(folder=folder, show=show)
    _look(here)
    _apply_where_nobody_is_hurt(here)
    _die_in_production(here)
    _go_on(here)
    _prove(here)


def _look(here: Walk) -> None:
    here.say("Three environments, three empty databases")
    here.run("orchestrate status", having=("dev", "staging", "production", "empty"))
    here.say("What would happen in production? Looking changes nothing")
    here.run("orchestrate plan prod", having=("fill in the slugs", "Nothing was changed"))


def _apply_where_nobody_is_hurt(here: Walk) -> None:
    here.say("Carry it out where nobody is hurt: in dev")
    here.run("orchestrate apply dev --yes", having=("dev is at 7e20fb5d8c36",))
    here.say("Then in staging; -q leaves the progress out")
    here.run("orchestrate -q apply staging --yes", having=("staging is at 7e20fb5d8c36",))


def _die_in_production(here: Walk) -> None:
    here.say("Now production. In the middle of the slow revision, everything is killed (SIGKILL)")
    here.run_killed("orchestrate apply production --yes", after=_BEFORE_IT)
    here.say("What is so now?")
    here.run("orchestrate status", having=("6c41d8fa20e9", "is unfinished"))
    here.say("Nothing new is begun on top of an unfinished run")
    here.run("orchestrate apply production --yes", status=6, having=("run-unfinished",))


def _go_on(here: Walk) -> None:
    here.say("Go on with it: the step that was killed had not been committed, so it runs again")
    printed = here.run("orchestrate resume", having=("production is at 7e20fb5d8c36",))
    if _BEFORE_IT in printed or _SLOW_STEP not in printed:
        raise UnexpectedError(f"`resume` did not begin with {_SLOW_STEP}:\n{printed}")
    here.run("orchestrate status", having=("current",))


def _prove(here: Walk) -> None:
    here.say("All of it is in the journal, and nobody changed the journal since")
    here.run("orchestrate history", having=("14/14",))
    here.run("orchestrate history --verify", having=("The hash chain holds",))
    here.say("Is production what it would be without the kill? Compared with staging")
    data = here.folder / "example" / "data"
    staging, production = (_content(data / name) for name in ("staging.db", "production.db"))
    if staging != production:
        raise UnexpectedError("production differs from staging, which was never interrupted")
    here.show(f"The same: {len(staging)} lines when dumped")


def _content(path: Path) -> list[str]:
    """Return all lines of a dump, sorted: batch mode writes a table's constraints in any order."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return sorted(
            line.strip().removesuffix(",")
            for statement in connection.iterdump()
            for line in statement.splitlines()
        )
