"""Gates on the way to a run: identity, unfinished runs, staleness, a person's yes.

Every path to a database goes through here: apply, a saved plan, resume.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import click

from orchestrate import __version__
from orchestrate.cli.gates import ordered_backup
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.events import Event, EventKind, NewEvent
from orchestrate.domain.findings import Finding
from orchestrate.domain.leases import RecordedIdentity
from orchestrate.domain.locks import TableSize
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import (
    NO_ARGUMENTS,
    Arguments,
    Direction,
    Plan,
    SchemaCheck,
)
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import around_of
from orchestrate.planning.chain import Chain, Move
from orchestrate.planning.deeds import deeds, last_stamp
from orchestrate.planning.edits import deleted_revisions, edited_revisions
from orchestrate.planning.estimates import rehearsed_in, timings_of, wants_sizes, with_origins
from orchestrate.planning.identities import IdentityVerdict, identify
from orchestrate.planning.plan_findings import planned_anew
from orchestrate.planning.plan_maker import Wish, make_plan
from orchestrate.planning.rehearsals import rehearsed_finding
from orchestrate.planning.staleness import moved
from orchestrate.planning.troubles import placed
from orchestrate.planning.unknown_rows import unknown_rows
from orchestrate.reports.plans import plan_text
from orchestrate.run.journal import (
    all_runs,
    durations,
    recent,
    rehearsals_in,
    unfinished,
    whole,
)
from orchestrate.run.lease_keeper import is_dead, this_person
from orchestrate.run.observe import Seen
from orchestrate.run.table_sizes import known_sizes
from orchestrate.values import dataclass

_LOCK_RETRIES: Final = 20
_BY_JOURNAL: Final = frozenset({"edited-revision", "deleted-revision"})
_DOING: Final[Mapping[Direction, str]] = {
    "upgrade": "Applying to",
    "downgrade": "Rolling back",
    "stamp": "Stamping",
    "restore": "Restoring",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan without its gates, together with what it was made from."""

    plan: Plan
    chain: Chain
    verdict: IdentityVerdict


def prepare(
    bench: Workbench,
    environment: Environment,
    seen: Seen,
    *,
    direction: Direction,
    to: str,
    others: tuple[Observation, ...] = (),
    arguments: Arguments = NO_ARGUMENTS,
    moves: tuple[Move, ...] | None = None,
    check: SchemaCheck | None = None,
) -> Prepared:
    """Make the plan for an observed target; `gated` looks at its gates.

    `moves` are the very moves to make, in place of the way to `to`; `check` is what the schema is
    compared with at the end.

    Raises `identity-changed`, `same-database` and what `make_plan` raises.
    """
    observation, chain = looked_at(bench, seen)
    if seen.access is None:
        raise AssertionError
    verdict = check_identity(bench, observation, others)
    project = bench.spec.project_of(environment)
    now = bench.clock.now()
    refuse_unknown(bench, environment, observation, chain)
    history = recent(bench.state)
    rehearsals = rehearsals_in(bench.state, environment.name)
    plan = _made(
        environment.name,
        Wish(
            environment=environment.name,
            direction=direction,
            to=to,
            transactions=project.transactions,
            spec_digest=bench.spec.spec_digest(environment),
            baseline=project.baseline,
            arguments=arguments,
            backup=ordered_backup(bench, environment),
            moves=moves,
            check=check,
            around=around_of(environment),
        ),
        observation,
        chain,
        server_undoes_ddl=seen.access.dialect.transactional_ddl,
        durations=durations(history),
        plan_id=bench.identifier("plan", now),
        now=now,
        tool_version=__version__,
    )
    edited = edited_findings(bench, environment, plan, chain, latest=history)
    timings, rehearsed = timings_of(history), rehearsed_in(rehearsals)
    sizes: tuple[TableSize, ...] = ()
    if seen.session is not None and wants_sizes(plan, timings, rehearsed):
        sizes = known_sizes(seen.session)
    plan = with_origins(plan, timings, rehearsed, sizes)
    told = rehearsed_finding(plan, rehearsals, now)
    plan = replace(plan, findings=(*plan.findings, *edited, *told))
    return Prepared(plan=plan, chain=chain, verdict=verdict)


def edited_findings(
    bench: Workbench,
    environment: Environment,
    plan: Plan,
    chain: Chain,
    *,
    latest: Sequence[Event],
) -> tuple[Finding, ...]:
    """Return which revisions are not what ran, or are gone, by the latest events of the journal.

    By the whole of it where the policy of the environment asks.
    """
    policy = environment.policy
    asked = policy is not None and policy.edited_revision not in {None, "allow"}
    history = whole(bench.state) if asked else latest
    done = deeds(history, chain.ancestors_known)
    stamped = last_stamp(history, plan.environment)
    return (
        *edited_revisions(plan, chain, done),
        *deleted_revisions(plan, chain, done, stamped=stamped),
    )


def judged_anew(
    bench: Workbench, environment: Environment, seen: Seen, plan: Plan, chain: Chain
) -> Plan:
    """Return a plan that was kept with the findings of now: its file's are those of its day.

    What a way back deletes, and what is rendered, is left as it was found.
    """
    if seen.access is None:
        raise AssertionError
    plan = planned_anew(plan, chain, server_undoes_ddl=seen.access.dialect.transactional_ddl)
    edited = edited_findings(bench, environment, plan, chain, latest=recent(bench.state))
    kept = tuple(one for one in plan.findings if one.code not in _BY_JOURNAL)
    return replace(plan, findings=(*kept, *edited))


def refuse_unknown(
    bench: Workbench, environment: Environment, observation: Observation, chain: Chain
) -> None:
    """Raise `unknown-database-revision`, with where git has seen it, for rows without a file."""
    unknown = chain.unknown(observation.heads)
    if unknown:
        seen = bench.sightings(environment, unknown, chain.graph)
        raise unknown_rows(environment.name, unknown, seen)


def _made(environment: str, *arguments: Any, **named: Any) -> Plan:
    """Make a plan; an error of the project's graph names the environment that it was met in."""
    try:
        return make_plan(*arguments, **named)
    except OrchestrateError as error:
        raise placed(error, environment) from error


def looked_at(bench: Workbench, seen: Seen) -> tuple[Observation, Chain]:
    """Return what was seen; raises why it could not be."""
    if seen.error is not None:
        raise seen.error
    if not isinstance(seen.sight, Observation) or seen.graph is None:
        raise OrchestrateError("unreachable", "The target could not be observed")
    return seen.sight, bench.chain(seen.graph)


def check_identity(
    bench: Workbench, observation: Observation, others: tuple[Observation, ...] = ()
) -> IdentityVerdict:
    """Return whether this database is the environment's own, recording it at its first use.

    Raises `identity-changed` or `same-database`.
    """
    verdict = identify(observation, bench.state.identities(), others)
    name = observation.environment
    if verdict.kind == "changed":
        raise OrchestrateError(
            "identity-changed",
            f"This is not the database known as {name}: {verdict.detail}",
            where=name,
            hint=f"If the database was replaced on purpose, say `orchestrate trust {name}`; "
            "else look where the URL leads",
        )
    if verdict.kind == "same-database":
        raise OrchestrateError(
            "same-database",
            f"Two environments lead to one database: {verdict.detail}",
            where=name,
            hint="Give each environment a URL of its own; if the other one has moved away, "
            "`orchestrate trust` it where it is now",
        )
    if verdict.kind == "first-use":
        record_identity(bench, observation, kind="identity.recorded")
    return verdict


def record_identity(bench: Workbench, observation: Observation, *, kind: EventKind) -> None:
    """Record which database an environment is, in the journal as well."""
    now = bench.clock.now()
    bench.state.record_identity(
        RecordedIdentity(
            environment=observation.environment,
            target=observation.target,
            identity=observation.identity,
            version_table=observation.version_table,
            recorded_at=now,
        ),
        replace=kind == "identity.trusted",
        event=NewEvent(
            kind=kind,
            at=now,
            run=None,
            step=None,
            data={
                "environment": observation.environment,
                "target": observation.target,
                "identity": observation.identity,
                "by": this_person(),
            },
        ),
    )


def retries_of(environment: Environment) -> int:
    """Return how often a step is tried again after a lock timeout."""
    return _LOCK_RETRIES if environment.lock_retries is None else environment.lock_retries


def refuse_unfinished(
    bench: Workbench, observation: Observation, *, but: Collection[str | None] = ()
) -> None:
    """Raise `run-unfinished` when an earlier run of the target, other than `but`, has not ended.

    Raises `lease-held` when that run is at work right now, and so can be waited for.
    """
    run = unfinished(
        (one for one in all_runs(bench.state) if one.id not in but),
        environment=observation.environment,
        target_key=observation.target_key,
    )
    if run is None:
        return
    for lease in bench.state.leases():
        if lease.run == run.id and lease.expires_at > bench.clock.now() and not is_dead(lease):
            raise OrchestrateError(
                "lease-held",
                f"Run {run.id} of {lease.holder} (process {lease.pid} on {lease.host}) is at work "
                f"on {lease.environment}, "
                f"{f'at step {lease.step}' if lease.step else 'before its first step'}; "
                "nothing new is begun beside it",
                where=observation.environment,
                hint=f"Try again when it is done; if it is surely dead, `orchestrate unlock "
                f"{lease.environment} {lease.id}` breaks its lease",
            )
    doubt = run.status == "in-doubt"
    hint = (
        f"`orchestrate resume {run.id} --retry` or `--mark-applied` decides, "
        if doubt
        else f"`orchestrate resume {run.id}` goes on, "
    )
    raise OrchestrateError(
        "run-unfinished",
        f"Run {run.id} of {run.environment} is {'in doubt' if doubt else 'unfinished'}; "
        "nothing new is begun on top of it",
        where=observation.environment,
        hint=hint + f"`orchestrate show {run.id}` tells how far it came, "
        f"`orchestrate abort {run.id}` ends it",
        details={"run": run.id},
    )


def confirm(bench: Workbench, plan: Plan, *, yes: bool) -> None:
    """Ask for the environment's name. Raises `no-input` or `not-confirmed`."""
    if yes:
        return
    if not bench.invocation.may_ask:
        raise OrchestrateError(
            "no-input",
            f"{_DOING[plan.direction]} {plan.environment} has to be confirmed and nobody can be "
            "asked",
            hint="Say `--yes` where a machine decides",
        )
    typed = click.prompt(
        f"Type {click.style(plan.environment, bold=True)} to carry it out",
        default="",
        show_default=False,
        err=True,
    )
    if typed.strip() != plan.environment:
        raise OrchestrateError(
            "not-confirmed",
            "That is not the environment's name; nothing was done",
        )


def refuse_stale(bench: Workbench, plan: Plan, observation: Observation, chain: Chain) -> None:
    """Raise `stale-plan`, naming what moved, when the world is not as the plan says."""
    environment = bench.environment(plan.environment)
    found = moved(plan, observation, chain, spec_digest=bench.spec.spec_digest(environment))
    if found:
        raise OrchestrateError(
            "stale-plan",
            f"The plan {plan.id} is stale: {'; '.join(found)}",
            where=plan.environment,
            hint=f"Look again: `orchestrate plan {plan.environment}`",
        )


def show_plan(bench: Workbench, plan: Plan, *, yes: bool) -> None:
    """Print the plan that is about to be confirmed; with `--yes` it is, whoever reads it."""
    if yes:
        bench.invocation.need_no_reader()
    if bench.invocation.format != "json":
        bench.invocation.data(plan_text(plan))
        bench.invocation.data("")
