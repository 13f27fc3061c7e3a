"""Simple checks of tables, by their words: what they leave of a column's values. Pure.

`price > 0`, `status IN ('new', 'done')`, `rate BETWEEN 0 AND 1`, `length(code) >= 3`, joined by
AND, in any spelling of the servers. What is not understood leaves everything as it is: the server
decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final

from orchestrate.dialects.filling import JSON, choice
from orchestrate.dialects.sqlite_tokens import bracket, split, tokens, unquote
from orchestrate.domain.table_shapes import ColumnShape, Value, Values
from orchestrate.values import dataclass

_CAST: Final = re.compile(
    r"""('(?:[^']|'')*')                                        # kept as it is
      | ::(?:"[^"]+"|[a-z_][\w.]*)(?:\ varying|\ precision|\ with(?:out)?\ time\ zone)*
        (?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*
      | \b_(?:utf8mb[34]|utf8|latin1|ascii|binary)(?=\\?')""",
    re.VERBOSE,
)
"""PostgreSQL writes casts behind literals, MySQL character sets before them."""
_LENGTHS: Final = frozenset({"LENGTH", "CHAR_LENGTH", "CHARACTER_LENGTH", "OCTET_LENGTH"})
_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True, slots=True)
class _Limit:
    """What one condition says of one column."""

    column: str
    sign: str
    """`<`, `<=`, `>`, `>=`, `=`, `in`, `json`; with `length ` before it for the length."""
    values: tuple[Value, ...]


def limited(columns: Sequence[ColumnShape], checks: Iterable[str]) -> tuple[ColumnShape, ...]:
    """Return columns with what is left of their values by the conditions that are understood."""
    by_name: dict[str, ColumnShape] = {one.name: one for one in columns}
    for condition in checks:
        for limit in _limits(_read(condition), by_name):
            column = by_name[limit.column]
            if column.values is not None:
                by_name[limit.column] = replace(
                    column,
                    values=_left(column.values, limit),
                    # A counter would go on where a check wants few values: `id = 1`.
                    distinct=column.distinct and limit.sign not in {"in", "="},
                )
    return tuple(by_name[one.name] for one in columns)


def _read(condition: str) -> list[str]:
    told = _CAST.sub(lambda found: found[1] or "", condition)
    # What stands in square brackets is a list of PostgreSQL's, and to SQLite a name.
    if "ARRAY[" in told:
        told = told.replace("[", "(").replace("]", ")")
    return tokens(told)


def _limits(pieces: Sequence[str], known: Mapping[str, ColumnShape]) -> Iterator[_Limit]:
    """Yield what a condition says, if all that it says is joined by AND."""
    while pieces[:1] == ["("] and bracket(pieces, 0) == len(pieces) - 1:
        pieces = pieces[1:-1]
    words = [one.upper() for one in pieces]
    if "BETWEEN" not in words:
        parts = _joined(pieces)
        if len(parts) > 1:
            for part in parts:
                yield from _limits(part, known)
            return
    limit = _simple([one for one in pieces if one not in {"(", ")"}], known)
    if limit is not None:
        yield limit


def _joined(pieces: Sequence[str]) -> list[list[str]]:
    """Return what stands between the ANDs outside of all brackets."""
    return split(["AND" if one.upper() == "AND" else one for one in pieces], "AND")


def _simple(pieces: Sequence[str], known: Mapping[str, ColumnShape]) -> _Limit | None:
    """Return what one comparison says; brackets are gone, and nothing in it can need them."""
    words = [one.upper() for one in pieces]
    prefix = ""
    if words[:1] and words[0] in _LENGTHS:
        pieces, words, prefix = pieces[1:], words[1:], "length "
    if words[:1] == ["JSON_VALID"] and len(pieces) == 2 and unquote(pieces[1]) in known:  # noqa: PLR2004
        return _Limit(unquote(pieces[1]), "json", ())
    if not pieces:
        return None
    name = unquote(pieces[0])
    if name not in known or pieces[0].startswith("'"):
        return _turned(pieces, known)
    rest, sign = words[1:], words[1] if len(words) > 1 else ""
    found: list[Value] | None = None
    if rest[:1] == ["IN"] or rest[:3] == ["=", "ANY", "ARRAY"]:
        found = _literals(pieces[2 if rest[0] == "IN" else 4 :])
        sign = "in"
    elif sign == "BETWEEN" and "AND" in rest:
        between = rest.index("AND") + 1
        low, high = _literals(pieces[2:between]), _literals(pieces[between + 1 :])
        found = [*low, *high] if low and high else None
    elif sign in {"<", "<=", ">", ">=", "="}:
        found = _literals(pieces[2:])
    return None if not found else _Limit(name, prefix + sign.lower(), tuple(found))


def _turned(pieces: Sequence[str], known: Mapping[str, ColumnShape]) -> _Limit | None:
    """Return `price > 0` for `0 < price`."""
    if len(pieces) == 3 and pieces[1] in _TURNED and unquote(pieces[2]) in known:  # noqa: PLR2004
        return _simple([pieces[2], _TURNED[pieces[1]], pieces[0]], known)
    return None


def _literals(pieces: Sequence[str]) -> list[Value] | None:
    """Return literals between commas; None where something else stands there."""
    found: list[Value] = []
    for part in split(pieces):
        told = "".join(part)
        if len(part) == 1 and told.startswith("'"):
            inner = told[1:-1].replace("''", "'")
            found.append(inner)
        else:
            try:
                found.append(Decimal(told))
            except InvalidOperation:
                return None
    return found


def _left(values: Values, limit: _Limit) -> Values:
    """Return what a condition leaves."""
    if limit.sign == "json":
        return JSON
    numbers = [one for one in map(_number, limit.values) if one is not None]
    if limit.sign.startswith("length "):
        return _of_length(values, limit.sign.removeprefix("length "), numbers)
    if limit.sign in {"in", "="} and values.kind not in {"truth", "choice"}:
        return choice(*(_fitting(values, one) for one in limit.values))
    if values.kind in {"whole", "number"} and len(numbers) == len(limit.values):
        return _within(values, limit.sign, numbers)
    return values


def _number(value: Value) -> Decimal | None:
    """Return a number, which PostgreSQL may write as a text: `'-1'::integer`."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _fitting(values: Values, one: Value) -> Value:
    return int(one) if values.kind == "whole" and isinstance(one, Decimal) else one


def _of_length(values: Values, sign: str, numbers: Sequence[Decimal]) -> Values:
    if values.kind not in {"text", "bytes"} or not numbers:
        return values
    number = int(numbers[0])
    match sign:
        case ">" | ">=" | "=":
            shortest = max(values.shortest, number + (sign == ">"))
            values = replace(values, shortest=shortest)
        case "between":
            values = replace(values, shortest=max(values.shortest, number))
            number = int(numbers[-1])
    if sign in {"<", "<=", "=", "between"}:
        most = number - (sign == "<")
        values = replace(values, length=most if values.length is None else min(values.length, most))
    return values


def _within(values: Values, sign: str, numbers: Sequence[Decimal]) -> Values:
    lows, highs = [values.low], [values.high]
    match sign:
        case ">" | ">=":
            lows.append(numbers[0] + (values.unit if sign == ">" else 0))
        case "<" | "<=":
            highs.append(numbers[0] - (values.unit if sign == "<" else 0))
        case "between":
            lows.append(numbers[0])
            highs.append(numbers[-1])
    return replace(
        values,
        low=max((one for one in lows if one is not None), default=None),
        high=min((one for one in highs if one is not None), default=None),
    )
