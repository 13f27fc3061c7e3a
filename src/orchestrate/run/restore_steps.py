"""The step that puts a copy back in the place of what a target holds, and believes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrate.adapters.copying import load
from orchestrate.dialects.copies import Copies, Owners
from orchestrate.domain.backups import Backup
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Step
from orchestrate.errors import OrchestrateError
from orchestrate.run.backup_commands import restored_by_command
from orchestrate.run.backups import (
    all_backups,
    copies_of,
    fitted,
    going_with,
    kept_at,
    refuse_pooler,
    url_of,
    way_to,
)
from orchestrate.run.exchanging import Exchanging, forget
from orchestrate.run.proofs import check_file, what_differs
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work
from orchestrate.values import dataclass


@dataclass(slots=True)
class RestoreSteps:
    """Carries out steps of kind `restore`, one at a time."""

    work: Work

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Check the copy, put it back, and compare what is there with what was saved."""
        step, began = steps[0], self.work.clock.now()
        again = step.id in self.work.recorder.records
        heads = step.from_heads if again else session.observe_again().heads
        refusal = self.work.refusal(step, heads)
        if refusal:
            return refusal
        self.work.begin(step)
        try:
            copy = self._copy(step)
            self._put_back(session, step, copy)
            # Another file, other objects: what an agent remembers of them is void.
            session.kill()
            session = self.work.open_session()
            copies = session.access.dialect.copies if copy.strategy != "command" else None
            ours = copies is not None and self._owners(copies, copy) == "ours"
            differing = what_differs(self.work.scratch, session, copy, copies, ours=ours)
            if differing:
                raise OrchestrateError(
                    "restore-failed",
                    f"{copy.id} was put back, and what is there is not what was saved: {differing}",
                    details={"replaced": True},
                )
        except OrchestrateError as error:
            session.kill()
            return self.work.trouble(session, step, error)
        self.work.finish(step, began, copy.heads, backup=copy.id, restored=True)
        if step.exchange:
            forget(session)
        return Done(session=session, heads=copy.heads)

    def _copy(self, step: Step) -> Backup:
        catalogue = {one.id: one for one in all_backups(self.work.scratch.state)}
        found = catalogue.get(step.copy or "")
        if found is None or found.removed_at is not None:
            raise OrchestrateError(
                "backup-broken", f"the catalogue has no copy {step.copy} any more"
            )
        return found

    def _put_back(self, session: Session, step: Step, copy: Backup) -> None:
        access, order = session.access, step.backup
        if order is None:
            raise AssertionError("a restore step says how the copy is reached")
        if copy.strategy == "command":
            restored_by_command(access, order, copy.location)
            return
        order = fitted(order, copy)
        refuse_pooler(access, order, session.observation or session.observe())
        copies, way = copies_of(access, order), way_to(access, order)
        # Not to be ended by the first Ctrl-C: what is cleared has to be filled again.
        going = going_with(access, order)
        with kept_at(access, copy) as destination:
            check_file(destination, copy, copies, way, going)
            if step.exchange:
                place, run = self.work.scratch, self.work.recorder.run
                exchanging = Exchanging(
                    place=place,
                    session=session,
                    copy=copy,
                    order=order,
                    way=way,
                    going=going,
                    run=run,
                )
                remark = exchanging.carry(destination)
                self.work.remarks += [remark] if remark else []
                return
            url, owners = url_of(access, order), self._owners(copies, copy)
            program = copies.replace(url, way, owners=owners)
            load(program, destination, copy.file, going, code="restore-failed")

    def _owners(self, copies: Copies, copy: Backup) -> Owners:
        """Return whose the objects are: another server may lack the roles that own them."""
        same = copy.identity == self.work.plan.basis[0].identity
        return "kept" if same or not copies.names_roles else "ours"
