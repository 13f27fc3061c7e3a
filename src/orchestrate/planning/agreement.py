"""Whether enough people agreed to a plan, and why the approval of some does not count. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final

from orchestrate.domain.approvals import Approval, Verdict
from orchestrate.domain.durations import duration
from orchestrate.domain.plan import Gate
from orchestrate.domain.spec_protections import Approval as Rule
from orchestrate.planning.approvals import Ledger
from orchestrate.planning.staleness import words
from orchestrate.values import dataclass

SLACK: Final = timedelta(minutes=5)
"""How far the clock of who signs may be ahead of ours."""
_NAMED_REFUSALS: Final = 3
_WEIGHT: Final = (
    "approvals-tampered",
    "signature-invalid",
    "signer-not-allowed",
    "signature-missing",
    "approver-not-allowed",
    "approval-by-author",
    "approval-used",
    "approval-revoked",
    "approval-expired",
    "approval-elsewhere",
    "approval-stale",
)
"""Codes of refusals, what is told first in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The plan that somebody wants to carry out, and what is known beside the journal."""

    environment: str
    digest: str
    to_heads: tuple[str, ...]
    now: datetime
    run: str | None = None
    """The run of it that is gone on with: approvals that it was begun on hold for it."""
    begun_at: datetime | None = None
    """When that run was begun, which is the moment that `expires` asks about."""
    authors: frozenset[str] = frozenset()
    author_keys: frozenset[str] = frozenset()
    """Fingerprints of the keys that the authors may sign with."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """By approval, of those that are signed."""
    named: tuple[str, ...] = ()
    """Whom the allowed-signers file names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An approval that does not count."""

    approval: Approval
    code: str
    why: str
    """Goes on after the approver's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a plan stands with those who have to agree."""

    required: int
    counted: tuple[Approval, ...]
    refused: tuple[Refusal, ...]
    may: tuple[str, ...] | None
    """Who may still approve; None: anybody."""

    @property
    def reached(self) -> bool:
        """Return whether enough agreed."""
        return len(self.counted) >= self.required


def agreement(rule: Rule, question: Question, ledger: Ledger) -> Agreement:
    """Return how a plan stands with those who have to agree.

    A person counts once, whatever the number of their approvals, and a key counts once, whatever
    the number of names that it may sign for.
    """
    counted: list[Approval] = []
    refused: list[Refusal] = []
    people, keys = set[str](), set[str]()
    for one in ledger.approvals:
        refusal = judge(rule, question, one)
        if refusal is not None:
            refused.append(refusal)
        elif _is_of(one, question):
            verdict = question.verdicts.get(one.id)
            key = verdict.key if verdict and one.signature else None
            if one.statement.approver.casefold() not in people and key not in keys:
                counted.append(one)
                people.add(one.statement.approver.casefold())
                keys |= {key} if key else set()
    again = {one.statement.approver.casefold() for one in counted}
    return Agreement(
        required=rule.required,
        counted=tuple(counted),
        refused=tuple(
            one for one in refused if one.approval.statement.approver.casefold() not in again
        ),
        may=_may(rule, question, people),
    )


def _is_of(approval: Approval, question: Question) -> bool:
    said = approval.statement
    return (said.environment, said.digest) == (question.environment, question.digest)


def _may(rule: Rule, question: Question, people: set[str]) -> tuple[str, ...] | None:
    listed = rule.approvers or (question.named if rule.signed else ())
    if not listed:
        return None
    out = people | ({one.casefold() for one in question.authors} if rule.exclude_author else set())
    return tuple(one for one in listed if one.casefold() not in out)


def judge(rule: Rule, question: Question, approval: Approval) -> Refusal | None:
    """Return why an approval does not count for a plan; None if it does, or has nothing to say."""

    def refused(code: str, why: str) -> Refusal:
        return Refusal(approval=approval, code=code, why=why)

    if not _is_of(approval, question):
        return _of_another_plan(question, approval)
    found = _signature(rule, question, approval) or _person(rule, question, approval)
    if found is not None:
        return refused(*found)
    if approval.revoked_at is not None:
        return refused(
            "approval-revoked", f"was revoked by {approval.revoked_by}: {approval.revocation}"
        )
    if approval.repeats is not None:
        return refused("approval-used", f"is {approval.repeats} once more")
    if approval.used_by not in {None, question.run}:
        return refused("approval-used", f"was for {approval.used_by}, and a plan runs once")
    ends = expires_at(rule, approval)
    moment = question.now
    if approval.used_by is not None and question.begun_at is not None:
        moment = question.begun_at
    if ends is not None and moment >= ends:
        return refused("approval-expired", f"expired {_ago(question.now, ends)}")
    return None


def _of_another_plan(question: Question, approval: Approval) -> Refusal | None:
    """Return what to say of an approval that waits for another plan, in place of this one."""
    if approval.used_by is not None or approval.revoked_at is not None or approval.repeats:
        return None
    said = approval.statement
    if said.environment == question.environment:
        same = approval.to_heads == question.to_heads
        what = "something moved since" if same else f"that one leads to {words(approval.to_heads)}"
        why = f"is for another plan, {said.digest[:19]}…: {what}"
        return Refusal(approval=approval, code="approval-stale", why=why)
    if said.digest == question.digest or approval.to_heads == question.to_heads:
        why = f"is for a plan of {said.environment}"
        return Refusal(approval=approval, code="approval-elsewhere", why=why)
    return None


def _signature(rule: Rule, question: Question, approval: Approval) -> tuple[str, str] | None:
    if approval.signature is None:
        if rule.signed:
            return "signature-missing", "is not signed"
        return None
    verdict = question.verdicts.get(approval.id)
    if verdict is None:
        return "signature-invalid", "was not checked"
    if verdict.code is not None:
        return verdict.code, f"does not count: {verdict.why}"
    if approval.statement.at > question.now + SLACK:
        return "signature-invalid", "is dated in the future"
    return None


def _person(rule: Rule, question: Question, approval: Approval) -> tuple[str, str] | None:
    approver = approval.statement.approver
    if rule.approvers and approver.casefold() not in {one.casefold() for one in rule.approvers}:
        return "approver-not-allowed", "does not count: they are not among `approvers`"
    if not rule.exclude_author:
        return None
    if approver.casefold() in {one.casefold() for one in question.authors}:
        return "approval-by-author", "does not count: they made the plan"
    verdict = question.verdicts.get(approval.id)
    if verdict is not None and verdict.key in question.author_keys:
        return "approval-by-author", "is signed with a key of who made the plan"
    return None


def expires_at(rule: Rule, approval: Approval) -> datetime | None:
    """Return when an approval ends to hold; None: never."""
    if rule.expires is None:
        return None
    return approval.statement.at + timedelta(seconds=rule.expires)


# --- the gate -------------------------------------------------------------------------------------


def agreement_gate(found: Agreement, *, tampered: str | None = None) -> Gate:
    """Return the gate of a plan that needs approvals.

    `tampered` is what is wrong with the journal, where that is known: then nothing in it counts.
    """
    if tampered is not None:
        return Gate(
            kind="approval",
            state="closed",
            detail=f"the state store was changed by somebody: {tampered}",
            code="approvals-tampered",
            hint="`orchestrate history --verify` tells more, a backup of the state store mends it",
        )
    count = f"{len(found.counted)} of {found.required} " + (
        "approval" if found.required == 1 else "approvals"
    )
    names = ", ".join(one.statement.approver for one in found.counted)
    if found.reached:
        return Gate(kind="approval", state="open", detail=f"{count}: {names}")
    told = f" ({names})" if names else ""
    return Gate(
        kind="approval",
        state="closed",
        detail="; ".join([f"{count}{told}", _may_text(found.may), *_refusals(found.refused)]),
        code=_code(found.refused),
    )


def _may_text(may: Sequence[str] | None) -> str:
    if may is None:
        return "may approve: anybody"
    return f"may approve: {', '.join(may)}" if may else "nobody is left who may approve"


def _refusals(refused: Sequence[Refusal]) -> list[str]:
    """Return sentences about the weightiest refusals, the newest of each kind in front."""
    ordered = sorted(refused, key=lambda one: (_WEIGHT.index(one.code), -one.approval.sequence))
    return [
        f"that of {one.approval.statement.approver} {one.why}" for one in ordered[:_NAMED_REFUSALS]
    ]


def _code(refused: Sequence[Refusal]) -> str:
    codes = {one.code for one in refused}
    return next((code for code in _WEIGHT if code in codes), "approval-missing")


def _ago(now: datetime, moment: datetime) -> str:
    return f"{duration(max(0, round((now - moment).total_seconds())))} ago"
