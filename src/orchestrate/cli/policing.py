"""What the policy of an environment has to know of a plan, on every path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrate.cli.workbench import Workbench
from orchestrate.domain.plan import Plan
from orchestrate.domain.spec import Environment
from orchestrate.planning.policy import asks_for_sql, judged
from orchestrate.planning.promotion import promoted_contents
from orchestrate.planning.rules import RULES

if TYPE_CHECKING:
    from orchestrate.run.observe import Seen

_PLANNED: Final = frozenset({"missing-downgrade"})
"""Rules whose findings the planner has made."""


def with_policy(bench: Workbench, environment: Environment, seen: Seen, plan: Plan) -> Plan:
    """Return a plan with the findings that the policy asks about, as severe as it makes them.

    Raises what rendering the revisions raises: a policy that cannot be kept stops the plan.
    """
    if environment.policy is None:
        return plan
    if asks_for_sql(environment.policy):
        plan = with_rules(bench, environment, seen, plan, binding=True)
    return judged(environment.policy, plan)


def with_rules(
    bench: Workbench, environment: Environment, seen: Seen, plan: Plan, *, binding: bool = False
) -> Plan:
    """Return a plan with what the rules over revisions and their SQL say of each step.

    `binding`: none is passed over because its file is elsewhere. Raises what rendering the
    revisions raises.
    """
    names = [revision for revision, _ in promoted_contents(plan.steps)]
    if not names or seen.graph is None or seen.access is None:
        return plan
    from orchestrate.cli.linting_environment import findings_by_revision  # noqa: PLC0415  (heavy)

    # Those that are gone stop the run by themselves, at their step.
    by_id = bench.chain(seen.graph).by_id
    known = [by_id[one] for one in names if one in by_id]
    access = seen.access.given(plan.arguments)
    found = findings_by_revision(bench, environment, access, known, binding=binding)
    steps = []
    for step in plan.steps:
        revisions = [part.revision for part in step.parts] or [step.revision]
        if step.kind != "upgrade":
            steps.append(step)
            continue
        new = [one for revision in revisions for one in found.get(revision, ())]
        # A saved plan has some already, of the day when it was made.
        kept = [one for one in step.findings if one.code not in RULES or one.code in _PLANNED]
        more = [one for one in new if one.code not in {other.code for other in kept}]
        steps.append(replace(step, findings=(*kept, *more)))
    return replace(plan, steps=tuple(steps))
