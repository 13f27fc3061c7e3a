"""Windows against the calendar of real time zones: midnight, skipped hours, hours that come twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrate.domain.spec_protections import Window
from orchestrate.planning.windows import fits, window_state


def window(zone: str, *opening: str, freeze: tuple[str, ...] = ()) -> Window:
    return Window.model_validate({"timezone": zone, "open": list(opening), "freeze": list(freeze)})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "opening", "now", "is_open", "changes_at"),
    [
        # Berlin in winter is UTC+1. 2026-11-21 is a Saturday.
        ("Europe/Berlin", "sat,sun 01:00-05:00", "2026-11-21T00:30Z", True, "2026-11-21T04:00Z"),
        ("Europe/Berlin", "sat,sun 01:00-05:00", "2026-11-21T04:00Z", False, "2026-11-22T00:00Z"),
        ("Europe/Berlin", "sat 01:00-05:00", "2026-11-21T04:00Z", False, "2026-11-28T00:00Z"),
        # Over midnight: the day is that on which it opens.
        ("UTC", "fri 22:00-02:00", "2026-11-21T01:59Z", True, "2026-11-21T02:00Z"),
        ("UTC", "fri 22:00-02:00", "2026-11-22T01:00Z", False, "2026-11-27T22:00Z"),
        # The whole day, twice: no closing at midnight.
        ("UTC", "weekends 00:00-24:00", "2026-11-21T12:00Z", True, "2026-11-23T00:00Z"),
        # Clocks go from 02:00 to 03:00 on 2027-03-28: 02:30 is never shown, 03:00 is inside.
        ("Europe/Berlin", "sun 02:30-04:00", "2027-03-28T00:59Z", False, "2027-03-28T01:00Z"),
        ("Europe/Berlin", "sun 02:30-04:00", "2027-03-28T01:00Z", True, "2027-03-28T02:00Z"),
        # 02:00-03:00 does not come that night: the next one is a week later, in summer time.
        ("Europe/Berlin", "sun 02:00-03:00", "2027-03-28T00:30Z", False, "2027-04-04T00:00Z"),
        # Clocks go from 03:00 back to 02:00 on 2026-10-25: 02:00-02:30 comes twice.
        ("Europe/Berlin", "sun 02:00-02:30", "2026-10-25T00:10Z", True, "2026-10-25T00:30Z"),
        ("Europe/Berlin", "sun 02:00-02:30", "2026-10-25T00:30Z", False, "2026-10-25T01:00Z"),
        ("Europe/Berlin", "sun 02:00-02:30", "2026-10-25T01:10Z", True, "2026-10-25T01:30Z"),
        # New York: back on 2026-11-01 at 06:00 UTC; 01:00-03:00 lasts three hours that night.
        ("America/New_York", "sun 01:00-03:00", "2026-11-01T05:00Z", True, "2026-11-01T08:00Z"),
        # Lord Howe Island shifts by half an hour, on 2026-10-04 at 02:00 (UTC+10:30 to +11).
        ("Australia/Lord_Howe", "sun 02:00-04:00", "2026-10-03T15:29Z", False, "2026-10-03T15:30Z"),
        ("Australia/Lord_Howe", "sun 02:00-04:00", "2026-10-03T15:30Z", True, "2026-10-03T17:00Z"),
        # Santiago shifts at midnight: 2026-09-06 has no 00:00-01:00.
        ("America/Santiago", "sun 00:00-02:00", "2026-09-06T03:59Z", False, "2026-09-06T04:00Z"),
        ("America/Santiago", "sun 00:00-02:00", "2026-09-06T04:00Z", True, "2026-09-06T05:00Z"),
        # Kathmandu is 5:45 ahead.
        ("Asia/Kathmandu", "daily 00:00-01:00", "2026-11-20T18:15Z", True, "2026-11-20T19:15Z"),
    ],
)
def test_open_and_next_change(
    zone: str, opening: str, now: str, *, is_open: bool, changes_at: str
) -> None:
    found = window_state(window(zone, opening), at(now))
    assert (found.is_open, found.changes_at) == (is_open, at(changes_at))


def test_a_freeze_closes_whole_local_days() -> None:
    rule = window("Europe/Berlin", "daily 22:00-02:00", freeze=("2026-12-20/2027-01-05",))
    before = window_state(rule, at("2026-12-19T22:30Z"))  # 23:30 on the 19th
    assert (before.is_open, before.changes_at) == (True, at("2026-12-19T23:00Z"))
    frozen = window_state(rule, at("2026-12-19T23:30Z"))  # 00:30 on the 20th
    assert (frozen.is_open, frozen.frozen) == (False, True)
    assert frozen.changes_at == at("2027-01-05T23:00Z")  # 00:00 on the 6th, opened on the 5th
    assert not window_state(rule, at("2026-12-25T12:00Z")).frozen  # closed by the hour anyway


def test_several_windows_join() -> None:
    rule = window("UTC", "sat 01:00-05:00", "sat 04:00-08:00", "weekdays 22:00-23:30")
    found = window_state(rule, at("2026-11-21T02:00Z"))
    assert found.changes_at == at("2026-11-21T08:00Z")
    assert window_state(rule, at("2026-11-21T08:00Z")).changes_at == at("2026-11-23T22:00Z")


def test_frozen_for_longer_than_a_year_never_changes() -> None:
    rule = window("UTC", "daily 01:00-02:00", freeze=("2026-01-01/2029-01-01",))
    assert window_state(rule, at("2026-11-21T02:00Z")).changes_at is None


def test_always_open_never_closes() -> None:
    found = window_state(window("Europe/Berlin", "daily 00:00-24:00"), at("2026-11-21T02:00Z"))
    assert (found.is_open, found.changes_at) == (True, None)


def test_what_does_not_end_inside_does_not_fit() -> None:
    now = at("2026-11-21T04:00Z")
    state = window_state(window("UTC", "sat 01:00-05:00"), now)
    assert fits(state, now, 3600.0)
    assert not fits(state, now, 3600.5)
    assert fits(state, now, None)
    closed = window_state(window("UTC", "sun 01:00-05:00"), now)
    assert not fits(closed, now, 0.1)


def test_each_change_is_a_change_through_two_years() -> None:
    rule = window("Europe/Berlin", "sun 01:30-03:30", "wed 23:00-00:30", freeze=("2027-03-28",))
    now, was = at("2026-01-01T00:00Z"), None
    while now < at("2028-01-01T00:00Z"):
        state = window_state(rule, now)
        assert state.is_open != was
        before = window_state(rule, (state.changes_at or now) - timedelta(seconds=1))
        assert before.is_open == state.is_open
        now, was = state.changes_at or at("2030-01-01T00:00Z"), state.is_open
