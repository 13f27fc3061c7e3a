"""Approvals in the journal, and their signatures checked: what commands and gates ask for."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from orchestrate.adapters.people import stated_address
from orchestrate.adapters.ssh_signatures import (
    BadSignatureError,
    check_signature,
    fingerprint,
    read_signature,
)
from orchestrate.domain.approvals import Approval, Signer, Statement, Verdict
from orchestrate.domain.events import Event, NewEvent
from orchestrate.domain.plan import Plan
from orchestrate.errors import OrchestrateError
from orchestrate.planning.agreement import Question
from orchestrate.planning.allowed_signers import (
    SignersError,
    matches,
    named_principals,
    read_signers,
    refusal,
)
from orchestrate.planning.approvals import (
    APPROVAL_KINDS,
    NAMESPACE,
    Ledger,
    approval_data,
    ledger_of,
    signed_text,
)
from orchestrate.planning.run_state import RunState
from orchestrate.run.lease_keeper import this_person
from orchestrate.stores.state import StateStore
from orchestrate.values import dataclass


def ledger(state: StateStore) -> Ledger:
    """Return every approval and proposal. Raises `approvals-tampered`."""
    try:
        return ledger_of(state.events(kinds=APPROVAL_KINDS))
    except OrchestrateError as error:
        if error.code != "journal-broken":
            raise
        raise OrchestrateError("approvals-tampered", error.message, hint=error.hint) from error


def tampering(state: StateStore) -> str | None:
    """Return where the journal's hash chain breaks; None if it holds. Reads the whole journal.

    The whole of it: an approval is as good as the absence of what came after it.
    """
    report = state.verify()
    return None if report.problem is None else f"event {report.sequence}: {report.problem}"


def person(folder: Path) -> str:
    """Return who is at work, for comparing with approvers: an e-mail address if one is known."""
    return stated_address(folder) or this_person()


# --- signatures -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """The allowed-signers file of an environment."""

    path: Path | None
    lines: tuple[Signer, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """Return whom the file names."""
        return named_principals(self.lines)

    def keys_of(self, people: Iterable[str]) -> frozenset[str]:
        """Return the fingerprints of the keys that these may sign with."""
        known = tuple(people)
        return frozenset(
            fingerprint(one.key)
            for one in self.lines
            if any(matches(name, one.principals) for name in known)
        )


def signers_in(path: Path | None) -> Signers:
    """Return what a file of allowed signers says. Raises `signers-unreadable`."""
    if path is None:
        return Signers(path=None)
    try:
        return Signers(path=path, lines=read_signers(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, SignersError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OrchestrateError(
            "signers-unreadable",
            f"The allowed signers in `{path}` cannot be read: {reason}",
            where=str(path),
            hint="`man ssh-keygen`, ALLOWED SIGNERS: one line for each key, "
            "`bob@example.com ssh-ed25519 AAAA…`",
        ) from error


def verdict_on(statement: Statement, signature: str, signers: Signers, now: datetime) -> Verdict:
    """Return whether a signature is one of this statement by a key that is allowed to its approver.

    Raises `signatures-unavailable` without the library.
    """
    try:
        found = read_signature(signature)
        check_signature(found, signed_text(statement).encode(), namespace=NAMESPACE)
    except BadSignatureError as error:
        return Verdict(key=None, code="signature-invalid", why=f"its signature is wrong: {error}")
    key = fingerprint(found.key)
    if signers.path is None:
        why = "no `allowed_signers` are declared to check its signature by"
        return Verdict(key=key, code="signer-not-allowed", why=why)
    why_not = refusal(
        signers.lines, principal=statement.approver, key=found.key, namespace=NAMESPACE, now=now
    )
    if why_not is None:
        return Verdict(key=key)
    return Verdict(
        key=key, code="signer-not-allowed", why=f"{signers.path.name}: {why_not} ({key})"
    )


def verdicts_on(
    approvals: Iterable[Approval], signers: Signers, now: datetime
) -> Mapping[str, Verdict]:
    """Return what becomes of the signatures of approvals, by their names."""
    return {
        one.id: verdict_on(one.statement, one.signature, signers, now)
        for one in approvals
        if one.signature is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The plan that approvals are asked for, as far as that matters."""

    environment: str
    digest: str
    to_heads: tuple[str, ...]
    makers: frozenset[str] = frozenset()
    """Whom to take for its author where the journal knows nobody."""


def subject_of(plan: Plan, me: str) -> Subject:
    """Return a plan as a subject, made by whom its file says and by who is at work with it."""
    return Subject(
        environment=plan.environment,
        digest=plan.digest,
        to_heads=plan.steps[-1].to_heads if plan.steps else (),
        makers=frozenset({me} | ({plan.author} if plan.author else set())),
    )


def question(
    subject: Subject,
    found: Ledger,
    signers: Signers,
    *,
    now: datetime,
    run: RunState | None = None,
) -> Question:
    """Return what has to be known to say whether enough people agreed to a plan.

    Its author is who proposed a plan of this digest first, as the journal has it: a plan's file can
    be edited.
    """
    proposal = found.proposals.get(subject.digest)
    authors = subject.makers if proposal is None else frozenset({proposal.author})
    mine = [one for one in found.approvals if one.statement.digest == subject.digest]
    return Question(
        environment=subject.environment,
        digest=subject.digest,
        to_heads=subject.to_heads,
        now=now,
        run=run.id if run else None,
        begun_at=run.started_at if run else None,
        authors=authors,
        author_keys=signers.keys_of(authors),
        verdicts=verdicts_on(mine, signers, now),
        named=signers.named,
    )


# --- into the journal -----------------------------------------------------------------------------


def propose(
    state: StateStore, plan_text: str, plan: Plan, *, author: str, now: datetime
) -> str | None:
    """Have a plan wait for approvals; return that of its digest which waits already, if one does.

    `plan_text` is that of the plan's file, for those who are to approve it.
    """
    known = ledger(state).proposals.get(plan.digest)
    if known is not None and known.run is None:
        return known.plan
    state.save_plan(plan.id, plan.digest, plan_text)
    data = {
        "plan": plan.id,
        "digest": plan.digest,
        "environment": plan.environment,
        "author": author,
        "by": this_person(),
    }
    state.append([NewEvent(kind="plan.proposed", at=now, run=None, step=None, data=data)])
    return None


def new_approval(
    plan: Plan, statement: Statement, *, signature: str | None, now: datetime
) -> Approval:
    """Return an approval that is about to be recorded."""
    return Approval(
        id=f"approval-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        statement=statement,
        plan=plan.id,
        to_heads=plan.steps[-1].to_heads,
        by=this_person(),
        recorded_at=now,
        sequence=0,
        signature=signature,
    )


def ledger_with(state: StateStore, approval: Approval) -> Ledger:
    """Return what the ledger would be if an approval were recorded now, as its last one."""
    event = Event(
        sequence=sys.maxsize,
        kind="approval.given",
        at=approval.recorded_at,
        run=None,
        step=None,
        data=approval_data(approval),
        previous_hash="",
        hash="",
    )
    return ledger_of([*state.events(kinds=APPROVAL_KINDS), event])


def record_approval(state: StateStore, approval: Approval) -> None:
    """Write an approval into the journal."""
    event = NewEvent(
        kind="approval.given",
        at=approval.recorded_at,
        run=None,
        step=None,
        data=approval_data(approval),
    )
    state.append([event])


def record_revocation(
    state: StateStore, approval: Approval, *, reason: str, by: str, now: datetime
) -> None:
    """Write into the journal that an approval is taken back."""
    data = {"id": approval.id, "by": by, "reason": reason}
    state.append([NewEvent(kind="approval.revoked", at=now, run=None, step=None, data=data)])
