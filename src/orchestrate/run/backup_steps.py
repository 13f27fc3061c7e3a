"""The step that copies a target before anything is changed: it succeeds, or nothing else begins."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Direction, Step
from orchestrate.errors import OrchestrateError
from orchestrate.run.backups import make_backup, needed_copies, retire
from orchestrate.run.proofs import prove
from orchestrate.run.row_counting import row_counts
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work
from orchestrate.values import dataclass

_REASONS: dict[Direction, str] = {
    "upgrade": "before-migrate",
    "downgrade": "before-rollback",
    "stamp": "before-stamp",
    "restore": "before-restore",
}


@dataclass(slots=True)
class BackupSteps:
    """Carries out steps of kind `backup`, one at a time."""

    work: Work

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Make the copy, prove it as the step says, and remove what retention does not keep."""
        step, began = steps[0], self.work.clock.now()
        order = step.backup
        if order is None:
            raise AssertionError("a backup step says how the copy is made")
        heads = session.observe_again().heads
        refusal = self.work.refusal(step, heads)
        if refusal:
            return refusal
        self.work.begin(step)
        try:
            made = make_backup(
                self.work.scratch,
                session,
                order,
                reason=_REASONS[self.work.plan.direction],
                run=self.work.recorder.run,
                stop=self._stop,
            )
            copies = session.access.dialect.copies
            copy = prove(
                self.work.scratch,
                made,
                order,
                live_counts=(lambda: row_counts(session, copies, stop=self._stop))
                if copies
                else None,
                stop=self._stop,
            )
        except OrchestrateError as error:
            return self.work.trouble(session, step, error)
        self.work.finish(
            step,
            began,
            heads,
            backup=copy.id,
            location=copy.location,
            bytes=copy.bytes,
            verified=copy.verified,
        )
        if not session.usable:
            session = self.work.open_session()
        put_back = {one.copy for one in self.work.plan.steps if one.copy is not None}
        retire(self.work.scratch, order, needed=needed_copies(self.work.scratch.state) | put_back)
        return Done(session=session, heads=heads)

    def _stop(self) -> bool:
        """Tell whether to end in the middle: until it is done, nothing depends on it."""
        return self.work.interruption.requested or self.work.lease.lost
