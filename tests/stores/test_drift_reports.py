"""Reports of drift in the state store: small, found again, told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrate.domain.drift import DriftReport, EnvironmentDrift, TargetDrift
from orchestrate.run import drift_reports
from orchestrate.run.drift_reports import keep_report, kept_reports, load_report, reported_before
from orchestrate.stores.state import StateStore
from tests.support.databases import NewDatabase
from tests.support.drift_values import NOTE, TARGET, report
from tests.support.states import open_store


@pytest.fixture
def state(new_database: NewDatabase) -> Iterator[StateStore]:
    """Open a new state store."""
    with open_store(new_database("sqlite")) as opened:
        yield opened


def night(number: int, *targets: TargetDrift) -> DriftReport:
    """Return a report of that night; each knows the one before."""
    before = f"drift-{number - 1}" if number else None
    return replace(
        report(),
        id=f"drift-{number}",
        created_at=report().created_at + timedelta(days=number),
        previous=before,
        environments=tuple(
            EnvironmentDrift(name=one.environment, targets=(replace(one, previous=before),))
            for one in targets or report().targets
        ),
    )


def test_nights_that_found_the_same_share_a_text(state: StateStore) -> None:
    """What is another by itself stands in the event, from which the whole report comes back."""
    nights = [night(number) for number in range(3)]
    for one in nights:
        keep_report(state, one)
    kept = kept_reports(state)
    assert len({one.digest for one in kept}) == 1
    assert [load_report(state, one) for one in kept] == nights
    keep_report(state, night(3, replace(TARGET, pending=1)))
    assert kept_reports(state)[-1].digest != kept[0].digest


def test_a_last_report_is_found_however_far_back(
    state: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports of others, of other questions and without a schema lie between."""
    monkeypatch.setattr(drift_reports, "_PAGE", 3)
    drifted = replace(TARGET, environment="production", name="production", differences=(NOTE,))
    keep_report(state, night(0, drifted))
    for number in range(1, 8):
        keep_report(state, night(number, TARGET))
    keep_report(state, night(8, replace(drifted, compared_with=None, differences=())))
    keep_report(state, replace(night(9, drifted), against="models"))
    for number in range(10, 18):
        keep_report(state, night(number, TARGET))
    keys = [("production", "production"), ("dev", "dev"), ("new", "new")]
    found = reported_before(state, None, keys)
    last = found["production", "production"].last
    assert last is not None
    assert (last[0], last[1].differences) == ("drift-8", (NOTE,))
    assert found["dev", "dev"].last is not None
    assert found["dev", "dev"].last[0] == "drift-17"
    assert found["new", "new"].last is None


def test_a_report_that_is_gone_is_told(state: StateStore) -> None:
    """It takes nothing with it but what is new."""
    keep_report(state, night(0, TARGET))
    state.drop_snapshots([kept_reports(state)[0].digest])
    before = reported_before(state, None, [("dev", "dev")])["dev", "dev"]
    assert before.last is None
    assert before.why_not is not None
    assert "earlier report" in before.why_not
