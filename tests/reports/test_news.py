"""What people are told of news in a report of drift, and of what they are not told."""

from __future__ import annotations

from dataclasses import replace

from orchestrate.reports.notices import news_text
from tests.support.drift_values import KNOWN, NOTE, TARGET, targets


def test_news_of_a_target() -> None:
    """Only what is new, by name; of many the first ones; what to type next."""
    _, production, _, away = targets()
    assert news_text(production, report="drift-2") == (
        "drift",
        "production: 1 new difference",
        "column orders.note added\nReport: drift-2\nNext: orchestrate drift production",
        "warning",
    )
    many = tuple(replace(NOTE, name=f"orders.c{number}") for number in range(25))
    found = news_text(replace(TARGET, differences=(*many, KNOWN)), report="drift-2")
    assert found is not None
    assert found[1] == "dev: 25 new differences"
    assert found[2].splitlines()[19:21] == ["column orders.c19 added", "and 5 more"]
    unread = news_text(away, report="drift-2")
    assert unread is not None
    assert unread[1] == "away: could not be read"


def test_no_news() -> None:
    """What is known, was told before, or could not be read the last time either is no news."""
    told = replace(TARGET, differences=(KNOWN, replace(NOTE, new=False)))
    *_, away = targets()
    assert news_text(told, report="drift-2") is None
    assert news_text(replace(away, error_is_new=False), report="drift-2") is None
