"""Notifications arrive in order at a real server, or are given up in time, and hide their URLs."""

from __future__ import annotations

import time

from orchestrate.adapters.notifications import Notice, Notifier, Receiver
from orchestrate.domain.secrets import Secret
from tests.support.receivers import receiving

STARTED = Notice(event="started", title="dev: run started", body="one\ntwo", level="info")
FAILED = Notice(event="failed", title="dev: run failed", body="why", level="failure")


def receiver(number: int, url: str) -> Receiver:
    return Receiver(name=f"notify[{number}]", url=Secret(url))


def test_all_kinds_of_receivers_at_once() -> None:
    """One that hangs holds up none of the others, and is given up; complaints show no URL."""
    with receiving() as server:
        urls = [
            server.url("hang/T0kenOfTheHangingOne"),
            server.url(),
            server.url("refuse/T0kenRefused"),
            "nothing-apprise-knows://T0kenUnknown",
        ]
        receivers = [receiver(number, url) for number, url in enumerate(urls)]
        unset = Receiver(name="notify[4]", url=None, problem="the variable is not set")
        notifier = Notifier(lambda: [*receivers, unset])
        notifier.send(STARTED)
        notifier.send(FAILED)
        began = time.monotonic()
        found = notifier.finish(6)
        assert time.monotonic() - began < 9
        assert server.titles == ["dev: run started", "dev: run failed"]
        assert server.messages[1]["message"] == "why"
        assert server.messages[1]["type"] == "failure"
    assert [one.event for one in found] == ["started"] * 5 + ["failed"] * 5
    problems = [one.problem for one in found[5:]]
    assert problems[:2] == ["it was not delivered in time", None]
    assert "500" in (problems[2] or "")
    assert problems[3:] == ["apprise does not understand this URL", "the variable is not set"]
    assert "T0ken" not in repr(found)


def test_sources_that_fail_or_hang() -> None:
    """Whatever reading the receivers comes to is told, and no more."""

    def broken() -> list[Receiver]:
        raise RuntimeError("with a secret")

    notifier = Notifier(broken)
    notifier.send(STARTED)
    (found,) = notifier.finish(5)
    assert (found.receiver, found.problem) == (
        "notify",
        "the receivers cannot be read: RuntimeError",
    )
    assert Notifier(broken).finish() == ()
