"""Approvals as far as they are decided: the text that is signed, what the journal tells. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any, Final

from orchestrate.domain.approvals import Approval, Proposal, Statement
from orchestrate.domain.events import Event, EventKind
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

APPROVAL_KINDS: Final[tuple[EventKind, ...]] = (
    "plan.proposed",
    "approval.given",
    "approval.revoked",
    "run.started",
    "run.resumed",
)
NAMESPACE: Final = "plan@orchestrate"
"""Of our SSH signatures: one that was made for another purpose approves nothing."""
_FIRST_LINE: Final = "orchestrate approval"
_MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_LINES: Final = re.compile(
    _FIRST_LINE + r"\nenvironment: (.+)\nplan: (.+)\napprover: (.+)\nat: (.+)\n(?:comment: (.+)\n)?"
)


# --- the text that is signed ----------------------------------------------------------------------


def signed_text(statement: Statement) -> str:
    """Return what a signature covers: readable, and the same for ever.

    The moment is in it, so that a signature neither outlives `expires` nor is good for a second
    run; the approver, so that nobody else's name is put on it.
    """
    lines = [
        _FIRST_LINE,
        f"environment: {statement.environment}",
        f"plan: {statement.digest}",
        f"approver: {statement.approver}",
        f"at: {moment_text(statement.at)}",
    ]
    if statement.comment is not None:
        # As JSON, for a comment may have several lines.
        lines.append(f"comment: {json.dumps(statement.comment, ensure_ascii=False)}")
    return "".join(f"{line}\n" for line in lines)


def statement_of(text: str) -> Statement:
    """Return what a text says that `signed_text` wrote. Raises ValueError for any other."""
    found = _LINES.fullmatch(text)
    if found is None:
        raise ValueError("it is no text of an approval")
    environment, digest, approver, at, comment = found.groups()
    statement = Statement(
        environment=environment,
        digest=digest,
        approver=approver,
        at=moment_of(at),
        comment=json.loads(comment) if comment is not None else None,
    )
    if signed_text(statement) != text:
        raise ValueError("it is no text of an approval as it is written")
    return statement


def moment_text(moment: datetime) -> str:
    """Return a moment as a text has it, `2026-11-21T14:30:00.123456Z`."""
    return moment.astimezone(UTC).strftime(_MOMENT)


def moment_of(text: str) -> datetime:
    """Return the moment that `moment_text` wrote. Raises ValueError."""
    return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)


# --- what the journal tells -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Every approval, and which plans wait for some."""

    approvals: tuple[Approval, ...] = ()
    """In the order of the journal."""
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    """By digest, the first since a run of it was begun: who came first is its author."""

    def proposed(self, plan: str) -> Proposal | None:
        """Return the proposal with a plan's identifier."""
        return next((one for one in self.proposals.values() if one.plan == plan), None)


def ledger_of(events: Iterable[Event]) -> Ledger:
    """Return what the journal's events of `APPROVAL_KINDS` tell.

    Raises `approvals-tampered` for an event that no version of ours wrote.
    """
    folding = _Folding()
    for event in events:
        try:
            folding.take(event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OrchestrateError(
                "approvals-tampered",
                f"Event {event.sequence} of the journal, {event.kind}, is not as it was written",
                hint="`orchestrate history --verify` checks all of them",
            ) from error
    return Ledger(approvals=tuple(folding.approvals.values()), proposals=folding.proposals)


class _Folding:
    def __init__(self) -> None:
        self.approvals: dict[str, Approval] = {}
        self.proposals: dict[str, Proposal] = {}
        self._runs: list[tuple[str, str, Event]] = []
        self._texts: dict[str, str] = {}

    def take(self, event: Event) -> None:
        data: Mapping[str, Any] = event.data
        match event.kind:
            case "plan.proposed":
                known = self.proposals.get(data["digest"])
                if known is None or known.run is not None:
                    self.proposals[data["digest"]] = _proposal(event)
            case "approval.given":
                self._given(event)
            case "approval.revoked":
                self._revoked(event)
            case "run.started":
                self._started(event)
            case "run.resumed":
                # One that was given for this is used up by it.
                self._use(event)
            case _:
                pass

    def _given(self, event: Event) -> None:
        one = _approval(event)
        if one.signature is not None:
            text = signed_text(one.statement)
            one = replace(
                one,
                repeats=self._texts.get(text),
                used_by=self._run_since(one.statement),
            )
            self._texts.setdefault(text, one.id)
        self.approvals.setdefault(one.id, one)

    def _run_since(self, statement: Statement) -> str | None:
        """Return the run that was begun after a statement was signed, before it was recorded."""
        for environment, digest, run in self._runs:
            same = (environment, digest) == (statement.environment, statement.digest)
            if same and run.at >= statement.at:
                return run.run
        return None

    def _revoked(self, event: Event) -> None:
        data: Mapping[str, Any] = event.data
        one = self.approvals[data["id"]]
        if one.revoked_at is None:
            self.approvals[one.id] = replace(
                one, revoked_at=event.at, revoked_by=data["by"], revocation=data["reason"]
            )

    def _started(self, event: Event) -> None:
        data: Mapping[str, Any] = event.data
        begun = (data["environment"], data["plan_digest"])
        self._runs.append((*begun, event))
        for proposal in list(self.proposals.values()):
            if proposal.environment == data["environment"] and proposal.run is None:
                self.proposals[proposal.digest] = replace(proposal, run=event.run)
        self._use(event)

    def _use(self, event: Event) -> None:
        begun = (event.data["environment"], event.data["plan_digest"])
        for one in list(self.approvals.values()):
            if one.used_by is None and (one.statement.environment, one.statement.digest) == begun:
                self.approvals[one.id] = replace(one, used_by=event.run)


def _proposal(event: Event) -> Proposal:
    data: Mapping[str, Any] = event.data
    return Proposal(
        plan=data["plan"],
        digest=data["digest"],
        environment=data["environment"],
        author=data["author"],
        by=data["by"],
        at=event.at,
    )


def _approval(event: Event) -> Approval:
    data: Mapping[str, Any] = event.data
    return Approval(
        id=data["id"],
        statement=Statement(
            environment=data["environment"],
            digest=data["digest"],
            approver=data["approver"],
            at=moment_of(data["at"]),
            comment=data["comment"],
        ),
        plan=data["plan"],
        to_heads=tuple(data["to_heads"]),
        by=data["by"],
        recorded_at=event.at,
        sequence=event.sequence,
        signature=data["signature"],
    )


def approval_data(approval: Approval) -> dict[str, object]:
    """Return what the event of an approval holds."""
    said = approval.statement
    return {
        "id": approval.id,
        "environment": said.environment,
        "digest": said.digest,
        "approver": said.approver,
        "at": moment_text(said.at),
        "comment": said.comment,
        "plan": approval.plan,
        "to_heads": list(approval.to_heads),
        "by": approval.by,
        "signature": approval.signature,
    }
