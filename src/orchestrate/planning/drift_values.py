"""A report of drift as plain values, by the names of design section 5, and back. Pure.

The state store keeps reports as these values; a field that a later version adds has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any

from orchestrate.domain.drift import (
    FORMAT,
    AtWork,
    DriftDifference,
    DriftReport,
    EnvironmentDrift,
    LastRun,
    TargetDrift,
    TargetTrouble,
)
from orchestrate.errors import OrchestrateError


def drift_value(report: DriftReport) -> dict[str, Any]:
    """Return a report as plain JSON."""
    return {
        "format": report.format,
        "id": report.id,
        "created_at": report.created_at.isoformat(),
        "against": report.against,
        "previous": report.previous,
        "tool_version": report.tool_version,
        "drifted": report.drifted,
        "environments": [
            {"name": one.name, "targets": [_target_value(target) for target in one.targets]}
            for one in report.environments
        ],
    }


def _target_value(target: TargetDrift) -> dict[str, Any]:
    value = {
        one.name: getattr(target, one.name)
        for one in fields(TargetDrift)
        if one.name not in {"environment", "differences", "gone", "at_work", "error", "last_run"}
    }
    at_work, run = target.at_work, target.last_run
    return {
        **{key: list(one) if isinstance(one, tuple) else one for key, one in value.items()},
        "drifted": target.drifted,
        "differences": [difference_value(one) for one in target.differences],
        "gone": [difference_value(one) for one in target.gone],
        "at_work": {**asdict(at_work), "since": at_work.since.isoformat()} if at_work else None,
        "error": asdict(target.error) if target.error else None,
        "last_run": {
            **asdict(run),
            "started_at": run.started_at.isoformat(),
            "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        }
        if run
        else None,
    }


def difference_value(one: DriftDifference) -> dict[str, Any]:
    """Return a difference as plain JSON."""
    return {
        "kind": one.kind,
        "object": one.object,
        "name": one.name,
        "change": one.change,
        "expected": one.expected,
        "actual": one.actual,
        "known": one.known,
        "new": one.new,
        "detail": one.detail,
        "reason": one.reason,
        "until": one.until.isoformat() if one.until else None,
        "rename_of": one.rename_of,
        "renamed_to": one.renamed_to,
        "also": list(one.also),
        "remedy": one.remedy,
    }


def drift_from_value(value: Mapping[str, Any]) -> DriftReport:
    """Return the report that plain values describe; raises `state-unavailable` for others."""
    if value.get("format") != FORMAT:
        raise OrchestrateError(
            "state-unavailable",
            f"A stored report has the format {value.get('format')!r}, not {FORMAT!r}",
            hint="It was written by another version of orchestrate",
        )
    return DriftReport(
        id=value["id"],
        created_at=datetime.fromisoformat(value["created_at"]),
        against=value["against"],
        previous=value["previous"],
        tool_version=value["tool_version"],
        environments=tuple(
            EnvironmentDrift(
                name=one["name"],
                targets=tuple(_target_from(one["name"], target) for target in one["targets"]),
            )
            for one in value["environments"]
        ),
    )


def _target_from(environment: str, value: Mapping[str, Any]) -> TargetDrift:
    names = {one.name for one in fields(TargetDrift)}
    plain = {
        key: tuple(one) if isinstance(one, list) else one
        for key, one in value.items()
        if key in names
    }
    return TargetDrift(**{**plain, **_structured(environment, value)})


def _structured(environment: str, value: Mapping[str, Any]) -> dict[str, Any]:
    work, error, run = value.get("at_work"), value.get("error"), value.get("last_run")
    return {
        "environment": environment,
        "differences": tuple(_difference_from(one) for one in value["differences"]),
        "gone": tuple(_difference_from(one) for one in value.get("gone", ())),
        "at_work": AtWork(**{**work, "since": _moment(work["since"])}) if work else None,
        "error": TargetTrouble(**error) if error else None,
        "last_run": LastRun(
            **{
                **run,
                "started_at": _moment(run["started_at"]),
                "finished_at": _moment(run["finished_at"]),
            }
        )
        if run
        else None,
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _difference_from(value: Mapping[str, Any]) -> DriftDifference:
    names = {one.name for one in fields(DriftDifference)}
    known = {key: one for key, one in value.items() if key in names}
    until = date.fromisoformat(value["until"]) if value.get("until") else None
    return DriftDifference(**{**known, "until": until, "also": tuple(value.get("also", ()))})
