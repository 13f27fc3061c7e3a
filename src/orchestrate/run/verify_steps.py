"""Steps of kind `verify`: is the schema what it was at these very rows, does the spec's check hold?

They change nothing, so that whatever cuts one short, a resumed run does it again from its
beginning.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import takewhile

from orchestrate.dialects.difference import compare
from orchestrate.domain.actions import Action
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import SchemaCheck, Step
from orchestrate.domain.snapshot import GRANTS, Difference, Snapshot
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import facts, not_expected
from orchestrate.planning.digests import sha256_text
from orchestrate.planning.rollback import not_as_before
from orchestrate.run.hooks import run_action
from orchestrate.run.scratch import obstacle
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work
from orchestrate.stores.snapshots import snapshot_from_text, snapshot_text
from orchestrate.values import dataclass


@dataclass(slots=True)
class VerifySteps:
    """Carries out steps of kind `verify`: a comparison by itself, checks all together."""

    work: Work

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Compare or check, and record what came of it."""
        step = steps[0]
        try:
            heads = session.observe_again().heads
            refusal = self.work.refusal(step, heads)
            if refusal:
                return refusal
            if step.check is not None:
                return self._compare(session, step, step.check, heads)
            checks = tuple(takewhile(lambda one: one.action is not None, steps))
            return self._check_all(session, checks, heads)
        except OrchestrateError as error:
            if error.code == "state-unavailable":
                raise
            session.kill()
            return self.work.trouble(session, None, error)

    # --- the checks of the spec ---------------------------------------------------------------

    def _check_all(
        self, session: Session, steps: Sequence[Step], heads: tuple[str, ...]
    ) -> Done | Outcome:
        """Make all checks, also after one that failed, so that a person hears of all at once."""
        failed: list[tuple[Step, str]] = []
        for step in steps:
            refusal = self.work.refusal(step, heads)
            if refusal:
                return refusal
            began = self.work.clock.now()
            self.work.begin(step)
            if step.action is None:
                raise AssertionError
            session, problem, output = self._checked(session, step, step.action)
            if problem is None:
                self.work.finish(step, began, heads, **({"output": output} if output else {}))
                continue
            if self.work.interruption.requested:
                return Outcome(
                    status="stopped",
                    code="interrupted",
                    step=step.id,
                    message=f"ended in the middle of step {step.id}, which only looks",
                )
            message = f"`{step.title}` does not hold: {problem}"
            self.work.recorder.append(
                "step.failed", step, code="check-failed", message=message, output=output
            )
            failed.append((step, message))
        if not failed:
            return Done(session=session, heads=heads)
        with contextlib.suppress(OrchestrateError):
            # All its changes are made: what it left is compared with later on.
            rows = session.schema_rows()
            if rows:
                self.work.recorder.note_schema(
                    "after", heads, session.snapshot_of(rows), session.access.digest_of(rows)
                )
        return Outcome(
            status="failed",
            code="check-failed",
            step=failed[0][0].id,
            message="\n".join(message for _, message in failed),
        )

    def _checked(
        self, session: Session, step: Step, action: Action
    ) -> tuple[Session, str | None, list[str]]:
        """Return the agent to go on with, what is wrong if something is, and what was printed."""
        if action.sql is None:
            told = facts(
                self.work.plan,
                action,
                run=self.work.recorder.run,
                status="running",
                step=step.id,
            )
            ran = run_action(action, session.access, told, self.work.interruption, lock=None)
            return session, ran.problem, list(ran.output)
        try:
            found = session.statement(action.sql, read_only=True, seconds=action.seconds)
        except OrchestrateError as error:
            if error.code != "agent-stalled":
                raise
            session.kill()
            return self.work.open_session(), error.message, []
        problem = found["problem"] or not_expected(action, found["rows"], more=found["more"])
        redacted = None if problem is None else session.access.redactor.redact(problem)
        return session, redacted, []

    # --- the schema that was ------------------------------------------------------------------

    def _compare(
        self, session: Session, step: Step, check: SchemaCheck, heads: tuple[str, ...]
    ) -> Done | Outcome:
        """Compare the schema: alike, differences, or that it cannot be shown."""
        began = self.work.clock.now()
        self.work.begin(step)
        rows = session.schema_rows()
        actual = session.snapshot_of(rows) if rows else None
        expected = self._expected(step, check) if actual else _UNREADABLE
        if actual is None or isinstance(expected, str):
            self.work.finish(step, began, heads, shown=False, obstacle=expected)
            self.work.remarks.append(f"whether the schema is as it was cannot be shown: {expected}")
            return Done(session=session, heads=heads)
        differences = compare(expected, actual, without=GRANTS)
        if differences:
            return self._differs(step, check, actual, differences)
        if step is self.work.plan.steps[-1]:
            self.work.recorder.note_schema("after", heads, actual)
        self.work.finish(step, began, heads, shown=True)
        return Done(session=session, heads=heads)

    def _expected(self, step: Step, check: SchemaCheck) -> Snapshot | str:
        """Return the schema to compare with, or why there is none."""
        if check.snapshot is not None:
            return snapshot_from_text(self.work.recorder.state.load_snapshot(check.snapshot))
        try:
            return self.work.replay(step.to_heads)
        except OrchestrateError as error:
            if error.code == "state-unavailable":
                raise
            return obstacle(error)

    def _differs(
        self,
        step: Step,
        check: SchemaCheck,
        actual: Snapshot,
        differences: tuple[Difference, ...],
    ) -> Outcome:
        """Record what was found, all of it, and return how the run ends."""
        message = not_as_before(step, check, len(differences))
        text = snapshot_text(actual)
        self.work.recorder.queue(
            "step.failed", step, code="schema-differs", message=message, found=sha256_text(text)
        )
        self.work.recorder.save([text])
        return Outcome(
            status="failed",
            code="schema-differs",
            step=step.id,
            message=message,
            differences=differences,
        )


_UNREADABLE = "how a schema of this kind of database is read is not known"
