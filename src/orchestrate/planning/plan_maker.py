"""Making a plan: from what was observed and what is wanted to ordered steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrate.domain.actions import NOTHING_AROUND, Around
from orchestrate.domain.backups import BackupOrder
from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import (
    NO_ARGUMENTS,
    Arguments,
    Basis,
    Direction,
    Mode,
    Part,
    Plan,
    SchemaCheck,
    Step,
)
from orchestrate.domain.spec import Baseline
from orchestrate.planning.actions import fitting, steps_after, steps_before
from orchestrate.planning.backups import backup_step
from orchestrate.planning.baselines import baseline_steps
from orchestrate.planning.chain import Chain, Move
from orchestrate.planning.digests import plan_digest
from orchestrate.planning.plan_findings import plan_findings, step_findings
from orchestrate.planning.rollback import verify_step
from orchestrate.planning.staleness import is_empty
from orchestrate.planning.unknown_rows import unknown_rows
from orchestrate.values import dataclass

Durations = Mapping[tuple[Direction, str], float]
"""Seconds that a revision took elsewhere, by direction and content (sha256 of its file)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for."""

    environment: str
    direction: Direction
    to: str
    transactions: Mode
    """The project's setting; an external transaction turns `session` into `isolated`."""
    spec_digest: str
    baseline: Baseline | None = None
    """What the project does with an empty database before its first revision."""
    arguments: Arguments = NO_ARGUMENTS
    backup: BackupOrder | None = None
    """The copy that is made before anything else; none of an empty database."""
    moves: tuple[Move, ...] | None = None
    """The very moves to make, in place of the way to `to`."""
    check: SchemaCheck | None = None
    """What the schema is compared with at the end."""
    around: Around = NOTHING_AROUND
    """What is run before and after, and checked; as far as the direction has it."""


def make_plan(
    wish: Wish,
    observation: Observation,
    chain: Chain,
    *,
    server_undoes_ddl: bool,
    durations: Durations,
    plan_id: str,
    now: datetime,
    tool_version: str,
) -> Plan:
    """Return the plan that takes one target to the wish's destination.

    No steps means that there is nothing to do. Its gates are looked at when it is made, for some
    ask about its digest. Raises `unknown-database-revision`,
    `unknown-revision`, `ambiguous-revision` or `multiple-heads`.
    """
    _refuse_unknown(observation, chain)
    baseline = wish.baseline if wish.direction == "upgrade" and wish.moves is None else None
    first = baseline_steps(baseline, observation, chain)
    moves = wish.moves
    if moves is None:
        moves = chain.moves(
            direction=wish.direction,
            heads=first[-1].to_heads if first else observation.heads,
            to=wish.to,
        )
    mode = _mode(wish.transactions, observation)
    make_steps = _native_step if mode == "native" else _steps
    steps = (
        *first,
        *make_steps(
            moves,
            wish,
            observation,
            durations,
            undoes=server_undoes_ddl,
            start=len(first) + 1,
        ),
    )
    return assembled(
        wish,
        observation,
        mode,
        steps,
        findings=plan_findings(
            observation,
            chain,
            steps,
            to=wish.to,
            opens_transaction=mode == "isolated" and wish.transactions == "session",
        ),
        plan_id=plan_id,
        now=now,
        tool_version=tool_version,
    )


def assembled(  # the fields of a plan, for those that make its steps
    wish: Wish,
    observation: Observation,
    mode: Mode,
    steps: tuple[Step, ...],
    *,
    findings: tuple[Finding, ...],
    plan_id: str,
    now: datetime,
    tool_version: str,
) -> Plan:
    """Return a plan of these steps in the frame of the wish, of what was observed.

    The copy comes first, then hooks, the steps themselves, the comparison of the schema, hooks and
    checks. Without a step there is no frame either.
    """
    target, around = observation.target, fitting(wish.around, wish.direction)
    if steps:
        before = steps_before(around, target=target, heads=observation.heads)
        steps = (*before, *steps)
    if steps and wish.backup is not None and not is_empty(observation):
        steps = (backup_step(wish.backup, observation), *steps)
    if steps and wish.check is not None:
        heads = steps[-1].to_heads
        last = verify_step(wish.check, number=len(steps) + 1, target=target, heads=heads)
        steps = (*steps, last)
    if steps:
        heads, number = steps[-1].to_heads, len(steps) + 1
        steps = (*steps, *steps_after(around, number=number, target=target, heads=heads))
    on_failure = around.on_failure if steps else ()
    basis = (
        Basis(
            target=observation.target,
            dialect=observation.dialect,
            identity=observation.identity,
            heads=observation.heads,
            version_table=observation.version_table,
            server_version=observation.server_version,
        ),
    )
    return Plan(
        id=plan_id,
        digest=plan_digest(
            environment=wish.environment,
            direction=wish.direction,
            mode=mode,
            spec_digest=wish.spec_digest,
            basis=basis,
            steps=steps,
            arguments=wish.arguments,
            on_failure=on_failure,
        ),
        created_at=now,
        environment=wish.environment,
        direction=wish.direction,
        to=wish.to,
        mode=mode,
        spec_digest=wish.spec_digest,
        basis=basis,
        steps=steps,
        gates=(),
        findings=findings,
        tool_version=tool_version,
        arguments=wish.arguments,
        on_failure=on_failure,
    )


def _refuse_unknown(observation: Observation, chain: Chain) -> None:
    unknown = chain.unknown(observation.heads)
    if unknown:
        raise unknown_rows(observation.environment, unknown, {})


def replay_steps(
    observation: Observation,
    chain: Chain,
    heads: tuple[str, ...],
    *,
    transactions: Mode,
    baseline: Baseline | None,
    server_undoes_ddl: bool,
) -> tuple[Mode, tuple[Step, ...]]:
    """Return how and what to run on an empty database to bring it to these rows.

    Raises `ambiguous-revision` where a baseline leads beyond them.
    """
    first = baseline_steps(baseline, observation, chain)
    here = first[-1].to_heads if first else observation.heads
    moves = chain.moves(direction="upgrade", heads=here, to=heads) if heads != here else ()
    mode = _mode(transactions, observation)
    wish = Wish(
        environment=observation.environment,
        direction="upgrade",
        to=" ".join(heads),
        transactions=transactions,
        spec_digest="",
    )
    make_steps = _native_step if mode == "native" else _steps
    steps = make_steps(moves, wish, observation, {}, undoes=server_undoes_ddl, start=len(first) + 1)
    return mode, (*first, *steps)


def _mode(wanted: Mode, observation: Observation) -> Mode:
    """Return how steps commit: an external transaction makes per-revision commits void (P3)."""
    if wanted == "session" and observation.habits.external_transaction:
        return "isolated"
    return wanted


def _steps(
    moves: Sequence[Move],
    wish: Wish,
    observation: Observation,
    durations: Durations,
    *,
    undoes: bool,
    start: int,
) -> tuple[Step, ...]:
    width = max(3, len(str(len(moves))))
    return tuple(
        Step(
            id=f"{number:0{width}d}-{move.revision.id}",
            kind=wish.direction,
            target=observation.target,
            title=move.revision.title,
            revision=move.revision.id,
            from_heads=move.from_heads,
            to_heads=move.to_heads,
            transactional=undoes and not move.revision.leaves_transaction,
            file=move.revision.file,
            file_sha256=move.revision.sha256,
            estimate_seconds=durations.get((wish.direction, move.revision.sha256)),
            findings=step_findings(move.revision, wish.direction, undoes=undoes),
        )
        for number, move in enumerate(moves, start=start)
    )


def _native_step(
    moves: Sequence[Move],
    wish: Wish,
    observation: Observation,
    durations: Durations,
    *,
    undoes: bool,
    start: int,
) -> tuple[Step, ...]:
    if not moves:
        return ()
    last = moves[-1].revision
    known = [durations.get((wish.direction, move.revision.sha256)) for move in moves]
    return (
        Step(
            id=f"{start:03d}-{last.id}",
            kind=wish.direction,
            target=observation.target,
            title=f"{len(moves)} revisions in the project's own transaction",
            revision=last.id,
            from_heads=moves[0].from_heads,
            to_heads=moves[-1].to_heads,
            transactional=undoes
            and not observation.habits.transaction_per_migration
            and not any(move.revision.leaves_transaction for move in moves),
            file=last.file,
            file_sha256=last.sha256,
            parts=tuple(
                Part(
                    revision=move.revision.id,
                    from_heads=move.from_heads,
                    to_heads=move.to_heads,
                    file=move.revision.file,
                    file_sha256=move.revision.sha256,
                )
                for move in moves
            ),
            estimate_seconds=None if None in known else sum(one or 0.0 for one in known),
            findings=tuple(
                finding
                for move in moves
                for finding in step_findings(move.revision, wish.direction, undoes=undoes)
            ),
        ),
    )
