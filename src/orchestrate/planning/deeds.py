"""Which content of a revision ran where and when, as the journal's events tell it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.plan import Step

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
    found: dict[str, dict[str, Deed]] = {}
    for event in events:
        data: Mapping[str, Any] = event.data
        if event.run is None:
            continue
        if event.kind == "run.started":
            environments[event.run] = data["environment"]
            if data["direction"] == "upgrade":
                checking.add(event.run)
            continue
        here = found.setdefault(environments.get(event.run, ""), {})
        if event.kind == "run.finished":
            # The checks are those of an upgrade: a way back that succeeds proves nothing.
            if data["status"] == "succeeded" and event.run in checking:
                _prove(here, event.at)
        elif data.get("direction") in _MOVING:
            contents = data.get("parts") or {data.get("revision"): data["file_sha256"]}
            for revision, sha256 in contents.items():
                here[revision] = Deed(
                    revision=revision,
                    sha256=sha256,
                    run=event.run,
                    at=event.at,
                    applied=data["direction"] == "upgrade",
                )
        elif data.get("restored"):
            _put_back(here, within(data["heads"]))
    return found


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


def _prove(here: dict[str, Deed], at: datetime) -> None:
    for revision, deed in here.items():
        if deed.applied and deed.proven_at is None:
            here[revision] = replace(deed, proven_at=at)


def _put_back(here: dict[str, Deed], left: Collection[str]) -> None:
    for revision, deed in here.items():
        if deed.applied and revision not in left:
            here[revision] = replace(deed, applied=False)
