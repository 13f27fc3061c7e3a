"""Ctrl-C, SIGTERM and a closed terminal as a wish that the run grants at its next safe point."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_HANGUP: Final[int | None] = getattr(signal, "SIGHUP", None)
"""What a terminal that closes sends; Windows has no such signal."""


class Interruption:
    """Whether someone asked to stop. The second time, `on_second` ends the running step."""

    def __init__(self) -> None:
        self.requested = False
        self.on_first: Callable[[], None] | None = None
        self.on_second: Callable[[], None] | None = None

    def request(self) -> None:
        """Note the wish."""
        again, self.requested = self.requested, True
        action = self.on_second if again else self.on_first
        if action is not None:
            action()


@contextmanager
def heeding_signals(interruption: Interruption) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into the wish to stop, within the body."""

    def note(number: int, _frame: FrameType | None) -> None:
        # A terminal that closes says so twice, by the kernel and by its shell; who asks for the
        # end of the running step is a person who types.
        if number != _HANGUP or not interruption.requested:
            interruption.request()

    numbers = [signal.SIGINT, signal.SIGTERM, *_hangup()]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end the body as Ctrl-C does, so that what it made is tidied up."""

    def hang_up(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # the second must not stop the tidying up
        signal.default_int_handler(number, frame)

    handlers: dict[int, Callable[[int, FrameType | None], None]] = {
        signal.SIGTERM: signal.default_int_handler,
        **dict.fromkeys(_hangup(), hang_up),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hangup() -> list[int]:
    """Return SIGHUP where it would end the process: not under `nohup`, nor if it is in other use.

    A program that calls us may read its configuration again when it gets one.
    """
    if _HANGUP is None or signal.getsignal(_HANGUP) is not signal.SIG_DFL:
        return []
    return [_HANGUP]
