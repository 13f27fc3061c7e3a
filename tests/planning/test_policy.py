"""What findings mean in an environment, from literals."""

from __future__ import annotations

from dataclasses import replace

from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import Plan
from orchestrate.domain.spec_protections import Policy
from orchestrate.planning.policy import asks_for_sql, findings_for, judged, policy_gate
from tests.planning.test_undoing import planned
from tests.support.values import line


def plan_with(*codes: str) -> Plan:
    """Return a plan whose first step has findings of these codes."""
    plan = planned(line(2), "r1")
    (first, *rest) = plan.steps
    found = tuple(
        Finding(code=code, severity="warning", message=f"says {code}", where="versions/r2.py")
        for code in codes
    )
    return replace(plan, steps=(replace(first, findings=found), *rest))


def test_without_a_policy_nothing_changes() -> None:
    plan = plan_with("drops-table")
    assert judged(None, plan) is plan
    assert policy_gate(None, plan) == ()


def test_what_is_blocked_closes_the_gate() -> None:
    policy = Policy.model_validate({"destructive": "block", "missing-downgrade": "allow"})
    plan = judged(policy, plan_with("drops-table", "missing-downgrade", "leaves-transaction"))
    severities = [one.severity for one in plan.steps[0].findings]
    assert severities == ["error", "info", "warning"], "what it does not name stays as it is"
    (gate,) = policy_gate(policy, plan)
    assert gate.state == "closed"
    assert gate.detail == "blocks destructive (versions/r2.py: says drops-table)"


def test_what_is_to_be_approved_leaves_it_open() -> None:
    policy = Policy.model_validate({"destructive": "approve", "edited-revision": "block"})
    plan = plan_with("drops-column")
    (gate,) = policy_gate(policy, plan)
    assert (gate.state, gate.detail) == (
        "open",
        "wants an approval of destructive (versions/r2.py: says drops-column)",
    )
    assert [one.code for one in findings_for(policy, plan, "approve")] == ["drops-column"]


def test_a_findings_of_the_plan_itself_counts() -> None:
    policy = Policy.model_validate({"edited-revision": "block"})
    edited = Finding(code="edited-revision", severity="warning", message="r1 was edited")
    plan = replace(plan_with(), findings=(edited,))
    (gate,) = policy_gate(policy, plan)
    assert gate.detail == "blocks edited-revision (r1 was edited)"
    (gate,) = policy_gate(policy, plan_with())
    assert (gate.state, gate.detail) == ("open", "nothing that it blocks")


def test_steps_outside_a_transaction_and_several_heads() -> None:
    """As the planner finds them."""
    policy = Policy.model_validate({"outside-transaction": "approve", "multiple-heads": "block"})
    plan = plan_with("leaves-transaction", "multiple-heads")
    assert [one.code for one in findings_for(policy, plan, "approve")] == ["leaves-transaction"]
    assert [one.code for one in findings_for(policy, plan, "block")] == ["multiple-heads"]


def test_when_the_sql_has_to_be_read() -> None:
    assert asks_for_sql(Policy.model_validate({"long-lock": "warn"}))
    assert not asks_for_sql(Policy.model_validate({"destructive": "allow"}))
    assert not asks_for_sql(Policy.model_validate({"edited-revision": "block"}))
    assert not asks_for_sql(None)
