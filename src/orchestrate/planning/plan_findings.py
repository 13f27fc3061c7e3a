"""What is to be said of a plan and its steps, when it is made and when it is used. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Direction, Plan, Step
from orchestrate.domain.revisions import Revision
from orchestrate.planning.chain import Chain
from orchestrate.planning.standing import judge, tables_missing, unversioned
from orchestrate.planning.troubles import merge_command


def planned_anew(plan: Plan, chain: Chain, *, server_undoes_ddl: bool) -> Plan:
    """Return a plan whose steps have what is to be said of their revisions now.

    A plan's file has the titles and findings of its day, and whatever was made of them since: they
    are not in the digest.
    """
    steps = []
    for step in plan.steps:
        revisions = [part.revision for part in step.parts] or [step.revision]
        if step.kind not in {"upgrade", "downgrade"} or any(
            one not in chain.by_id for one in revisions
        ):
            steps.append(step)
            continue
        new = [
            finding
            for one in revisions
            for finding in step_findings(chain.by_id[one], plan.direction, undoes=server_undoes_ddl)
        ]
        kept = [one for one in step.findings if one.code not in _OF_STEPS]
        title = step.title if step.parts else chain.by_id[step.revision].title
        steps.append(replace(step, title=title, findings=(*new, *kept)))
    heads = () if plan.direction != "upgrade" else _heads_findings(plan.to, plan.environment, chain)
    others = tuple(one for one in plan.findings if one.code != "multiple-heads")
    return replace(plan, steps=tuple(steps), findings=(*heads, *others))


_OF_STEPS: Final = frozenset({"leaves-transaction", "missing-downgrade"})
"""What `step_findings` says."""


def step_findings(revision: Revision, direction: Direction, *, undoes: bool) -> tuple[Finding, ...]:
    """Return what is to be said of the step that carries a revision out, or takes it back."""
    findings = []
    if undoes and revision.leaves_transaction:
        findings.append(
            Finding(
                code="leaves-transaction",
                severity="warning",
                message="runs partly outside a transaction: if it fails, what it did stays",
                where=revision.file,
            )
        )
    # A merge joins branches and changes nothing, so there is nothing to undo either.
    undoes_nothing = len(revision.down) > 1 and revision.downgrade == "empty"
    if revision.downgrade != "present" and not undoes_nothing:
        word = {
            "missing": "no downgrade",
            "empty": "an empty downgrade",
            "raises": "a downgrade that refuses",
        }[revision.downgrade]
        findings.append(
            Finding(
                code="missing-downgrade",
                severity="warning" if direction == "upgrade" else "error",
                message=f"has {word}: the way back is a backup",
                where=revision.file,
            )
        )
    return tuple(findings)


def _heads_findings(to: str, where: str, chain: Chain) -> tuple[Finding, ...]:
    if len(chain.heads) <= 1 or to not in {"head", "heads"}:
        return ()
    return (
        Finding(
            code="multiple-heads",
            severity="info",
            message=f"the project has {len(chain.heads)} heads: {', '.join(chain.heads)}",
            hint=f"`{merge_command(where)}` joins them, if they are not meant to stay apart",
            where=where,
        ),
    )


def plan_findings(
    observation: Observation,
    chain: Chain,
    steps: Sequence[Step],
    *,
    to: str,
    opens_transaction: bool,
) -> tuple[Finding, ...]:
    """Return what is to be said of a plan as a whole.

    `opens_transaction`: env.py opens one, which is why each revision gets an env.py of its own.
    """
    where = observation.environment
    findings = list(_heads_findings(to, where, chain))
    if judge(observation, chain, to="heads").state == "unversioned" and steps:
        findings.append(
            Finding(
                code="unversioned",
                severity="warning",
                message=f"{unversioned(observation)}; the plan starts from the first one",
                hint="If the schema was made by other means, record its revision first: "
                f"`orchestrate stamp {where} REV` (it compares first); else check that {where} is "
                "the database you mean",
                where=where,
            )
        )
    alone = tables_missing(observation)
    if alone:
        findings.append(
            Finding(
                code="tables-missing",
                severity="warning",
                message=alone,
                hint=f"To begin anew: `orchestrate stamp {where} base`; to have its data back: a "
                "backup",
                where=where,
            )
        )
    if observation.unmade and steps:
        findings.append(
            Finding(
                code="database-missing",
                severity="info",
                message="its SQLite file does not exist yet; the run creates it",
                where=where,
            )
        )
    if observation.pooled:
        findings.append(
            Finding(
                code="pooler",
                severity="warning",
                message="a connection pooler gives each transaction another server session: the "
                "database's own lock is not taken, and no timeout holds outside a transaction",
                hint=f"Give {where} the server's own host and port",
                where=where,
            )
        )
    if opens_transaction:
        findings.append(
            Finding(
                code="external-transaction",
                severity="info",
                message="env.py opens a transaction of its own, so each revision gets an env.py "
                "run of its own",
                where=where,
            )
        )
    return tuple(findings)
