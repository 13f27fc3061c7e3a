"""The table of what was measured: a line a question, with today's way, ours, and the target."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_HEADERS: Final = ("what", "today", "orchestrate", "figure", "target", "met")


@dataclass(frozen=True)
class Line:
    """One line of the table: `figure` is what the target speaks of."""

    what: str
    today: str
    ours: str
    figure: str
    target: str = ""
    met: bool | None = None


def faster(what: str, today: str, ours: str, figure: float, *, goal: float | None = None) -> Line:
    """Return the line of something that should be so many times faster than today's way."""
    target, met = ("", None) if goal is None else (f"at least {goal}x", figure >= goal)
    return Line(
        what=what, today=today, ours=ours, figure=f"{figure:.2f}x faster", target=target, met=met
    )


def slower(what: str, today: str, ours: str, figure: float, *, goal: float | None = None) -> Line:
    """Return the line of something that may take so many times today's time."""
    target, met = ("", None) if goal is None else (f"at most {goal}", figure <= goal)
    figured = f"{figure:.2f} times the time"
    return Line(what=what, today=today, ours=ours, figure=figured, target=target, met=met)


def median(values: Sequence[float]) -> str:
    """Return seconds as the table has them: their median and their range."""
    return f"{statistics.median(values):.3f} s ({min(values):.3f}-{max(values):.3f})"


def table(lines: Iterable[Line]) -> str:
    """Return lines as a Markdown table."""
    rows = [
        (
            line.what,
            line.today,
            line.ours,
            line.figure,
            line.target,
            "" if line.met is None else "yes" if line.met else "**no**",
        )
        for line in lines
    ]
    return "\n".join(
        f"| {' | '.join(row)} |" for row in (_HEADERS, ("---",) * len(_HEADERS), *rows)
    )
