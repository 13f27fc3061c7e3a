"""`status` for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from orchestrate.domain.observation import Sight, Unreachable
from orchestrate.domain.plan import Gate
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import words
from orchestrate.planning.standing import Standing
from orchestrate.planning.trouble_pages import page_of, page_path
from orchestrate.reports.tables import ago, coloured, short, table
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """One target as `status` shows it."""

    environment: str
    target: str
    sight: Sight
    standing: Standing
    heads: tuple[str, ...]
    """Heads of the project for this target's dialect."""
    last_run: RunState | None
    at_work: bool
    """Whether the last run's process is known to be alive: it holds a lease and keeps it."""
    gates: tuple[Gate, ...]
    """Those that the environment declares, as they stand now."""
    remarks: tuple[str, ...]
    """Closed gates, unfinished runs, leases, causes: sentences for people."""


def status_text(rows: Sequence[StatusRow], *, now: datetime) -> str:
    """Return one table of all targets, with remarks under it."""
    cells = [
        (
            row.environment,
            coloured(row.standing.state),
            _revision(row),
            "-" if isinstance(row.sight, Unreachable) else str(row.standing.pending),
            _last_run(row, now),
        )
        for row in rows
    ]
    lines = [table(("ENVIRONMENT", "STATE", "REVISION", "PENDING", "LAST RUN"), cells)]
    remarks = [
        (row.environment, f"{gate.kind} is {coloured(gate.state)}: {gate.detail}")
        for row in rows
        for gate in row.gates
    ]
    remarks += [(row.environment, remark) for row in rows for remark in row.remarks]
    if remarks:
        lines.append("")
        lines += [
            f"{click.style(name, bold=True)}: {remark.removeprefix(f'{name} ')}"
            for name, remark in remarks
        ]
    return "\n".join(lines)


def _revision(row: StatusRow) -> str:
    if isinstance(row.sight, Unreachable):
        return "-"
    return ", ".join(short(head) for head in row.sight.heads) or words(())


def _last_run(row: StatusRow, now: datetime) -> str:
    run = row.last_run
    if run is None:
        return "never"
    if run.status == "running" and not row.at_work:
        return f"{coloured('unfinished')}, begun {ago(run.started_at, now)}"
    return f"{coloured(run.status)} {ago(run.finished_at or run.started_at, now)}"


def status_json(rows: Sequence[StatusRow]) -> dict[str, Any]:
    """Return the table as plain values, by the names of design section 5."""
    environments: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        environments.setdefault(row.environment, []).append(_target_json(row))
    return {
        "heads": sorted({head for row in rows for head in row.heads}),
        "environments": [
            {"name": name, "targets": targets} for name, targets in environments.items()
        ],
    }


def _target_json(row: StatusRow) -> dict[str, Any]:
    sight = row.sight
    run = row.last_run
    value: dict[str, Any] = {
        "name": row.target,
        "dialect": sight.dialect,
        "state": row.standing.state,
        "heads": [],
        "pending": row.standing.pending,
        "identity": None,
        "error": None,
        "server_version": None,
        "project_heads": list(row.heads),
        "last_run": None
        if run is None
        else {"id": run.id, "status": run.status, "at_work": row.at_work},
        "gates": [
            {"kind": gate.kind, "state": gate.state, "detail": gate.detail} for gate in row.gates
        ],
        "remarks": [" ".join(click.unstyle(one).split()) for one in row.remarks],
    }
    if isinstance(sight, Unreachable):
        page = page_of(sight.trouble, sight.code)
        value["error"] = {
            "code": sight.code,
            "message": sight.message,
            "hint": sight.hint,
            "docs": page_path(page) if page else None,
        }
    else:
        value["heads"] = list(sight.heads)
        value["identity"] = sight.identity
        value["server_version"] = sight.server_version
    return value
