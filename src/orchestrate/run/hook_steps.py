"""The command of a `hook` step: when it runs, and what its end means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Step
from orchestrate.errors import OrchestrateError
from orchestrate.planning.staleness import words
from orchestrate.run.hooks import run_hook
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work


@dataclass(slots=True)
class HookSteps:
    """Carries out steps of kind `hook`, one at a time."""

    work: Work

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Run the command of the first step; the agent is then another one."""
        step, began = steps[0], self.work.clock.now()
        self.work.left = None
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
