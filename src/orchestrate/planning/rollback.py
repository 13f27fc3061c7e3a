"""The way back: what the schema has to be after it, what stands in it, what else there is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrate.domain.backups import Backup
from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import SchemaCheck, Step
from orchestrate.planning.chain import Chain, Move
from orchestrate.planning.staleness import words
from orchestrate.values import dataclass

SCHEMA_KINDS: Final[tuple[EventKind, ...]] = (
    "run.started",
    "run.schema",
    "step.started",
    "step.left-transaction",
)
"""Events that tell of schemas, and of whose they are."""
GATE: Final = "way-back"
_CHANGES_SCHEMA: Final = re.compile(r"(?:^|;)\s*(?:create|alter|drop|rename)\b", re.IGNORECASE)
_COMMENT: Final = re.compile(r"--[^\n]*$", re.MULTILINE)


# --- what the schema has to be --------------------------------------------------------------------


def schema_check(
    events: Iterable[Event], *, target_key: str, heads: tuple[str, ...]
) -> SchemaCheck:
    """Return what the schema is compared with when a target is back at these rows.

    The last schema that was recorded of this very target at these very rows, which is the one from
    before the revisions that are undone were applied; else one that is made anew. Of a step begun
    several times its first beginning counts: later ones may start from what that left.
    """
    ours = set[str]()
    begun = set[tuple[str | None, str | None]]()
    found: tuple[str, str] | None = None
    for event in events:
        data: Mapping[str, Any] = event.data
        if event.kind == "run.started" and target_key in data["target_keys"]:
            ours.add(event.run or "")
        if event.run not in ours or "snapshot" not in data or "heads" not in data:
            continue
        key = (event.run, event.step)
        again = event.step is not None and key in begun
        begun.add(key)
        if not again and sorted(data["heads"]) == sorted(heads):
            found = (data["snapshot"], _source(event))
    if found is None:
        return SchemaCheck(
            snapshot=None, source=f"that of {words(heads)}, made anew in a scratch database"
        )
    return SchemaCheck(snapshot=found[0], source=f"that of {words(heads)}, recorded {found[1]}")


def _source(event: Event) -> str:
    if event.step is not None:
        return f"before step {event.step} of {event.run}"
    return f"{event.data['when']} {event.run}"


def verify_step(check: SchemaCheck, *, number: int, target: str, heads: tuple[str, ...]) -> Step:
    """Return the step that compares the schema once a target is back at these rows."""
    return Step(
        id=f"{number:03d}-verify",
        kind="verify",
        target=target,
        title="compare the schema with what it was",
        revision=words(heads),
        from_heads=heads,
        to_heads=heads,
        # It changes nothing.
        transactional=True,
        file="",
        file_sha256="",
        check=check,
    )


def not_as_before(step: Step, check: SchemaCheck, differences: int) -> str:
    """Return what it means that the schema differs after a `verify` step."""
    count = "1 difference" if differences == 1 else f"{differences} differences"
    return (
        f"the version table says {words(step.to_heads)} and the schema is not that of "
        f"{words(step.to_heads)}: {count} from {check.source}"
    )


# --- what stands in the way -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """A revision on the way that does not undo itself."""

    revision: str
    file: str
    why: str
    certain: bool
    """Whether nobody can know better: there is no downgrade that could run."""

    def finding(self) -> Finding:
        """Return it as a finding."""
        return Finding(
            code="missing-downgrade", severity="error", message=self.why, where=self.file
        )


def obstacles(moves: Iterable[Move], upgrades: Mapping[str, str | None]) -> tuple[Obstacle, ...]:
    """Return what closes a way down, in its order.

    `upgrades` has the SQL by which each revision was applied, where that is known: a downgrade
    that does nothing is in nobody's way if the upgrade left the schema alone.
    """
    found = []
    for move in moves:
        revision = move.revision
        sql = upgrades.get(revision.id)
        match revision.downgrade:
            case "missing":
                why = "has no downgrade"
            case "raises":
                why = "has a downgrade that refuses"
            case "empty" if sql is not None and changes_schema(sql):
                why = "has an empty downgrade, and its upgrade changed the schema"
            case _:
                continue
        found.append(
            Obstacle(
                revision=revision.id,
                file=revision.file,
                why=why,
                certain=revision.downgrade != "empty",
            )
        )
    return tuple(found)


def changes_schema(sql: str) -> bool:
    """Tell whether rendered SQL creates, alters or drops anything."""
    return _CHANGES_SCHEMA.search(_COMMENT.sub("", sql)) is not None


def copy_to_restore(
    copies: Iterable[Backup],
    chain: Chain,
    *,
    environment: str,
    heads: tuple[str, ...],
    run: str | None = None,
) -> Backup | None:
    """Return the copy that brings an environment back, or None.

    The copy that `run` made itself comes first; else it is the newest good one of these rows or of
    any before them.
    """
    good = sorted(
        (one for one in copies if one.good and one.environment == environment),
        key=lambda one: one.created_at,
    )
    own = [one for one in good if run is not None and one.run == run]
    if own:
        return own[-1]
    reached = chain.ancestors(heads)
    fitting = [
        one
        for one in good
        if not chain.unknown(one.heads) and chain.ancestors(one.heads) <= reached
    ]
    return fitting[-1] if fitting else None
