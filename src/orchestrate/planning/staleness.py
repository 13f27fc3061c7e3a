"""Whether the world has moved since a plan was made, and what moved. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Plan, Step

if TYPE_CHECKING:
    # It brings Alembic and SQLAlchemy, which are imported while an agent looks (docs/adr/0007).
    from orchestrate.planning.chain import Chain


def moved(
    plan: Plan, observation: Observation, chain: Chain, *, spec_digest: str
) -> tuple[str, ...]:
    """Return one sentence for each thing that is no longer as the plan says; empty means fresh."""
    basis = plan.basis[0]
    found = []
    if plan.spec_digest != spec_digest:
        found.append(f"the spec of {plan.environment} was changed")
    if basis.identity != observation.identity:
        found.append(
            f"the database is another one: planned for {basis.identity}, "
            f"found {observation.identity}"
        )
    if basis.version_table != observation.version_table:
        found.append(
            f"the version table is another one: planned for {basis.version_table}, "
            f"found {observation.version_table}"
        )
    if sorted(basis.heads) != sorted(observation.heads):
        found.append(
            f"the database moved: planned from {words(basis.heads)}, "
            f"found {words(observation.heads)}"
        )
    if needs_empty(plan) and not is_empty(observation):
        found.append(f"the database is no longer empty: it has {observation.tables} tables")
    found += [sentence for step in plan.steps for sentence in changed_files(step, chain)]
    return tuple(found)


def is_empty(observation: Observation) -> bool:
    """Return whether nothing is there: no table, and no version table either."""
    return not (observation.heads or observation.has_version_table or observation.tables)


def needs_empty(plan: Plan) -> bool:
    """Return whether a plan begins with a baseline, which only an empty database may get."""
    return plan.direction == "upgrade" and any(_builds(step) for step in plan.steps)


def _builds(step: Step) -> bool:
    return step.kind == "stamp" or bool(step.command)


def changed_files(step: Step, chain: Chain) -> tuple[str, ...]:
    """Return one sentence for each revision file of a step that is gone or not as recorded."""
    recorded = [(part.revision, part.file, part.file_sha256) for part in step.parts]
    if step.kind in {"upgrade", "downgrade"} and not recorded:
        recorded = [(step.revision, step.file, step.file_sha256)]
    found = []
    for identifier, file, sha256 in recorded:
        revision = chain.by_id.get(identifier)
        if revision is None:
            found.append(f"revision `{identifier}` (`{file}`) is gone")
        elif revision.sha256 != sha256:
            found.append(f"revision `{identifier}` (`{revision.file}`) was edited")
    return tuple(found)


def words(heads: tuple[str, ...]) -> str:
    """Return rows of a version table as people say them; no rows is `base`."""
    return ", ".join(sorted(heads)) or "base"
