"""Plans, snapshots and identities: what the journal's events refer to.

Owns their three tables. Functions that write take a connection inside `Database.write` whose
transaction holds the journal's head, which keeps two processes from saving one thing twice.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, delete, select, update

from orchestrate.domain.leases import RecordedIdentity
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state.chain import moment_from_text, moment_text
from orchestrate.stores.state.failures import Failures
from orchestrate.stores.state.tables import identities, name_hash, plans, snapshots
from orchestrate.values import dataclass

_AT_ONCE: Final = 500
"""Values in one IN list; SQLite's oldest limit is 999."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan as it was when it was carried out first."""

    id: str
    digest: str
    text: str


def snapshot_digest(text: str) -> str:
    """Return the name of a snapshot: the SHA-256 of its text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


# --- plans ------------------------------------------------------------------------------------


def add_plan(connection: Connection, plan: SavedPlan) -> None:
    """Save a plan unless it is there. Raises `plan-unreadable` if another one has its id.

    What was saved first stays as it was: a later version of the tool may write the same plan, which
    is to say the same digest, with more fields.
    """
    digest = connection.scalar(select(plans.c.digest).where(plans.c.id == plan.id))
    if digest is None:
        connection.execute(
            plans.insert().values(id=plan.id, digest=plan.digest, text=_packed(plan.text))
        )
    elif digest != plan.digest:
        raise OrchestrateError(
            "plan-unreadable",
            f"The plan {plan.id} is in the state store with other content: one of the two was "
            "changed after it was made",
            hint="Make a new plan: `orchestrate plan ENV --out FILE`",
        )


def plan_of(connection: Connection, plan_id: str, failures: Failures) -> str:
    """Return a plan's text. Raises `state-unavailable` if it is not there or damaged."""
    packed = connection.scalar(select(plans.c.text).where(plans.c.id == plan_id))
    return _unpacked(packed, f"plan {plan_id}", failures)


# --- snapshots --------------------------------------------------------------------------------


def add_snapshots(connection: Connection, texts: Sequence[str]) -> None:
    """Save each text that is not there yet."""
    wanted = {snapshot_digest(text): text for text in texts}
    if not wanted:
        return
    there = set(
        connection.scalars(select(snapshots.c.digest).where(snapshots.c.digest.in_(wanted)))
    )
    rows = [
        {"digest": digest, "text": _packed(text)}
        for digest, text in wanted.items()
        if digest not in there
    ]
    if rows:
        connection.execute(snapshots.insert(), rows)


def snapshot_of(connection: Connection, digest: str, failures: Failures) -> str:
    """Return a snapshot's text. Raises `state-unavailable` if it is not there or damaged."""
    packed = connection.scalar(select(snapshots.c.text).where(snapshots.c.digest == digest))
    text = _unpacked(packed, f"snapshot {digest}", failures)
    if snapshot_digest(text) != digest:
        raise _damaged(f"snapshot {digest}", failures)
    return text


def remove_snapshots(connection: Connection, digests: Iterable[str]) -> int:
    """Delete snapshots; return how many there were."""
    wanted = sorted(set(digests))
    removed = 0
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        removed += connection.execute(
            delete(snapshots).where(snapshots.c.digest.in_(part))
        ).rowcount
    return removed


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode())


def _unpacked(packed: bytes | None, what: str, failures: Failures) -> str:
    if packed is None:
        raise failures.make(
            f"The state store `{failures.safe_url}` has no {what}",
            hint="It was removed, or the run was recorded in another state store",
        )
    try:
        return zlib.decompress(packed).decode()
    except (zlib.error, UnicodeDecodeError, TypeError) as error:
        raise _damaged(what, failures) from error


def _damaged(what: str, failures: Failures) -> OrchestrateError:
    return failures.make(
        f"The {what} in the state store `{failures.safe_url}` is damaged",
        hint="`orchestrate history --verify` checks the journal; compare it with a backup",
    )


# --- identities -------------------------------------------------------------------------------


def all_identities(connection: Connection, failures: Failures) -> tuple[RecordedIdentity, ...]:
    """Return every recorded identity, by environment and target.

    Raises `state-unavailable` if one cannot be read.
    """
    try:
        found = [
            RecordedIdentity(
                environment=row.environment,
                target=row.target,
                identity=row.identity,
                version_table=row.version_table,
                recorded_at=moment_from_text(row.recorded_at),
            )
            for row in connection.execute(select(identities))
        ]
        if any(not isinstance(one.identity, str) for one in found):
            raise TypeError("an identity that is no text")
        return tuple(sorted(found, key=lambda one: (one.environment, one.target)))
    except (ValueError, TypeError) as error:
        raise failures.make(
            f"What the state store `{failures.safe_url}` says of databases (its table "
            "`orchestrate_identities`) is damaged",
            hint="Put a backup of it in its place",
        ) from error


def put_identity(connection: Connection, wanted: RecordedIdentity, *, replace: bool) -> bool:
    """Record an identity; return False if this very one is recorded already.

    Raises `identity-changed` if another one is recorded and `replace` is false.
    """
    key = name_hash(wanted.environment, wanted.target)
    row = connection.execute(select(identities).where(identities.c.name_hash == key)).first()
    values = {
        "environment": wanted.environment,
        "target": wanted.target,
        "identity": wanted.identity,
        "version_table": wanted.version_table,
        "recorded_at": moment_text(wanted.recorded_at),
    }
    if row is None:
        connection.execute(identities.insert().values(name_hash=key, **values))
        return True
    if (row.identity, row.version_table) == (wanted.identity, wanted.version_table):
        return False
    if not replace:
        raise OrchestrateError(
            "identity-changed",
            f"{wanted.environment} is recorded as {row.identity} (version table "
            f"{row.version_table}), not as {wanted.identity} (version table "
            f"{wanted.version_table})",
            where=wanted.environment,
            hint=f"If the database was replaced on purpose, say `orchestrate trust "
            f"{wanted.environment}`; else look where the URL leads",
        )
    connection.execute(update(identities).where(identities.c.name_hash == key).values(**values))
    return True
