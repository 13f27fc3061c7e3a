"""Steps of kind `hook`: a baseline's command, and what the spec runs before and after a run.

What a hook does, nobody knows but itself: the schema is recorded before it, and the version table
has to be where it was. One whose end nobody knows is a doubt: killed, out of time, or with its
connection lost. One that failed by its own word and left the schema alone is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrate.domain.actions import Action
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Step
from orchestrate.domain.snapshot import SchemaRows
from orchestrate.domain.troubles import Failure
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import facts
from orchestrate.planning.staleness import words
from orchestrate.run.hooks import Ran, command_lock, run_action, run_hook
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work
from orchestrate.values import dataclass

_HUNG_UP: Final = frozenset({"connection-lost", "connection-refused", "host-unknown", "no-answer"})
"""Troubles that are nobody's answer to a statement that was sent."""


class _Answer(OrchestrateError):  # noqa: N818  (its code says that it is an error)
    """A failure that is the hook's own word, or from before it began: it may be run again."""


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
            ran = self._run(session, step)
            output = list(ran.output)
            if ran.problem is not None:
                raise (OrchestrateError if ran.unclear else _Answer)(
                    "command-failed",
                    f"`{step.title}` failed: {ran.problem}",
                    details={"output": output},
                )
            if step.action is None or step.action.command:
                # It may have put another file in the place of the one that the agent has open.
                session.kill()
                session = self.work.open_session()
            heads = session.observe_again().heads
            if heads not in self._left_by(step):
                raise _Answer(
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
            # Of a baseline's command the schema alone decides: it fills an empty database.
            failed = step.action is None or isinstance(error, _Answer)
            return self.work.trouble(session, step, error, failed=failed)
        self.work.attempts = 0
        told = {"output": output} if output else {}
        self.work.finish(step, began, heads, **told)
        return Done(session=session, heads=heads)

    def _run(self, session: Session, step: Step) -> Ran:
        """Do what the step says; return what came of it. Raises what befell the agent."""
        access, run = session.access, self.work.recorder.run
        action = step.action
        if action is None:
            run_hook(step, access, self.work.interruption, run=run)
            return Ran(problem=None)
        if action.sql is not None:
            return self._execute(session, action)
        told = facts(self.work.plan, action, run=run, status="running", step=step.id)
        lock = command_lock(access, run, step)
        return run_action(action, access, told, self.work.interruption, lock=lock)

    def _execute(self, session: Session, action: Action) -> Ran:
        """Have the agent send the statement; what is no refusal of the server's is unclear."""
        try:
            found = session.statement(action.sql or "", read_only=False, seconds=action.seconds)
        except OrchestrateError as error:
            if error.code != "unreachable":
                raise
            # The agent's own word that it had no connection to send it on.
            raise _Answer(error.code, error.message, details=error.details) from error
        if found["problem"] is None:
            return Ran(problem=None)
        problem = session.access.redactor.redact(found["problem"])
        known = session.access.dialect.recognise(
            Failure(message=problem, sqlstate=found["sqlstate"], driver_code=found["driver_code"])
        )
        hung_up = known is not None and known.trouble in _HUNG_UP
        return Ran(problem=problem, unclear=found["begun"] and (hung_up or not found["answered"]))

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
