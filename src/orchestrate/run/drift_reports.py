"""Reports of drift in the state store: kept as they are made, read again for what is new.

Each is an event of the journal with its numbers, which names the report's text among those that the
store keeps. Numbers over time need the events alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from orchestrate.domain.drift import Against, DriftReport, TargetDrift
from orchestrate.domain.events import Event, NewEvent
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import canonical_json, sha256_text
from orchestrate.planning.drift_values import drift_from_value, drift_value
from orchestrate.stores.state import StateStore
from orchestrate.values import dataclass

_LOOKED_BACK: Final = 1000
"""Reports of which the numbers over time are shown."""
_PAGE: Final = 100
"""Reports that are read at a time where the last one of a target is looked for."""
_BY_ITSELF: Final = ("id", "created_at", "previous")
"""What is another in each report, whatever it found: the event has it.

So reports that found the same have one text in the state store, night after night.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How one target stood in a report."""

    state: str
    compared: bool
    """Its schema was compared."""
    failed: bool
    """It, or its schema, could not be read."""
    seen: bool
    """It could be read, and no run was at work on it."""
    drift: int
    known: int
    new: int
    gone: int
    pending: int
    previous: str | None = None
    """The report that it was compared with for news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A report of the past by its numbers; `digest` finds what it found."""

    id: str
    created_at: datetime
    against: Against | None
    previous: str | None
    digest: str
    targets: Mapping[tuple[str, str], Numbers]
    """By environment and target."""


def keep_report(state: StateStore, report: DriftReport) -> None:
    """Make a report durable. Raises `state-unavailable`."""
    text = canonical_json(_lasting(drift_value(report)))
    data = {
        "id": report.id,
        "against": report.against,
        "previous": report.previous,
        "report": sha256_text(text),
        "targets": [
            {
                "environment": one.environment,
                "name": one.name,
                "state": one.state,
                "compared": one.compared_with is not None,
                "failed": one.error is not None,
                "seen": one.error is None and one.at_work is None,
                "drift": len(one.drift),
                "known": len(one.differences) - len(one.drift),
                "new": len(one.news),
                "gone": len(one.gone),
                "pending": one.pending,
                "previous": one.previous,
            }
            for one in report.targets
        ],
    }
    event = NewEvent(kind="drift.reported", at=report.created_at, run=None, step=None, data=data)
    state.append([event], snapshots=[text])


def _lasting(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a report without what is another in each."""

    def without(one: Mapping[str, Any]) -> dict[str, Any]:
        return {key: two for key, two in one.items() if key not in _BY_ITSELF}

    environments = [
        {**one, "targets": [without(target) for target in one["targets"]]}
        for one in value["environments"]
    ]
    return {**without(value), "environments": environments}


def kept_reports(state: StateStore, *, most: int = _LOOKED_BACK) -> tuple[KeptReport, ...]:
    """Return the last reports by their numbers, oldest first."""
    return tuple(_kept(one) for one in state.last_events(most, kinds=("drift.reported",)))


def _kept(event: Event) -> KeptReport:
    data = cast("dict[str, Any]", event.data)
    return KeptReport(
        id=data["id"],
        created_at=event.at,
        against=data["against"],
        previous=data.get("previous"),
        digest=data["report"],
        targets={
            (one["environment"], one["name"]): Numbers(
                **{name: one[name] for name in Numbers.__slots__ if name in one}
            )
            for one in data["targets"]
        },
    )


def load_report(state: StateStore, kept: KeptReport) -> DriftReport:
    """Return the whole of a report. Raises `state-unavailable`."""
    value = json.loads(state.load_snapshot(kept.digest))
    environments = [
        {
            **one,
            "targets": [
                {**target, "previous": kept.targets[one["name"], target["name"]].previous}
                for target in one["targets"]
            ],
        }
        for one in value["environments"]
    ]
    return drift_from_value(
        {
            **value,
            "id": kept.id,
            "created_at": kept.created_at.isoformat(),
            "previous": kept.previous,
            "environments": environments,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What earlier reports of the same question say of one target."""

    last: tuple[str, TargetDrift] | None
    """The last report that could read it, by its name, and the target in it."""
    failed: bool
    """The very last one could not read it."""
    why_not: str | None = None
    """Why the last report cannot be told, although there is one."""


@dataclass(slots=True)
class _Past:
    """The reports that matter for one target, as they are met going back."""

    newest: Numbers | None = None
    seen: KeptReport | None = None
    """The newest that could read it."""
    compared: KeptReport | None = None
    """The newest of those that compared its schema."""

    @property
    def failed(self) -> bool:
        return self.newest is not None and self.newest.failed

    def meet(self, kept: KeptReport, numbers: Numbers) -> None:
        self.newest = self.newest or numbers
        if numbers.seen:
            self.seen = self.seen or kept
            if numbers.compared:
                self.compared = self.compared or kept


def reported_before(
    state: StateStore, against: Against | None, targets: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Before]:
    """Return what earlier reports say of targets, given by environment and name.

    Only those count that asked the same question: reports that compare with the models and reports
    that compare with the last run are two series. However many reports of other targets lie
    between, each target's last one is found. A report that cannot be read any more is told as such.
    """
    past = {key: _Past() for key in targets}
    open_ = set(past)
    reports = _newest_first(state)
    while open_ and (kept := next(reports, None)) is not None:
        if kept.against != against:
            continue
        for key in open_ & kept.targets.keys():
            past[key].meet(kept, kept.targets[key])
        open_ = {key for key in open_ if past[key].compared is None}
    loaded: dict[str, DriftReport] = {}

    def target(kept: KeptReport, key: tuple[str, str]) -> TargetDrift:
        if kept.id not in loaded:
            loaded[kept.id] = load_report(state, kept)
        return next(one for one in loaded[kept.id].targets if (one.environment, one.name) == key)

    def found(key: tuple[str, str]) -> Before:
        return _before(past[key], lambda kept: target(kept, key))

    return {key: found(key) for key in past}


def _newest_first(state: StateStore) -> Iterator[KeptReport]:
    """Return all reports going back, read as they are asked for."""
    before: int | None = None
    while True:
        page = state.last_events(_PAGE, kinds=("drift.reported",), before=before)
        yield from (_kept(one) for one in reversed(page))
        if len(page) < _PAGE:
            return
        before = page[0].sequence


def _before(past: _Past, load: Callable[[KeptReport], TargetDrift]) -> Before:
    failed = past.failed
    if past.seen is None:
        return Before(last=None, failed=failed)
    try:
        last = load(past.seen)
        if past.compared is not None and past.compared is not past.seen:
            # What could not be compared last time is as it was the time before.
            last = _with_schema(last, load(past.compared))
    except OrchestrateError as error:
        why_not = f"what is new cannot be told, for an earlier report: {error.message}"
        return Before(last=None, failed=failed, why_not=why_not)
    return Before(last=(past.seen.id, last), failed=failed)


def _with_schema(one: TargetDrift, older: TargetDrift) -> TargetDrift:
    kept = [two for two in older.differences if two.kind == "schema"]
    return replace(one, differences=(*one.differences, *kept))
