"""Sending notifications beside a run: nothing here fails it, or holds it up for long.

One process beside ours sends them all; it is ended when the time for it is over. URLs are secrets:
a receiver goes by its place in the spec.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import IO, Final, Literal

from orchestrate.adapters.own_secrets import child_environ
from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.secrets import Secret
from orchestrate.values import dataclass

LAST_SECONDS: Final = 10.0
"""How long the end of a run waits for what is still on its way."""
_TOO_LATE: Final = "it was not delivered in time"
_SHORTEST_PIECE: Final = 4

Level = Literal["info", "success", "warning", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What people are told."""

    event: str
    """`started`, `failed`, …"""
    title: str
    body: str
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who is told. Without a URL, `problem` says why there is none."""

    name: str
    """`notify[0] (slack)`."""
    url: Secret | None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one notification to one receiver."""

    event: str
    receiver: str
    problem: str | None


def can_notify() -> bool:
    """Return whether apprise is installed, without importing it."""
    return importlib.util.find_spec("apprise") is not None


class Notifier:
    """Sends notifications in the order in which it is given them, until `finish`."""

    def __init__(self, receivers: Callable[[], Sequence[Receiver]]) -> None:
        self._read_receivers = receivers
        self._receivers: tuple[Receiver, ...] | None = None
        self._notices: list[Notice] = []
        self._queue: queue.SimpleQueue[Notice | None] = queue.SimpleQueue()
        self._answers: dict[tuple[int, int], str | None] = {}
        self._process: subprocess.Popen[str] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="notices")

    def send(self, notice: Notice) -> None:
        """Have a notification sent; returns at once."""
        if not self._notices:
            self._thread.start()
        self._notices.append(notice)
        self._queue.put(notice)

    def finish(self, seconds: float = LAST_SECONDS) -> tuple[Delivery, ...]:
        """Wait a little for what is on its way, end the rest; return what became of everything."""
        if not self._notices:
            return ()
        self._queue.put(None)
        # Ctrl-C ends the waiting: how the run ended is settled, and still to be told.
        with contextlib.suppress(KeyboardInterrupt):
            self._thread.join(timeout=seconds)
        self._over.set()
        process, receivers = self._process, self._receivers
        if process is not None:
            _end(process)
            self._thread.join(timeout=1.0)
        if receivers is None:
            receivers = (Receiver(name="notify", url=None, problem=_TOO_LATE),)
        return tuple(
            Delivery(
                event=notice.event,
                receiver=one.name,
                problem=self._problem(count, number, one),
            )
            for count, notice in enumerate(self._notices)
            for number, one in enumerate(receivers)
        )

    def _problem(self, count: int, number: int, receiver: Receiver) -> str | None:
        if receiver.url is None:
            return receiver.problem
        problem = self._answers.get((count, number), _TOO_LATE)
        return None if problem is None else _without(receiver.url, problem)

    # --- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            receivers = tuple(self._read_receivers())
        except Exception as error:  # noqa: BLE001  (a source may fail in any way; none may matter)
            problem = f"the receivers cannot be read: {type(error).__name__}"
            receivers = (Receiver(name="notify", url=None, problem=problem),)
        self._receivers = receivers
        numbers = [number for number, one in enumerate(receivers) if one.url is not None]
        if not numbers or self._over.is_set():
            return
        urls = [one.url.reveal() for one in receivers if one.url is not None]
        # `-P`: a file of the user's folder must not stand in for a library.
        command = [sys.executable, "-P", "-m", "orchestrate.adapters.apprise_child"]
        with contextlib.suppress(OSError, ValueError):
            process = subprocess.Popen(
                command,
                env=child_environ(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            self._process = process
            if self._over.is_set():  # reading the receivers took longer than anybody waited
                _end(process)
            if process.stdin is None or process.stdout is None:
                raise AssertionError("it is started with pipes")
            listener = threading.Thread(
                target=self._listen, args=(process.stdout, numbers), daemon=True, name="answers"
            )
            listener.start()
            _write(process.stdin, {"urls": urls, "seconds": LAST_SECONDS})
            while (notice := self._queue.get()) is not None:
                _write(process.stdin, asdict(notice))
            process.stdin.close()
            listener.join()
            process.wait()

    def _listen(self, answers: IO[str], numbers: Sequence[int]) -> None:
        with contextlib.suppress(OSError, ValueError), answers:
            for line in answers:
                count, number, problem = json.loads(line)
                self._answers[count, numbers[number]] = problem


def _write(pipe: IO[str], value: object) -> None:
    pipe.write(json.dumps(value) + "\n")
    pipe.flush()


def _end(process: subprocess.Popen[str]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _without(url: Secret, text: str) -> str:
    """Return a complaint without any piece of the URL: tokens stand anywhere in one."""
    pieces = re.split(r"[/:@?&=#,]+", url.reveal())
    hidden = Redactor([url, *(Secret(one) for one in pieces[1:] if len(one) >= _SHORTEST_PIECE)])
    return " ".join(hidden.redact(text).split())[:500]
