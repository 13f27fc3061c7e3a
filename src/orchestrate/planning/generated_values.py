"""The values of generated rows: for each column a numbered list, always the same. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

from orchestrate.domain.table_shapes import Value, Values

_WIDE: Final = Decimal(1000)
"""In a range at least this wide whole numbers are counted, in a narrower one its smallest units."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_FIRST_DAY: Final = datetime(2024, 1, 1, 12)  # noqa: DTZ001  (of no zone: it becomes SQL text)
_DAYS: Final = 4000
"""From the first day on: MySQL's TIMESTAMP ends in 2038. Noon is there in every time zone."""
_MINUTES: Final = 600
_SECONDS: Final = 86_400
_MANY: Final = 10**9


def room(values: Values) -> int:
    """Return how many different values there are; those beyond a thousand million do not count."""
    match values.kind:
        case "choice" | "truth":
            return len(values.choices) if values.kind == "choice" else 2
        case "whole" | "number":
            start, step = _counting(values)
            if values.high is None:
                return _MANY
            return max(0, min(_MANY, int((values.high - start) // step) + 1))
        case "text":
            return 0 if _too_short(values) else _lengths(values.length, len(_DIGITS))
        case "bytes":
            return _lengths(values.length, 256)
        case "date" | "moment":
            return _DAYS if values.kind == "date" else _DAYS * _MINUTES
        case "time":
            return _SECONDS
        case "uuid":
            return _MANY


def value(values: Values, column: str, index: int) -> Value:
    """Return the value number `index` of a column, from 0 up to its `room`, which it must have."""
    match values.kind:
        case "choice":
            return values.choices[index]
        case "truth":
            return index == 0
        case "whole" | "number":
            start, step = _counting(values)
            found = start + index * step
            return int(found) if values.kind == "whole" else found
        case "text":
            return _text(values, column, index)
        case "bytes":
            size = 8 if values.length is None else min(values.length, 8)
            return index.to_bytes(size, "big").rjust(values.shortest, b"\0")
        case "uuid":
            told = f"00000000-0000-4000-8000-{index + 1:012x}"
            return told.replace("-", "") if values.length == 32 else told  # noqa: PLR2004
        case "time":
            return str(timedelta(seconds=index)).rjust(8, "0")
        case "date" | "moment":
            at = _FIRST_DAY + timedelta(days=index % _DAYS, minutes=index // _DAYS)
            return at.strftime("%Y-%m-%d" if values.kind == "date" else "%Y-%m-%d %H:%M:%S")


def _counting(values: Values) -> tuple[Decimal, Decimal]:
    """Return where counting begins, at 1 if that is allowed, and by which steps."""
    low, high = values.low, values.high
    wide = low is None or high is None or high - low >= _WIDE
    step = max(values.unit, Decimal(1)) if wide else values.unit
    if (low is None or low <= 1) and (high is None or high >= 1) and (wide or step == 1):
        return Decimal(1), step
    if low is not None:
        return low.to_integral_value(ROUND_CEILING) if wide else low, step
    if high is None:
        raise AssertionError
    return high - _MANY, step


def _lengths(length: int | None, digits: int) -> int:
    return _MANY if length is None or length > 8 else digits**length  # noqa: PLR2004


def _too_short(values: Values) -> bool:
    return values.length is not None and values.length < values.shortest


def _text(values: Values, column: str, index: int) -> str:
    """Return `name 7`, or as many letters and digits as have room."""
    told = f"{column} {index + 1}"
    if values.length is not None and len(told) > values.length:
        told = _short(index)
    return told.ljust(values.shortest, ".")


def _short(index: int) -> str:
    found = ""
    while index or not found:
        index, digit = divmod(index, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found
