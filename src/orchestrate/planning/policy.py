"""What a finding means in an environment: passed, named, to be approved, or the end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from orchestrate.domain.findings import Finding, Severity
from orchestrate.domain.plan import Gate, Plan
from orchestrate.domain.spec_protections import Action, Policy
from orchestrate.planning.rules import PolicyKey, policy_of

_SEVERITIES: Final[Mapping[Action, Severity]] = MappingProxyType(
    {"allow": "info", "warn": "warning", "approve": "warning", "block": "error"}
)
_OF_PLANS: Final[Mapping[str, PolicyKey]] = MappingProxyType(
    {"leaves-transaction": "outside-transaction"}
)
"""Findings that plans have and lint has not."""
_NAMED: Final = 3


def key_of(code: str) -> PolicyKey | None:
    """Return the key of `policy` that decides what a finding of this code means."""
    return policy_of(code) or _OF_PLANS.get(code)


def action_for(policy: Policy | None, code: str) -> Action | None:
    """Return what an environment says of findings of this code; None where it says nothing."""
    key = key_of(code)
    if policy is None or key is None:
        return None
    found: Action | None = getattr(policy, key.replace("-", "_"))
    return found


def asks_for_sql(policy: Policy | None) -> bool:
    """Tell whether the policy can only be kept by reading the SQL of what is pending."""
    return policy is not None and any(
        action not in {None, "allow"}
        for action in (policy.destructive, policy.long_lock, policy.not_rendered)
    )


def judged(policy: Policy | None, plan: Plan) -> Plan:
    """Return a plan whose findings are as severe as the policy makes them."""
    if policy is None:
        return plan
    steps = tuple(
        replace(step, findings=tuple(_judged(policy, one) for one in step.findings))
        if step.findings
        else step
        for step in plan.steps
    )
    findings = tuple(_judged(policy, one) for one in plan.findings)
    return replace(plan, steps=steps, findings=findings)


def _judged(policy: Policy, finding: Finding) -> Finding:
    action = action_for(policy, finding.code)
    return replace(finding, severity=_SEVERITIES[action]) if action else finding


def policy_gate(policy: Policy | None, plan: Plan) -> tuple[Gate, ...]:
    """Return the gate `policy`, closed by what the policy blocks; none without a policy."""
    if policy is None:
        return ()
    blocked = findings_for(policy, plan, "block")
    if blocked:
        return (Gate(kind="policy", state="closed", detail=f"blocks {_told(blocked)}"),)
    waiting = findings_for(policy, plan, "approve")
    detail = f"wants an approval of {_told(waiting)}" if waiting else "nothing that it blocks"
    return (Gate(kind="policy", state="open", detail=detail),)


def findings_for(policy: Policy | None, plan: Plan, action: Action) -> tuple[Finding, ...]:
    """Return the findings of a plan that the policy gives this action."""
    everything = (*plan.findings, *(one for step in plan.steps for one in step.findings))
    return tuple(one for one in everything if action_for(policy, one.code) == action)


def _told(findings: Iterable[Finding]) -> str:
    by_key: dict[str, list[str]] = {}
    for one in findings:
        places = by_key.setdefault(key_of(one.code) or one.code, [])
        place = f"{one.where}: {one.message}" if one.where else one.message
        if place not in places:
            places.append(place)
    return "; ".join(f"{key} ({_some(places)})" for key, places in by_key.items())


def _some(places: list[str]) -> str:
    more = len(places) - _NAMED
    return "; ".join(places[:_NAMED]) + (f"; {more} more" if more > 0 else "")
