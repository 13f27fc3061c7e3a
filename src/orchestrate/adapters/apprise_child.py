"""Sends notifications by apprise, in a process of its own that may be ended at any time.

Reads JSON lines from standard input: first `{"urls": [..], "seconds"}`, then a notice each,
`{"title", "body", "level"}`. Prints `[notice, url, problem or null]` for each URL as it is done; a
URL gets them in order, and one that hangs holds up none of the others. Imports nothing of ours.
"""

from __future__ import annotations

import json
import logging
import queue
import signal
import sys
import threading
from typing import Any


class _Last(logging.Handler):
    """Keeps what apprise complained of last, by thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: dict[int | None, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.texts[record.thread] = record.getMessage()


class _Sender:
    """Sends to one URL, one notice after the other, in a thread of its own."""

    def __init__(self, number: int, url: str, last: _Last) -> None:
        self._number = number
        self._url = url
        self._last = last
        self.notices: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        count = 0
        while (notice := self.notices.get()) is not None:
            answer = [count, self._number, self._problem(notice)]
            # One write a line, so that those of two threads do not mix.
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            count += 1

    def _problem(self, notice: dict[str, Any]) -> str | None:
        import apprise  # noqa: PLC0415  (an optional library, and slow to import)

        self._last.texts.pop(threading.get_ident(), None)
        try:
            # Not through `Apprise.notify`, which sends in threads of its own: what is complained of
            # there could not be told apart.
            plugin = apprise.Apprise.instantiate(self._url)
            if plugin is None:
                return "apprise does not understand this URL"
            sent = plugin.notify(
                body=notice["body"],
                title=notice["title"],
                notify_type=notice["level"],
                body_format="text",
            )
        except Exception as error:  # noqa: BLE001  (a plugin of apprise's may raise what it likes)
            return f"{type(error).__name__}: {error}"
        if sent:
            return None
        return self._last.texts.get(threading.get_ident()) or "apprise could not send it"


def main() -> None:
    """Send what comes until standard input ends, and then what is left of it."""
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    last = _Last()
    logger = logging.getLogger("apprise")
    logger.addHandler(last)
    logger.propagate = False
    senders = [_Sender(number, url, last) for number, url in enumerate(given["urls"])]
    for line in sys.stdin:
        notice = json.loads(line)
        for sender in senders:
            sender.notices.put(notice)
    # Whoever started this may have been killed; SIGALRM's default ends the process.
    signal.alarm(int(given["seconds"]) + 1)
    for sender in senders:
        sender.notices.put(None)
    for sender in senders:
        sender.thread.join()


if __name__ == "__main__":
    main()
