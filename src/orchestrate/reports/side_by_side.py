"""Two definitions beside each other: which words of each the other has not. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from orchestrate.values import dataclass

_WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]")
_MOST_WORDS: Final = 1500
"""Longer definitions stand beside each other unmarked: comparing takes quadratic time."""
_ALIKE: Final = 0.4
"""Below it nearly every word would be marked, which helps nobody."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a definition; `marked` where the other one has something else."""

    text: str
    marked: bool


def side_by_side(expected: str, actual: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return both definitions in pieces."""
    one, two = _WORDS.findall(expected), _WORDS.findall(actual)
    if max(len(one), len(two)) > _MOST_WORDS:
        return (Piece(expected, False),), (Piece(actual, False),)  # noqa: FBT003  (a value)
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return (Piece(expected, False),), (Piece(actual, False),)  # noqa: FBT003  (a value)
    codes = matcher.get_opcodes()
    return (
        _pieces([(one[begin:end], tag != "equal") for tag, begin, end, _, _ in codes]),
        _pieces([(two[begin:end], tag != "equal") for tag, _, _, begin, end in codes]),
    )


def _pieces(parts: Sequence[tuple[list[str], bool]]) -> tuple[Piece, ...]:
    return tuple(Piece("".join(words), marked) for words, marked in parts if words)
