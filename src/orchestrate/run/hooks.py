"""Running a command of the spec's for a target: where it runs, what it is told, how it failed."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

from orchestrate.adapters.commands import Ended, started_command
from orchestrate.domain.plan import Step
from orchestrate.errors import OrchestrateError
from orchestrate.run.interruption import Interruption
from orchestrate.run.session import Access


def run_hook(step: Step, access: Access, interruption: Interruption, *, run: str) -> None:
    """Run the step's command to its end, in the project's directory, without a shell.

    It gets the variables that `inject: {env: …}` gives to env.py, and the target's URL. A second
    Ctrl-C ends it. Raises `command-failed` with the last lines that it printed.
    """
    second = interruption.on_second
    with started_command(
        step.command,
        folder=Path(access.folder) / (access.project.get("directory") or "."),
        environ=hook_environ(access),
        lock=command_lock(access, run),
        redactor=access.redactor,
        on_output=access.on_output,
    ) as running:
        interruption.on_second = running.kill
        try:
            ended = running.wait(access.step_timeout)
        finally:
            interruption.on_second = second
    if ended.status != 0:
        raise _failed(step, ended)


def hook_environ(access: Access) -> dict[str, str]:
    """Return the variables that a command of the spec's gets: env.py's own, and the target's."""
    return {
        **access.project["environ"],
        "ORCHESTRATE_DATABASE_URL": access.url.reveal(),
        "ORCHESTRATE_ENVIRONMENT": access.environment,
        "ORCHESTRATE_TARGET": access.target,
    }


def command_lock(access: Access, run: str) -> Path:
    """Return the file that is locked as long as the command of a run is at work."""
    return Path(access.folder) / ".orchestrate" / f"{run}.command"


def _failed(step: Step, ended: Ended) -> OrchestrateError:
    how = f"ended with status {ended.status}"
    if ended.timed_out:
        how = "was ended by `step_timeout`"
    elif ended.status < 0:
        how = f"was ended by {signal.Signals(-ended.status).name}"
    lines = [f"  | {line}" for line in ended.output] or ["  it printed nothing"]
    return OrchestrateError(
        "command-failed",
        "\n".join([f"`{shlex.join(step.command)}` {how}", *lines]),
        details={"output": list(ended.output)},
    )
