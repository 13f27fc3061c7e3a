"""How long steps will take, by what the same content took before: origin and spread. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from orchestrate.domain.amounts import bytes_said
from orchestrate.domain.durations import duration
from orchestrate.domain.events import Event
from orchestrate.domain.locks import TableSize, TouchedTable
from orchestrate.domain.plan import Direction, Plan, Step
from orchestrate.domain.rehearsals import Rehearsal
from orchestrate.planning.touched_tables import table_named
from orchestrate.values import dataclass

Content = tuple[Direction, str]
"""Direction and SHA-256 of a revision's file."""


_WORTH_IT: Final = 1.1
"""Tables at least so many times as large make an estimate longer."""
_SMALLEST_BYTES: Final = 1024 * 1024
_SMALLEST_ROWS: Final = 5_000
"""What a statement takes on smaller tables has little to do with their rows."""
_FIXED_SECONDS: Final = 0.01
"""What a statement takes however small its table is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one content took once."""

    seconds: float
    environment: str
    sql_seconds: float | None = None
    """How much of that was statements; None where it was not noted."""
    statements: int = 0
    tables: tuple[TouchedTable, ...] = ()
    """Tables that it named, with how large they were there."""


def timings_of(events: Iterable[Event]) -> Mapping[Content, Sequence[Timing]]:
    """Return what each content took in runs, anywhere, the latest last."""
    found: dict[Content, list[Timing]] = {}
    for event in events:
        data = cast("dict[str, Any]", event.data)
        if "seconds" in data and "file_sha256" in data:
            timing = Timing(
                seconds=data["seconds"],
                environment=data.get("environment") or "?",
                sql_seconds=data.get("sql_seconds"),
                statements=data.get("statements") or 0,
                tables=_tables(data["tables"]) if "tables" in data else (),
            )
            found.setdefault((data["direction"], data["file_sha256"]), []).append(timing)
    return found


def _tables(told: Iterable[Mapping[str, Any]]) -> tuple[TouchedTable, ...]:
    return tuple(
        TouchedTable(table=one["table"], bytes=one["bytes"], rows=one["rows"]) for one in told
    )


def rehearsed_in(rehearsals: Iterable[Rehearsal]) -> Mapping[Content, Timing]:
    """Return how long each content took on a clone, the latest time.

    A clone made from the schema, with rows that are made up or none, says nothing of that.
    """
    found: dict[Content, Timing] = {}
    for rehearsal in rehearsals:
        for step in rehearsal.steps:
            if rehearsal.clone.source == "schema" or len(step.contents) != 1:
                continue
            if step.seconds is not None:
                found["upgrade", step.file_sha256] = Timing(
                    seconds=step.seconds,
                    environment=rehearsal.environment,
                    sql_seconds=step.sql_seconds,
                    statements=step.statement_count,
                    tables=step.tables,
                )
            if step.back_seconds is not None:
                found["downgrade", step.file_sha256] = Timing(
                    seconds=step.back_seconds, environment=rehearsal.environment
                )
    return found


def wants_sizes(
    plan: Plan,
    timings: Mapping[Content, Sequence[Timing]],
    rehearsed: Mapping[Content, Timing],
) -> bool:
    """Tell whether it matters to the estimates how large the target's tables are."""
    return any(
        timing is not None and timing.tables
        for step in plan.steps
        for timing in [_timing(step, timings, rehearsed)]
    )


def with_origins(
    plan: Plan,
    timings: Mapping[Content, Sequence[Timing]],
    rehearsed: Mapping[Content, Timing],
    sizes: Sequence[TableSize] = (),
) -> Plan:
    """Return a plan whose estimates come from rehearsals first, each with where it comes from.

    Where the tables that a step names are larger here than they were there, the time of its
    statements grows with them; where they are smaller it stays.
    """
    steps = (_with_origin(step, timings, rehearsed, sizes) for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def _content(step: Step) -> Content | None:
    if step.parts or step.kind not in {"upgrade", "downgrade"}:
        return None
    return cast("Direction", step.kind), step.file_sha256


def _timing(
    step: Step,
    timings: Mapping[Content, Sequence[Timing]],
    rehearsed: Mapping[Content, Timing],
) -> Timing | None:
    """Return what a step's estimate is made from."""
    content = _content(step)
    if content is None:
        return None
    known = timings.get(content, ())
    return rehearsed.get(content) or (known[-1] if known else None)


def _with_origin(
    step: Step,
    timings: Mapping[Content, Sequence[Timing]],
    rehearsed: Mapping[Content, Timing],
    sizes: Sequence[TableSize],
) -> Step:
    content, timing = _content(step), _timing(step, timings, rehearsed)
    if content is None or timing is None:
        return step
    seconds, scaled = _scaled(timing, sizes)
    if content in rehearsed:
        return replace(step, estimate_seconds=seconds, estimate_origin=f"rehearsed{scaled}")
    if step.estimate_seconds is None:
        return step
    origin = f"ran in {timing.environment}{scaled}{_spread(timings[content])}"
    return replace(step, estimate_seconds=seconds, estimate_origin=origin)


def _spread(known: Sequence[Timing]) -> str:
    """Return `; 0.8 s to 12 s in 3 runs`; nothing where it ran once."""
    times = [one.seconds for one in known]
    if len(times) == 1:
        return ""
    return f"; {duration(min(times))} to {duration(max(times))} in {len(times)} runs"


def _scaled(timing: Timing, sizes: Sequence[TableSize]) -> tuple[float, str]:
    """Return how long it takes on tables as large as these, and from what to what they grew.

    Not every statement grows with its table, but which does is not known here: it is the estimate
    of somebody who wants to be done before the window closes.
    """
    there, here = _compared(timing.tables, sizes)
    if there is None or here is None or timing.sql_seconds is None:
        return timing.seconds, ""
    if here.amount < there.amount * _WORTH_IT:
        return timing.seconds, ""
    smallest = _SMALLEST_ROWS if there.in_rows else _SMALLEST_BYTES
    if here.amount < smallest:
        return timing.seconds, ""
    if there.amount < smallest:
        return timing.seconds, f" on {there}, here {here}: too little there to scale by"
    growing = max(0.0, timing.sql_seconds - timing.statements * _FIXED_SECONDS)
    seconds = timing.seconds + growing * (here.amount / there.amount - 1)
    return round(seconds, 6), f", scaled {there} -> {here}"


@dataclass(frozen=True, slots=True)
class _Amount:
    """How large tables are together."""

    amount: int
    in_rows: bool

    def __str__(self) -> str:
        return f"{self.amount} rows" if self.in_rows else bytes_said(self.amount)


def _compared(
    tables: Sequence[TouchedTable], sizes: Sequence[TableSize]
) -> tuple[_Amount | None, _Amount | None]:
    """Return how large tables were there and are here; None where one of them is not known."""
    pairs = [
        (one, next((size for size in sizes if size.fits(table_named(one.table))), None))
        for one in tables
    ]
    for in_rows in (False, True):
        there = [one.rows if in_rows else one.bytes for one, _ in pairs]
        here = [size and (size.rows if in_rows else size.bytes) for _, size in pairs]
        if pairs and all(there) and all(here):
            return (
                _Amount(sum(one or 0 for one in there), in_rows),
                _Amount(sum(one or 0 for one in here), in_rows),
            )
    return None, None
