"""Running a command of the spec's for a target: where it runs, what it is told, how it failed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrate.adapters.commands import SHOWN_LINES, Ended, started_command
from orchestrate.domain.actions import Action
from orchestrate.domain.durations import duration
from orchestrate.domain.plan import Step
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import variables
from orchestrate.run.access import Access
from orchestrate.run.interruption import Interruption
from orchestrate.values import dataclass

_KEPT_CHARACTERS: Final = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a hook's or check's command or statement."""

    problem: str | None
    output: tuple[str, ...] = ()
    """The last lines that it printed."""
    unclear: bool = False
    """Whether it was begun and did not end by itself: it may have done what it is for."""


def run_hook(step: Step, access: Access, interruption: Interruption, *, run: str) -> None:
    """Run a baseline's command to its end, in the project's directory, without a shell.

    It gets the variables that `inject: {env: …}` gives to env.py, and the target's URL. A second
    Ctrl-C ends it. Raises `command-failed` with the last lines that it printed.
    """
    second = interruption.on_second
    with started_command(
        step.command,
        folder=Path(access.folder) / (access.project.get("directory") or "."),
        environ=hook_environ(access),
        lock=command_lock(access, run, step),
        redactor=access.redactor,
        on_output=access.on_output,
    ) as running:
        interruption.on_second = running.kill
        try:
            ended = running.wait(access.step_timeout)
        finally:
            interruption.on_second = second
    if ended.status != 0:
        how = "was ended by `step_timeout`" if ended.timed_out else ended.how
        raise OrchestrateError(
            "command-failed",
            "\n".join([f"`{shlex.join(step.command)}` {how}", *_printed(ended)]),
            details={"output": list(ended.output)},
        )


def run_action(
    action: Action,
    access: Access,
    told: Mapping[str, object],
    interruption: Interruption,
    *,
    lock: Path | None,
) -> Ran:
    """Run a hook's or check's command in the spec's folder; return what came of it.

    `told` reaches it as variables and, in JSON, on its standard input. A second Ctrl-C ends it.
    """
    environ = variables(told)
    if action.url:
        environ["ORCHESTRATE_DATABASE_URL"] = access.command_url.reveal()
    second = interruption.on_second
    try:
        with started_command(
            action.command,
            folder=Path(access.folder),
            environ=environ,
            lock=lock,
            redactor=access.redactor,
            on_output=access.on_output,
            stdin=json.dumps(told, ensure_ascii=False) + "\n",
        ) as running:
            interruption.on_second = running.end
            try:
                ended = running.wait(action.seconds)
            finally:
                interruption.on_second = second
    except OrchestrateError as error:
        return Ran(problem=error.message)
    if ended.status == 0 and not ended.cut_short:
        return Ran(problem=None, output=kept(ended.output))
    how = ended.how
    if ended.timed_out:
        how = f"took longer than {duration(action.seconds)} and was ended"
    elif ended.cut_short:
        how = f"was told to end, and {how}"
    return Ran(
        problem="\n".join([f"it {how}", *_printed(ended)]),
        output=kept(ended.output),
        # A signal is somebody else's word, not the command's.
        unclear=ended.cut_short or ended.status < 0,
    )


def kept(output: Sequence[str]) -> tuple[str, ...]:
    """Return the last lines of an output that the journal has room for."""
    room, lines = _KEPT_CHARACTERS, list[str]()
    for line in reversed(output):
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    return tuple(reversed(lines))


def hook_environ(access: Access) -> dict[str, str]:
    """Return the variables that a baseline's or backup's command gets: env.py's, and the URL."""
    return {
        **access.project["environ"],
        "ORCHESTRATE_DATABASE_URL": access.command_url.reveal(),
        "ORCHESTRATE_ENVIRONMENT": access.environment,
        "ORCHESTRATE_TARGET": access.target,
    }


def command_lock(access: Access, run: str, step: Step) -> Path:
    """Return the file that is locked as long as the command of a step is at work."""
    return Path(access.folder) / ".orchestrate" / f"{run}-{step.id}.command"


def _printed(ended: Ended) -> list[str]:
    return [f"  | {line}" for line in ended.output[-SHOWN_LINES:]] or ["  it printed nothing"]
