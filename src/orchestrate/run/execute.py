"""Carrying a plan out, or going on with one: the loop in which every effect of a run is visible.

Fresh runs and resumed ones take the same way: journal and database decide for each step what is
left of it (`leftover`), a carrier for each kind of step does the rest (`revision_steps`,
`hook_steps`), and the journal is durable before each act (`recorder`). The spec is not read here; a
step carries all that is needed.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from itertools import groupby
from typing import Any, Final

from orchestrate.domain.events import EventKind
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Step, StepKind
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.errors import OrchestrateError
from orchestrate.run.backup_steps import BackupSteps
from orchestrate.run.explaining import ON_THE_ROAD
from orchestrate.run.hook_steps import HookSteps
from orchestrate.run.lease_keeper import this_person
from orchestrate.run.leftover import Leftover
from orchestrate.run.restore_steps import RestoreSteps
from orchestrate.run.revision_steps import RevisionSteps
from orchestrate.run.session import Session
from orchestrate.run.stepping import Carrier, Done, Trouble, Work
from orchestrate.run.verify_steps import VerifySteps
from orchestrate.values import dataclass

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_ENDED_ON_PURPOSE: Final = frozenset(
    {"agent-failed", "command-failed", "backup-failed", "restore-failed"}
)
"""How it shows that a second Ctrl-C, or the first in a copy, ended a step."""
_ENDED: Final = frozenset({"succeeded", "failed"})


@dataclass(slots=True, kw_only=True)
class Execution:
    """One process's work on one run. Make it under the lease, call `carry_out` once."""

    work: Work
    leftover: Leftover
    lock_retries: int
    _carriers: Mapping[StepKind, Carrier] = field(default_factory=dict)

    def __post_init__(self) -> None:
        revisions, hooks = RevisionSteps(self.work), HookSteps(self.work)
        self._carriers = {
            "upgrade": revisions,
            "downgrade": revisions,
            "stamp": revisions,
            "hook": hooks,
            "backup": BackupSteps(self.work),
            "restore": RestoreSteps(self.work),
            "verify": VerifySteps(self.work),
        }

    def carry_out(
        self, session: Session, *, reading: Callable[[], SchemaRows] | None = None
    ) -> Outcome:
        """Bring the run as far as it goes, journal how it ended, and return that.

        `session` is the agent that observed the target under the lease, and may be `reading` the
        schema from before the run. After trouble it is thrown away and others are opened. Raises
        only what befell before any step, and `state-unavailable`.
        """
        if reading is not None:
            session = self._note_beginning(session, reading)
        observation = session.observation
        heads = observation.heads if observation else ()
        read_schema: Callable[[], Snapshot] = session.snapshot
        trouble: Trouble | None = None
        while True:
            left = self.leftover.steps(session, heads, read_schema)
            if isinstance(left, Outcome):
                return self._end(_with_cause(left, trouble))
            if not left:
                # Everything is committed; what env.py did after its last revision failed.
                remarks = [*self.work.remarks]
                if trouble is None:
                    self._note_end(session, heads)
                else:
                    remarks.append(f"afterwards: {trouble.error.message}")
                return self._end(Outcome(status="succeeded", message="; ".join(remarks)))
            if trouble is not None:
                ended = self._give_up(trouble)
                if ended:
                    if ended.status == "failed":
                        self._note_failed(heads, read_schema)
                    return self._end(ended)
                session = self.work.open_session()
            kind, block = next(groupby(left, key=lambda step: step.kind))
            carried = self._carriers[kind].carry(session, tuple(block))
            if isinstance(carried, Outcome):
                return self._end(carried)
            if isinstance(carried, Done):
                # What is left is asked anew: a command may have done the next step as well.
                session, heads, trouble = carried.session, carried.heads, None
                read_schema = session.snapshot
                continue
            trouble = carried
            session.kill()
            try:
                session, heads, read_schema = self._look_again(session, trouble)
            except OrchestrateError as unreadable:
                # The second Ctrl-C may have met the agent that was to look.
                ended = self._ended_on_purpose(trouble)
                return self._end(ended or _unreadable(trouble, unreadable))

    # --- the schema at both ends --------------------------------------------------------------

    def _note_beginning(self, session: Session, reading: Callable[[], SchemaRows]) -> Session:
        """Have the schema written with the first step's start; return the agent to go on with."""
        try:
            rows = reading()
        except OrchestrateError:
            # It only helps later on: a catalogue that cannot be read is no reason to stop.
            session.kill()
            return self.work.open_session()
        observation = session.observation
        if rows and observation is not None:
            self.work.recorder.note_schema("before", observation.heads, session.snapshot_of(rows))
        return session

    def _note_end(self, session: Session, heads: tuple[str, ...]) -> None:
        if "after" in self.work.recorder.schemas:
            return
        left = self.work.left
        with contextlib.suppress(OrchestrateError):
            rows = left[1] if left and left[0] == heads else session.schema_soon()()
            if rows:
                self.work.recorder.note_schema(
                    "after", heads, session.snapshot_of(rows), session.access.digest_of(rows)
                )

    def _note_failed(self, heads: tuple[str, ...], read_schema: Callable[[], Snapshot]) -> None:
        """Record what a run leaves that failed: the next report is to compare with it."""
        with contextlib.suppress(OrchestrateError):
            self.work.recorder.note_schema("after", heads, read_schema())

    # --- trouble ------------------------------------------------------------------------------

    def _look_again(
        self, session: Session, trouble: Trouble
    ) -> tuple[Session, tuple[str, ...], Callable[[], Snapshot]]:
        """Return how the target is after trouble; asks a new agent where the old one could not."""
        rows, old = trouble.rows, session
        if trouble.heads is not None:
            if rows is None:
                return session, trouble.heads, self._schema_now
            return session, trouble.heads, lambda: old.snapshot_of(rows)
        fresh = self.work.open_session()
        observation = fresh.observation or fresh.observe()
        return fresh, observation.heads, fresh.snapshot

    def _schema_now(self) -> Snapshot:
        with self.work.open_session() as fresh:
            return fresh.snapshot()

    def _ended_on_purpose(self, trouble: Trouble) -> Outcome | None:
        """Return how a run ends that somebody ended in the middle of a step, or None."""
        error, step = trouble.error, trouble.step
        if not self.work.interruption.requested or error.code not in _ENDED_ON_PURPOSE:
            return None
        return Outcome(
            status="stopped",
            code="interrupted",
            step=step.id if step else None,
            message="ended in the middle of "
            + (f"step {step.id}{_stayed(step)}" if step else "the run"),
            cause=error if step is not None and step.exchange else None,
        )

    def _give_up(self, trouble: Trouble) -> Outcome | None:
        """Return how the run ends after clean trouble, or None after the pause before a retry."""
        error, step = trouble.error, trouble.step
        ended = self._ended_on_purpose(trouble)
        if ended:
            return ended
        record = self.work.recorder.records.get(step.id) if step is not None else None
        if step is not None and record is not None and record.status == "finished":
            return Outcome(
                status="stopped",
                code="run-stopped",
                message=f"step {step.id} is committed, and then: {error.message}",
                advice=error.hint,
                cause=error,
            )
        lost = error.code in ON_THE_ROAD
        if error.code == "agent-failed" or lost or step is None:
            return Outcome(
                status="stopped",
                code=error.code if step is None or lost else "run-stopped",
                step=step.id if step else None,
                message=error.message,
                trouble=error.trouble,
                advice=error.hint,
                cause=error,
            )
        statements, failing, blockers = _facts(error)
        if not trouble.lock_timeout:
            return Outcome(
                status="stopped" if self._left_part(step, error) else "failed",
                code=error.code,
                step=step.id,
                message=error.message,
                statements=statements,
                failing=failing,
                where=error.where,
                trouble=error.trouble,
                advice=error.hint,
                cause=error,
            )
        if self.work.attempts > self.lock_retries:
            return Outcome(
                status="failed",
                code="lock-timeout",
                step=step.id,
                message=f"{error.message} ({self.work.attempts} attempts)",
                failing=failing,
                where=error.where,
                blockers=blockers,
                cause=error,
            )
        return self._pause(step, error)

    def _left_part(self, step: Step, error: OrchestrateError) -> bool:
        """Tell whether a failed step may have left something: a copy that is half put back."""
        copies = self.work.scratch.access.dialect.copies
        if step.kind != "restore" or error.code == "backup-broken":
            return False
        if error.details.get("replaced"):
            return True
        if step.exchange:
            return error.details.get("left", "old") != "old"
        return copies is None or not copies.replaces_at_once

    def _pause(self, step: Step, error: OrchestrateError) -> Outcome | None:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self.work.attempts - 1))
        # Jitter keeps runs on several targets from knocking at the same moment.
        pause = random.uniform(longest / 2, longest)  # noqa: S311  (not a secret)
        self.work.recorder.append(
            "step.retried", step, attempt=self.work.attempts, pause=round(pause, 3)
        )
        self.work.recorder.show(
            "step.retried",
            step,
            {
                "attempt": self.work.attempts,
                "of": self.lock_retries,
                "pause_seconds": round(pause, 1),
                "message": error.message,
                "blockers": error.details.get("blockers") or [],
            },
        )
        self.work.clock.sleep(pause)
        if self.work.interruption.requested:
            return Outcome(
                status="stopped",
                code="interrupted",
                step=step.id,
                message=f"stopped while waiting to try step {step.id} again",
            )
        return None

    def _end(self, outcome: Outcome) -> Outcome:
        for step in self.work.plan.steps:
            if step.id in self.work.ahead:
                self.work.recorder.queue("step.withdrawn", step)
        kind: EventKind = "run.finished" if outcome.status in _ENDED else "run.stopped"
        if not (kind == "run.stopped" and self.work.lease.lost):
            self.work.recorder.queue(
                kind, None, status=outcome.status, code=outcome.code, message=outcome.message
            )
        if self.work.ends is not None and outcome.status == "succeeded":
            # In one write: what that run left is gone, and nobody may go on with it.
            recorder = self.work.recorder
            message = over_by(recorder.run)
            recorder.queue_end_of(self.work.ends, by=this_person(), message=message)
        self.work.recorder.save()
        return outcome


def over_by(run: str) -> str:
    """Return why a run that could not be finished is over."""
    return f"its backup was put back by {run}"


def _stayed(step: Step) -> str:
    """Return that nothing stayed of a step, where that can be said."""
    told = step.action is None and step.kind != "restore"
    return ", of which nothing stayed" if told else ""


def _with_cause(outcome: Outcome, trouble: Trouble | None) -> Outcome:
    """Return a doubt or stop together with the error that led to it."""
    if trouble is None:
        return outcome
    statements, failing, blockers = _facts(trouble.error)
    return replace(
        outcome,
        message=f"{outcome.message}\nThe cause: {trouble.error.message}",
        statements=statements,
        failing=failing,
        where=trouble.error.where,
        blockers=blockers,
        trouble="invalid-index" if outcome.remedies else trouble.error.trouble,
        advice=trouble.error.hint,
        cause=trouble.error,
    )


def _unreadable(trouble: Trouble, unreadable: OrchestrateError) -> Outcome:
    return Outcome(
        status="stopped",
        code=trouble.error.code if trouble.error.code in ON_THE_ROAD else "run-stopped",
        step=trouble.step.id if trouble.step else None,
        message=f"{trouble.error.message}\nThe target could not be read afterwards: "
        f"{unreadable.message}",
        advice=trouble.error.hint if trouble.error.code in ON_THE_ROAD else None,
    )


def _facts(error: OrchestrateError) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    """Return the statements that ran, the failing one and who blocked it, as the agent told."""
    details: Mapping[str, Any] = error.details
    blockers = tuple(
        " ".join(str(cell) for cell in row if cell is not None)
        for row in details.get("blockers") or ()
    )
    return tuple(details.get("statements") or ()), details.get("failing"), blockers
