"""A revision that waits until a test lets it go on, and reading a program's events until then.

No test sleeps: it waits for a line that the program prints, or holds something that it waits for.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.projects import Project, Revisions

_BODY = """
    import pathlib, time
    {before}
    print("waiting at the gate", flush=True)
    while not pathlib.Path({gate!r}).exists():
        time.sleep(0.02)
    {after}
"""


@dataclass(frozen=True)
class Gate:
    """A file that a revision waits for."""

    path: Path

    def revision(
        self,
        project: Project,
        revision: str,
        *,
        down: Revisions,
        before: str = "pass",
        after: str = "pass",
        **more: Any,
    ) -> None:
        """Write a revision that does `before`, waits, and does `after`."""
        body = _BODY.format(gate=str(self.path), before=before, after=after)
        project.revision(revision, down=down, upgrade=body, **more)

    def open(self) -> None:
        """Let everybody go on who waits or will."""
        self.path.touch()


def read_event(process: subprocess.Popen[str], kind: str, step: str = "") -> dict[str, Any]:
    """Read standard output up to an event of a kind, of a step whose name ends so."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        seen.append(event)
        if event["event"] == kind and str(event.get("step") or "").endswith(step):
            return event
    _, errors = process.communicate(timeout=30)
    raise AssertionError(f"no {kind} {step} among {seen}; {errors}")


def read_line(process: subprocess.Popen[str], part: str) -> str:
    """Read standard error up to a line that has `part` in it."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        if part in line:
            return line
        seen.append(line)
    raise AssertionError(f"no line with {part!r} among {seen}")


def rest(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]], str]:
    """Wait for the end; return exit status, the events that were not read, and standard error."""
    output, errors = process.communicate(timeout=90)
    events = [json.loads(line) for line in output.splitlines() if line.strip()]
    return process.returncode, events, errors


def wait_until(true: Callable[[], bool], *, seconds: float = 30) -> None:
    """Return as soon as something is true that nobody announces; fail where it never is."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
