"""Ctrl-C and SIGTERM as a wish that the run grants at its next safe point."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


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
    """Turn SIGINT and SIGTERM into the wish to stop, within the body."""

    def note(_number: int, _frame: FrameType | None) -> None:
        interruption.request()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end the body as Ctrl-C does, so that what it made is tidied up."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
