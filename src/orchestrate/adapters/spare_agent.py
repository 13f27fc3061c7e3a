"""An agent that is started before it is known whether it fits.

Nearly always the project's Python is our own, and an interpreter that imports SQLAlchemy takes
longer than reading the spec. So one is started first and the spec is read meanwhile; if the spec
then asks for another runner, the spare one is thrown away and nothing was done with it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrate.adapters.agent_process import AgentProcess
from orchestrate.adapters.agent_start import SparePlace
from orchestrate.adapters.redaction import Redactor


class SpareAgent:
    """At most one agent of our own interpreter, for the first who asks for exactly that."""

    def __init__(self, redactor: Redactor, place: SparePlace | None) -> None:
        self._lock = threading.Lock()
        self._folder = place.folder if place else None
        self._on_output: Callable[[str], None] | None = None
        self._agent: AgentProcess | None = None
        if place is not None:
            self._agent = AgentProcess(
                place.started,
                command=[sys.executable],
                redactor=redactor,
                on_output=lambda line: self._on_output(line) if self._on_output else None,
            )

    def take(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        on_output: Callable[[str], None] | None,
    ) -> AgentProcess | None:
        """Return the agent if it is what `command` in `folder` would start, and forget it."""
        if list(command) != [sys.executable] or folder != self._folder:
            return None
        with self._lock:  # targets are looked at in several threads
            agent, self._agent = self._agent, None
        if agent is not None:
            self._on_output = on_output
        return agent

    def close(self) -> None:
        """End the agent if nobody took it. Safe to repeat."""
        if self._agent is not None:
            self._agent.kill()
            self._agent = None
