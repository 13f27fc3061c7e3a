"""The way of a stamp: claim, proof, confirmation, and a run of one step."""

from __future__ import annotations

from orchestrate import __version__
from orchestrate.cli.applying import nothing_to_do
from orchestrate.cli.carrying import carry_out
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
    refuse_unfinished,
    refuse_unknown,
    retries_of,
    show_plan,
)
from orchestrate.cli.replaying import replayed_schema
from orchestrate.cli.workbench import Workbench
from orchestrate.dialects.difference import compare
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import NO_ARGUMENTS, Arguments, Gate, Plan, Step
from orchestrate.domain.snapshot import GRANTS, Difference
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.baselines import stamp_steps
from orchestrate.planning.chain import Chain
from orchestrate.planning.plan_maker import Wish, assembled
from orchestrate.planning.staleness import words
from orchestrate.reports.tables import counted
from orchestrate.run.observe import Seen, open_session
from orchestrate.run.scratch import obstacle
from orchestrate.run.session import Session
from orchestrate.values import dataclass

_GATE = "proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a person says of a database. No revision at all means the rows as they are."""

    revisions: tuple[str, ...]
    purge: bool = False
    command: str | None = None
    """What was typed in place of `stamp`, for the journal."""
    arguments: Arguments = NO_ARGUMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What could be shown of a claim. Neither way nor difference means: nothing."""

    way: str | None
    """How it was shown, for people."""
    differences: tuple[Difference, ...] = ()
    obstacle: str = ""
    """Why it could not be shown."""


def stamp_environment(
    bench: Workbench, environment: Environment, seen: Seen, claim: Claim, *, yes: bool
) -> int:
    """Prove a claim about what was just looked at and record it; return the exit status.

    Raises `schema-differs`, `not-proven`, and what the gates of every run raise.
    """
    check_overrides(bench, _GATE)
    if seen.session is None:
        raise AssertionError
    with seen.session as session:
        observation, chain = looked_at(bench, seen)
        refuse_unfinished(bench, observation)
        verdict = check_identity(bench, observation)
        if not claim.purge:
            _refuse_unknown(bench, environment, observation, chain)
        here = () if claim.purge else observation.heads
        to_heads = chain.stamped(here, claim.revisions) if claim.revisions else observation.heads
        own: list[Gate] = []
        steps = stamp_steps(chain, observation, to_heads)
        if steps and claim.revisions:
            proof = _prove(bench, environment, session, chain, to_heads=to_heads)
            own.append(_gate(bench, environment, to_heads, proof, yes=yes))
        wish = Wish(
            environment=environment.name,
            direction="stamp",
            to=" ".join(claim.revisions) or words(to_heads),
            transactions="session",
            spec_digest=bench.spec.spec_digest(environment),
            arguments=claim.arguments,
            backup=ordered_backup(bench, environment),
        )
        plan = _plan(bench, wish, observation, steps)
        if not steps:
            return nothing_to_do(bench, plan)
        plan = gated(bench, environment, seen, plan, verdict, *own)
        show_plan(bench, plan, yes=yes)
        refuse_closed(bench, plan)
        confirm(bench, plan, yes=yes)
        return carry_out(
            bench,
            plan,
            session,
            chain,
            run=None,
            lock_retries=retries_of(environment),
            command=claim.command,
        )


def _refuse_unknown(
    bench: Workbench, environment: Environment, observation: Observation, chain: Chain
) -> None:
    try:
        refuse_unknown(bench, environment, observation, chain)
    except OrchestrateError as error:
        raise OrchestrateError(
            error.code,
            error.message,
            hint="`--purge` forgets what is recorded, if its file is lost for good",
            where=error.where,
            trouble=error.trouble,
        ) from error


def _plan(
    bench: Workbench,
    wish: Wish,
    observation: Observation,
    steps: tuple[Step, ...],
) -> Plan:
    now = bench.clock.now()
    return assembled(
        wish,
        observation,
        "session",
        steps,
        findings=(),
        plan_id=bench.identifier("plan", now),
        now=now,
        tool_version=__version__,
    )


# --- proof ----------------------------------------------------------------------------------------


def _prove(
    bench: Workbench,
    environment: Environment,
    session: Session,
    chain: Chain,
    *,
    to_heads: tuple[str, ...],
) -> Proof:
    """Compare the target's schema with the claimed one, by the best means there are."""
    try:
        expected = replayed_schema(bench, environment, session.access, chain, to_heads)
    except OrchestrateError as error:
        return _prove_by_models(session, chain, to_heads, because=obstacle(error))
    return Proof(
        way=f"the schema is that of {words(to_heads)}, made anew in a scratch database",
        differences=compare(expected, session.snapshot(), without=GRANTS),
    )


def _prove_by_models(
    session: Session, chain: Chain, to_heads: tuple[str, ...], *, because: str
) -> Proof:
    """Compare with the models, which are those of the heads and of nothing before."""
    if to_heads != chain.heads:
        return Proof(way=None, obstacle=f"{because}, and the models are those of the heads")
    try:
        # An agent of its own: what the models do at import is theirs, and a failure ends it.
        with open_session(session.access) as other:
            found = other.differences_to_models()
    except OrchestrateError as error:
        return Proof(way=None, obstacle=f"{because}, and comparing the models failed: {error}")
    if found is None:
        return Proof(way=None, obstacle=f"{because}, and env.py names no models to compare with")
    way = "the schema is that of the models, as far as autogenerate sees"
    return Proof(way=f"{way}; {because}", differences=found)


def _gate(
    bench: Workbench,
    environment: Environment,
    to_heads: tuple[str, ...],
    proof: Proof,
    *,
    yes: bool,
) -> Gate:
    """Return the gate that the proof opens or a person overrides; raises while it is closed."""
    reason = overrides(bench).get(_GATE)
    if proof.way is not None and not proof.differences:
        return Gate(kind=_GATE, state="open", detail=proof.way)
    if proof.differences:
        count = counted(len(proof.differences), "difference")
        told = f"{count} between {environment.name} and {words(to_heads)}"
        if reason:
            return Gate(kind=_GATE, state="overridden", detail=f"{told}; {reason}")
        raise _differs(environment, to_heads, proof)
    if reason:
        detail = f"not shown: {proof.obstacle}; {reason}"
        return Gate(kind=_GATE, state="overridden", detail=detail)
    message = f"Whether the schema is that of {words(to_heads)} cannot be shown: {proof.obstacle}"
    if yes or not bench.invocation.may_ask:
        raise OrchestrateError(
            "not-proven",
            message,
            where=environment.name,
            hint="Nothing was changed. If you know that it is, say so: "
            f'`--override {_GATE} --reason "…"`',
        )
    bench.invocation.say(f"{environment.name}: {message}\nStamp it only if you know that it is")
    return Gate(kind=_GATE, state="overridden", detail=f"not shown: {proof.obstacle}; confirmed")


def _differs(environment: Environment, to_heads: tuple[str, ...], proof: Proof) -> OrchestrateError:
    return OrchestrateError(
        "schema-differs",
        f"The schema is not that of {words(to_heads)}; nothing was changed",
        where=environment.name,
        hint="Look for the revision that fits, or mend the schema by hand; to record it all the "
        f'same: `--override {_GATE} --reason "…"`',
        findings=proof.differences,
    )
