"""Drift over past reports, and runs over time, as bars and marks along a line. Pure.

Places along the line are percentages, so that what is drawn fits a phone and a wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from orchestrate.domain.drift_page import PastLook, PastRun
from orchestrate.values import dataclass

MOST_LOOKS: Final = 30
MOST_RUNS: Final = 40
HEIGHT: Final = 48
"""Of the highest bar."""
_FIRST, _LAST = 2.0, 98.0
"""Percent of the line that are used: a mark at its end is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One report of the past; the known part stands on the drifted one."""

    look: PastLook
    left: float
    width: float
    drift: float
    known: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How one target's drift went, oldest report first."""

    environment: str
    target: str
    bars: tuple[Bar, ...]
    highest: int

    @property
    def said(self) -> str:
        """Return in a sentence what the bars show."""
        seen = [bar.look for bar in self.bars if not bar.look.failed]
        if not seen:
            return "could not be read in any of these reports"
        first, last = seen[0].drift, seen[-1].drift
        way = "unchanged at" if first == last else f"from {first} to"
        return f"drift {way} {last} over {len(self.bars)} reports, at most {self.highest}"


def trends(looks: Sequence[PastLook]) -> tuple[Trend, ...]:
    """Return a trend for each target that stands in at least two reports."""
    lines: dict[tuple[str, str], list[PastLook]] = {}
    for one in looks:
        lines.setdefault((one.environment, one.target), []).append(one)
    return tuple(
        _trend(environment, target, line[-MOST_LOOKS:])
        for (environment, target), line in lines.items()
        if len(line) > 1
    )


def _trend(environment: str, target: str, looks: Sequence[PastLook]) -> Trend:
    top = max(1, *(one.drift + one.known for one in looks))
    width = 100 / max(len(looks), 10)  # two reports are no two walls
    bars = tuple(
        Bar(
            look=one,
            left=round(index * width, 2),
            width=round(width * 0.8, 2),
            drift=round(HEIGHT * one.drift / top, 1),
            known=round(HEIGHT * one.known / top, 1),
        )
        for index, one in enumerate(looks)
    )
    return Trend(
        environment=environment,
        target=target,
        bars=bars,
        highest=max(one.drift for one in looks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A run on the line of its environment."""

    run: PastRun
    left: float
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The last runs, each environment on a line of its own, all on the same scale."""

    begin: datetime
    end: datetime
    lines: tuple[tuple[str, tuple[Mark, ...]], ...]
    left_out: int

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Return all of them, newest first."""
        every = [mark for _, marks in self.lines for mark in marks]
        return tuple(sorted(every, key=lambda mark: mark.run.started_at, reverse=True))


def timeline(runs: Sequence[PastRun], now: datetime) -> Timeline | None:
    """Return the last runs on their lines; None where there was none."""
    shown = sorted(runs, key=lambda one: one.started_at)[-MOST_RUNS:]
    if not shown:
        return None
    begin = shown[0].started_at
    span = max((now - begin).total_seconds(), 1.0)
    lines: dict[str, list[Mark]] = {}
    for one in shown:
        passed = max(0.0, (one.started_at - begin).total_seconds())
        took = (one.finished_at - one.started_at).total_seconds() if one.finished_at else None
        left = round(_FIRST + (_LAST - _FIRST) * min(1.0, passed / span), 2)
        lines.setdefault(one.environment, []).append(Mark(run=one, left=left, seconds=took))
    return Timeline(
        begin=begin,
        end=now,
        lines=tuple((name, tuple(marks)) for name, marks in sorted(lines.items())),
        left_out=len(runs) - len(shown),
    )
