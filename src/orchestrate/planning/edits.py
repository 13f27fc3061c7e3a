"""Revisions that are not what they were when they ran, or are gone, by the journal. Pure."""

from __future__ import annotations

from datetime import datetime

from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import Plan
from orchestrate.planning.chain import Chain
from orchestrate.planning.deeds import Deed, Deeds
from orchestrate.planning.promotion import promoted_contents


def edited_revisions(plan: Plan, chain: Chain, done: Deeds) -> tuple[Finding, ...]:
    """Return a finding for each revision edited after it ran: pending here, or applied here."""
    found = []
    for revision, sha256 in promoted_contents(plan.steps):
        ran = [
            (environment, deed)
            for environment, deeds in done.items()
            if (deed := deeds.get(revision)) is not None
            and deed.applied
            and sha256 not in {"", deed.sha256}
        ]
        if ran:
            where = " and ".join(f"{name} ({deed.at:%Y-%m-%d})" for name, deed in ran)
            message = f"{revision} was edited after it ran in {where}: what runs now is not that"
            found.append(_finding(chain, ran[0][1], message))
    applied = chain.ancestors_known(plan.basis[0].heads)
    for revision, deed in done.get(plan.environment, {}).items():
        if deed.applied and revision in applied:
            now = chain.by_id[revision].sha256
            if deed.sha256 not in {"", now}:
                message = (
                    f"{revision} was edited after it ran here ({deed.at:%Y-%m-%d}): "
                    f"{plan.environment} has what it did then"
                )
                found.append(_finding(chain, deed, message))
    return tuple(found)


def deleted_revisions(
    plan: Plan, chain: Chain, done: Deeds, *, stamped: datetime | None
) -> tuple[Finding, ...]:
    """Return a finding for each revision that is applied here and that no file has any more.

    Told only where the rest of the chain can be built: whoever took the file out has mended what
    followed it. After a stamp (`stamped`) the database is what was said, as after squashing; one
    without any row has none of them.
    """
    if not plan.basis[0].heads:
        return ()
    return tuple(
        Finding(
            code="deleted-revision",
            severity="warning",
            message=f"{revision} was applied here ({deed.at:%Y-%m-%d}) and no file has it: "
            f"{plan.environment} has what it did, and nobody can go back over it",
            hint=f"`git log --all --diff-filter=D -- '*{revision}*'` finds when it went; put it "
            "back",
            where=plan.environment,
        )
        for revision, deed in done.get(plan.environment, {}).items()
        if deed.applied
        and deed.sha256
        and revision not in chain.by_id
        and (stamped is None or deed.at > stamped)
    )


def _finding(chain: Chain, deed: Deed, message: str) -> Finding:
    return Finding(
        code="edited-revision",
        severity="warning",
        message=message,
        hint=f"`orchestrate show {deed.run}` names the run; a change belongs in a new revision",
        where=chain.by_id[deed.revision].file,
    )
