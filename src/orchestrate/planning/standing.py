"""Where a target stands: the word of design section 5, judged from its rows and the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrate.domain.observation import Observation, Sight, State, Unreachable
from orchestrate.values import dataclass

if TYPE_CHECKING:
    # It brings Alembic and SQLAlchemy, which are imported while an agent looks (docs/adr/0007).
    from orchestrate.planning.chain import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A target's state; `pending` counts revisions between it and its destination."""

    state: State
    pending: int
    unknown: tuple[str, ...] = ()
    """Rows of the version table that no revision file of this checkout has."""


def judge(sight: Sight, chain: Chain | None, *, to: str) -> Standing:
    """Return where a target stands with respect to the destination `to`.

    A relative destination (`+1`) names no place to compare with, so the target is then compared
    with all heads. Raises `unknown-revision` and its kin for a destination that does not exist.
    """
    if isinstance(sight, Unreachable) or chain is None:
        return Standing(state="unreachable", pending=0)
    destination = "heads" if _is_relative(to) else to
    wanted = chain.ancestors(chain.resolve(destination))
    if not sight.heads:
        return Standing(state=_without_rows(sight, wanted), pending=len(wanted))
    unknown = chain.unknown(sight.heads)
    if unknown:
        return Standing(state="unknown-revision", pending=0, unknown=unknown)
    applied = chain.ancestors(sight.heads)
    pending = len(wanted - applied)
    if chain.overlapping(sight.heads):
        return Standing(state="diverged", pending=pending)
    beyond = bool(applied - wanted)
    states: dict[tuple[bool, bool], State] = {
        (False, False): "current",
        (True, False): "behind",
        (False, True): "ahead",
        (True, True): "diverged",
    }
    return Standing(state=states[bool(pending), beyond], pending=pending)


def tables_missing(observation: Observation) -> str | None:
    """Return what is wrong with a database whose version table stands alone, or None."""
    if observation.tables or not observation.heads:
        return None
    return (
        f"the version table says {', '.join(observation.heads)}, and there is no other table in "
        "the database"
    )


def unversioned(observation: Observation) -> str:
    """Return what is to be said of a full database without a recorded revision."""
    tables = "1 table" if observation.tables == 1 else f"{observation.tables} tables"
    return f"the database has {tables} and no recorded revision"


def _without_rows(observation: Observation, wanted: frozenset[str]) -> State:
    if observation.tables:
        return "unversioned"
    if not wanted and observation.has_version_table:
        return "current"
    return "empty"


def _is_relative(to: str) -> bool:
    revision = to.rpartition("@")[2]
    return revision.lstrip("+-").isdigit() and revision[:1] in {"+", "-"}
