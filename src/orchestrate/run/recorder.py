"""A run's way into the journal: what is queued becomes durable in one write, then it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Literal

from orchestrate.clock import Clock
from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.domain.plan import Step
from orchestrate.domain.snapshot import Snapshot
from orchestrate.planning.digests import sha256_text
from orchestrate.planning.run_state import StepState, advance_step
from orchestrate.stores.snapshots import snapshot_text
from orchestrate.stores.state import StateStore
from orchestrate.values import dataclass

Moment = Literal["before", "within", "after"]
"""Before the first step of a run, after a hook of it that changed the schema, after its last."""

View = Callable[[dict[str, Any]], None]
"""Where progress goes: one event at a time, by the names of design section 5."""

_ENVELOPE: Final = frozenset({"id", "event", "step"})
"""Fields of the agent's messages that are not news."""
_SHOWN: Final = frozenset({"step.finished", "step.failed", "step.marked"})


@dataclass(slots=True, kw_only=True)
class Recorder:
    """The journal of one run, and the records of its steps as they follow from it."""

    state: StateStore
    run: str
    records: dict[str, StepState]
    view: View
    clock: Clock
    schemas: set[Moment] = field(default_factory=set)
    """Of which moments the whole schema was noted."""
    begun: bool = False
    """Whether a step was begun by this process."""
    _queued: list[NewEvent] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    """Snapshots that what is queued refers to."""

    def queue(self, kind: EventKind, step: Step | None, **data: object) -> None:
        """Have an event written together with the next ones that are saved."""
        self._queued.append(
            NewEvent(
                kind=kind,
                at=self.clock.now(),
                run=self.run,
                step=step.id if step else None,
                data=data,
            )
        )

    def queue_end_of(self, run: str, **data: object) -> None:
        """Have it written with the next events that another run is over."""
        now = self.clock.now()
        self._queued.append(NewEvent(kind="run.aborted", at=now, run=run, step=None, data=data))

    def note_schema(
        self, when: Moment, heads: Sequence[str], snapshot: Snapshot, rows: str | None = None
    ) -> None:
        """Have the whole schema written with the next events, as it is at an end of the run.

        `rows` is the digest of what it was made of: by it, a schema that has not changed is known
        for the same without being taken apart.
        """
        text = snapshot_text(snapshot)
        self._texts.append(text)
        self.schemas.add(when)
        found = {"rows": rows} if rows and not snapshot.hidden else {}
        self.queue(
            "run.schema", None, when=when, heads=list(heads), snapshot=sha256_text(text), **found
        )

    def save(self, snapshots: Sequence[str] = ()) -> None:
        """Make what is queued durable, in one write, then fold and show it.

        Raises `state-unavailable`; what was queued is then lost, as after a crash, and resume finds
        it in the database.
        """
        events, self._queued = self._queued, []
        texts, self._texts = [*self._texts, *snapshots], []
        if not events:
            return
        for event in self.state.append(events, snapshots=texts):
            self.begun = self.begun or event.kind == "step.started"
            if event.step is not None:
                record = advance_step(self.records.get(event.step), event)
                if record is not None:
                    self.records[event.step] = record
                else:
                    self.records.pop(event.step, None)
            if event.kind in _SHOWN:
                told = {"event": event.kind, "at": event.at.isoformat(), "run": self.run}
                self.view({**told, "step": event.step, **event.data})

    def append(self, kind: EventKind, step: Step | None, **data: object) -> None:
        """Make an event durable, with what is queued before it."""
        self.queue(kind, step, **data)
        self.save()

    def show(self, name: str, step: Step | None, data: Mapping[str, Any]) -> None:
        """Show something that is no part of the journal."""
        self.view(
            {
                "event": name,
                "at": self.clock.now().isoformat(),
                "run": self.run,
                "step": step.id if step else None,
                **{key: value for key, value in data.items() if key not in _ENVELOPE},
            }
        )
