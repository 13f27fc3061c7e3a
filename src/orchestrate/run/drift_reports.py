"""Reports of drift in the state store: kept as they are made, read again for what is new.

Each is an event of the journal with its numbers, which names the whole report among the texts that
the store keeps. Numbers over time need the events alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from orchestrate.domain.drift import Against, DriftReport, TargetDrift
from orchestrate.domain.events import NewEvent
from orchestrate.planning.digests import canonical_json, sha256_text
from orchestrate.planning.drift_values import drift_from_value, drift_value
from orchestrate.stores.state import StateStore

_LOOKED_BACK: Final = 1000
"""Reports among which the last one of an environment is looked for."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A report of the past by its numbers; `digest` finds the whole of it."""

    id: str
    created_at: datetime
    against: Against | None
    digest: str
    targets: Mapping[tuple[str, str], Numbers]
    """By environment and target."""


def keep_report(state: StateStore, report: DriftReport) -> None:
    """Make a report durable. Raises `state-unavailable`."""
    text = canonical_json(drift_value(report))
    data = {
        "id": report.id,
        "against": report.against,
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
            }
            for one in report.targets
        ],
    }
    event = NewEvent(kind="drift.reported", at=report.created_at, run=None, step=None, data=data)
    state.append([event], snapshots=[text])


def kept_reports(state: StateStore, *, most: int = _LOOKED_BACK) -> tuple[KeptReport, ...]:
    """Return the last reports by their numbers, oldest first."""
    found = []
    for event in state.last_events(most, kinds=("drift.reported",)):
        data = cast("dict[str, Any]", event.data)
        found.append(
            KeptReport(
                id=data["id"],
                created_at=event.at,
                against=data["against"],
                digest=data["report"],
                targets={
                    (one["environment"], one["name"]): Numbers(
                        **{name: one[name] for name in Numbers.__slots__}
                    )
                    for one in data["targets"]
                },
            )
        )
    return tuple(found)


def load_report(state: StateStore, kept: KeptReport) -> DriftReport:
    """Return the whole of a report. Raises `state-unavailable`."""
    return drift_from_value(json.loads(state.load_snapshot(kept.digest)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What earlier reports of the same question say of one target."""

    last: tuple[str, TargetDrift] | None
    """The last report that could read it, by its name, and the target in it."""
    failed: bool
    """The very last one could not read it."""


def reported_before(
    state: StateStore, against: Against | None, targets: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Before]:
    """Return what earlier reports say of targets, given by environment and name.

    Only those count that asked the same question: reports that compare with the models and reports
    that compare with the last run are two series.
    """
    reports = [one for one in kept_reports(state) if one.against == against]
    loaded: dict[str, DriftReport] = {}

    def target(kept: KeptReport, key: tuple[str, str]) -> TargetDrift:
        if kept.digest not in loaded:
            loaded[kept.digest] = load_report(state, kept)
        return next(
            one for one in loaded[kept.digest].targets if (one.environment, one.name) == key
        )

    found = {}
    for key in targets:
        mine = [one for one in reports if key in one.targets]
        seen = [one for one in mine if one.targets[key].seen]
        compared = [one for one in seen if one.targets[key].compared]
        last = None
        if seen:
            before = target(seen[-1], key)
            if compared and compared[-1] is not seen[-1]:
                # What could not be compared last time is as it was the time before.
                before = _with_schema(before, target(compared[-1], key))
            last = (seen[-1].id, before)
        failed = bool(mine) and mine[-1].targets[key].failed
        found[key] = Before(last=last, failed=failed)
    return found


def _with_schema(one: TargetDrift, older: TargetDrift) -> TargetDrift:
    kept = [two for two in older.differences if two.kind == "schema"]
    return replace(one, differences=(*one.differences, *kept))
