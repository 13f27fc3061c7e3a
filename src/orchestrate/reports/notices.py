"""What a notification says: the environment, the run, what happened, what to type next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from orchestrate.domain.drift import TargetDrift
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan
from orchestrate.planning.staleness import words
from orchestrate.reports.doubts import outcome_hint
from orchestrate.reports.drift import said, shown
from orchestrate.reports.tables import counted

Level = Literal["info", "success", "warning", "failure"]
Text = tuple[str, str, str, Level]
"""Event, title, body, level."""

_MOST_NEWS: Final = 20
"""Differences that a notification names; the report has all of them."""
_ENDS: Final[Mapping[str, tuple[str, str, Level]]] = {
    "succeeded": ("finished", "run finished", "success"),
    "failed": ("failed", "run failed", "failure"),
    "stopped": ("stopped", "run stopped part way", "warning"),
    "in-doubt": ("in-doubt", "run in doubt: a person has to decide", "failure"),
}


def planned_text(plan: Plan, *, file: str, by: str) -> Text:
    """Return what is told of a plan that was saved; where approval is missing, that."""
    waits = next(
        (one for one in plan.gates if one.kind == "approval" and one.state == "closed"), None
    )
    lines = [f"{_way(plan)}, planned by {by} as {plan.id}", f"Digest: {plan.digest}"]
    if waits is not None:
        lines += [waits.detail, f"Next: orchestrate approve {file}"]
        return (
            "waiting-for-approval",
            f"{plan.environment}: waiting for approval",
            _body(lines),
            "warning",
        )
    lines.append(f"Next: orchestrate apply {file}")
    return "planned", f"{plan.environment}: planned", _body(lines), "info"


def started_text(plan: Plan, *, run: str, by: str, resumed: bool) -> Text:
    """Return what is told when a run begins, or goes on."""
    word = "run resumed" if resumed else "run started"
    lines = [f"{_way(plan)}, {run}, by {by}", f"Next: orchestrate show {run}"]
    return "resumed" if resumed else "started", f"{plan.environment}: {word}", _body(lines), "info"


def overridden_text(plan: Plan, *, run: str, by: str) -> Text | None:
    """Return what is told of gates that were overridden, if any were."""
    gates = [one for one in plan.gates if one.state == "overridden"]
    if not gates:
        return None
    names = ", ".join(one.kind for one in gates)
    lines = [f"{_way(plan)}, {run}, by {by}", *(f"{one.kind}: {one.detail}" for one in gates)]
    return "overridden", f"{plan.environment}: gate overridden: {names}", _body(lines), "warning"


def ended_text(plan: Plan, *, run: str, by: str, outcome: Outcome) -> Text:
    """Return what is told at the end of a run, or of this process's part in it."""
    event, word, level = _ENDS[outcome.status]
    lines = [f"{_way(plan)}, {run}, by {by}"]
    if outcome.message:
        lines.append(outcome.message)
    hint = "" if outcome.status == "succeeded" else outcome_hint(plan, run, outcome)
    lines.append(f"Next: {hint}" if hint else f"Next: orchestrate show {run}")
    return event, f"{plan.environment}: {word}", _body(lines), level


def news_text(target: TargetDrift, *, report: str) -> Text | None:
    """Return what is told of drift that the last report did not have; None without such news."""
    lines = [f"{one.object} {one.name} {said(one)}" for one in shown(target.news)]
    if len(lines) > _MOST_NEWS:
        lines[_MOST_NEWS:] = [f"and {len(lines) - _MOST_NEWS} more"]
    title = f"{target.environment}: {counted(len(target.news), 'new difference')}"
    if target.error is not None and target.error_is_new:
        lines.append(f"{target.error.message} [{target.error.code}]")
        if not target.news:
            title = f"{target.environment}: could not be read"
    if not lines:
        return None
    lines += [f"Report: {report}", f"Next: orchestrate drift {target.environment}"]
    return "drift", title, _body(lines), "warning"


def _way(plan: Plan) -> str:
    to = words(plan.steps[-1].to_heads) if plan.steps else "-"
    return f"{plan.direction} of {plan.environment} from {words(plan.basis[0].heads)} to {to}"


def _body(lines: list[str]) -> str:
    return "\n".join(lines)
