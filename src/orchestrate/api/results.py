"""What the API returns beside the values of the lower floors, and the error of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from orchestrate.errors import CODES, ExitStatus, OrchestrateError
from orchestrate.values import dataclass

RunEvent = Mapping[str, Any]
"""One event of a run, by the names of docs/json.md: always `event`, `at` and `run`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command told: its exit status, its data, the events of its run, its remarks."""

    exit_status: int
    text: str
    """What it would have printed on standard output, without the events."""
    events: tuple[RunEvent, ...] = ()
    messages: tuple[str, ...] = ()
    """What it would have said to a person beside the data."""
    error: Mapping[str, Any] | None = None
    """Why the run did not succeed, as the command line prints it."""

    @property
    def json(self) -> Any:
        """Return the data as JSON values. Raises ValueError where the command gives text."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended. `run` is None where there was nothing to do."""

    environment: str | None
    run: str | None
    status: Literal["succeeded", "failed", "stopped", "in-doubt"]
    message: str = ""
    step: str | None = None
    """The step that it ended at, unless it succeeded."""
    events: tuple[RunEvent, ...] = ()
    messages: tuple[str, ...] = ()


class RunFailedError(OrchestrateError):
    """A run that began and did not succeed; `result` says how far it came.

    `exit_status` is what the command line would have ended with: FAILED, STOPPED, IN_DOUBT or
    INTERRUPTED.
    """

    def __init__(self, result: RunResult, error: Mapping[str, Any], exit_status: int) -> None:
        code = str(error.get("code"))
        super().__init__(
            code if code in CODES else "run-stopped",
            str(error.get("message") or result.message),
            hint=error.get("hint"),
            where=error.get("where"),
            details=error.get("details"),
        )
        self.result = result
        self._exit_status = ExitStatus(exit_status)

    @property
    def exit_status(self) -> ExitStatus:
        """Return what the command line would have ended with."""
        return self._exit_status


def run_result(answer: Answer) -> RunResult:
    """Return how the run of a command ended. Raises `RunFailedError` unless it succeeded."""
    last: RunEvent = next(
        (one for one in reversed(answer.events) if one["event"] == "run.finished"), {}
    )
    result = RunResult(
        environment=last.get("environment"),
        run=last.get("run"),
        status=last.get("status", "succeeded"),
        message=last.get("message") or answer.text.strip(),
        step=last.get("step"),
        events=answer.events,
        messages=answer.messages,
    )
    if answer.exit_status or result.status != "succeeded":
        raise RunFailedError(result, answer.error or last, answer.exit_status)
    return result
