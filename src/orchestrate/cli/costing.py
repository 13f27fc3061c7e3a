"""What a way back costs: its SQL, what that deletes, how many rows there are to delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestrate.cli.rendering import with_sql
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import Plan, Step
from orchestrate.errors import OrchestrateError
from orchestrate.planning.losses import RowCount, loss_findings, losses
from orchestrate.run.access import Access
from orchestrate.run.observe import open_session
from orchestrate.run.session import Session

_RENDER_SECONDS: Final = 10.0
"""Rendering runs the revision's own Python, and somebody waits for the way back."""


def with_costs(plan: Plan, access: Access, *, everything: bool) -> Plan:
    """Return the plan with the SQL of its steps and what that deletes, as far as can be told.

    By an agent of its own, because a revision that is rendered may do anything. Unless `everything`
    was asked for, none is rendered that calls more than Alembic and SQLAlchemy.
    """
    if not any(step.kind in {"upgrade", "downgrade"} for step in plan.steps):
        return plan
    counts: Sequence[RowCount] = ()
    try:
        with open_session(access) as session:
            session.observe()
            plan = with_sql(plan, session, at_most=None if everything else _RENDER_SECONDS)
            counts = _counts(session, plan)
    except OrchestrateError:
        if everything:
            raise
    return replace(
        plan,
        steps=tuple(
            replace(step, findings=(*step.findings, *_costs(plan, step, counts)))
            if step.kind in {"upgrade", "downgrade"}
            else step
            for step in plan.steps
        ),
    )


def _costs(plan: Plan, step: Step, counts: Sequence[RowCount]) -> tuple[Finding, ...]:
    if step.sql is not None:
        table = plan.basis[0].version_table
        grammar = dialect_for(plan.basis[0].dialect).grammar
        return loss_findings(step, step.sql, counts, version_table=table, grammar=grammar)
    if any(one.code == "missing-downgrade" for one in step.findings):
        return ()
    return (
        Finding(
            code="not-rendered",
            severity="info",
            message="what it deletes cannot be told beforehand: "
            + (step.sql_error or "it was not rendered in time"),
            where=step.file,
        ),
    )


def _counts(session: Session, plan: Plan) -> Sequence[RowCount]:
    """Return how many rows the tables have that the plan takes something from."""
    known = session.access.dialect.row_counts
    grammar = session.access.dialect.grammar
    wanted = {
        one.table[1].lower() for step in plan.steps if step.sql for one in losses(step.sql, grammar)
    }
    if known is None or not wanted:
        return ()
    there = {
        one.name.rpartition(".")[2] for one in session.snapshot().objects if one.kind == "table"
    }
    queries = known.queries(sorted(one for one in there if one.lower() in wanted))
    found = session.query(queries) if queries else {}
    return [
        RowCount(
            schema=None if row[0] is None else str(row[0]),
            table=str(row[1]),
            rows=None if row[2] is None else int(str(row[2])),
            unqualified=bool(row[3]),
            exact=known.exact,
        )
        for rows in found.values()
        for row in rows
    ]
