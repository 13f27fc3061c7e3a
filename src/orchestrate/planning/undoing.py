"""What undoes exactly what a run did, as far as it came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Direction, Part, Plan, Step
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain, Move
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import words
from orchestrate.values import dataclass

_MOVING: Final = frozenset({"upgrade", "downgrade"})
_LASTING: Final = frozenset({"hook", "restore"})
"""Steps that nothing undoes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """Where to and how. A stamp has no moves; neither has a way that is not there to go."""

    direction: Direction
    to: str
    """The destination, for people."""
    to_heads: tuple[str, ...]
    moves: tuple[Move, ...] = ()
    findings: tuple[Finding, ...] = ()


def undo(run: RunState, plan: Plan, observation: Observation, chain: Chain) -> WayBack:
    """Return what undoes exactly what a run did, as far as it came, in the opposite order.

    Raises `run-overtaken` where the target is not as that run left it, `no-way-back` for what no
    revision did, and `unknown-revision` where the checkout lacks one.
    """
    done = _done(run, plan, observation.heads)
    left = done[-1].to_heads if done else run.from_heads
    to = f"before {run.id}"
    if not done:
        return WayBack(direction="downgrade", to=to, to_heads=observation.heads)
    if sorted(left) != sorted(observation.heads):
        raise OrchestrateError(
            "run-overtaken",
            f"{run.id} left {observation.environment} at {words(left)}, and it is at "
            f"{words(observation.heads)} now",
            where=observation.environment,
        )
    kinds = {step.kind for step in done}
    if kinds & _LASTING or len(kinds & {*_MOVING, "stamp"}) != 1:
        raise _not_by_revisions(run, done)
    if kinds == {"stamp"}:
        return WayBack(direction="stamp", to=to, to_heads=done[0].from_heads)
    direction: Direction = "downgrade" if done[0].kind == "upgrade" else "upgrade"
    parts = _parts(done)
    moves = chain.moves_of(
        [part.revision for part in reversed(parts)], direction=direction, heads=observation.heads
    )
    return WayBack(
        direction=direction,
        to=to,
        to_heads=moves[-1].to_heads,
        moves=moves,
        findings=(
            *_edited(parts, chain),
            *_gone_for_good(run, direction),
            *_hooks_stay(run, plan),
        ),
    )


def _done(run: RunState, plan: Plan, heads: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the steps that a run has behind it; of a `native` one, whatever is committed of it.

    A step that was killed before its record is behind it when the version table shows that.
    """
    begun = [step for step in plan.steps if step.id in run.steps and _acts(step)]
    finished = [run.steps[step.id].status in {"finished", "marked"} for step in begun]
    count = finished.index(False) if False in finished else len(begun)
    for number, step in enumerate(begun[count:], start=count):
        if step.from_heads != step.to_heads and sorted(step.to_heads) == sorted(heads):
            return tuple(begun[: number + 1])
        for last, part in enumerate(step.parts if step.kind in _MOVING else (), start=1):
            if sorted(part.to_heads) == sorted(heads):
                some = replace(step, parts=step.parts[:last], to_heads=part.to_heads)
                return (*begun[:number], some)
    return tuple(begun[:count])


def _acts(step: Step) -> bool:
    """Tell whether a step leaves anything to undo: copies and checks do not.

    What a hook leaves, nobody can tell but itself; it is said, and stands in no way.
    """
    return step.kind not in {"backup", "verify"} and step.action is None


def _parts(steps: Iterable[Step]) -> tuple[Part, ...]:
    """Return the single revisions that steps carried out."""
    return tuple(
        part
        for step in steps
        for part in step.parts
        or (
            Part(
                revision=step.revision,
                from_heads=step.from_heads,
                to_heads=step.to_heads,
                file=step.file,
                file_sha256=step.file_sha256,
            ),
        )
    )


def _not_by_revisions(run: RunState, done: Sequence[Step]) -> OrchestrateError:
    first = next((step for step in done if step.kind not in _MOVING), done[0])
    return OrchestrateError(
        "no-way-back",
        f"{run.id} did more than run revisions, and that cannot be undone: {first.title}",
        where=run.environment,
        hint=f"`orchestrate rollback {run.environment} --to REV` undoes revisions alone",
    )


def _edited(parts: Iterable[Part], chain: Chain) -> tuple[Finding, ...]:
    found = []
    for part in parts:
        revision = chain.by_id[part.revision]
        if part.file_sha256 and revision.sha256 != part.file_sha256:
            found.append(
                Finding(
                    code="edited-revision",
                    severity="warning",
                    message="was edited since that run: it may not undo what was done then",
                    where=revision.file,
                )
            )
    return tuple(found)


def _gone_for_good(run: RunState, direction: Direction) -> tuple[Finding, ...]:
    if direction != "upgrade":
        return ()
    return (
        Finding(
            code="rows-stay-lost",
            severity="warning",
            message=f"tables and columns come back empty: what {run.id} deleted does not",
            where=run.environment,
        ),
    )


def _hooks_stay(run: RunState, plan: Plan) -> tuple[Finding, ...]:
    """Return that what hooks did is not undone; those of the way back are told its direction."""
    return tuple(
        Finding(
            code="hook-stays",
            severity="warning",
            message=f"what `{step.title}` did in {run.id} is not undone by a revision",
            where=run.environment,
        )
        for step in plan.steps
        if step.kind == "hook" and step.action is not None and step.id in run.steps
    )


def may_be_given_up(run: RunState, plan: Plan, heads: tuple[str, ...]) -> bool:
    """Tell whether an unfinished run stands between two steps for certain, so that it can be ended.

    Where it does not, `resume` has to find out first what became of the step that it began.
    """
    if run.status not in {"stopped", "running"}:
        return False
    for step in plan.steps:
        record = run.steps.get(step.id)
        if record is None or record.status in {"finished", "marked"}:
            continue
        committed = sorted(step.to_heads) == sorted(heads) and step.from_heads != step.to_heads
        if not committed and (not step.transactional or record.left_transaction):
            return False
    return True
