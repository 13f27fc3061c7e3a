"""SQL that brings back what should be there, where that loses no data: what the dialects share.

Nothing here drops a column, a table or a value. What a statement needs beyond that (rows that fit,
time, locks) is for who runs it.
"""

from __future__ import annotations

import re
from typing import Final

from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.snapshot import place_and_name

_QUOTED: Final = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|(?P<tag>\$\w*\$).*?(?P=tag)""", re.DOTALL
)
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*\Z")


def identifier(name: str, quote: str = '"') -> str:
    """Return a name as SQL takes it."""
    if name.startswith('"'):
        name = name[1:-1].replace('""', '"')
    if _PLAIN.match(name):
        return name
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


def dotted(name: str, quote: str = '"') -> str:
    """Return a qualified name as SQL takes it."""
    place, last = place_and_name(name)
    own = identifier(last, quote)
    return f"{dotted(place, quote)}.{own}" if place else own


def outside_quotes(text: str) -> str:
    """Return a text without what stands in quotes."""
    return _QUOTED.sub("''", text)


def several_lines(text: str) -> str:
    r"""Return a definition with the line ends that `canonical.one_line` has written as `\n`."""

    def lines(piece: re.Match[str]) -> str:
        return re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[0]), piece[0])

    return _QUOTED.sub(lines, text)


_ESCAPES: Final = {"n": "\n", "r": "\r", "\\": "\\"}


def statements(*parts: str | None) -> str | None:
    """Return statements one after another, or None where one of them is not known."""
    known = [part for part in parts if part]
    return "; ".join(known) if len(known) == len(parts) else None


def both_ways(
    one: DriftDifference, *, create: str | None, drop: str | None, replaces: bool = False
) -> str | None:
    """Return the statement for something that is missing, too much, or another one.

    `replaces` says that creating it takes the place of what is there.
    """
    match one.change:
        case "removed":
            return create
        case "added":
            return drop
        case "altered":
            return create if replaces else statements(drop, create)
