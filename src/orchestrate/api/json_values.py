"""The JSON forms of what the API returns: those that the command line prints (docs/json.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any, Final

from orchestrate.domain.backups import Backup
from orchestrate.domain.drift import Comparison, DriftReport
from orchestrate.domain.plan import Plan
from orchestrate.domain.rehearsals import Rehearsal
from orchestrate.planning.drift_values import drift_value
from orchestrate.planning.rehearsals import rehearsal_value
from orchestrate.planning.run_state import RunState
from orchestrate.reports.backups import backup_json
from orchestrate.reports.comparison import comparison_json
from orchestrate.reports.plans import plan_json
from orchestrate.reports.runs import run_json
from orchestrate.reports.standings import StatusRow, status_json

_FORMS: Final[Mapping[type, Callable[[Any], Any]]] = {
    Plan: plan_json,
    RunState: run_json,
    Backup: backup_json,
    DriftReport: drift_value,
    Comparison: comparison_json,
    Rehearsal: rehearsal_value,
    StatusRow: lambda row: status_json([row])["environments"][0],
    datetime: datetime.isoformat,
    date: date.isoformat,
}


def as_json(value: object) -> Any:
    """Return a value of the API as plain JSON values, by the names of docs/json.md."""
    form = _FORMS.get(type(value))
    if form is not None:
        return form(value)
    match value:
        case Mapping():
            return {str(key): as_json(one) for key, one in value.items()}
        case tuple() | list() | set() | frozenset():
            return [as_json(one) for one in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {one.name: as_json(getattr(value, one.name)) for one in fields(value)}
        case _:
            return value
