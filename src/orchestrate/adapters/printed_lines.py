"""What a program prints, as lines to show: no secrets, nothing that moves a terminal, no end of it.

A line is looked at as a whole before it is cut, so that no secret is cut with it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import IO, Final

from orchestrate.adapters.redaction import Redactor

LINE_LIMIT: Final = 2000
"""A longer line comes in pieces of this length."""
_READ_LIMIT: Final = 1 << 20
"""What a line has beyond so many bytes is left out."""
_LONGEST_SECRET: Final = 1 << 16
_TERMINAL: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def printed_lines(pipe: IO[bytes], redactor: Redactor) -> Iterator[str]:
    """Yield lines as `shown` makes them, the longer ones in pieces, until the pipe ends.

    Or is closed.
    """
    with contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(_READ_LIMIT):
            text = shown(line.decode("utf-8", "replace").rstrip("\r\n"), redactor)
            if len(line) == _READ_LIMIT and not line.endswith(b"\n"):
                # A secret may have been cut: then what is left of it stands at the end.
                text = text[:-_LONGEST_SECRET]
                _pass_over_rest(pipe)
            for start in range(0, max(len(text), 1), LINE_LIMIT):
                yield text[start : start + LINE_LIMIT]


def shown(text: str, redactor: Redactor) -> str:
    """Return a text without secrets and control characters, tabs and ends of lines kept."""
    # A secret may hold control characters itself, or be interrupted by some.
    return redactor.redact(_TERMINAL.sub("", redactor.redact(text)))


def _pass_over_rest(pipe: IO[bytes]) -> None:
    while (rest := pipe.readline(_READ_LIMIT)) and not rest.endswith(b"\n"):
        pass
