"""A report of drift as numbers in Prometheus' text format, for node_exporter's textfile collector.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format. What is not known
has no sample: a zero would say that all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, get_args

from orchestrate.domain.drift import DriftKind, DriftReport, TargetDrift

_Sample = tuple[Mapping[str, str], float]

_HELP: Final = {
    "orchestrate_up": "Whether the database and its schema could be read (1) or not (0)",
    "orchestrate_at_work": "Whether a run held the lease, so that nothing was compared",
    "orchestrate_pending_revisions": "Revisions between the database and its destination",
    "orchestrate_drift_compared": "Whether the schema was compared with what is expected",
    "orchestrate_drift_differences": "Differences; those that the spec knows are no drift",
    "orchestrate_drift_new_differences": "Drift that the report before did not have",
    "orchestrate_last_run_timestamp_seconds": "When the last run of the environment began",
    "orchestrate_last_run_succeeded": "Whether the last run succeeded (1) or ended otherwise (0)",
    "orchestrate_drift_last_report_timestamp_seconds": "When this report was made",
}


def drift_metrics(report: DriftReport, *, redacted: Callable[[str], str] = str) -> str:
    """Return the numbers of a report; all are gauges.

    `redacted` takes secrets out of the names; numbers are none.
    """
    samples: dict[str, list[_Sample]] = {name: [] for name in _HELP}
    for target in report.targets:
        place = {"environment": redacted(target.environment), "target": redacted(target.name)}
        for name, labels, value in _numbers(target):
            samples[name].append(({**place, **labels}, value))
    made = report.created_at.timestamp()
    samples["orchestrate_drift_last_report_timestamp_seconds"].append(({}, made))
    return "\n".join(line for name, found in samples.items() for line in _family(name, found))


def _numbers(target: TargetDrift) -> Iterable[tuple[str, Mapping[str, str], float]]:
    yield "orchestrate_up", {}, float(target.error is None)
    yield "orchestrate_at_work", {}, float(target.at_work is not None)
    if target.state != "unreachable":
        yield "orchestrate_pending_revisions", {}, target.pending
        if target.at_work is None:
            yield "orchestrate_drift_compared", {}, float(target.compared_with is not None)
            yield from _differences(target)
    if target.last_run is not None:
        began = target.last_run.started_at.timestamp()
        yield "orchestrate_last_run_timestamp_seconds", {}, began
        if target.last_run.status != "running":
            succeeded = float(target.last_run.status == "succeeded")
            yield "orchestrate_last_run_succeeded", {}, succeeded


def _differences(target: TargetDrift) -> Iterable[tuple[str, Mapping[str, str], float]]:
    for kind in get_args(DriftKind):
        if kind == "schema" and target.compared_with is None:
            continue
        for known in (False, True):
            number = sum(one.kind == kind and one.known == known for one in target.differences)
            labels = {"kind": kind, "known": str(known).lower()}
            yield "orchestrate_drift_differences", labels, number
    yield "orchestrate_drift_new_differences", {}, len(target.news)


def _family(name: str, samples: Sequence[_Sample]) -> Iterable[str]:
    if not samples:
        return
    yield f"# HELP {name} {_HELP[name]}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {_number(value)}" if told else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
