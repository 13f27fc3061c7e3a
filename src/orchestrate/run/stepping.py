"""What the carriers of all kinds of steps share of a run: what stops one, what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final, Protocol

from orchestrate.clock import Clock
from orchestrate.domain.events import EventKind
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan, Step, StepKind
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import sha256_text
from orchestrate.planning.staleness import words
from orchestrate.planning.touched_tables import SizesByName
from orchestrate.run.explaining import (
    ON_THE_ROAD,
    explained,
    explained_step,
    on_the_road,
    recognised,
)
from orchestrate.run.interruption import Interruption
from orchestrate.run.lease_keeper import LeaseKeeper
from orchestrate.run.recorder import Recorder
from orchestrate.run.scratch import ScratchPlace
from orchestrate.run.session import Session, SessionOpener
from orchestrate.stores.snapshots import snapshot_text
from orchestrate.values import dataclass

_MOVING: Final[frozenset[StepKind]] = frozenset({"upgrade", "downgrade", "stamp"})
"""What moves the version table: these alone may be begun again by themselves after a lock timeout,
and the words for a revision's troubles are for them. A program may print whatever it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong inside a step, and what the failing agent could still read afterwards."""

    step: Step | None
    error: OrchestrateError
    heads: tuple[str, ...] | None
    rows: SchemaRows | None
    lock_timeout: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """All steps of a block are committed and recorded, or will be with the next write."""

    session: Session
    """The agent to go on with."""
    heads: tuple[str, ...]
    """The rows of the version table now."""


class Carrier(Protocol):
    """What carries out the steps of one kind."""

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Carry out a block of steps of one kind, or its beginning.

        The journal is durable before each of them. An agent that it opened itself is ended before
        it returns trouble; the one that it was given may have been.
        """


@dataclass(slots=True, kw_only=True)
class Work:
    """One process's work on one run, as far as it concerns a single step."""

    plan: Plan
    recorder: Recorder
    lease: LeaseKeeper
    open_session: SessionOpener
    clock: Clock
    interruption: Interruption
    scratch: ScratchPlace
    """Where the target's scratch databases are made."""
    gate: Callable[[Step], Outcome | None]
    """Why a step may not begin at this moment: a window that closes."""
    replay: Callable[[tuple[str, ...]], Snapshot]
    """The schema that the project's own revisions make of an empty database, by its rows."""
    ends: str | None = None
    """The unfinished run that is over when this one has succeeded."""
    sizes: SizesByName = field(default_factory=dict)
    """How large the target's tables were when this process began, where that is known."""
    attempts: int = 0
    """How often the step that is at work has been begun."""
    ahead: set[str] = field(default_factory=set)
    """Steps recorded as started of which it is not known that the agent began them."""
    left: tuple[tuple[str, ...], SchemaRows] | None = None
    """The rows of the version table and the schema that the last step left, where it told."""
    remarks: list[str] = field(default_factory=list)
    """What is to be said of a run that succeeds all the same."""

    def refusal(self, step: Step, heads: Sequence[str]) -> Outcome | None:
        """Return why the next step is not begun, at the only safe point there is."""
        found = tuple(sorted(heads))
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
        # A window keeps changes out; a comparison only looks, and somebody waits for it.
        return None if step.kind == "verify" else self.gate(step)

    def record(
        self,
        session: Session,
        kind: EventKind,
        step: Step,
        rows: SchemaRows | None,
        **data: object,
    ) -> None:
        """Make an event durable together with the schema as it was before the step."""
        # No row at all comes from a server whose schema cannot be read: that proves nothing.
        texts = [] if not rows else [snapshot_text(session.snapshot_of(rows))]
        if texts:
            # With its rows: a way back to them is compared with this.
            data = {**data, "snapshot": sha256_text(texts[0]), "heads": list(step.from_heads)}
        self.recorder.queue(kind, step, **data)
        self.recorder.save(texts)

    def begin(self, step: Step) -> None:
        """Make it durable that a step begins, and show it."""
        self.lease.step = step.id
        title = {"revision": step.revision, "title": step.title, "step_kind": step.kind}
        self.recorder.append("step.started", step, **title)
        self.recorder.show("step.started", step, title)

    def finish(self, step: Step, began: datetime, heads: Sequence[str], **data: object) -> None:
        """Make it durable that a step which began at that moment is done."""
        seconds = (self.clock.now() - began).total_seconds()
        self.recorder.append(
            "step.finished",
            step,
            seconds=seconds,
            heads=list(heads),
            revision=step.revision,
            **data,
        )

    def trouble(
        self, session: Session, step: Step | None, error: OrchestrateError, *, failed: bool = True
    ) -> Trouble:
        """Record that a step failed and return what is known of it.

        Not `failed` is one that was begun and of whose end nobody knows: its record stays.
        """
        error = on_the_road(error, session.access)
        details: Mapping[str, Any] = error.details
        heads = details.get("heads")
        if step is not None and failed:
            self.ahead.discard(step.id)
            self.recorder.append(
                "step.failed",
                step,
                code=error.code,
                message=error.message,
                statements=list(details.get("statements") or ()),
                failing=details.get("failing"),
                blockers=details.get("blockers"),
                **({"output": details["output"]} if details.get("output") else {}),
            )
        dialect = session.access.dialect
        known = recognised(error, dialect)
        told = error
        moves = step is not None and step.kind in _MOVING
        if step is None:
            told = explained(error, session.access)
        elif moves and error.code not in ON_THE_ROAD:
            told = explained_step(error, step, dialect, environment=self.plan.environment)
        return Trouble(
            step=step,
            error=told,
            heads=None if heads is None else tuple(sorted(heads)),
            rows=details.get("snapshot"),
            # Of a revision alone nothing stayed, unless it is known that something did.
            lock_timeout=moves
            and known is not None
            and known.trouble == "lock-timeout"
            and not self._rows_committed(step),
        )

    def _rows_committed(self, step: Step | None) -> bool:
        record = self.recorder.records.get(step.id) if step is not None else None
        return record is not None and bool(record.rows_committed)
