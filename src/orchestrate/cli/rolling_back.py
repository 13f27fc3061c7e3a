"""The way of a rollback: what is undone, at what cost, what is compared; then that of every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrate import __version__
from orchestrate.cli.applying import nothing_to_do
from orchestrate.cli.beginning import Others
from orchestrate.cli.carrying import carry_out
from orchestrate.cli.costing import with_costs
from orchestrate.cli.gates import (
    check_overrides,
    gated,
    ordered_backup,
    overrides,
    refuse_closed,
)
from orchestrate.cli.gating import (
    check_identity,
    confirm,
    looked_at,
    prepare,
    refuse_unknown,
    retries_of,
    show_plan,
)
from orchestrate.cli.rendering import write_sql
from orchestrate.cli.undoing import refuse_others, run_to_undo, way_to_undo
from orchestrate.cli.ways_back import good_copy
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import NO_ARGUMENTS, Arguments, Gate, Plan, SchemaCheck
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.baselines import stamp_steps
from orchestrate.planning.chain import Chain
from orchestrate.planning.gates import overridden
from orchestrate.planning.plan_maker import Wish, assembled
from orchestrate.planning.rollback import (
    GATE,
    SCHEMA_KINDS,
    Obstacle,
    obstacles,
    schema_check,
)
from orchestrate.planning.staleness import words
from orchestrate.planning.undoing import WayBack
from orchestrate.reports.doubts import restore_command
from orchestrate.run.observe import Seen
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for: one of `to` and `run`."""

    to: str | None = None
    run: str | None = None
    sql_folder: Path | None = None
    command: str | None = None
    """What was typed in place of `rollback`, for the journal."""
    arguments: Arguments = NO_ARGUMENTS


def roll_back(
    bench: Workbench, environment: Environment, seen: Seen, wanted: Wanted, *, yes: bool
) -> int:
    """Plan the way back of what was just looked at and carry it out; return the exit status.

    Raises `no-way-back`, `run-overtaken`, and what the gates of every run raise.
    """
    check_overrides(bench, GATE)
    if seen.session is None or seen.access is None:
        raise AssertionError
    with seen.session as session:
        observation, chain = looked_at(bench, seen)
        refuse_unknown(bench, environment, observation, chain)
        undone = run_to_undo(bench, environment, wanted.run) if wanted.run else None
        refuse_others(bench, observation, undone)
        way = (
            _way_to(wanted.to or "", observation, chain)
            if undone is None
            else way_to_undo(bench, observation, chain, undone)
        )
        plan = _planned(bench, environment, seen, way, wanted)
        verdict = check_identity(bench, observation)
        if not plan.steps:
            return nothing_to_do(bench, plan)
        session.load_revisions()
        plan = with_costs(plan, seen.access, everything=wanted.sql_folder is not None)
        blocking = obstacles(way.moves, _upgrades(plan)) if way.direction == "downgrade" else ()
        plan = gated(
            bench,
            environment,
            seen,
            replace(plan, findings=_all(plan, way)),
            verdict,
            *_gates(bench, way, blocking),
        )
        if wanted.sql_folder is not None:
            count = write_sql(plan, wanted.sql_folder, bench.invocation.redacted)
            bench.invocation.say(f"{count} files of SQL in {wanted.sql_folder}")
        show_plan(bench, plan, yes=yes)
        _refuse_no_way_back(bench, plan, chain, way, blocking)
        refuse_closed(bench, plan)
        confirm(bench, plan, yes=yes)
        return carry_out(
            bench,
            plan,
            session,
            chain,
            run=None,
            lock_retries=retries_of(environment),
            command=wanted.command,
            others=Others(gives_up=undone.run if undone and undone.run.unfinished else None),
        )


# --- the plan -------------------------------------------------------------------------------------


def _way_to(to: str, observation: Observation, chain: Chain) -> WayBack:
    moves = chain.moves(direction="downgrade", heads=observation.heads, to=to)
    return WayBack(
        direction="downgrade",
        to=to,
        to_heads=moves[-1].to_heads if moves else observation.heads,
        moves=moves,
    )


def _planned(
    bench: Workbench, environment: Environment, seen: Seen, way: WayBack, wanted: Wanted
) -> Plan:
    observation, _ = looked_at(bench, seen)
    check = schema_check(
        bench.state.events(kinds=SCHEMA_KINDS),
        target_key=observation.target_key,
        heads=way.to_heads,
    )
    if way.direction == "stamp":
        return _stamping(bench, environment, seen, way, check)
    return prepare(
        bench,
        environment,
        seen,
        direction=way.direction,
        to=way.to,
        arguments=wanted.arguments,
        moves=way.moves,
        check=check,
    ).plan


def _stamping(
    bench: Workbench, environment: Environment, seen: Seen, way: WayBack, check: SchemaCheck
) -> Plan:
    """Return the plan that records again what was recorded before a stamp."""
    observation, chain = looked_at(bench, seen)
    gone = chain.unknown(way.to_heads)
    if gone:
        raise OrchestrateError(
            "unknown-revision",
            f"What that stamp replaced, {words(way.to_heads)}, is no revision of this checkout",
            where=environment.name,
            hint=f"`orchestrate stamp {environment.name} REV` records one that is",
        )
    now = bench.clock.now()
    return assembled(
        Wish(
            environment=environment.name,
            direction="stamp",
            to=way.to,
            transactions="session",
            spec_digest=bench.spec.spec_digest(environment),
            backup=ordered_backup(bench, environment),
            check=check,
        ),
        observation,
        "session",
        stamp_steps(chain, observation, way.to_heads),
        findings=(),
        plan_id=bench.identifier("plan", now),
        now=now,
        tool_version=__version__,
    )


def _all(plan: Plan, way: WayBack) -> tuple[Finding, ...]:
    return (*way.findings, *plan.findings)


def _upgrades(plan: Plan) -> Mapping[str, str | None]:
    """Return by which SQL each revision on the way down was applied, where that is known."""
    return {
        revision: step.sql_back
        for step in plan.steps
        if step.kind == "downgrade"
        for revision in ([part.revision for part in step.parts] or [step.revision])
    }


# --- what closes it -------------------------------------------------------------------------------


def _gates(bench: Workbench, way: WayBack, blocking: Sequence[Obstacle]) -> tuple[Gate, ...]:
    if way.direction != "downgrade":
        return ()
    if not blocking:
        return (Gate(kind=GATE, state="open", detail="every revision on it has a downgrade"),)
    detail = "; ".join(f"{one.revision} {one.why}" for one in blocking)
    gate = Gate(kind=GATE, state="closed", detail=detail)
    if any(one.certain for one in blocking):
        return (gate,)
    return (overridden(gate, overrides(bench)),)


def _refuse_no_way_back(
    bench: Workbench, plan: Plan, chain: Chain, way: WayBack, blocking: Sequence[Obstacle]
) -> None:
    """Raise `no-way-back` where that gate is closed, with the copy that would do instead."""
    if not any(gate.kind == GATE and gate.state == "closed" for gate in plan.gates):
        return
    name, to = plan.environment, words(way.to_heads)
    copy = good_copy(bench, chain, environment=name, heads=way.to_heads)
    hint = (
        f"{restore_command(name, copy)} puts back a copy of {words(copy.heads)}"
        if copy is not None
        else f"No good backup of {name} at {to} or before it is known; write the downgrade first"
    )
    if not any(one.certain for one in blocking):
        hint += f'; `--override {GATE} --reason "…"` goes all the same'
    raise OrchestrateError(
        "no-way-back",
        f"There is no way back to {to} by revisions; nothing was done",
        where=name,
        hint=hint,
        findings=[one.finding() for one in blocking],
    )
