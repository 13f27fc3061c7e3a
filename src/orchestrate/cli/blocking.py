"""The last event of a JSON stream that a closed gate, or trouble before the first step, ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrate.cli.workbench import Workbench
from orchestrate.errors import OrchestrateError


@contextmanager
def blocked_event(bench: Workbench, environment: str) -> Iterator[None]:
    """Have a closed gate end the JSON stream as well, before its error is raised on."""
    try:
        yield
    except OrchestrateError as error:
        if bench.invocation.format == "json":
            bench.invocation.event(
                {
                    "event": "run.finished",
                    "at": bench.clock.now().isoformat(),
                    "run": None,
                    "environment": environment,
                    "status": "blocked",
                    "code": error.code,
                    "message": error.message,
                }
            )
        raise
