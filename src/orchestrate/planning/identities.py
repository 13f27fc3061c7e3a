"""Whether a database is the one its environment is known by. Pure, like SSH's known_hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from orchestrate.domain.leases import RecordedIdentity
from orchestrate.domain.observation import Observation
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityVerdict:
    """What the record says of a database; `known` and `first-use` may go on."""

    kind: Literal["known", "first-use", "changed", "same-database"]
    detail: str


def identify(
    observation: Observation,
    records: Sequence[RecordedIdentity],
    others: Sequence[Observation] = (),
) -> IdentityVerdict:
    """Return whether this is the database recorded for its environment, and nobody else's.

    `others` are targets observed at the same moment. One database under two environments is refused
    only if the version table is the same as well: two projects may share a database, and tenants
    may share one by schema.
    """
    mine = [
        record
        for record in records
        if (record.environment, record.target) == (observation.environment, observation.target)
    ]
    if mine and mine[0].identity != observation.identity:
        belongs = [
            record.environment
            for record in records
            if record.identity == observation.identity
            and record.environment != observation.environment
        ]
        also = f", which is the one recorded for {belongs[0]}" if belongs else ""
        return IdentityVerdict(
            kind="changed",
            detail=f"recorded {mine[0].identity}, found {observation.identity}{also}",
        )
    twins = _twins(observation, records, others)
    if twins:
        return IdentityVerdict(
            kind="same-database",
            detail=f"{observation.environment} and {', '.join(twins)} are one database: "
            f"{observation.identity}, version table {observation.version_table}",
        )
    if mine:
        return IdentityVerdict(kind="known", detail=observation.identity)
    return IdentityVerdict(kind="first-use", detail=observation.identity)


def _twins(
    observation: Observation,
    records: Sequence[RecordedIdentity],
    others: Sequence[Observation],
) -> list[str]:
    me = (observation.environment, observation.target)
    seen = {(other.environment, other.target): other.target_key for other in others}
    for record in records:
        # What is observed now outweighs what was recorded then.
        seen.setdefault(
            (record.environment, record.target), f"{record.identity} {record.version_table}"
        )
    return sorted(
        {
            name
            for (name, target), key in seen.items()
            if (name, target) != me and key == observation.target_key
        }
    )
