"""When changes are allowed: windows and freezes against the clock on the wall. Pure.

A window is open while the local time shows an hour inside it. So an hour that comes twice is open
twice, one that is skipped is never there, and what is open over midnight belongs to the day on
which it opened. A freeze closes whole local days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from orchestrate.domain.spec_calendar import Opening, parse_freeze, parse_opening
from orchestrate.domain.spec_protections import Window
from orchestrate.values import dataclass

_HORIZON_DAYS: Final = 400
"""How far ahead an opening is looked for; a freeze may last for months."""
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """Whether a window is open at a moment, and when that changes."""

    is_open: bool
    changes_at: datetime | None
    """UTC. None where it does not change within a year and a month."""
    frozen: bool
    """Closed by a freeze rather than by the hour."""


def window_state(window: Window, now: datetime) -> WindowState:
    """Return how a window is at a moment that has a time zone."""
    rules = _Rules(window)
    is_open, frozen = rules.is_open(now)
    changes_at = next(
        (moment for moment in rules.moments_after(now) if rules.is_open(moment)[0] != is_open),
        None,
    )
    return WindowState(is_open=is_open, changes_at=changes_at, frozen=frozen)


def fits(state: WindowState, now: datetime, seconds: float | None) -> bool:
    """Tell whether a step of an expected length ends inside the window that is open.

    What nobody knows the length of fits as long as the window is open.
    """
    if not state.is_open:
        return False
    if seconds is None or state.changes_at is None:
        return True
    return now + timedelta(seconds=seconds) <= state.changes_at


class _Rules:
    """A window's texts, parsed once."""

    def __init__(self, window: Window) -> None:
        self._zone = ZoneInfo(window.timezone)
        self._openings: Sequence[Opening] = [parse_opening(one) for one in window.open]
        self._freezes = [parse_freeze(one) for one in window.freeze]

    def is_open(self, moment: datetime) -> tuple[bool, bool]:
        """Return whether it is open, and whether a freeze is what closes it."""
        local = moment.astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        inside = any(
            _holds(opening, local.date(), minute)
            or _holds(opening, local.date() - timedelta(days=1), minute + _DAY_MINUTES)
            for opening in self._openings
        )
        frozen = any(first <= local.date() <= last for first, last in self._freezes)
        return inside and not frozen, inside and frozen

    def moments_after(self, now: datetime) -> Iterator[datetime]:
        """Yield, in order, the moments after `now` at which a window can open or close."""
        first = now.astimezone(self._zone).date() - timedelta(days=1)
        minutes = {0} | {
            minute % _DAY_MINUTES
            for opening in self._openings
            for minute in (opening.start, opening.end)
        }
        for number in range(_HORIZON_DAYS):
            day = first + timedelta(days=number)
            found = set(self._shift(day))
            for minute in minutes:
                wall = datetime.combine(day, time(minute // 60, minute % 60))
                for fold in (0, 1):
                    found.add(wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC))
            yield from sorted(moment for moment in found if moment > now)

    def _shift(self, day: date) -> Iterator[datetime]:
        """Yield the moment of a day at which the clocks are put forward or back, to the minute."""
        start = datetime.combine(day, time(), self._zone).astimezone(UTC)
        hours = [start + timedelta(hours=number) for number in range(26)]
        for before, after in pairwise(hours):
            if self._offset(before) == self._offset(after):
                continue
            low, high = before, after
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                middle = middle.replace(second=0, microsecond=0)
                if self._offset(middle) == self._offset(low):
                    low = middle
                else:
                    high = middle
            yield high

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self._zone).utcoffset()


def _holds(opening: Opening, day: date, minute: int) -> bool:
    return day.weekday() in opening.days and opening.start <= minute < opening.end
