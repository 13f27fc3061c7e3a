"""The chain's canonical form is fixed, and only plain JSON enters it."""

from __future__ import annotations

import enum
import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.domain.events import NewEvent
from orchestrate.domain.secrets import Secret
from orchestrate.stores.state.chain import (
    GENESIS,
    Head,
    canonical_json,
    event_of,
    forge,
    moment_from_text,
    moment_text,
    plain_json,
)
from tests.support.states import NOON, event

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_canonical_form() -> None:
    """These bytes and this hash are what every version has to make of this event."""
    new = NewEvent(
        kind="step.started",
        at=NOON,
        run="run-1",
        step="größe",
        data={"b": [1, 2.5, True, None], "a": {"ä": "😀", "quote": '"\\\n'}},
    )
    (link,), _ = forge(Head(0, GENESIS), [new])
    text = (
        r'{"at":"2026-03-01T12:00:00.000000Z",'
        r'"data":{"a":{"quote":"\"\\\n","\u00e4":"\ud83d\ude00"},"b":[1,2.5,true,null]},'
        r'"kind":"step.started","previous_hash":"' + "0" * 64 + r'",'
        r'"run":"run-1","sequence":1,"step":"gr\u00f6\u00dfe"}'
    )
    assert link.hash == hashlib.sha256(text.encode("ascii")).hexdigest()
    assert link.hash == "1cf5da971f2aa4110cfccc34d58688e7871df385575cc55254913f0e1fc88a6e"


def test_each_link_holds_the_one_before() -> None:
    """Sequences have no gap and each event's previous hash is the hash before it."""
    links, events = forge(Head(6, "f" * 64), [event(1), event(2), event(3)])
    assert [link.sequence for link in links] == [7, 8, 9]
    assert [link.previous_hash for link in links] == ["f" * 64, links[0].hash, links[1].hash]
    assert [event_of(link) for link in links] == events


@given(data=st.dictionaries(st.text(), plain), step=st.none() | st.text())
def test_an_event_comes_back_as_it_was(data: dict[str, Any], step: str | None) -> None:
    """Any plain JSON survives its row, and anybody can check the hash with nothing but JSON."""
    (link,), (made,) = forge(
        Head(0, GENESIS), [NewEvent(kind="step.failed", at=NOON, run=None, step=step, data=data)]
    )
    assert event_of(link) == made
    assert made.data == data
    fields = link._asdict()
    fields["data"] = json.loads(fields["data"])
    digest = fields.pop("hash")
    assert hashlib.sha256(canonical_json(fields).encode("ascii")).hexdigest() == digest


class Colour(enum.StrEnum):
    RED = "red"


def test_tuples_and_enumerations_become_plain() -> None:
    """What JSON would turn into a list or a text is one in the event that `append` returns, too."""
    assert plain_json({"a": (1, (2,)), "b": Colour.RED}) == {"a": [1, [2]], "b": "red"}
    assert type(plain_json(Colour.RED)) is str


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"url": Secret("hunter2")}, "data.url is a secret, which the journal never holds"),
        (
            {"a": [1, {"b": Secret("hunter2")}]},
            "data.a[1].b is a secret, which the journal never holds",
        ),
        ({"at": NOON}, "data.at is a datetime, which is not JSON"),
        ({"path": Path("x")}, "data.path is a PosixPath, which is not JSON"),
        ({"n": Decimal(1)}, "data.n is a Decimal, which is not JSON"),
        ({"b": b"x"}, "data.b is a bytes, which is not JSON"),
        ({"s": {1}}, "data.s is a set, which is not JSON"),
        ({"f": float("nan")}, "data.f is not a finite number, so it is not JSON"),
        ({"f": float("inf")}, "data.f is not a finite number, so it is not JSON"),
        ({1: 2}, "data has a key that is a int, which is not JSON"),
        ({Secret("hunter2"): 2}, "data has a key that is a Secret, which is not JSON"),
    ],
)
def test_what_is_not_json_is_refused(value: object, message: str) -> None:
    """The place is named, the value never."""
    with pytest.raises(TypeError) as caught:
        plain_json(value)
    assert str(caught.value) == message


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments(moment: datetime) -> None:
    """Every moment comes back, and their texts sort as they do."""
    assert moment_from_text(moment_text(moment)) == moment
    assert len(moment_text(moment)) == 27
    assert (moment_text(moment) < moment_text(NOON)) == (moment < NOON)


def test_moments_are_utc() -> None:
    """Another zone is converted, and a moment without one is refused."""
    there = datetime(2026, 3, 1, 13, 30, tzinfo=timezone(timedelta(hours=1)))
    assert moment_text(there) == "2026-03-01T12:30:00.000000Z"
    with pytest.raises(ValueError, match="without a time zone"):
        moment_text(datetime(2026, 3, 1, 12))  # noqa: DTZ001  (the case)
