"""Secrets as a type: a `Secret` prints as `***` wherever it turns up.

The only way to its text is `reveal()`, so that each use can be searched for.
"""

from __future__ import annotations

from typing import Final, final

MASK: Final = "***"


@final
class Secret:
    """A text that no output, log, file, argument list or state may show."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; for the agent's standard input and database drivers alone."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return format(MASK, format_spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        msg = "a secret is never pickled"
        raise TypeError(msg)
