"""How a run's progress is shown: a live line on a terminal, lines in a pipe, events as JSON.

Each view takes the same events, by the names of design section 5.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from orchestrate.cli.invocation import Invocation
from orchestrate.domain.durations import duration
from orchestrate.domain.plan import Plan

_TICK_SECONDS: Final = 0.1
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SLOW_STATEMENT_SECONDS: Final = 5.0


class Progress(Protocol):
    """What a run reports to."""

    def show(self, event: dict[str, Any]) -> None:
        """Take one event in."""

    def close(self) -> None:
        """End the display; safe to call twice."""


def progress_for(invocation: Invocation, plan: Plan) -> Progress:
    """Return the view that suits where the output goes."""
    if invocation.format == "json":
        return JsonProgress(invocation)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and invocation.verbosity >= 0:
        return LiveProgress(invocation, plan)
    return LineProgress(invocation, plan)


class JsonProgress:
    """One event a line on standard output, flushed, so that a reader sees it as it happens."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def show(self, event: dict[str, Any]) -> None:
        """Print the event; what the agent does between steps is no news for a machine."""
        if event["event"] in {"step.phase", "step.alive"}:
            return
        self._invocation.event(event)

    def close(self) -> None:
        """Nothing to end."""


class LineProgress:
    """A line for each thing worth a line; for pipes, logs and CI."""

    def __init__(self, invocation: Invocation, plan: Plan) -> None:
        self._invocation = invocation
        self._numbers = {step.id: number for number, step in enumerate(plan.steps, 1)}
        self._titles = {step.id: step.title for step in plan.steps}
        self._total = len(plan.steps)
        self._told: set[str] = set()

    def show(self, event: dict[str, Any]) -> None:
        """Say a finished, failed or waiting step in one line; leave the rest out."""
        line = self.line(event)
        if line:
            self._invocation.say(line)

    def line(self, event: Mapping[str, Any]) -> str | None:
        """Return the line for an event, or None where it deserves none."""
        name = f"{self._prefix(event)} {event.get('step')}"
        match event["event"]:
            case "step.finished" if event.get("recovered"):
                return f"{name}: was committed already, recorded now"
            case "step.finished":
                told = f"{name}: {self._title(event)}, done in {duration(event['seconds'])}"
                return told + _unusable(event)
            case "step.marked":
                return f"{name}: marked as applied"
            case "step.failed":
                return f"{name}: failed: {event['message']}"
            case "step.retried":
                return (
                    f"{name}: waiting {duration(event['pause_seconds'])} before attempt "
                    f"{event['attempt'] + 1} of {event['of'] + 1}{_blocked(event)}"
                )
            case "step.waiting":
                return self._once(event, f"{name}: waits for a lock{_blocked(event)}")
            case "step.statement" if event["seconds"] >= _SLOW_STATEMENT_SECONDS:
                return self._once(event, f"{name}: runs {_one_line(event['text'], 100)}")
            case _:
                return _beside(event)

    def _once(self, event: Mapping[str, Any], line: str) -> str | None:
        key = f"{event['event']} {event.get('step')} {event.get('text') or event.get('blockers')}"
        if key in self._told:
            return None
        self._told.add(key)
        return line

    def _prefix(self, event: Mapping[str, Any]) -> str:
        number = self._numbers.get(str(event.get("step")), 0)
        return f"[{number:>{len(str(self._total))}}/{self._total}]"

    def _title(self, event: Mapping[str, Any]) -> str:
        return self._titles.get(str(event.get("step")), "")

    def close(self) -> None:
        """Nothing to end."""


class LiveProgress:
    """Finished steps as lines, and under them one line that shows what runs now."""

    def __init__(self, invocation: Invocation, plan: Plan) -> None:
        self._lines = LineProgress(invocation, plan)
        self._invocation = invocation
        self._plan = plan
        self._lock = threading.Lock()
        self._running: dict[str, Any] = {}
        self._since = time.monotonic()
        self._doing = "starting"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True, name="progress")
        self._thread.start()

    def show(self, event: dict[str, Any]) -> None:
        """Draw the event."""
        with self._lock:
            match event["event"]:
                case "step.started":
                    self._running, self._since = event, time.monotonic()
                    self._doing = str(event.get("title") or event.get("revision") or "")
                case "step.statement":
                    self._doing = _one_line(event["text"], 200)
                case "step.waiting":
                    self._doing = f"waits for a lock{_blocked(event)}"
                case "step.phase":
                    self._doing = str(event.get("phase", ""))
                case _:
                    pass
            line = self._lines.line(event)
            if line:
                self._erase()
                self._invocation.complain(line)

    def _tick(self) -> None:
        beat = 0
        while not self._closed.wait(_TICK_SECONDS):
            beat += 1
            with self._lock:
                self._draw(_SPINNER[beat % len(_SPINNER)])

    def _draw(self, mark: str) -> None:
        step = self._running.get("step") or self._plan.environment
        seconds = duration(time.monotonic() - self._since)
        text = self._invocation.redacted(f"{mark} {step}  {seconds}  {self._doing}")
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[2K{text[:width]}")
        sys.stderr.flush()

    def _erase(self) -> None:
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()

    def close(self) -> None:
        """Take the live line away."""
        if not self._closed.is_set():
            self._closed.set()
            self._thread.join()
            self._erase()


def _beside(event: Mapping[str, Any]) -> str | None:
    """Return the line for what is no step: a hook that ran because the run failed."""
    if event["event"] != "hook.ended":
        return None
    problem = event.get("problem")
    return f"{event['title']}: " + (f"failed: {problem}" if problem else "done")


def _unusable(event: Mapping[str, Any]) -> str:
    names = ", ".join(event.get("unusable") or ())
    return f"; warning: not usable as it is (invalid): {names}" if names else ""


def _one_line(text: str, length: int) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= length else joined[: length - 1] + "…"


def _blocked(event: Mapping[str, Any]) -> str:
    rows = event.get("blockers") or []
    if not rows:
        return ""
    first = " ".join(str(cell) for cell in rows[0] if cell is not None)
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f", behind {_one_line(first, 120)}{more}"
