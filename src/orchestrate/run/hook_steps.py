"""Steps of kind `hook`: a baseline's command, and what the spec runs before and after a run.

What a hook does, nobody knows but itself: the schema is recorded before it, and the version table
has to be where it was. One whose end was not recorded is a doubt, one that failed and left the
schema alone is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrate.domain.actions import Action
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Step
from orchestrate.domain.snapshot import SchemaRows
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import facts
from orchestrate.planning.staleness import words
from orchestrate.run.hooks import command_lock, run_action, run_hook
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work


@dataclass(slots=True)
class HookSteps:
    """Carries out steps of kind `hook`, one at a time."""

    work: Work

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Run the command or statement of the first step; the agent may then be another one."""
        step, began = steps[0], self.work.clock.now()
        self.work.left = None
        seen = session.observe_again() if step.action else session.observe()
        refusal = self.work.refusal(step, seen.heads)
        if refusal:
            return refusal
        self.work.lease.step = step.id
        self.work.attempts += 1
        title = {"revision": step.revision, "title": step.title, "step_kind": step.kind}
        before = session.schema_rows()
        self.work.record(session, "step.started", step, before, **title)
        self.work.recorder.show("step.started", step, title)
        try:
            output = self._run(session, step)
            if step.action is None or step.action.command:
                # It may have put another file in the place of the one that the agent has open.
                session.kill()
                session = self.work.open_session()
            heads = session.observe_again().heads
            if heads not in self._left_by(step):
                raise OrchestrateError(
                    "command-failed",
                    f"`{step.title}` left the version table at {words(heads)}",
                    hint="A hook has to leave it alone: have it run its revisions on another "
                    "version table"
                    if step.action
                    else "Say so with `baseline: {run: …, stamp: REV}`",
                    details={"output": output},
                )
            self._note_schema(session, step, heads, before)
        except OrchestrateError as error:
            if error.code == "state-unavailable":
                raise
            session.kill()
            return self.work.trouble(session, step, error)
        self.work.attempts = 0
        told = {"output": output} if output else {}
        self.work.finish(step, began, heads, **told)
        return Done(session=session, heads=heads)

    def _run(self, session: Session, step: Step) -> list[str]:
        """Do what the step says; return what it printed. Raises `command-failed`."""
        access, run = session.access, self.work.recorder.run
        action = step.action
        if action is None:
            run_hook(step, access, self.work.interruption, run=run)
            return []
        if action.sql is not None:
            return self._execute(session, step, action)
        told = facts(self.work.plan, action, run=run, status="running", step=step.id)
        lock = command_lock(access, run, step)
        problem, output = run_action(action, access, told, self.work.interruption, lock=lock)
        if problem is not None:
            raise OrchestrateError(
                "command-failed",
                f"`{step.title}` failed: {problem}",
                details={"output": list(output)},
            )
        return list(output)

    def _execute(self, session: Session, step: Step, action: Action) -> list[str]:
        found = session.statement(action.sql or "", read_only=False, seconds=action.seconds)
        if found["problem"] is not None:
            problem = session.access.redactor.redact(found["problem"])
            raise OrchestrateError("command-failed", f"`{step.title}` failed: {problem}")
        return []

    def _note_schema(
        self, session: Session, step: Step, heads: tuple[str, ...], before: SchemaRows
    ) -> None:
        """Record the schema that a hook left, if it is another: a way back is compared with it."""
        if step.action is None or not before:
            return
        after = session.snapshot()
        if after != session.snapshot_of(before):
            self.work.recorder.note_schema("within", heads, after)

    def _left_by(self, step: Step) -> set[tuple[str, ...]]:
        """Return the rows that a command may leave: none, or those that are recorded next."""
        following = self.work.plan.steps[self.work.plan.steps.index(step) + 1 :][:1]
        return {step.to_heads, *(one.to_heads for one in following if one.kind == "stamp")}
