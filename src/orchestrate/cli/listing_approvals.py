"""Approvals as they stand now, the plans that wait for some, and taking one back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrate.cli.agreeing import rule_of, signers_of
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.approvals import Approval
from orchestrate.domain.names import did_you_mean
from orchestrate.domain.spec import Environment
from orchestrate.domain.spec_protections import Approval as Rule
from orchestrate.errors import OrchestrateError
from orchestrate.planning.agreement import (
    Question,
    agreement,
    agreement_gate,
    expires_at,
    judge,
)
from orchestrate.planning.approvals import Ledger
from orchestrate.reports.approvals import (
    ApprovalRow,
    ApprovalState,
    WaitingRow,
    approval_json,
    approvals_json,
    approvals_text,
)
from orchestrate.run.approvals import (
    Signers,
    Subject,
    ledger,
    person,
    question,
    record_revocation,
)
from orchestrate.stores.plan_files import plan_from_text, read_plan

_STATES: Final[dict[str, ApprovalState]] = {
    "approval-used": "used",
    "approval-expired": "expired",
    "approval-revoked": "revoked",
}


def list_approvals(bench: Workbench, named: Sequence[str], *, limit: int) -> int:
    """Print approvals, and plans that wait; return the exit status.

    Raises `approvals-tampered` where the journal is not as it was written.
    """
    found = ledger(bench.state)
    if bench.tampering is not None:
        raise OrchestrateError(
            "approvals-tampered",
            f"The state store was changed by somebody: {bench.tampering}",
            hint="No approval counts until it is mended; `orchestrate history --verify` tells more",
        )
    environments, digests = _wanted(bench, found, named)
    rows, waiting = [], []
    for environment in bench.spec.environments:
        if environments and environment.name not in environments:
            continue
        listing = _Listing(bench, environment, found)
        rows += [one for one in listing.rows() if not digests or one[1] in digests]
        waiting += [
            one for one in listing.waiting() if not digests or one.proposal.digest in digests
        ]
    shown = [row for row, _ in sorted(rows, key=lambda one: -one[0].approval.sequence)][:limit]
    if bench.invocation.format == "json":
        bench.invocation.json(approvals_json(shown, waiting))
    else:
        bench.invocation.data(approvals_text(shown, waiting, now=bench.clock.now()))
    return 0


def _wanted(bench: Workbench, found: Ledger, named: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return the environments and the digests that were named."""
    environments, digests = set[str](), set[str]()
    for name in named:
        proposal = found.proposed(name)
        if name.endswith(".json"):
            plan = read_plan(Path(name))
            environments.add(plan.environment)
            digests.add(plan.digest)
        elif proposal is not None:
            environments.add(proposal.environment)
            digests.add(proposal.digest)
        else:
            environments.add(bench.environment(name).name)
    return environments, digests


class _Listing:
    """The approvals of one environment, judged by its own rule."""

    def __init__(self, bench: Workbench, environment: Environment, found: Ledger) -> None:
        self._bench = bench
        self._found = found
        self._environment = environment
        self._rule: Rule = rule_of(environment, by_policy=True) or Rule(required=1)
        self._signers: Signers = signers_of(bench, environment)

    def rows(self) -> list[tuple[ApprovalRow, str]]:
        """Return a row for each, with the digest that it is about."""
        return [
            (self._row(one), one.statement.digest)
            for one in self._found.approvals
            if one.statement.environment == self._environment.name
        ]

    def _row(self, approval: Approval) -> ApprovalRow:
        about = self._question(approval.statement.digest, approval.to_heads)
        refusal = judge(self._rule, about, approval)
        return ApprovalRow(
            approval=approval,
            state="valid" if refusal is None else _STATES.get(refusal.code, "refused"),
            code=refusal.code if refusal else None,
            why=refusal.why if refusal else "",
            expires_at=expires_at(self._rule, approval),
        )

    def _question(self, digest: str, to_heads: tuple[str, ...]) -> Question:
        subject = Subject(environment=self._environment.name, digest=digest, to_heads=to_heads)
        return question(subject, self._found, self._signers, now=self._bench.clock.now())

    def waiting(self) -> list[WaitingRow]:
        """Return the plans that wait for approvals and may still be carried out."""
        found = []
        for one in self._found.proposals.values():
            if one.environment != self._environment.name or one.run is not None:
                continue
            plan = plan_from_text(self._bench.state.load_plan(one.plan), where=f"plan {one.plan}")
            if plan.spec_digest == self._bench.spec.spec_digest(self._environment):
                about = self._question(one.digest, plan.steps[-1].to_heads)
                gate = agreement_gate(agreement(self._rule, about, self._found))
                found.append(WaitingRow(proposal=one, detail=gate.detail))
        return found


def revoke(bench: Workbench, named: Sequence[str], *, reason: str | None) -> int:
    """Take approvals back; return the exit status. Raises `unknown-approval`."""
    told = "".join(one for one in " ".join((reason or "").split()) if one.isprintable())
    if not named or not told:
        raise OrchestrateError(
            "usage",
            "`approvals revoke` needs the approval's name and a reason, which the journal keeps",
            hint='`orchestrate approvals revoke APPROVAL --reason "…"`',
        )
    by = person(bench.spec.folder)
    chosen = [_named(ledger(bench.state), name) for name in named]
    for one in chosen:
        if one.revoked_at is None:
            record_revocation(bench.state, one, reason=told, by=by, now=bench.clock.now())
    if bench.invocation.format == "json":
        known = {one.id: one for one in ledger(bench.state).approvals}
        bench.invocation.json({"approvals": [approval_json(known[one.id]) for one in chosen]})
        return 0
    for one in chosen:
        when = "is revoked" if one.revoked_at is None else "was revoked already"
        bench.invocation.data(f"{one.id} of {one.statement.approver} {when}")
    return 0


def _named(found: Ledger, name: str) -> Approval:
    known = {one.id: one for one in found.approvals}
    if name not in known:
        raise OrchestrateError(
            "unknown-approval",
            f"The journal has no approval `{name}`",
            hint=did_you_mean(name, list(known)) or "`orchestrate approvals` lists them",
        )
    return known[name]
