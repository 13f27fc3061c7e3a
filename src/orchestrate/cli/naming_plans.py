"""Which plan somebody means who approves one: that of a file, of an environment, or one waiting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrate.cli.applying import refuse_used
from orchestrate.cli.gates import gated
from orchestrate.cli.gating import looked_at, prepare
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.plan import Plan
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.run.approvals import ledger
from orchestrate.run.observe import observe_one
from orchestrate.stores.plan_files import plan_from_text, read_plan


def named_plan(bench: Workbench, name: str, *, to: str | None) -> tuple[Plan, Environment]:
    """Return the plan that is meant by a file, an environment or the name of one that waits.

    Of an environment it is made as `plan` makes it; the others are taken as they are, so that who
    approves needs no way to the database. Raises `unknown-environment`, `unknown-plan`,
    `stale-plan` where the spec moved since, `plan-already-used`, and what making one raises.
    """
    known = {one for env in bench.spec.environments for one in (env.name, *env.aliases)}
    if not name.endswith(".json") and (name in known or not name.startswith("plan-")):
        environment = bench.environment(name)
        return _made(bench, environment, to), environment
    if to is not None:
        raise OrchestrateError("usage", "A plan has its destination in it; `--to` goes with ENV")
    plan = read_plan(Path(name)) if name.endswith(".json") else _waiting(bench, name)
    environment = bench.environment(plan.environment)
    refuse_used(bench, plan, name)
    if bench.spec.spec_digest(environment) != plan.spec_digest:
        raise OrchestrateError(
            "stale-plan",
            f"The plan {plan.id} is stale: the spec of {environment.name} has changed since",
            where=environment.name,
            hint=f"Look again: `orchestrate plan {environment.name}`",
        )
    return plan, environment


def _made(bench: Workbench, environment: Environment, to: str | None) -> Plan:
    bench.refuse_unenforced(environment)
    access = bench.access(environment)
    bench.load_libraries_meanwhile()
    seen = observe_one(access, bench.graphs)
    if seen.session is None:
        raise AssertionError
    with seen.session:
        looked_at(bench, seen)
        made = prepare(bench, environment, seen, direction="upgrade", to=to or environment.to)
        return gated(bench, environment, seen, made.plan, made.verdict)


def _waiting(bench: Workbench, name: str) -> Plan:
    proposal = ledger(bench.state).proposed(name)
    if proposal is None:
        raise OrchestrateError(
            "unknown-plan",
            f"No plan `{name}` waits for approval",
            hint="`orchestrate approvals` lists those that do",
        )
    plan = plan_from_text(bench.state.load_plan(name), where=f"plan {name} in the state store")
    if (plan.digest, plan.environment) != (proposal.digest, proposal.environment):
        raise OrchestrateError(
            "approvals-tampered",
            f"The plan {name} in the state store is not the one that was proposed",
            hint="`orchestrate history --verify` checks the journal",
        )
    return replace(plan, author=proposal.author)
