"""Carrying a plan out, or going on with one: the loop in which every effect of a run is visible.

Fresh runs and resumed ones take the same way: journal and database decide for each step what is
left of it (`leftover`), the agent carries the rest out, and the journal is durable before each act
(`recorder`). The spec is not read here; a step carries all that is needed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from typing import Any, Final

from orchestrate.adapters.agent_process import Message
from orchestrate.clock import Clock
from orchestrate.domain.events import EventKind
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import sha256_text
from orchestrate.planning.staleness import words
from orchestrate.run.explaining import explained_step, recognised
from orchestrate.run.hook_step import run_hook
from orchestrate.run.interruption import Interruption
from orchestrate.run.lease_keeper import LeaseKeeper
from orchestrate.run.leftover import Leftover
from orchestrate.run.recorder import Recorder
from orchestrate.run.session import Session, SessionOpener
from orchestrate.stores.snapshots import snapshot_text

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_ENDED: Final = frozenset({"succeeded", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong inside a step, and what the failing agent could still read afterwards."""

    step: Step | None
    error: OrchestrateError
    heads: tuple[str, ...] | None
    rows: SchemaRows | None
    lock_timeout: bool


@dataclass(slots=True, kw_only=True)
class Execution:
    """One process's work on one run. Make it under the lease, call `carry_out` once."""

    plan: Plan
    leftover: Leftover
    recorder: Recorder
    lease: LeaseKeeper
    open_session: SessionOpener
    clock: Clock
    interruption: Interruption
    lock_retries: int
    _attempts: int = 0
    _ahead: set[str] = field(default_factory=set)
    """Steps recorded as started of which it is not known that the agent began them."""
    _granted: set[str] = field(default_factory=set)
    """Those among them that the agent at work may begin without asking."""
    _next: dict[str, Step] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next = {one.id: step for one, step in pairwise(self.plan.steps)}

    def carry_out(self, session: Session) -> Outcome:
        """Bring the run as far as it goes, journal how it ended, and return that.

        `session` is the agent that observed the target under the lease. After trouble it is thrown
        away and others are opened. Raises only what befell before any step, and
        `state-unavailable`.
        """
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
                after = f"afterwards: {trouble.error.message}" if trouble else ""
                return self._end(Outcome(status="succeeded", message=after))
            if trouble is not None:
                ended = self._give_up(trouble)
                if ended:
                    return self._end(ended)
                session = self.open_session()
            walked = self._carry(session, left)
            if isinstance(walked, Session):
                session, trouble, read_schema = walked, None, walked.snapshot
                heads = session.observation.heads if session.observation else ()
                continue
            if isinstance(walked, Outcome):
                return self._end(walked)
            trouble = walked
            session.kill()
            try:
                session, heads, read_schema = self._look_again(session, trouble)
            except OrchestrateError as unreadable:
                return self._end(_unreadable(trouble, unreadable))

    # --- carrying steps out -------------------------------------------------------------------

    def _carry(self, session: Session, steps: Sequence[Step]) -> Session | Outcome | Trouble:
        """Carry out the steps up to the first one of another kind.

        Returns the agent to go on with where there is such a step.
        """
        kind = steps[0].kind
        if kind == "hook":
            return self._run_hook(session, steps[0])
        block = tuple(takewhile(lambda step: step.kind == kind, steps))
        walked = self._walk(session, block)
        succeeded = isinstance(walked, Outcome) and walked.status == "succeeded"
        if succeeded and len(block) < len(steps):
            session.observe()
            return session
        return walked

    def _run_hook(self, session: Session, step: Step) -> Session | Outcome | Trouble:
        """Run a command of the user's; return the agent that looked at what it left."""
        began = self.clock.now()
        before = Message(
            event="start",
            fields={"heads": session.observe().heads, "snapshot": session.schema_rows()},
        )
        refusal = self._refuse(step, before)
        if refusal:
            return refusal
        self.lease.step = step.id
        self._attempts += 1
        title = {"revision": step.revision, "title": step.title}
        self._record(session, "step.started", step, before, **title)
        self.recorder.show("step.started", step, title)
        try:
            run_hook(step, session.access, self.interruption, run=self.recorder.run)
            # It may have put another file in the place of the one that the agent has open.
            session.kill()
            session = self.open_session()
            heads = session.observation.heads if session.observation else ()
            if heads not in self._left_by(step):
                raise OrchestrateError(
                    "command-failed",
                    f"`{step.title}` left the version table at {words(heads)}",
                    hint="Say so with `baseline: {run: …, stamp: REV}`",
                )
        except OrchestrateError as error:
            session.kill()
            return self._trouble(session, step, error)
        self._attempts = 0
        seconds = (self.clock.now() - began).total_seconds()
        self.recorder.append(
            "step.finished", step, seconds=seconds, heads=list(heads), revision=step.revision
        )
        return session

    def _left_by(self, step: Step) -> set[tuple[str, ...]]:
        """Return the rows that a command may leave: none, or those that are recorded next."""
        following = self.plan.steps[self.plan.steps.index(step) + 1 :][:1]
        return {step.to_heads, *(one.to_heads for one in following if one.kind == "stamp")}

    def _walk(self, session: Session, steps: Sequence[Step]) -> Outcome | Trouble:
        """Have the agent carry the steps out; the journal is durable before each of them."""
        by_id = {step.id: step for step in steps}
        running: Step | None = None
        stopping: Outcome | None = None
        self._granted.clear()
        try:
            for message in session.run(
                steps,
                mode=self.plan.mode,
                snapshots=any(not step.transactional for step in steps),
            ):
                step = by_id.get(message.fields.get("step", ""))
                match message.event:
                    case "start" if step:
                        running = step
                        stopping = self._refuse(step, message)
                        if stopping is None:
                            self._begin(session, step, message)
                            continue
                        session.stop()
                        if step.id not in self._granted:
                            break
                        # It may have begun before it heard that: what it says next tells.
                    case "leaving-transaction" if step:
                        self._record(session, "step.left-transaction", step, message)
                        session.go()
                    case "committed" if step:
                        self._committed(session, step, message)
                        running = stopping = None
                    case "statement" | "waiting" | "phase" | "alive":
                        self.recorder.show(f"step.{message.event}", step, message.fields)
                    case _:
                        pass
            self.recorder.save()
            return stopping or self._walked(steps)
        except OrchestrateError as error:
            if error.code == "state-unavailable":
                session.kill()
                raise
            self.recorder.save()
            return self._trouble(session, running, error)

    def _walked(self, steps: Sequence[Step]) -> Outcome | Trouble:
        records = self.recorder.records
        left = [
            one for one in steps if one.id not in records or records[one.id].status != "finished"
        ]
        if not left:
            return Outcome(status="succeeded")
        error = OrchestrateError("agent-failed", "The agent ended the run before its last step")
        return Trouble(step=left[0], error=error, heads=None, rows=None, lock_timeout=False)

    def _refuse(self, step: Step, message: Message) -> Outcome | None:
        """Return why the next step is not begun, at the only safe point there is."""
        found = tuple(sorted(message.fields["heads"]))
        if self.interruption.requested:
            return Outcome(
                status="stopped",
                code="interrupted",
                step=step.id,
                message=f"stopped before step {step.id}; everything up to it is committed",
            )
        if self.lease.lost:
            return Outcome(
                status="stopped",
                code="run-stopped",
                step=step.id,
                message=f"the lease was lost before step {step.id}: another run may be at work",
            )
        if found != tuple(sorted(step.from_heads)):
            return Outcome(
                status="stopped",
                code="target-moved",
                step=step.id,
                message=f"step {step.id} expects {words(step.from_heads)} and found {words(found)}",
            )
        return None

    def _begin(self, session: Session, step: Step, message: Message) -> None:
        """Let the agent begin a step that is durably recorded as started.

        The next step is recorded, and then granted, while this one works, so that the agent waits
        neither for the disk nor for us: a step that the server undoes costs nothing when it turns
        out not to have begun. One that stays is never recorded ahead, because the schema just
        before it belongs to the record.
        """
        self.lease.step = step.id
        self._attempts += 1
        title = {"revision": step.revision, "title": step.title}
        if step.id not in self._ahead:
            self._record(session, "step.started", step, message, **title)
        if step.id not in self._granted:
            session.go()
        self._ahead.discard(step.id)
        following = self._following(step)
        if following is not None and message.fields.get("snapshot") is None:
            self.recorder.queue(
                "step.started", following, revision=following.revision, title=following.title
            )
            self._ahead.add(following.id)
        self.recorder.save()
        if following is not None and following.id in self._ahead and not self.lease.lost:
            session.go(ahead=following)
            self._granted.add(following.id)
        self.recorder.show("step.started", step, title)

    def _following(self, step: Step) -> Step | None:
        """Return the step after this one if it may be recorded ahead."""
        following = self._next.get(step.id)
        if following is None or following.id in self._ahead or not following.transactional:
            return None
        # Another kind is another request to the agent, or none.
        return following if following.kind == step.kind else None

    def _record(
        self, session: Session, kind: EventKind, step: Step, message: Message, **data: object
    ) -> None:
        """Make an event durable together with the schema as it was before the step."""
        rows = message.fields.get("snapshot")
        # No row at all comes from a server whose schema cannot be read: that proves nothing.
        texts = [] if not rows else [snapshot_text(session.snapshot_of(rows))]
        snapshot = {"snapshot": sha256_text(texts[0])} if texts else {}
        self.recorder.queue(kind, step, **data, **snapshot)
        self.recorder.save(texts)

    def _committed(self, session: Session, step: Step, message: Message) -> None:
        found = tuple(sorted(message.fields["heads"]))
        if found != tuple(sorted(step.to_heads)):
            raise OrchestrateError(
                "not-committed",
                f"step {step.id} should leave the database at {words(step.to_heads)} and a "
                f"connection of our own sees {words(found)}",
            )
        self._attempts = 0
        self._ahead.discard(step.id)
        # Becomes durable together with the next step's start, in one write: until then the
        # database itself is the proof, and resume reads it there.
        self.recorder.queue(
            "step.finished",
            step,
            seconds=message.fields["seconds"],
            statements=message.fields["statements"],
            heads=list(found),
            revision=step.revision,
            file_sha256=step.file_sha256,
            direction=step.kind,
            environment=self.plan.environment,
            **self._unusable(session, step, message),
        )

    def _unusable(self, session: Session, step: Step, message: Message) -> dict[str, list[str]]:
        """Return what the server will not use after a step that could not be taken back.

        `CREATE INDEX CONCURRENTLY IF NOT EXISTS` finds what a failed build left and is content.
        """
        rows = message.fields.get("snapshot")
        record = self.recorder.records.get(step.id)
        if rows is None or (step.transactional and not (record and record.left_transaction)):
            return {}
        found = session.access.dialect.invalid_objects(session.snapshot_of(rows))
        return {"unusable": list(found)} if found else {}

    # --- trouble ------------------------------------------------------------------------------

    def _trouble(self, session: Session, step: Step | None, error: OrchestrateError) -> Trouble:
        details: Mapping[str, Any] = error.details
        heads = details.get("heads")
        if step is not None:
            self._ahead.discard(step.id)
            self.recorder.append(
                "step.failed",
                step,
                code=error.code,
                message=error.message,
                statements=list(details.get("statements") or ()),
                failing=details.get("failing"),
                blockers=details.get("blockers"),
            )
        dialect = session.access.dialect
        known = recognised(error, dialect)
        told = error
        if step is not None:
            told = explained_step(error, step, dialect, environment=self.plan.environment)
        return Trouble(
            step=step,
            error=told,
            heads=None if heads is None else tuple(sorted(heads)),
            rows=details.get("snapshot"),
            lock_timeout=known is not None and known.trouble == "lock-timeout",
        )

    def _look_again(
        self, session: Session, trouble: Trouble
    ) -> tuple[Session, tuple[str, ...], Callable[[], Snapshot]]:
        """Return how the target is after trouble; asks a new agent where the old one could not."""
        rows, old = trouble.rows, session
        if trouble.heads is not None:
            if rows is None:
                return session, trouble.heads, self._schema_now
            return session, trouble.heads, lambda: old.snapshot_of(rows)
        fresh = self.open_session()
        observation = fresh.observation or fresh.observe()
        return fresh, observation.heads, fresh.snapshot

    def _schema_now(self) -> Snapshot:
        with self.open_session() as fresh:
            return fresh.snapshot()

    def _give_up(self, trouble: Trouble) -> Outcome | None:
        """Return how the run ends after clean trouble, or None after the pause before a retry."""
        error, step = trouble.error, trouble.step
        if error.code == "agent-failed" and self.interruption.requested:
            return Outcome(
                status="stopped",
                code="interrupted",
                step=step.id if step else None,
                message="ended in the middle of "
                + (f"step {step.id}, of which nothing stayed" if step else "the run"),
            )
        if error.code == "agent-failed" or step is None:
            return Outcome(
                status="stopped",
                code=error.code if step is None else "run-stopped",
                step=step.id if step else None,
                message=error.message,
                advice=error.hint,
                cause=error,
            )
        statements, failing, blockers = _facts(error)
        if not trouble.lock_timeout:
            return Outcome(
                status="failed",
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
        if self._attempts > self.lock_retries:
            return Outcome(
                status="failed",
                code="lock-timeout",
                step=step.id,
                message=f"{error.message} ({self._attempts} attempts)",
                failing=failing,
                where=error.where,
                blockers=blockers,
                cause=error,
            )
        return self._pause(step, error)

    def _pause(self, step: Step, error: OrchestrateError) -> Outcome | None:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._attempts - 1))
        # Jitter keeps runs on several targets from knocking at the same moment.
        pause = random.uniform(longest / 2, longest)  # noqa: S311  (not a secret)
        self.recorder.append("step.retried", step, attempt=self._attempts, pause=round(pause, 3))
        self.recorder.show(
            "step.retried",
            step,
            {
                "attempt": self._attempts,
                "of": self.lock_retries,
                "pause_seconds": round(pause, 1),
                "message": error.message,
                "blockers": error.details.get("blockers") or [],
            },
        )
        self.clock.sleep(pause)
        if self.interruption.requested:
            return Outcome(
                status="stopped",
                code="interrupted",
                step=step.id,
                message=f"stopped while waiting to try step {step.id} again",
            )
        return None

    def _end(self, outcome: Outcome) -> Outcome:
        for step in self.plan.steps:
            if step.id in self._ahead:
                self.recorder.queue("step.withdrawn", step)
        kind: EventKind = "run.finished" if outcome.status in _ENDED else "run.stopped"
        if not (kind == "run.stopped" and self.lease.lost):
            self.recorder.queue(
                kind, None, status=outcome.status, code=outcome.code, message=outcome.message
            )
        self.recorder.save()
        return outcome


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
        code="run-stopped",
        step=trouble.step.id if trouble.step else None,
        message=f"{trouble.error.message}\nThe target could not be read afterwards: "
        f"{unreadable.message}",
    )


def _facts(error: OrchestrateError) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    """Return the statements that ran, the failing one and who blocked it, as the agent told."""
    details: Mapping[str, Any] = error.details
    blockers = tuple(
        " ".join(str(cell) for cell in row if cell is not None)
        for row in details.get("blockers") or ()
    )
    return tuple(details.get("statements") or ()), details.get("failing"), blockers
