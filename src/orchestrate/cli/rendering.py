"""SQL of a plan's revisions: rendered offline by Alembic, written one file a revision and way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrate.domain.plan import Plan, Step
from orchestrate.errors import OrchestrateError
from orchestrate.planning.troubles import explain_rendering
from orchestrate.run.session import Session
from orchestrate.stores.written_files import write_file


def with_sql(plan: Plan, session: Session, *, at_most: float | None = None) -> Plan:
    """Return the plan with each step's SQL, or why a step cannot be rendered offline.

    `at_most` seconds, after which the session is lost; then only what calls nothing but Alembic and
    SQLAlchemy is rendered.
    """
    revisions = [step for step in plan.steps if step.kind in {"upgrade", "downgrade"}]
    if not revisions:
        return plan
    rendered = session.render(revisions, at_most=at_most)
    return replace(
        plan,
        steps=tuple(
            _with_sql(step, rendered) if step in revisions else step for step in plan.steps
        ),
    )


def _with_sql(step: Step, rendered: Any) -> Step:
    parts = [rendered[f"{step.id}/{number}"] for number in range(max(1, len(step.parts)))]
    way, back = ("up", "down") if step.kind == "upgrade" else ("down", "up")
    errors = [part[f"{way}_error"] for part in parts if part[f"{way}_error"]]
    return replace(
        step,
        sql=None if errors else "\n".join(part[way] or "" for part in parts),
        sql_back=None
        if any(part[f"{back}_error"] for part in parts)
        else "\n".join(part[back] or "" for part in reversed(parts)),
        sql_error="; ".join(explain_rendering(one) for one in errors) or None,
    )


def write_sql(plan: Plan, folder: Path, redact: Callable[[str], str]) -> int:
    """Write two files a step into the folder, made if need be; return the number of files.

    A revision that cannot be rendered gets its file all the same, with the reason as a comment.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OrchestrateError(
            "usage", f"The folder `{folder}` cannot be made: {error.strerror}"
        ) from error
    ways = ("up", "down") if plan.direction == "upgrade" else ("down", "up")
    steps = [step for step in plan.steps if step.kind in {"upgrade", "downgrade"}]
    for step in steps:
        for way, sql in zip(ways, (step.sql, step.sql_back), strict=True):
            write_file(
                folder / f"{_file_name(step)}.{way}.sql", redact(_file_text(plan, step, sql, way))
            )
    return 2 * len(steps)


def _file_name(step: Step) -> str:
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in step.id)


def _file_text(plan: Plan, step: Step, sql: str | None, way: str) -> str:
    head = (
        f"-- {step.revision}: {' '.join(step.title.split())}\n"
        f"-- {way}, for {plan.environment} ({plan.basis[0].server_version}); plan {plan.id}\n"
        "-- Rendered offline by Alembic, for reading. It is not what `apply` sends.\n"
    )
    if sql is None:
        reason = " ".join((step.sql_error or "it raises when it is rendered").split())
        return f"{head}-- NOT RENDERED: {reason}\n"
    return f"{head}\n{sql.strip()}\n"
