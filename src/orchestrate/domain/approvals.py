"""Approvals: who agreed to which plan, as far as anybody has to know."""

from __future__ import annotations

from datetime import datetime

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What somebody says by approving; a signature covers its text (`planning.approvals`)."""

    environment: str
    digest: str
    """Of the plan."""
    approver: str
    """An e-mail address, or `user@host` where nobody knows one."""
    at: datetime
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One approval, as the journal has it."""

    id: str
    statement: Statement
    plan: str
    """The plan that was looked at; approvals hold for every plan of its digest."""
    to_heads: tuple[str, ...]
    """Where that plan leads, for people."""
    by: str
    """`user@host` of the process that recorded it."""
    recorded_at: datetime
    sequence: int
    """Of its event: what the journal has later came later, whatever the clocks said."""
    signature: str | None = None
    """In OpenSSH's armour; None where it is recorded alone."""
    repeats: str | None = None
    """The earlier approval with this very signed text: a signature counts once."""
    used_by: str | None = None
    """The run that was begun on it."""
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    revocation: str | None = None
    """Why it was revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A plan that waits for approvals, as it was first proposed."""

    plan: str
    digest: str
    environment: str
    author: str
    by: str
    at: datetime
    run: str | None = None
    """The run that was begun in its environment since: it waits no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A line of an allowed-signers file (ssh-keygen(1), ALLOWED SIGNERS)."""

    line: int
    principals: str
    """A list of patterns, as it is written."""
    key: bytes
    """The public key in SSH's wire format."""
    namespaces: str | None = None
    """A list of patterns; None: every namespace."""
    valid_after: float | None = None
    """Seconds since 1970."""
    valid_before: float | None = None
    authority: bool = False
    """It certifies keys of others, and is none of a person's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of checking an approval's signature."""

    key: str | None
    """The fingerprint of the key that signed, where the signature is one."""
    code: str | None = None
    """One of `errors.CODES`; None where the signature holds and the key is allowed."""
    why: str = ""
