"""Every error a user can meet: its code, its exit status, its words.

This module owns the table of error codes and the one exception class that carries them. It imports
nothing of ours and never prints: `cli/main.py` is the one place where an error becomes text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final


class ExitStatus(IntEnum):
    """What the process tells its caller (design, section 4)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DIFFERENCE = 3
    GATE_CLOSED = 4
    LEASE_HELD = 5
    STOPPED = 6
    IN_DOUBT = 7
    INTERRUPTED = 130


_FAILED = ExitStatus.FAILED
_USAGE = ExitStatus.USAGE
_GATE = ExitStatus.GATE_CLOSED
_STOPPED = ExitStatus.STOPPED

CODES: Final[Mapping[str, tuple[ExitStatus, str]]] = {
    # What people wrote
    "usage": (_USAGE, "The command line is wrong"),
    "spec-not-found": (_USAGE, "There is no `migrations.yaml` here or above"),
    "spec-invalid": (_USAGE, "The spec has mistakes; each is listed with file, line and column"),
    "unknown-environment": (_USAGE, "No environment of the spec has this name or alias"),
    "unknown-revision": (_USAGE, "No revision of the project has this identifier"),
    "ambiguous-revision": (_USAGE, "The revision given matches several, or several heads exist"),
    "multiple-heads": (_USAGE, "The project has several heads and one was asked for"),
    "url-unavailable": (_USAGE, "The source of a database URL gave nothing usable"),
    "notify-unavailable": (_USAGE, "Notifications are declared and `apprise` is not installed"),
    "plan-unreadable": (_USAGE, "The plan file is not a plan, or is of another format version"),
    "template-invalid": (_USAGE, "A template of a runbook is wrong, or is not there"),
    "unknown-run": (_USAGE, "The journal has no run of this name"),
    "unknown-backup": (_USAGE, "The catalogue has no backup of this name"),
    "unknown-approval": (_USAGE, "The journal has no approval of this name"),
    "unknown-plan": (_USAGE, "No plan of this name waits for approval"),
    "signing-key-unavailable": (_USAGE, "There is no key that could sign, or it cannot be used"),
    "signatures-unavailable": (_USAGE, "The library that signs and checks is not installed"),
    "no-input": (_USAGE, "An answer is needed and nobody can be asked"),
    # What stops a run before it does anything
    "not-enforced-yet": (_GATE, "The spec declares a protection this version cannot enforce"),
    "identity-changed": (_GATE, "The database is not the one recorded for this environment"),
    "same-database": (_GATE, "Two environments turned out to be the same database"),
    "stale-plan": (_GATE, "Heads, identity, a revision file or the spec moved since the plan"),
    "plan-already-used": (_GATE, "This saved plan has been carried out before; a plan runs once"),
    "not-confirmed": (_GATE, "The confirmation did not match; nothing was done"),
    "schema-differs": (_GATE, "The schema is not that of the revision it is said to be at"),
    "not-proven": (_GATE, "Whether the schema is that of the revision cannot be found out"),
    "window-closed": (_GATE, "The maintenance window is closed, or too short for the next step"),
    "not-promoted": (_GATE, "The revisions did not succeed where they have to run first"),
    "policy-blocked": (_GATE, "The policy of the environment does not let this plan through"),
    "not-rehearsed": (_GATE, "The policy wants a rehearsal of these very revisions that went well"),
    "approval-missing": (_GATE, "Fewer people approved the plan than the spec asks for"),
    "approval-stale": (_GATE, "What was approved is another plan: something moved since"),
    "approval-elsewhere": (_GATE, "What was approved is a plan of another environment"),
    "approval-expired": (_GATE, "The approval does not hold any more"),
    "approval-used": (_GATE, "The approval was for a run that has begun; a plan runs once"),
    "approval-revoked": (_GATE, "The approval was taken back"),
    "approval-by-author": (_GATE, "Who made the plan does not count as an approver of it"),
    "approver-not-allowed": (_GATE, "Who approved is not among those who may"),
    "signature-missing": (_GATE, "The spec asks for signed approvals and this one is not"),
    "signature-invalid": (_GATE, "The signature is not one of this approval"),
    "signer-not-allowed": (_GATE, "The key that signed is not allowed for this person"),
    "signers-unreadable": (_GATE, "The file of allowed signers cannot be read"),
    "approvals-tampered": (_GATE, "The approvals in the state store are not as they were written"),
    "backup-impossible": (_GATE, "The backup that the spec asks for cannot be made"),
    "target-not-empty": (_GATE, "There is something in the database that would be replaced"),
    "run-ended": (_GATE, "The run ended while it was looked at; nothing was done"),
    "run-overtaken": (_GATE, "The target is not where the run that is to be undone left it"),
    "no-way-back": (_GATE, "What is to be undone has no way back"),
    "gate-closed": (_GATE, "A gate of the plan is closed; nothing was done"),
    "lease-held": (ExitStatus.LEASE_HELD, "Another run holds the right to change this target"),
    "run-unfinished": (_STOPPED, "An earlier run of this target is unfinished"),
    # The road to a far host
    "ssh-unreachable": (_FAILED, "A host cannot be reached by SSH"),
    "host-key-unknown": (_FAILED, "The host key of an SSH server is in no `known_hosts` file"),
    "host-key-changed": (_FAILED, "The host key of an SSH server is not the one that is known"),
    "ssh-login-refused": (_FAILED, "An SSH server takes none of the keys, or a key cannot be used"),
    "ssh-lost": (_FAILED, "An SSH connection was lost; a run that it befalls can be resumed"),
    # What the agent found
    "unreachable": (_FAILED, "The database cannot be reached"),
    "wrong-database": (_FAILED, "env.py connected to another database than the one asked for"),
    "env-failed": (_FAILED, "The project's env.py failed"),
    "env-writes": (_FAILED, "env.py writes to the database when it is only looked at"),
    "project-unreadable": (_FAILED, "The Alembic project cannot be loaded"),
    "agent-failed": (_FAILED, "The agent could not be started, or ended unexpectedly"),
    "agent-stalled": (_FAILED, "The agent gave no answer before its deadline"),
    "unknown-database-revision": (_FAILED, "The database is at a revision this checkout lacks"),
    "alembic-failed": (_FAILED, "A command of Alembic's ended with an error"),
    "scratch-unavailable": (_FAILED, "No scratch database can be made beside the target"),
    "check-failed": (_FAILED, "A check of the spec does not hold after the run"),
    "command-failed": (_FAILED, "A command of the spec could not be run, or ended with an error"),
    "backup-failed": (_FAILED, "A copy could not be made, or not be proven"),
    "backup-broken": (_FAILED, "A copy is not what was saved, or is not there any more"),
    "restore-failed": (_FAILED, "A copy could not be put back"),
    "step-failed": (_FAILED, "A step failed and was rolled back"),
    "swallowed": (_FAILED, "env.py hid an error: the revision ran, the version did not move"),
    "not-committed": (_FAILED, "The revision ran and its commit never became visible"),
    "lock-timeout": (_FAILED, "A lock was not granted within `lock_timeout`, after all retries"),
    # What can be resumed, or needs a person
    "run-stopped": (_STOPPED, "The run stopped part way and can be resumed"),
    "target-moved": (_STOPPED, "Someone else moved this target since the run came to a stop"),
    "revision-changed": (_STOPPED, "A revision file changed after the run recorded it"),
    "in-doubt": (ExitStatus.IN_DOUBT, "A step may be half applied; a person has to decide"),
    "interrupted": (ExitStatus.INTERRUPTED, "Interrupted by the user at a safe point"),
    # Our own files
    "state-unavailable": (_FAILED, "The state store cannot be opened or written"),
    "journal-broken": (_FAILED, "The journal's hash chain does not hold"),
    "unknown-lease": (_USAGE, "There is no lease of this identifier"),
    "internal": (_FAILED, "A defect of orchestrate itself"),
}


class OrchestrateError(Exception):
    """An error with a code of `CODES`, meant to be read by a person.

    `message` says what happened and where (no full stop after a single sentence), `hint` what to
    type next, `where` a file with line or an environment. `details` holds extra facts for JSON.
    `trouble` names the page that explains it, where that is more special than the code's own. None
    of them may hold a secret.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        trouble: str | None = None,
        details: Mapping[str, object] | None = None,
        findings: Sequence[object] = (),
    ) -> None:
        if code not in CODES:
            msg = f"unlisted error code: {code}"
            raise AssertionError(msg)
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.where = where
        self.trouble = trouble
        self.details: Mapping[str, object] = details or {}
        self.findings = tuple(findings)

    @property
    def exit_status(self) -> ExitStatus:
        """Return the exit status that belongs to the code."""
        return CODES[self.code][0]
