"""Text for terminals: columns, durations, moments. Pure; colour is added as ANSI codes.

Whoever prints decides whether the codes stay (`click.echo` takes them out for pipes and
`NO_COLOR`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click

from orchestrate.domain.durations import duration

_STATE_COLOURS: Final = {
    "current": "green",
    "succeeded": "green",
    "finished": "green",
    "open": "green",
    "behind": "yellow",
    "empty": "yellow",
    "unversioned": "yellow",
    "stopped": "yellow",
    "running": "yellow",
    "warning": "yellow",
    "started": "yellow",
}
_NEUTRAL: Final = {"info", "aborted", "marked", "none", "never", "ahead"}


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0) -> str:
    """Return rows in aligned columns under bold headers, without trailing spaces."""
    widths = [
        max(_length(row[column]) for row in (headers, *rows)) for column in range(len(headers))
    ]
    lines = [_line([click.style(one, bold=True) for one in headers], widths, indent)]
    lines += [_line(row, widths, indent) for row in rows]
    return "\n".join(lines)


def _length(cell: str) -> int:
    """Return how many columns a cell takes; most have no colour, and a long table has many."""
    return len(click.unstyle(cell)) if "\x1b" in cell else len(cell)


def _line(cells: Sequence[str], widths: Sequence[int], indent: int) -> str:
    padded = [
        cell + " " * (width - _length(cell)) for cell, width in zip(cells, widths, strict=True)
    ]
    return (" " * indent + "  ".join(padded)).rstrip()


def fields(pairs: Sequence[tuple[str, str]], *, indent: int = 2) -> str:
    """Return `name  value` lines with the values under each other."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(
        f"{' ' * indent}{click.style(name.ljust(width), dim=True)}  {value}".rstrip()
        for name, value in pairs
    )


def coloured(word: str) -> str:
    """Return a state, status or severity in the colour that it has everywhere."""
    if word in _NEUTRAL:
        return word
    return click.style(word, fg=_STATE_COLOURS.get(word, "red"))


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was."""
    return f"{duration(max(0, round((now - moment).total_seconds())))} ago"


def stamp(moment: datetime) -> str:
    """Return a moment as people in several time zones can compare it: UTC, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def counted(number: int, noun: str) -> str:
    """Return `1 revision`, `2 revisions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short(identifier: str, length: int = 16) -> str:
    """Return a revision as it is, or its beginning where it is longer than a column bears."""
    return identifier if len(identifier) <= length else identifier[: length - 1] + "…"


def file_shown(path: str) -> str:
    """Return a file as it is, or its end where it is outside of the project's directory.

    A revision inside an installed package would fill the line with the path of the environment.
    """
    folder, _, name = path.rpartition("/")
    return f"…/{folder.rpartition('/')[2]}/{name}" if path.startswith("/") else path
