"""Which content of a revision ran where and when, as the journal's events tell it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.plan import Step
from orchestrate.values import dataclass

KINDS: Final[tuple[EventKind, ...]] = (
    "run.started",
    "run.finished",
    "step.finished",
    "step.marked",
)
"""Events that deeds are folded from."""
_MOVING: Final = frozenset({"upgrade", "downgrade"})

Within = Callable[[Collection[str]], Collection[str]]
"""Which revisions are applied when these are the rows of the version table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """The latest that was done with a revision in one environment."""

    revision: str
    sha256: str
    """Of the file as it was then."""
    run: str
    at: datetime
    applied: bool
    """False where it was undone, or a copy from before it was put back."""
    proven_at: datetime | None = None
    """When a run first succeeded, its checks included, with the revision in place."""


Deeds = Mapping[str, Mapping[str, Deed]]
"""By environment and revision."""


def content_of(step: Step, environment: str) -> dict[str, object]:
    """Return what the record of a finished step says of the revisions that it carried out."""
    if step.kind not in _MOVING:
        return {}
    parts = {part.revision: part.file_sha256 for part in step.parts}
    return {
        "file_sha256": step.file_sha256,
        "direction": step.kind,
        "environment": environment,
        **({"parts": parts} if parts else {}),
    }


def deeds(events: Iterable[Event], within: Within) -> Deeds:
    """Return what became of each revision in each environment, by events of `KINDS` in order."""
    environments: dict[str, str] = {}
    checking: set[str] = set()
    found: dict[str, _Done] = {}
    for event in events:
        data: Mapping[str, Any] = event.data
        if event.run is None:
            continue
        if event.kind == "run.started":
            environments[event.run] = data["environment"]
            if data["direction"] == "upgrade":
                checking.add(event.run)
            continue
        done = found.setdefault(environments.get(event.run, ""), _Done())
        if event.kind == "run.finished":
            # The checks are those of an upgrade: a way back that succeeds proves nothing.
            if data["status"] == "succeeded" and event.run in checking:
                done.prove(event.at)
        elif data.get("direction") in _MOVING:
            done.move(event)
        elif data.get("restored"):
            done.put_back(within(data["heads"]))
    return {environment: done.deeds() for environment, done in found.items()}


@dataclass(slots=True)
class _Done:
    """What was done in one environment so far. A journal has many events for each deed."""

    latest: dict[str, tuple[str, Event]] = field(default_factory=dict)
    """By revision: its file's hash then, and what tells of it."""
    applied: set[str] = field(default_factory=set)
    unproven: set[str] = field(default_factory=set)
    """Those of the applied that no run has succeeded with."""
    proven: dict[str, datetime] = field(default_factory=dict)

    def move(self, event: Event) -> None:
        data: Mapping[str, Any] = event.data
        contents = data.get("parts") or {data.get("revision"): data["file_sha256"]}
        for revision, sha256 in contents.items():
            self.latest[revision] = (sha256, event)
            self.proven.pop(revision, None)
        if data["direction"] == "upgrade":
            self.applied.update(contents)
            self.unproven.update(contents)
        else:
            self.applied.difference_update(contents)
            self.unproven.difference_update(contents)

    def prove(self, at: datetime) -> None:
        self.proven.update(dict.fromkeys(self.unproven, at))
        self.unproven.clear()

    def put_back(self, left: Collection[str]) -> None:
        self.applied.intersection_update(left)
        self.unproven.intersection_update(left)

    def deeds(self) -> dict[str, Deed]:
        return {
            revision: Deed(
                revision=revision,
                sha256=sha256,
                run=event.run or "",
                at=event.at,
                applied=revision in self.applied,
                proven_at=self.proven.get(revision),
            )
            for revision, (sha256, event) in self.latest.items()
        }


def last_stamp(events: Iterable[Event], environment: str) -> datetime | None:
    """Return when an environment was last said to be somewhere, without running anything.

    `events` are those that deeds are folded from.
    """
    stamping: set[str | None] = set()
    found = None
    for event in events:
        data: Mapping[str, Any] = event.data
        if event.kind == "run.started" and data["direction"] == "stamp":
            if data["environment"] == environment:
                stamping.add(event.run)
        elif event.kind == "run.finished" and event.run in stamping:
            found = event.at if data["status"] == "succeeded" else found
    return found
