"""What the policy of an environment has to know of a plan, on every path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrate.cli.workbench import Workbench
from orchestrate.domain.plan import Plan
from orchestrate.domain.spec import Environment
from orchestrate.planning.policy import asks_for_sql, judged
from orchestrate.planning.promotion import promoted_contents

if TYPE_CHECKING:
    from orchestrate.run.observe import Seen


def with_policy(bench: Workbench, environment: Environment, seen: Seen, plan: Plan) -> Plan:
    """Return a plan with the findings that the policy asks about, as severe as it makes them.

    Raises what rendering the revisions raises: a policy that cannot be kept stops the plan.
    """
    if environment.policy is None:
        return plan
    if asks_for_sql(environment.policy):
        plan = with_rules(bench, environment, seen, plan)
    return judged(environment.policy, plan)


def with_rules(bench: Workbench, environment: Environment, seen: Seen, plan: Plan) -> Plan:
    """Return a plan with what the rules over revisions and their SQL say of each step.

    Raises what rendering the revisions raises.
    """
    names = [revision for revision, _ in promoted_contents(plan.steps)]
    if not names or seen.graph is None or seen.access is None:
        return plan
    from orchestrate.cli.linting_environment import findings_by_revision  # noqa: PLC0415  (heavy)

    by_id = bench.chain(seen.graph).by_id
    access = seen.access.given(plan.arguments)
    found = findings_by_revision(bench, environment, access, [by_id[one] for one in names])
    steps = []
    for step in plan.steps:
        revisions = [part.revision for part in step.parts] or [step.revision]
        # A saved plan has some already, and they are of the same files.
        known = {one.code for one in step.findings}
        new = tuple(
            one
            for revision in (revisions if step.kind == "upgrade" else ())
            for one in found.get(revision, ())
            if one.code not in known
        )
        steps.append(replace(step, findings=(*step.findings, *new)) if new else step)
    return replace(plan, steps=tuple(steps))
