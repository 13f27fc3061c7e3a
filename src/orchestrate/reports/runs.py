"""`history` and `show` for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from orchestrate.domain.durations import duration
from orchestrate.domain.plan import Plan
from orchestrate.planning.run_state import RunState, StepState
from orchestrate.planning.staleness import words
from orchestrate.reports.tables import ago, coloured, counted, fields, short, stamp, table


def history_text(runs: Sequence[RunState], *, now: datetime) -> str:
    """Return runs, newest first, one a line."""
    if not runs:
        return "No run has been recorded yet"
    rows = [
        (
            run.id,
            run.environment,
            coloured(run.status),
            run.direction,
            f"{run.done}/{run.total_steps}",
            ago(run.started_at, now),
            duration(_seconds(run)),
            run.by,
        )
        for run in runs
    ]
    headers = ("RUN", "ENVIRONMENT", "STATUS", "DIRECTION", "STEPS", "STARTED", "TOOK", "BY")
    remarks = [
        f"{run.id}: {gate} overridden: {detail}"
        for run in runs
        for gate, detail in run.overrides.items()
    ]
    return "\n".join([table(headers, rows), *(["", *remarks] if remarks else [])])


def _seconds(run: RunState) -> float | None:
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at else None


def run_text(run: RunState, plan: Plan | None) -> str:
    """Return one run with all its steps, those that have not begun included."""
    lines = [
        f"Run {run.id} on {click.style(run.environment, bold=True)}: {coloured(run.status)}",
        "",
        fields(
            [
                ("plan", f"{run.plan_id} ({run.plan_digest[:19]}…)"),
                *([("command", run.command)] if run.command else []),
                ("way", _way(run, plan)),
                *([("approved", run.approval)] if run.approval else []),
                *[(f"{gate} overridden", reason) for gate, reason in run.overrides.items()],
                ("by", run.by),
                ("started", stamp(run.started_at)),
                ("finished", stamp(run.finished_at) if run.finished_at else "-"),
                *([("message", run.message)] if run.message else []),
            ]
        ),
        "",
    ]
    order = [(step.id, step.revision) for step in plan.steps] if plan else []
    known = {identifier for identifier, _ in order}
    order += [(one.id, one.revision) for one in run.steps.values() if one.id not in known]
    rows = [
        _step_row(identifier, revision, run.steps.get(identifier)) for identifier, revision in order
    ]
    lines.append(table(("STEP", "REVISION", "STATUS", "STARTED", "TOOK", "ATTEMPTS"), rows))
    lines += _compared(run, plan)
    if run.total_checks:
        lines += ["", f"checks: {_CHECKS[run.verification]}"]
    lines += [f"\n{step.id}: {step.error}" for step in run.steps.values() if step.error]
    for step in run.steps.values():
        # What failed has its last lines in the error already.
        if step.output and not step.error:
            lines += ["", f"{step.id}, {step.title}, printed:", *_printed(step.output)]
    for one in run.told:
        word = f"failed: {one.problem}" if one.problem else "done"
        lines += ["", f"{one.title}: {word}", *([] if one.problem else _printed(one.output))]
    return "\n".join(lines)


def _compared(run: RunState, plan: Plan | None) -> list[str]:
    """Return what the steps that were estimated took, beside what was expected of them."""
    pairs = [
        (step.estimate_seconds, done.seconds)
        for step in (plan.steps if plan else ())
        for done in [run.steps.get(step.id)]
        if step.estimate_seconds is not None and done is not None and done.seconds is not None
    ]
    if not pairs:
        return []
    expected, took = sum(one for one, _ in pairs), sum(one for _, one in pairs)
    what = "all steps" if len(pairs) == len(run.steps) else counted(len(pairs), "step")
    return ["", f"expected of {what}: {duration(expected)}; took {duration(took)}"]


def _printed(lines: Sequence[str]) -> list[str]:
    return [f"  | {line}" for line in lines]


_CHECKS = {
    "none": "none",
    "open": "not all were made",
    "failed": "one does not hold",
    "passed": "all hold",
}


def _way(run: RunState, plan: Plan | None) -> str:
    """Return `downgrade from r002 to r001`: the destination is the plan's, reached or not."""
    to = f" to {words(plan.steps[-1].to_heads)}" if plan and plan.steps else ""
    return f"{run.direction} from {words(run.from_heads)}{to}"


def _step_row(identifier: str, revision: str, step: StepState | None) -> tuple[str, ...]:
    if step is None:
        return (identifier, short(revision) or "-", "none", "-", "-", "-")
    return (
        identifier,
        short(revision) or "-",
        coloured(step.status),
        stamp(step.started_at),
        duration(step.seconds),
        str(step.attempts),
    )


def runs_json(runs: Sequence[RunState]) -> dict[str, Any]:
    """Return runs as plain values, by the names of design section 5."""
    return {"runs": [run_json(run) for run in runs]}


def run_json(run: RunState) -> dict[str, Any]:
    """Return one run as plain values."""
    return {
        "id": run.id,
        "environment": run.environment,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "by": run.by,
        "plan": run.plan_id,
        "plan_digest": run.plan_digest,
        "direction": run.direction,
        "command": run.command,
        "approval": run.approval,
        "overrides": dict(run.overrides),
        "from_heads": list(run.from_heads),
        "schema_before": run.schema_before,
        "schema_after": run.schema_after,
        "verification": run.verification,
        "told": [
            {
                "kind": one.kind,
                "title": one.title,
                "at": one.at.isoformat(),
                "problem": one.problem,
                "output": list(one.output),
            }
            for one in run.told
        ],
        "code": run.code,
        "message": run.message,
        "steps": [
            {
                "id": step.id,
                "revision": step.revision,
                "status": step.status,
                "started_at": step.started_at.isoformat(),
                "finished_at": step.finished_at.isoformat() if step.finished_at else None,
                "seconds": step.seconds,
                "attempts": step.attempts,
                "error": step.error,
                **({"title": step.title, "output": list(step.output)} if step.kind else {}),
            }
            for step in run.steps.values()
        ],
    }
