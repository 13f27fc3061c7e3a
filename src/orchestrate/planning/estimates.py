"""How long steps will take, by what the same content took before: origin and spread. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from orchestrate.domain.durations import duration
from orchestrate.domain.events import Event
from orchestrate.domain.plan import Direction, Plan, Step
from orchestrate.domain.rehearsals import Rehearsal

Content = tuple[Direction, str]
"""Direction and SHA-256 of a revision's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one content took once."""

    seconds: float
    environment: str


def timings_of(events: Iterable[Event]) -> Mapping[Content, Sequence[Timing]]:
    """Return what each content took in runs, anywhere, the latest last."""
    found: dict[Content, list[Timing]] = {}
    for event in events:
        data = cast("dict[str, Any]", event.data)
        if "seconds" in data and "file_sha256" in data:
            timing = Timing(seconds=data["seconds"], environment=data.get("environment") or "?")
            found.setdefault((data["direction"], data["file_sha256"]), []).append(timing)
    return found


def rehearsed_in(rehearsals: Iterable[Rehearsal]) -> Mapping[Content, float]:
    """Return how long each content took on a clone, the latest time.

    A clone without rows says nothing of that.
    """
    found: dict[Content, float] = {}
    for rehearsal in rehearsals:
        for step in rehearsal.steps:
            if rehearsal.clone.source == "schema" or len(step.contents) != 1:
                continue
            if step.seconds is not None:
                found["upgrade", step.file_sha256] = step.seconds
            if step.back_seconds is not None:
                found["downgrade", step.file_sha256] = step.back_seconds
    return found


def with_origins(
    plan: Plan,
    timings: Mapping[Content, Sequence[Timing]],
    rehearsed: Mapping[Content, float],
) -> Plan:
    """Return a plan whose estimates come from rehearsals first, each with where it comes from."""
    return replace(plan, steps=tuple(_with_origin(step, timings, rehearsed) for step in plan.steps))


def _with_origin(
    step: Step,
    timings: Mapping[Content, Sequence[Timing]],
    rehearsed: Mapping[Content, float],
) -> Step:
    if step.parts or step.kind not in {"upgrade", "downgrade"}:
        return step
    content = (cast("Direction", step.kind), step.file_sha256)
    seconds = rehearsed.get(content)
    if seconds is not None:
        return replace(step, estimate_seconds=seconds, estimate_origin="rehearsed")
    known = timings.get(content, ())
    if not known or step.estimate_seconds is None:
        return step
    return replace(step, estimate_origin=_origin(known))


def _origin(known: Sequence[Timing]) -> str:
    """Return `ran in staging`, or with the spread `ran in staging; 0.8 s to 12 s in 3 runs`."""
    text = f"ran in {known[-1].environment}"
    times = [one.seconds for one in known]
    if len(times) == 1:
        return text
    return f"{text}; {duration(min(times))} to {duration(max(times))} in {len(times)} runs"
