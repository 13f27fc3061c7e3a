"""Digests over what will happen, in a canonical form that outlives versions of this tool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from typing import Final

from orchestrate.domain.actions import Action
from orchestrate.domain.backups import BackupOrder
from orchestrate.domain.plan import NO_ARGUMENTS, Arguments, Basis, Direction, Mode, Step

_BACKUP: Final = frozenset(
    {
        "strategy",
        "destination",
        "format",
        "jobs",
        "prefix",
        "verify",
        "keep",
        "keep_seconds",
        "command",
        "restore",
    }
)
_ACTION: Final = frozenset({"moment", "seconds", "sql", "command", "expect", "directions", "url"})
"""Fields that were there from the beginning; what is added later leaves older plans alone."""


def canonical_json(value: object) -> str:
    """Return JSON with sorted keys, no spaces and no escapes beyond JSON's own (RFC 8259)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_text(text: str) -> str:
    """Return the lower-case hexadecimal SHA-256 of the text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def plan_digest(
    *,
    environment: str,
    direction: Direction,
    mode: Mode,
    spec_digest: str,
    basis: Sequence[Basis],
    steps: Sequence[Step],
    arguments: Arguments,
    on_failure: Sequence[Action] = (),
) -> str:
    """Return the digest that approvals are bound to.

    Left out on purpose: who and when, gates, estimates, rendered SQL, findings, titles and
    `transactional`. They explain the steps, a later version of the tool or of Alembic may word or
    judge them otherwise, and an upgrade must not void an approval.
    """
    given = {"x": list(arguments.x), "tag": arguments.tag}
    return "sha256:" + sha256_text(
        canonical_json(
            {
                # Only where something was given: older plans keep their digest.
                **({"arguments": given} if arguments != NO_ARGUMENTS else {}),
                **(
                    {"on_failure": [_facts(one, _ACTION) for one in on_failure]}
                    if on_failure
                    else {}
                ),
                "environment": environment,
                "direction": direction,
                "mode": mode,
                "spec": spec_digest,
                "basis": [
                    {
                        "target": one.target,
                        "dialect": one.dialect,
                        "identity": one.identity,
                        "version_table": one.version_table,
                        "heads": sorted(one.heads),
                    }
                    for one in basis
                ],
                "steps": [_step_facts(step) for step in steps],
            }
        )
    )


def _step_facts(step: Step) -> dict[str, object]:
    facts: dict[str, object] = {
        "id": step.id,
        "kind": step.kind,
        "target": step.target,
        "revision": step.revision,
        "from": sorted(step.from_heads),
        "to": sorted(step.to_heads),
        "sha256": step.file_sha256,
    }
    if step.parts:
        facts["parts"] = [[part.revision, part.file_sha256] for part in step.parts]
    if step.command:
        facts["command"] = list(step.command)
    if step.action is not None:
        facts["action"] = _facts(step.action, _ACTION)
    if step.backup is not None:
        facts["backup"] = _facts(step.backup, _BACKUP)
    if step.copy is not None:
        facts["copy"] = step.copy
    if step.exchange:
        facts["exchange"] = True
    if step.check is not None:
        facts["check"] = {"snapshot": step.check.snapshot}
    return facts


def _facts(value: BackupOrder | Action, always: frozenset[str]) -> dict[str, object]:
    """Return the fields of a value as the digest has them.

    Those of the first version always, later ones where they say something: a version that adds a
    field must not void the approvals of plans that do without it.
    """
    left_out = {
        one.name
        for one in fields(value)
        if one.name not in always
        and one.default is not MISSING
        and getattr(value, one.name) == one.default
    }
    return {name: one for name, one in asdict(value).items() if name not in left_out}
