"""Steps that run no revision: building an empty database otherwise, recording revisions. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Part, Step
from orchestrate.domain.spec import Baseline
from orchestrate.planning.chain import Chain
from orchestrate.planning.staleness import is_empty, words


def baseline_steps(
    baseline: Baseline | None, observation: Observation, chain: Chain
) -> tuple[Step, ...]:
    """Return what comes before the first revision; nothing where the target is not empty.

    Raises `unknown-revision` and its kin for a revision that does not exist.
    """
    if baseline is None or not is_empty(observation):
        return ()
    steps = []
    if baseline.run is not None:
        steps.append(_hook_step(baseline.run, observation.target))
    if baseline.stamp is not None:
        to_heads = chain.stamped((), (baseline.stamp,))
        steps.append(
            stamp_step(chain, (), to_heads, number=len(steps) + 1, target=observation.target)
        )
    return tuple(steps)


def stamp_steps(
    chain: Chain, observation: Observation, to_heads: tuple[str, ...]
) -> tuple[Step, ...]:
    """Return the one step that records these revisions; none where they are recorded already."""
    if observation.has_version_table and observation.heads == to_heads:
        return ()
    return (stamp_step(chain, observation.heads, to_heads, number=1, target=observation.target),)


def _hook_step(command: Sequence[str], target: str) -> Step:
    return Step(
        id="001-run",
        kind="hook",
        target=target,
        title=f"run {shlex.join(command)}",
        revision="",
        from_heads=(),
        to_heads=(),
        transactional=False,
        file="",
        file_sha256="",
        command=tuple(command),
    )


def stamp_step(
    chain: Chain,
    from_heads: tuple[str, ...],
    to_heads: tuple[str, ...],
    *,
    number: int,
    target: str,
) -> Step:
    """Return the step that makes these the rows of the version table and does nothing else."""
    name = words(to_heads)
    revisions = [chain.by_id[one] for one in to_heads]
    return Step(
        id=f"{number:03d}-stamp-{'-'.join(to_heads) or 'base'}",
        kind="stamp",
        target=target,
        title=f"record {name}, running nothing",
        revision=name,
        from_heads=from_heads,
        to_heads=to_heads,
        # Rows alone, in one transaction, which every server takes back.
        transactional=True,
        file=", ".join(one.file for one in revisions),
        file_sha256="",
        parts=tuple(
            Part(
                revision=one.id,
                from_heads=from_heads,
                to_heads=to_heads,
                file=one.file,
                file_sha256=one.sha256,
            )
            for one in revisions
        ),
    )
