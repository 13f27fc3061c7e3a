"""The gate `approval`: how a plan stands with those who have to agree, on every path."""

from __future__ import annotations

from typing import Final

from orchestrate.cli.notifying import Notices
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.plan import Gate, Plan
from orchestrate.domain.spec import Environment
from orchestrate.domain.spec_protections import Approval as Rule
from orchestrate.errors import OrchestrateError
from orchestrate.planning.agreement import Agreement, agreement, agreement_gate
from orchestrate.planning.run_state import RunState
from orchestrate.reports.plans import plan_file_text
from orchestrate.run.approvals import (
    Signers,
    ledger,
    person,
    propose,
    question,
    signers_in,
    subject_of,
)

_BY_POLICY: Final = Rule(required=1)
_CLOSING: Final = frozenset({"approvals-tampered", "signers-unreadable", "signatures-unavailable"})


def approval_gate(
    bench: Workbench,
    environment: Environment,
    plan: Plan,
    *,
    run: RunState | None = None,
    by_policy: bool = False,
) -> Gate | None:
    """Return the gate of the approvals that a plan needs, as it stands now; None if it needs none.

    `run` is the run of it that is gone on with, for which the approvals hold that it was begun on.
    With `by_policy` one has to agree even where the environment declares no `approval`. What is
    open is open by a journal whose whole chain was checked.
    """
    rule = rule_of(environment, by_policy=by_policy)
    if rule is None or not plan.steps:
        return None
    try:
        found = asked(bench, environment, rule, plan, run=run)
        return agreement_gate(found, tampered=bench.tampering if found.reached else None)
    except OrchestrateError as error:
        if error.code not in _CLOSING:
            raise
        return Gate(
            kind="approval",
            state="closed",
            detail=error.message,
            code=error.code,
            hint=error.hint or "`orchestrate approvals` tells more",
        )


def rule_of(environment: Environment, *, by_policy: bool = False) -> Rule | None:
    """Return who has to agree to plans of an environment; None: nobody."""
    return environment.approval or (_BY_POLICY if by_policy else None)


def asked(
    bench: Workbench, environment: Environment, rule: Rule, plan: Plan, *, run: RunState | None
) -> Agreement:
    """Return how a plan stands with those who have to agree.

    Raises `approvals-tampered`, `signers-unreadable` and `signatures-unavailable`.
    """
    found = ledger(bench.state)
    about = question(
        subject_of(plan, person(bench.spec.folder)),
        found,
        signers_of(bench, environment),
        now=bench.clock.now(),
        run=run,
    )
    return agreement(rule, about, found)


def signers_of(bench: Workbench, environment: Environment) -> Signers:
    """Return the allowed signers that an environment names. Raises `signers-unreadable`."""
    declared = environment.approval.allowed_signers if environment.approval else None
    return signers_in(bench.spec.folder / declared if declared is not None else None)


def refuse_disagreement(
    bench: Workbench, environment: Environment, plan: Plan, run: RunState | None
) -> None:
    """Raise what closes the gate `approval` of a plan that it was open for when it was looked at.

    For the last moment before a run begins: another run of the plan may have begun, and an approval
    been taken back, while a person was asked.
    """
    if not any(gate.kind == "approval" and gate.state == "open" for gate in plan.gates):
        return
    gate = approval_gate(bench, environment, plan, run=run, by_policy=True)
    if gate is not None and gate.state == "closed":
        raise OrchestrateError(
            gate.code or "approval-missing",
            f"The gate `approval` has closed meanwhile: {gate.detail}",
            where=plan.environment,
            hint=f"`orchestrate approvals {plan.environment}` lists them",
        )


def waiting(bench: Workbench, plan: Plan) -> str | None:
    """Have a plan wait for its approvals; return the one that waits already, if there is one."""
    return propose(
        bench.state,
        plan_file_text(plan),
        plan,
        author=person(bench.spec.folder),
        now=bench.clock.now(),
    )


def way_to_approve(bench: Workbench, plan: Plan) -> str:
    """Return what to type for a plan that is refused; it waits from now on, and people are told."""
    identifier = waiting(bench, plan)
    if identifier is None:
        identifier = plan.id
        notices = Notices(bench, bench.environment(plan.environment), run=None)
        notices.planned(plan, file=identifier)
        notices.finish()
    return f"`orchestrate approve {identifier}` approves it; then say the same again"
