"""Hours, days and time zones of a maintenance window, from the texts that people write."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator

from orchestrate.domain.names import nearest
from orchestrate.domain.spec_types import as_text, mistake
from orchestrate.values import dataclass

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_WORDS: Final = {
    "daily": range(7),
    "weekdays": range(5),
    "weekends": range(5, 7),
}
_HOURS: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Hours that repeat weekly: `end` may lie on the next day, then it is past 24 hours."""

    days: frozenset[int]
    """0 is Monday; the day on which it opens."""
    start: int
    """Minutes after midnight."""
    end: int
    """Minutes after midnight of the same day, more than 1440 past it."""


def parse_opening(text: str) -> Opening:
    """Return the hours that a text such as `sat,sun 01:00-05:00` names."""
    days_text, _, hours_text = text.strip().rpartition(" ")
    hours = _HOURS.fullmatch(hours_text)
    if not hours:
        example = "`sat,sun 01:00-05:00`, `weekdays 22:00-23:30` or `daily 22:00-02:00`"
        raise mistake("bad-value", f"expected days and hours such as {example}, found `{text}`")
    start, end = (int(hours[n]) * 60 + int(hours[n + 1]) for n in (1, 3))
    if start >= _DAY_MINUTES or end > _DAY_MINUTES or int(hours[2]) > 59 or int(hours[4]) > 59:  # noqa: PLR2004 - minutes
        raise mistake("bad-value", f"expected hours from 00:00 to 24:00, found `{hours_text}`")
    if start == end:
        raise mistake(
            "bad-value", f"expected an end that differs from the start, found `{hours_text}`"
        )
    days = frozenset(day for part in days_text.split(",") for day in _parse_days(part.strip()))
    return Opening(days=days, start=start, end=end if end > start else end + _DAY_MINUTES)


def _parse_days(text: str) -> list[int]:
    if text.lower() in _DAY_WORDS:
        return list(_DAY_WORDS[text.lower()])
    first, dash, last = (part.strip() for part in text.lower().partition("-"))
    ends = [first, last] if dash else [first]
    if not all(end in _DAYS for end in ends):
        known = ", ".join((*_DAYS, *_DAY_WORDS))
        raise mistake("bad-value", f"expected days ({known}, or `mon-thu`), found `{text}`")
    begin, count = _DAYS.index(first), (_DAYS.index(ends[-1]) - _DAYS.index(first)) % 7
    return [(begin + n) % 7 for n in range(count + 1)]


def parse_freeze(text: str) -> tuple[date, date]:
    """Return first and last day of a text such as `2026-12-20/2027-01-05`, or of a single day."""
    first, slash, last = text.strip().partition("/")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last if slash else first)
    except ValueError:
        expected = "a day or first and last day such as `2026-12-20/2027-01-05`"
        raise mistake("bad-value", f"expected {expected}, found `{text}`") from None
    if days[1] < days[0]:
        raise mistake("bad-value", f"expected the last day not before the first, found `{text}`")
    return days


def _opening(value: object) -> str:
    text = as_text(value)
    parse_opening(text)
    return text


def _freeze(value: object) -> str:
    text = as_text(value)
    parse_freeze(text)
    return text


OpeningText = Annotated[str, BeforeValidator(_opening)]
FreezeText = Annotated[str, BeforeValidator(_freeze)]


def _timezone(value: object) -> str:
    import zoneinfo  # noqa: PLC0415 - most specs name no time zone

    text = as_text(value)
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        near = nearest(text, known)
        hint = f"did you mean `{near}`?" if near else None
        if not known:
            hint = "this machine has no time zone data: install the package `tzdata`"
        raise mistake("bad-value", f"expected a time zone, found `{text}`", hint=hint) from None
    return text


TimeZone = Annotated[str, BeforeValidator(_timezone)]
