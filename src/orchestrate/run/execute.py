"""Carrying a plan out, or going on with one: the loop in which every effect of a run is visible.

Fresh runs and resumed ones take the same way: journal and database decide for each step what is
left of it (`planning.resume`), the agent carries the rest out, and the journal is durable before
each act. The spec is not read here; a step carries all that is needed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, assert_never

from orchestrate.adapters.agent_process import Message
from orchestrate.clock import Clock
from orchestrate.dialects.difference import compare
from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.digests import sha256_text
from orchestrate.planning.resume import (
    Carry,
    Compare,
    Doubt,
    RecordFinished,
    Skip,
    Stop,
    after_comparing,
    decide,
)
from orchestrate.planning.run_state import StepState, advance_step
from orchestrate.planning.staleness import changed_files, words
from orchestrate.run.interruption import Interruption
from orchestrate.run.lease_keeper import LeaseKeeper
from orchestrate.run.session import Session, SessionOpener
from orchestrate.stores.snapshots import snapshot_from_text, snapshot_text
from orchestrate.stores.state import StateStore

View = Callable[[dict[str, Any]], None]
"""Where progress goes: one event at a time, by the names of design section 5."""

Choice = Literal["retry", "mark-applied"]

_ENVELOPE: Final = frozenset({"id", "event", "step"})
"""Fields of the agent's messages that are not news."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


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
    run: str
    records: dict[str, StepState]
    chain: Chain
    state: StateStore
    lease: LeaseKeeper
    open_session: SessionOpener
    view: View
    clock: Clock
    interruption: Interruption
    lock_retries: int
    choice: Choice | None = None
    """What a person decided about a step in doubt; used up by the first such step."""
    _unsaved: list[NewEvent] = field(default_factory=list)
    _attempts: int = 0

    def carry_out(self, session: Session) -> Outcome:
        """Bring the run as far as it goes, journal how it ended, and return that.

        `session` is the agent that observed the target under the lease. After trouble it is thrown
        away and others are opened. Raises only what befell before any step, and `state-unavailable`.
        """
        observation = session.observation
        heads = observation.heads if observation else ()
        read_schema: Callable[[], Snapshot] = session.snapshot
        trouble: Trouble | None = None
        while True:
            verdict = self._what_is_left(session, heads, read_schema)
            if isinstance(verdict, Outcome):
                return self._end(_with_cause(verdict, trouble))
            if not verdict:
                # Everything is committed; what env.py did after its last revision failed.
                after = f"afterwards: {trouble.error.message}" if trouble else ""
                return self._end(Outcome(status="succeeded", message=after))
            if trouble is not None and (ended := self._give_up(trouble)):
                return self._end(ended)
            if trouble is not None:
                session = self.open_session()
                session.observe()
            walked = self._walk(session, verdict)
            if isinstance(walked, Outcome):
                return self._end(walked)
            trouble = walked
            session.kill()
            try:
                session, heads, read_schema = self._look_again(session, trouble)
            except OrchestrateError as unreadable:
                return self._end(_unreadable(trouble, unreadable))

    # --- what is left -------------------------------------------------------------------------

    def _what_is_left(
        self, session: Session, heads: tuple[str, ...], read_schema: Callable[[], Snapshot]
    ) -> tuple[Step, ...] | Outcome:
        """Return the steps still to run, after recording what turned out to be done already."""
        for number, step in enumerate(self.plan.steps):
            record = self.records.get(step.id)
            decision = decide(step, record, heads, changed=changed_files(step, self.chain))
            match decision:
                case Skip():
                    continue
                case RecordFinished():
                    self._append("step.finished", step, recovered=True, heads=list(heads))
                case Stop(code=code, message=message):
                    return Outcome(status="stopped", code=code, message=message, step=step.id)
                case Carry():
                    return _rest(self.plan.steps[number:], heads)
                case Compare():
                    doubt = self._compare(step, record, read_schema)
                    if doubt is None:
                        return _rest(self.plan.steps[number:], heads)
                    if self.choice is None:
                        return doubt
                    if self._take_choice() == "retry":
                        return _rest(self.plan.steps[number:], heads)
                    heads = session.mark(step, direction=self.plan.direction)
                    self._append("step.marked", step, heads=list(heads))
                case _:
                    assert_never(decision)
        return ()

    def _take_choice(self) -> Choice | None:
        choice, self.choice = self.choice, None
        return choice

    def _compare(
        self, step: Step, record: StepState | None, read_schema: Callable[[], Snapshot]
    ) -> Outcome | None:
        """Return the doubt, or None where the schema is as it was before the step."""
        digest = record.snapshot if record else None
        if digest is None:
            return Outcome(
                status="in-doubt",
                code="in-doubt",
                step=step.id,
                message=f"step {step.id} was begun outside a transaction and the schema before it "
                "was not recorded, so what it left cannot be told",
            )
        before = snapshot_from_text(self.state.load_snapshot(digest))
        match after_comparing(compare(before, read_schema())):
            case Doubt(differences=differences):
                return Outcome(
                    status="in-doubt",
                    code="in-doubt",
                    step=step.id,
                    message=f"step {step.id} is half applied: the version table still says "
                    f"{words(step.from_heads)}, the schema has changed",
                    differences=differences,
                )
            case _:
                return None

    # --- carrying steps out -------------------------------------------------------------------

    def _walk(self, session: Session, steps: Sequence[Step]) -> Outcome | Trouble:
        """Have the agent carry the steps out; the journal is durable before each of them."""
        by_id = {step.id: step for step in steps}
        running: Step | None = None
        try:
            for message in session.run(
                steps,
                direction=self.plan.direction,
                mode=self.plan.mode,
                snapshots=any(not step.transactional for step in steps),
            ):
                step = by_id.get(message.fields.get("step", ""))
                match message.event:
                    case "start" if step:
                        refusal = self._refuse(step, message)
                        if refusal:
                            session.stop()
                            self._save()
                            return refusal
                        running = step
                        self._begin(session, step, message)
                        session.go()
                    case "leaving-transaction" if step:
                        self._left_transaction(session, step, message)
                        session.go()
                    case "committed" if step:
                        self._committed(step, message)
                        running = None
                    case "statement" | "waiting" | "phase" | "alive":
                        self.view(self._event(f"step.{message.event}", step, message.fields))
                    case _:
                        pass
            self._save()
            return self._walked(steps)
        except OrchestrateError as error:
            if error.code == "state-unavailable":
                session.kill()
                raise
            self._save()
            return self._trouble(session, running, error)

    def _walked(self, steps: Sequence[Step]) -> Outcome | Trouble:
        left = [step for step in steps if self.records[step.id].status != "finished"]
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
                message=f"Interrupted before step {step.id}; everything up to it is committed",
            )
        if self.lease.lost:
            return Outcome(
                status="stopped",
                code="run-stopped",
                step=step.id,
                message=f"The lease was lost before step {step.id}: another run may be at work",
            )
        if found != tuple(sorted(step.from_heads)):
            return Outcome(
                status="stopped",
                code="target-moved",
                step=step.id,
                message=f"Step {step.id} expects {words(step.from_heads)} and found {words(found)}",
            )
        return None

    def _begin(self, session: Session, step: Step, message: Message) -> None:
        self.lease.step = step.id
        self._attempts += 1
        rows = message.fields.get("snapshot")
        texts = [snapshot_text(session.snapshot_of(rows))] if rows is not None else []
        self._queue(
            "step.started",
            step,
            revision=step.revision,
            title=step.title,
            **({"snapshot": sha256_text(texts[0])} if texts else {}),
        )
        self._save(texts)

    def _left_transaction(self, session: Session, step: Step, message: Message) -> None:
        rows = message.fields.get("snapshot")
        texts = [snapshot_text(session.snapshot_of(rows))] if rows is not None else []
        self._queue(
            "step.left-transaction", step, **({"snapshot": sha256_text(texts[0])} if texts else {})
        )
        self._save(texts)

    def _committed(self, step: Step, message: Message) -> None:
        found = tuple(sorted(message.fields["heads"]))
        if found != tuple(sorted(step.to_heads)):
            raise OrchestrateError(
                "not-committed",
                f"Step {step.id} should leave the database at {words(step.to_heads)} and a "
                f"connection of our own sees {words(found)}",
            )
        self._attempts = 0
        # Becomes durable together with the next step's start, in one write: until then the
        # database itself is the proof, and resume reads it there.
        self._queue(
            "step.finished",
            step,
            seconds=message.fields["seconds"],
            statements=message.fields["statements"],
            heads=list(found),
            revision=step.revision,
            file_sha256=step.file_sha256,
            direction=self.plan.direction,
            environment=self.plan.environment,
        )

    # --- trouble ------------------------------------------------------------------------------

    def _trouble(self, session: Session, step: Step | None, error: OrchestrateError) -> Trouble:
        details: Mapping[str, Any] = error.details
        heads = details.get("heads")
        rows = details.get("snapshot")
        lock_timeout = session.access.dialect.is_lock_timeout(
            details.get("sqlstate"), error.message
        )
        if step is not None:
            self._append(
                "step.failed",
                step,
                code=error.code,
                message=error.message,
                statements=list(details.get("statements") or ()),
                failing=details.get("failing"),
                blockers=details.get("blockers"),
            )
        return Trouble(
            step=step,
            error=error,
            heads=None if heads is None else tuple(sorted(heads)),
            rows=rows,
            lock_timeout=lock_timeout,
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
        return fresh, fresh.observe().heads, fresh.snapshot

    def _schema_now(self) -> Snapshot:
        with self.open_session() as fresh:
            fresh.observe()
            return fresh.snapshot()

    def _give_up(self, trouble: Trouble) -> Outcome | None:
        """Return how the run ends after clean trouble, or None after the pause before a retry."""
        error, step = trouble.error, trouble.step
        name = step.id if step else "the first step"
        if error.code == "agent-failed" or step is None:
            return Outcome(
                status="stopped",
                code=error.code if step is None else "run-stopped",
                step=step.id if step else None,
                message=error.message,
            )
        statements, failing, blockers = _facts(error)
        if not trouble.lock_timeout:
            return Outcome(
                status="failed",
                code=error.code,
                step=name,
                message=error.message,
                statements=statements,
                failing=failing,
            )
        if self._attempts > self.lock_retries:
            return Outcome(
                status="failed",
                code="lock-timeout",
                step=name,
                message=f"{error.message} ({self._attempts} attempts)",
                failing=failing,
                blockers=blockers,
            )
        return self._pause(step, error)

    def _pause(self, step: Step, error: OrchestrateError) -> Outcome | None:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._attempts - 1))
        # Full jitter keeps runs on several targets from knocking at the same moment.
        pause = random.uniform(longest / 2, longest)  # noqa: S311  (not a secret)
        self._append("step.retried", step, attempt=self._attempts, pause=round(pause, 3))
        self.view(
            self._event(
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
        )
        self.clock.sleep(pause)
        if self.interruption.requested:
            return Outcome(
                status="stopped",
                code="interrupted",
                step=step.id,
                message=f"Interrupted while waiting to try step {step.id} again",
            )
        return None

    # --- the journal --------------------------------------------------------------------------

    def _end(self, outcome: Outcome) -> Outcome:
        kind: EventKind = (
            "run.finished" if outcome.status in {"succeeded", "failed"} else "run.stopped"
        )
        if not (kind == "run.stopped" and self.lease.lost):
            self._queue(
                kind, None, status=outcome.status, code=outcome.code, message=outcome.message
            )
        self._save()
        return outcome

    def _append(self, kind: EventKind, step: Step | None, **data: object) -> None:
        self._queue(kind, step, **data)
        self._save()

    def _queue(self, kind: EventKind, step: Step | None, **data: object) -> None:
        self._unsaved.append(
            NewEvent(
                kind=kind,
                at=self.clock.now(),
                run=self.run,
                step=step.id if step else None,
                data=data,
            )
        )

    def _save(self, snapshots: Sequence[str] = ()) -> None:
        """Make what is queued durable, in one write, then fold and show it."""
        events, self._unsaved = self._unsaved, []
        if not events:
            return
        for event in self.state.append(events, snapshots=snapshots):
            if event.step is not None:
                record = advance_step(self.records.get(event.step), event)
                if record is not None:
                    self.records[event.step] = record
            if event.kind in {"step.started", "step.finished", "step.failed", "step.marked"}:
                self.view(
                    {
                        "event": event.kind,
                        "at": event.at.isoformat(),
                        "run": self.run,
                        "step": event.step,
                        **event.data,
                    }
                )

    def _event(self, name: str, step: Step | None, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "event": name,
            "at": self.clock.now().isoformat(),
            "run": self.run,
            "step": step.id if step else None,
            **{key: value for key, value in data.items() if key not in _ENVELOPE},
        }


def _rest(steps: tuple[Step, ...], heads: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the steps to run; of a `native` one that env.py did in part, what is left of it."""
    first = steps[0]
    for number, part in enumerate(first.parts):
        if sorted(part.to_heads) == sorted(heads):
            left = first.parts[number + 1 :]
            rest = replace(first, parts=left, from_heads=heads)
            return (rest, *steps[1:])
    return steps


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
        blockers=blockers,
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
