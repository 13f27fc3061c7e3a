"""Numbers of a report as Prometheus reads them."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from orchestrate.domain.drift import DriftReport
from orchestrate.reports.metrics import drift_metrics
from tests.support.drift_values import HOSTILE, report
from tests.support.values import NOON


def numbers(found: DriftReport) -> dict[str, dict[tuple[str, ...], float]]:
    """Return values by metric, then by the labels' values."""
    families = list(text_string_to_metric_families(drift_metrics(found) + "\n"))
    assert {one.type for one in families} == {"gauge"}
    assert all(one.documentation for one in families)
    return {
        one.name: {tuple(sample.labels.values()): sample.value for sample in one.samples}
        for one in families
    }


def test_numbers_of_a_report() -> None:
    """What is not known has no number: zero would say that all is well."""
    found = numbers(report())
    assert found["orchestrate_up"] == {
        ("dev", "dev"): 1,
        ("production", "production"): 1,
        ("staging", "staging"): 1,
        ("away", "away"): 0,
    }
    assert found["orchestrate_pending_revisions"] == {
        ("dev", "dev"): 0,
        ("production", "production"): 8,
        ("staging", "staging"): 0,
    }
    differences = found["orchestrate_drift_differences"]
    assert differences["production", "production", "schema", "false"] == 3
    assert differences["production", "production", "schema", "true"] == 1
    assert differences["dev", "dev", "schema", "false"] == 0
    assert ("staging", "staging", "schema", "false") not in differences
    assert differences["staging", "staging", "revision", "false"] == 0
    assert found["orchestrate_drift_new_differences"]["production", "production"] == 1
    assert found["orchestrate_last_run_timestamp_seconds"]["dev", "dev"] == NOON.timestamp()
    assert found["orchestrate_last_run_succeeded"]["dev", "dev"] == 1
    assert found["orchestrate_drift_last_report_timestamp_seconds"] == {(): NOON.timestamp()}


def test_names_of_strangers() -> None:
    """Quotes, backslashes and line ends in a name stay in the name."""
    name = f'{HOSTILE}\\n"\n}} 1'
    target = replace(report().targets[0], environment=name)
    environment = replace(report().environments[0], name=name, targets=(target,))
    found = numbers(replace(report(), environments=(environment,)))
    assert found["orchestrate_up"] == {(name, "dev"): 1}


def test_names_without_secrets() -> None:
    """Names are redacted, numbers are not."""
    text = drift_metrics(report(), redacted=lambda one: one.replace("dev", "***"))
    assert 'orchestrate_up{environment="***",target="***"} 1' in text
    assert "dev" not in text
