"""The command of a `hook` step: where it runs, what it is told, and what its end means."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrate.adapters.commands import Ended, started_command
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Step
from orchestrate.errors import OrchestrateError
from orchestrate.planning.staleness import words
from orchestrate.run.interruption import Interruption
from orchestrate.run.session import Access, Session
from orchestrate.run.stepping import Done, Trouble, Work


@dataclass(slots=True)
class HookSteps:
    """Carries out steps of kind `hook`, one at a time."""

    work: Work

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Run the command of the first step; the agent is then another one."""
        step, began = steps[0], self.work.clock.now()
        refusal = self.work.refusal(step, session.observe().heads)
        if refusal:
            return refusal
        self.work.lease.step = step.id
        self.work.attempts += 1
        title = {"revision": step.revision, "title": step.title}
        self.work.record(session, "step.started", step, session.schema_rows(), **title)
        self.work.recorder.show("step.started", step, title)
        try:
            run_hook(step, session.access, self.work.interruption, run=self.work.recorder.run)
            # It may have put another file in the place of the one that the agent has open.
            session.kill()
            session = self.work.open_session()
            heads = session.observation.heads if session.observation else ()
            if heads not in self._left_by(step):
                raise OrchestrateError(
                    "command-failed",
                    f"`{step.title}` left the version table at {words(heads)}",
                    hint="Say so with `baseline: {run: …, stamp: REV}`",
                )
        except OrchestrateError as error:
            session.kill()
            return self.work.trouble(session, step, error)
        self.work.attempts = 0
        seconds = (self.work.clock.now() - began).total_seconds()
        self.work.recorder.append(
            "step.finished", step, seconds=seconds, heads=list(heads), revision=step.revision
        )
        return Done(session=session, heads=heads)

    def _left_by(self, step: Step) -> set[tuple[str, ...]]:
        """Return the rows that a command may leave: none, or those that are recorded next."""
        following = self.work.plan.steps[self.work.plan.steps.index(step) + 1 :][:1]
        return {step.to_heads, *(one.to_heads for one in following if one.kind == "stamp")}


def run_hook(step: Step, access: Access, interruption: Interruption, *, run: str) -> None:
    """Run the step's command to its end, in the project's directory, without a shell.

    It gets the variables that `inject: {env: …}` gives to env.py, and the target's URL. A second
    Ctrl-C ends it. Raises `command-failed` with the last lines that it printed.
    """
    second = interruption.on_second
    with started_command(
        step.command,
        folder=Path(access.folder) / (access.project.get("directory") or "."),
        environ={
            **access.project["environ"],
            "ORCHESTRATE_DATABASE_URL": access.url.reveal(),
            "ORCHESTRATE_ENVIRONMENT": access.environment,
            "ORCHESTRATE_TARGET": access.target,
        },
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
