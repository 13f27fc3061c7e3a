"""Approvals, and the plans that wait for them, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import click

from orchestrate.domain.approvals import Approval, Proposal
from orchestrate.planning.approvals import signed_text
from orchestrate.reports.tables import ago, coloured, short, table
from orchestrate.values import dataclass

ApprovalState = Literal["valid", "used", "expired", "revoked", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRow:
    """An approval as it stands now."""

    approval: Approval
    state: ApprovalState
    code: str | None
    why: str
    """Why it does not count, if it does not."""
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A plan that waits for approvals."""

    proposal: Proposal
    detail: str
    """How it stands with them."""


def approvals_text(
    rows: Sequence[ApprovalRow], waiting: Sequence[WaitingRow], *, now: datetime
) -> str:
    """Return approvals, newest first, one a line, and the plans that wait."""
    lines = ["No approval has been recorded"]
    if rows:
        cells = [
            (
                row.approval.id,
                row.approval.statement.environment,
                _digest(row.approval.statement.digest),
                row.approval.statement.approver,
                "yes" if row.approval.signature else "no",
                ago(row.approval.statement.at, now),
                coloured(row.state),
                short(_one_line(row.approval.statement.comment or "-"), 40),
            )
            for row in rows
        ]
        headers = ("APPROVAL", "ENVIRONMENT", "PLAN", "BY", "SIGNED", "GIVEN", "STATE", "COMMENT")
        lines = [table(headers, cells)]
        told = [row for row in rows if row.why and row.state in {"refused", "revoked"}]
        lines += ["", *(f"{row.approval.id} {row.why}" for row in told)] if told else []
    if waiting:
        lines += ["", click.style("Waiting for approval", bold=True)]
        lines += [
            f"  {one.proposal.plan} of {one.proposal.environment}, by {one.proposal.author} "
            f"{ago(one.proposal.at, now)}: {one.detail}"
            for one in waiting
        ]
    return "\n".join(lines)


def _one_line(comment: str) -> str:
    """Return a comment in one line, without what could move the cursor."""
    return "".join(one for one in " ".join(comment.split()) if one.isprintable())


def _digest(digest: str) -> str:
    return short(digest.removeprefix("sha256:"), 13)


def given_text(approval: Approval) -> str:
    """Return one approval in a line."""
    said = approval.statement
    how = "signed" if approval.signature else "recorded"
    return (
        f"{click.style(said.environment, bold=True)}: {said.approver} approved {approval.plan} "
        f"({said.digest[:19]}…), {how} as {approval.id}"
    )


def approvals_json(rows: Sequence[ApprovalRow], waiting: Sequence[WaitingRow]) -> dict[str, Any]:
    """Return the same as plain values."""
    return {
        "approvals": [
            {
                **approval_json(row.approval),
                "state": row.state,
                "code": row.code,
                "why": row.why or None,
                "expires_at": row.expires_at.isoformat() if row.expires_at else None,
            }
            for row in rows
        ],
        "waiting": [
            {
                "plan": one.proposal.plan,
                "digest": one.proposal.digest,
                "environment": one.proposal.environment,
                "author": one.proposal.author,
                "by": one.proposal.by,
                "at": one.proposal.at.isoformat(),
                "detail": one.detail,
            }
            for one in waiting
        ],
    }


def approval_json(approval: Approval) -> dict[str, Any]:
    """Return one approval as plain values; `text` is what its signature covers."""
    said = approval.statement
    return {
        "id": approval.id,
        "environment": said.environment,
        "plan": approval.plan,
        "digest": said.digest,
        "approver": said.approver,
        "at": said.at.isoformat(),
        "comment": said.comment,
        "by": approval.by,
        "to_heads": list(approval.to_heads),
        "signed": approval.signature is not None,
        "text": signed_text(said) if approval.signature is not None else None,
        "signature": approval.signature,
        "run": approval.used_by,
        "revoked_at": approval.revoked_at.isoformat() if approval.revoked_at else None,
        "revoked_by": approval.revoked_by,
        "revocation": approval.revocation,
    }
