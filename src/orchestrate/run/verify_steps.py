"""The comparison of a `verify` step: is the schema what it was at these very rows?

It changes nothing, so that whatever cuts it short, a resumed run does it again from its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrate.dialects.difference import compare
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import SchemaCheck, Step
from orchestrate.domain.snapshot import GRANTS, Difference, Snapshot
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import sha256_text
from orchestrate.planning.rollback import not_as_before
from orchestrate.run.scratch import obstacle
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work
from orchestrate.stores.snapshots import snapshot_from_text, snapshot_text


@dataclass(slots=True)
class VerifySteps:
    """Carries out steps of kind `verify`, one at a time."""

    work: Work

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Compare, and record what came of it: alike, differences, or that it cannot be shown."""
        step, began = steps[0], self.work.clock.now()
        if step.check is None:
            raise AssertionError
        try:
            heads = session.observe_again().heads
            refusal = self.work.refusal(step, heads)
            if refusal:
                return refusal
            self.work.begin(step)
            rows = session.schema_rows()
        except OrchestrateError as error:
            if error.code == "state-unavailable":
                raise
            session.kill()
            return self.work.trouble(session, None, error)
        actual = session.snapshot_of(rows) if rows else None
        expected = self._expected(step, step.check) if actual else _UNREADABLE
        if actual is None or isinstance(expected, str):
            self.work.finish(step, began, heads, shown=False, obstacle=expected)
            self.work.remarks.append(f"whether the schema is as it was cannot be shown: {expected}")
            return Done(session=session, heads=heads)
        differences = compare(expected, actual, without=GRANTS)
        if differences:
            return self._differs(step, step.check, actual, differences)
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
