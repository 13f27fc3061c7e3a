"""The way of an approval: which plan, who says so, a signature where one is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from orchestrate.cli.agreeing import approval_gate, rule_of, signers_of
from orchestrate.cli.naming_plans import named_plan
from orchestrate.cli.signing import as_listed, chosen_key
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.approvals import Approval, Statement
from orchestrate.domain.plan import Gate, Plan
from orchestrate.domain.spec import Environment
from orchestrate.domain.spec_protections import Approval as Rule
from orchestrate.errors import OrchestrateError
from orchestrate.planning.agreement import Question, judge
from orchestrate.planning.approvals import NAMESPACE, Ledger, signed_text, statement_of
from orchestrate.reports.approvals import approval_json, given_text
from orchestrate.reports.plans import plan_text
from orchestrate.run.approvals import (
    Signers,
    ledger,
    ledger_with,
    new_approval,
    person,
    question,
    record_approval,
    subject_of,
)
from orchestrate.stores.written_files import write_file
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for."""

    plan: str
    to: str | None
    comment: str | None
    name: str | None
    """Who approves, as they say."""
    key: Path | None
    text: Path | None
    signature: Path | None
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A plan, and who has to agree to it."""

    plan: Plan
    environment: Environment
    rule: Rule
    signers: Signers


def approve_plan(bench: Workbench, wanted: Wanted) -> int:
    """Approve a plan, or write the text for that; return the exit status.

    Raises `approver-not-allowed`, `approval-by-author`, and what is wrong with a signature.
    """
    case = _case(bench, wanted)
    if wanted.text is not None:
        return _write_text(bench, case, wanted, wanted.text)
    if wanted.signature is not None:
        statement, signature = _signed_elsewhere(case, wanted.signature)
        return _record(bench, case, statement, signature)
    if case.rule.signed or wanted.key is not None:
        with chosen_key(bench, case.rule, case.signers, wanted.key, wanted.name) as (key, name):
            statement = _statement(bench, case, wanted, name)
            if _said_already(bench, case, statement, signed=True):
                return 0
            _confirm(bench, statement, yes=wanted.yes)
            text = signed_text(statement).encode()
            return _record(bench, case, statement, key.signature(text, namespace=NAMESPACE))
    name = as_listed(case.rule, wanted.name or person(bench.spec.folder))
    statement = _statement(bench, case, wanted, name)
    _refuse_worthless(bench, case, statement, signature=None)
    if _said_already(bench, case, statement, signed=False):
        return 0
    _confirm(bench, statement, yes=wanted.yes)
    return _record(bench, case, statement, None)


def _case(bench: Workbench, wanted: Wanted) -> _Case:
    """Return the plan that is meant, and show it."""
    plan, environment = named_plan(bench, wanted.plan, to=wanted.to)
    needed = any(gate.kind == "approval" for gate in plan.gates)
    rule = rule_of(environment, by_policy=needed)
    if rule is None or not plan.steps:
        raise OrchestrateError(
            "usage",
            f"Plans of {environment.name} need no approval"
            if rule is None
            else f"There is nothing to approve: the plan of {environment.name} has no steps",
            where=environment.name,
        )
    plan = replace(plan, gates=(*_others(plan), *_gates_now(bench, environment, plan)))
    if bench.invocation.format != "json":
        bench.invocation.data(f"{plan_text(plan)}\n\nDigest {plan.digest}\n")
    signers = signers_of(bench, environment)
    return _Case(plan=plan, environment=environment, rule=rule, signers=signers)


def _others(plan: Plan) -> tuple[Gate, ...]:
    return tuple(one for one in plan.gates if one.kind != "approval")


def _gates_now(bench: Workbench, environment: Environment, plan: Plan) -> tuple[Gate, ...]:
    gate = approval_gate(bench, environment, plan, by_policy=True)
    return () if gate is None else (gate,)


def _statement(bench: Workbench, case: _Case, wanted: Wanted, name: str) -> Statement:
    return Statement(
        environment=case.plan.environment,
        digest=case.plan.digest,
        approver=name,
        at=bench.clock.now(),
        comment=wanted.comment,
    )


# --- a signature that is made elsewhere -----------------------------------------------------------


def _write_text(bench: Workbench, case: _Case, wanted: Wanted, path: Path) -> int:
    name = as_listed(case.rule, wanted.name or person(bench.spec.folder))
    write_file(path, signed_text(_statement(bench, case, wanted, name)))
    bench.invocation.say(
        f"`{path}` is what {name} signs: `ssh-keygen -Y sign -n {NAMESPACE} -f KEY {path}`; then "
        f"`orchestrate approve {wanted.plan} --signature {path}.sig`"
    )
    return 0


def _signed_elsewhere(case: _Case, path: Path) -> tuple[Statement, str]:
    """Return what was signed and the signature. Raises `signature-invalid`, or for what it is."""
    if path.suffix != ".sig":
        raise OrchestrateError(
            "usage",
            f"`{path}` does not end in `.sig`: the text is looked for beside it, without that",
        )
    try:
        text = path.with_suffix("").read_text("utf-8")
        signature = path.read_text("ascii")
        statement = statement_of(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OrchestrateError(
            "signature-invalid",
            f"`{path.with_suffix('')}` with its signature cannot be read: {reason}",
            hint="`orchestrate approve PLAN --text FILE` writes the text that is to be signed",
        ) from error
    if statement.environment != case.plan.environment:
        raise OrchestrateError(
            "approval-elsewhere",
            f"`{path}` approves a plan of {statement.environment}, not of {case.plan.environment}",
        )
    if statement.digest != case.plan.digest:
        raise OrchestrateError(
            "approval-stale",
            f"`{path}` approves the plan {statement.digest}, and this one is {case.plan.digest}",
            hint="Look at what changed, and sign the text of this plan",
        )
    return statement, signature


# --- what is recorded -----------------------------------------------------------------------------


def _refuse_worthless(
    bench: Workbench, case: _Case, statement: Statement, *, signature: str | None
) -> Approval:
    """Return the approval that would be recorded; raises why it would not count."""
    now = bench.clock.now()
    approval = new_approval(case.plan, statement, signature=signature, now=now)
    found = ledger_with(bench.state, approval)
    about = _question(bench, case, found)
    refusal = judge(case.rule, about, found.approvals[-1])
    if refusal is not None:
        raise OrchestrateError(
            refusal.code,
            f"The approval of {statement.approver} {refusal.why}; nothing was recorded",
            where=case.environment.name,
            hint=_remedy(case, refusal.code),
        )
    return approval


def _question(bench: Workbench, case: _Case, found: Ledger) -> Question:
    # Who approves makes the plan of ENV only to look at it: that is no author.
    makers = frozenset({case.plan.author} if case.plan.author else ())
    subject = replace(subject_of(case.plan, ""), makers=makers)
    return question(subject, found, case.signers, now=bench.clock.now())


def _remedy(case: _Case, code: str) -> str | None:
    match code:
        case "approver-not-allowed" | "approval-by-author":
            gates = _gates_text(case.plan)
            return f"{gates}; `--as EMAIL` or ORCHESTRATE_USER says who you are"
        case "signer-not-allowed":
            return f"`{case.signers.path}` is where keys are allowed, in OpenSSH's format"
        case "approval-used":
            return "Approve it anew: every signature is good for one run"
        case _:
            return None


def _gates_text(plan: Plan) -> str:
    return "; ".join(gate.detail for gate in plan.gates if gate.kind == "approval")


def _said_already(bench: Workbench, case: _Case, statement: Statement, *, signed: bool) -> bool:
    """Tell, and say, whether this person's approval of the plan counts already."""
    found = ledger(bench.state)
    about = _question(bench, case, found)
    for one in found.approvals:
        said = one.statement
        same = (said.environment, said.digest) == (statement.environment, statement.digest)
        mine = said.approver.casefold() == statement.approver.casefold()
        enough = one.signature is not None or not signed
        if same and mine and enough and judge(case.rule, about, one) is None:
            bench.invocation.say(f"{said.approver} has approved this plan already")
            _tell(bench, case, one)
            return True
    return False


def _confirm(bench: Workbench, statement: Statement, *, yes: bool) -> None:
    """Ask for the environment's name. Raises `no-input` or `not-confirmed`."""
    if yes:
        return
    if not bench.invocation.may_ask:
        raise OrchestrateError(
            "no-input",
            f"Approving a plan of {statement.environment} has to be confirmed and nobody can be "
            "asked",
            hint="Say `--yes` where a machine decides",
        )
    typed = click.prompt(
        f"Type {click.style(statement.environment, bold=True)} to approve this plan as "
        f"{statement.approver}",
        default="",
        show_default=False,
        err=True,
    )
    if typed.strip() != statement.environment:
        raise OrchestrateError(
            "not-confirmed", "That is not the environment's name; nothing was approved"
        )


def _record(bench: Workbench, case: _Case, statement: Statement, signature: str | None) -> int:
    approval = _refuse_worthless(bench, case, statement, signature=signature)
    record_approval(bench.state, approval)
    return _tell(bench, case, approval)


def _tell(bench: Workbench, case: _Case, approval: Approval) -> int:
    """Print an approval and how the plan stands now; return the exit status."""
    gates = _gates_now(bench, case.environment, case.plan)
    if bench.invocation.format == "json":
        value = approval_json(approval)
        value["gate"] = [
            {"kind": one.kind, "state": one.state, "detail": one.detail} for one in gates
        ]
        bench.invocation.json(value)
        return 0
    bench.invocation.data(given_text(approval))
    for gate in gates:
        bench.invocation.data(f"{gate.kind} is {gate.state}: {gate.detail}")
    return 0
