r"""The journal's hash chain: the canonical form of an event, its hash, and what breaks the chain.

Pure. The canonical form of an event is one JSON object, in ASCII, without spaces, its keys sorted:

    {"at":…,"data":…,"kind":…,"previous_hash":…,"run":…,"sequence":…,"step":…}

- strings are written with `\uXXXX` for everything beyond ASCII (two of them beyond the BMP) and
  with JSON's short escapes where there is one: what Python's `json.dumps` writes by default;
- `at` is UTC, `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always with six digits of microseconds;
- `data` is the text of the column `data` as it is stored, which was written by the same rules (keys
  sorted at every depth, numbers as Python writes them, no NaN, no infinity);
- `run` and `step` are `null` where there is none.

`hash` is the SHA-256 of these bytes in lower-case hexadecimal, `previous_hash` the `hash` of the
event before, and sixty-four zeros for event 1. Nobody needs this program to check the chain.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from orchestrate.domain.events import Event, EventKind, NewEvent
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

GENESIS: Final = "0" * 64
"""The `previous_hash` of the first event."""


class Link(NamedTuple):
    """An event as the table holds it, field for field and text for text."""

    sequence: int
    kind: str
    at: str
    run: str | None
    step: str | None
    data: str
    previous_hash: str
    hash: str


class Head(NamedTuple):
    """The last event's sequence and hash, as the one-row table `orchestrate_head` holds them."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What a check of the whole journal found. The chain holds if `problem` is None."""

    count: int
    """How many events were found to be in order, from the first."""
    head_hash: str
    """The hash to note down elsewhere: who rewrites the whole table cannot reproduce it."""
    sequence: int | None = None
    """The first event that is not in order."""
    kind: str | None = None
    """What happened to it: `altered`, `removed`, `reordered`, `truncated`, `added`."""
    problem: str | None = None
    """The same for people."""


def canonical_json(value: object) -> str:
    """Return JSON in the form that the chain is made of; see the module."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def moment_text(moment: datetime) -> str:
    """Return a moment as it is stored. Raises ValueError if it has no time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"a moment without a time zone: {moment.isoformat()}")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def moment_from_text(text: str) -> datetime:
    """Return the moment that `moment_text` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def plain_json(value: object, *, path: str = "data") -> Any:
    """Return a copy made of plain JSON values only.

    Raises TypeError for a `Secret` and for everything else that JSON has no word for: what the
    journal cannot give back as it was does not enter it. The message names the place, never the
    value.
    """
    match value:
        case None | bool():
            return value
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            if not math.isfinite(value):
                raise TypeError(f"{path} is not a finite number, so it is not JSON")
            return float(value)
        case Mapping():
            return {
                _key(key, path): plain_json(one, path=f"{path}.{key}") for key, one in value.items()
            }
        case list() | tuple():
            return [plain_json(one, path=f"{path}[{index}]") for index, one in enumerate(value)]
        case Secret():
            raise TypeError(f"{path} is a secret, which the journal never holds")
        case _:
            raise TypeError(f"{path} is a {type(value).__name__}, which is not JSON")


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path} has a key that is a {type(key).__name__}, which is not JSON")
    return str(key)


def link_hash(link: Link, *, sequence: int | None = None) -> str:
    """Return the hash that a link should have, at its own place in the journal or at another."""
    text = (
        f'{{"at":{canonical_json(link.at)},"data":{link.data},"kind":{canonical_json(link.kind)},'
        f'"previous_hash":{canonical_json(link.previous_hash)},"run":{canonical_json(link.run)},'
        f'"sequence":{link.sequence if sequence is None else sequence},'
        f'"step":{canonical_json(link.step)}}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def forge(head: Head, new: Sequence[NewEvent]) -> tuple[list[Link], list[Event]]:
    """Return the links that continue the chain after `head`, as rows and as events."""
    links: list[Link] = []
    events: list[Event] = []
    for one in new:
        data = plain_json(one.data)
        link = Link(
            sequence=head.sequence + 1,
            kind=one.kind,
            at=moment_text(one.at),
            run=one.run,
            step=one.step,
            data=canonical_json(data),
            previous_hash=head.hash,
            hash="",
        )
        link = link._replace(hash=link_hash(link))
        head = Head(link.sequence, link.hash)
        links.append(link)
        events.append(_event(link, data))
    return links, events


def link_of(row: Sequence[object]) -> Link:
    """Return the link of a row; raises `journal-broken` if it cannot be one.

    SQLite keeps a value of any type in any column.
    """
    sequence, kind, at, run, step, *texts = row
    optional = all(one is None or isinstance(one, str) for one in (run, step))
    if not (
        isinstance(sequence, int)
        and optional
        and all(isinstance(one, str) for one in (kind, at, *texts))
    ):
        raise _unreadable(sequence)
    return Link._make(cast("Any", row))


def _unreadable(sequence: object) -> OrchestrateError:
    return OrchestrateError(
        "journal-broken",
        f"Event {sequence!r} of the journal cannot be read: it was altered",
        hint="`orchestrate history --verify` checks all of them",
    )


def event_of(link: Link) -> Event:
    """Return the event of a row; raises `journal-broken` if the row cannot be one."""
    try:
        data = json.loads(link.data)
        if not isinstance(data, dict):
            raise _unreadable(link.sequence)
        return _event(link, data)
    except (ValueError, TypeError) as error:
        raise _unreadable(link.sequence) from error


def _event(link: Link, data: Mapping[str, object]) -> Event:
    return Event(
        sequence=link.sequence,
        kind=cast("EventKind", link.kind),
        at=moment_from_text(link.at),
        run=link.run,
        step=link.step,
        data=data,
        previous_hash=link.previous_hash,
        hash=link.hash,
    )


class ChainCheck:
    """Walks the journal link by link and remembers the first thing that is wrong."""

    def __init__(self) -> None:
        self.head = Head(0, GENESIS)
        self.broken: tuple[int, str, str] | None = None

    def walk(self, link: Link, *, last: int) -> bool:
        """Check the next link; return whether the chain still holds.

        Args:
            link: The row with the next higher sequence.
            last: The last sequence the journal should have, to tell reordered rows from altered.
        """
        expected = self.head.sequence + 1
        if link.sequence != expected:
            self.broken = _missing(expected, link.sequence)
        elif link_hash(link) != link.hash:
            self.broken = _changed(link, last)
        elif link.previous_hash != self.head.hash:
            self.broken = (
                expected - 1 or expected,
                "altered",
                "its hash is not the one that the event after it was chained to",
            )
        else:
            self.head = Head(link.sequence, link.hash)
        return self.broken is None

    def unreadable(self) -> None:
        """Note that the next row cannot be read as a link."""
        expected = self.head.sequence + 1
        self.broken = (expected, "altered", f"Event {expected} cannot be read: it was altered")

    def finish(self, head: Head | None) -> ChainReport:
        """Compare the end of the walk with the head row and return the whole report."""
        if self.broken is None:
            self.broken = _end(self.head, head)
        if self.broken is None:
            return ChainReport(count=self.head.sequence, head_hash=self.head.hash)
        sequence, kind, problem = self.broken
        return ChainReport(
            count=min(self.head.sequence, max(sequence - 1, 0)),
            head_hash=self.head.hash,
            sequence=sequence,
            kind=kind,
            problem=problem,
        )


def _missing(expected: int, found: int) -> tuple[int, str, str]:
    if found < expected:
        return found, "added", "it stands before the first event"
    names = (
        f"event {expected} was"
        if found == expected + 1
        else f"events {expected} to {found - 1} were"
    )
    return expected, "removed", f"{names} removed"


def _changed(link: Link, last: int) -> tuple[int, str, str]:
    def holds(sequence: int) -> bool:
        return link_hash(link, sequence=sequence) == link.hash

    # Slow on a long journal, and done once: for the first broken event alone.
    origin = _first(holds, last)
    if origin is not None:
        return link.sequence, "reordered", f"what stands there was event {origin}"
    return link.sequence, "altered", "its content is not what its hash was made from"


def _first(holds: Callable[[int], bool], last: int) -> int | None:
    return next((sequence for sequence in range(1, last + 1) if holds(sequence)), None)


def _end(found: Head, head: Head | None) -> tuple[int, str, str] | None:
    if head is None:
        return found.sequence + 1, "removed", "the row that names the last event was removed"
    if head.sequence > found.sequence:
        number = head.sequence - found.sequence
        what = f"the last {number} events were" if number > 1 else "the last event was"
        return found.sequence + 1, "truncated", f"{what} removed"
    if head.sequence < found.sequence:
        return head.sequence + 1, "added", "it was added behind the recorded end of the journal"
    if head.hash != found.hash:
        return found.sequence, "altered", "its hash is not the one recorded for the last event"
    return None
