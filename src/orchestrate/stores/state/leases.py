"""Leases: at most one run may change a target, held by a row with the target as its key.

Owns the table `orchestrate_leases`. Functions that take or break a lease take a connection whose
transaction holds the journal's head, which puts all takers in one line; renewing and releasing
touch one row by its id and wait for nobody but a taker of that row.

Whether a lease has expired is judged by the taker's clock against the time that the holder wrote,
so clocks of machines that share a store have to agree to within a few seconds.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from orchestrate.domain.events import NewEvent
from orchestrate.domain.leases import Lease
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state.chain import moment_from_text, moment_text
from orchestrate.stores.state.failures import Failures
from orchestrate.stores.state.tables import leases, name_hash


def take(connection: Connection, wanted: Lease, failures: Failures) -> Lease | None:
    """Insert the lease, or put it in the place of one that has expired, which is returned.

    Taking a lease that is ours already changes nothing. Raises `lease-held`.
    """
    key = name_hash(wanted.target_key)
    row = connection.execute(
        select(leases).where(leases.c.target_hash == key).with_for_update()
    ).first()
    if row is None:
        connection.execute(leases.insert().values(target_hash=key, **_values(wanted)))
        return None
    held = _lease(row)
    if held.id == wanted.id:
        return None
    if held.expires_at > wanted.acquired_at:
        raise _held(held, now=wanted.acquired_at)
    taken = connection.execute(
        update(leases)
        .where(
            leases.c.target_hash == key,
            leases.c.id == held.id,
            # Said again for a database of an unknown kind, which may have ignored the lock.
            leases.c.expires_at == moment_text(held.expires_at),
        )
        .values(**_values(wanted))
    )
    if taken.rowcount != 1:
        raise failures.make(
            f"Another process took the lease on {wanted.environment} at the same moment",
            hint="Nothing was done; try again",
        )
    return held


def renew(
    connection: Connection, lease_id: str, *, step: str | None, now: datetime, expires_at: datetime
) -> bool:
    """Write a sign of life; return False if the lease is gone."""
    renewed = connection.execute(
        update(leases)
        .where(leases.c.id == lease_id)
        .values(step=step, heartbeat_at=moment_text(now), expires_at=moment_text(expires_at))
    )
    return bool(renewed.rowcount)


def remove(connection: Connection, lease_id: str) -> bool:
    """Delete a lease; return False if it was gone."""
    return bool(connection.execute(delete(leases).where(leases.c.id == lease_id)).rowcount)


def one(connection: Connection, lease_id: str) -> Lease:
    """Return a lease by its id. Raises `unknown-lease`."""
    row = connection.execute(
        select(leases).where(leases.c.id == lease_id).with_for_update()
    ).first()
    if row is None:
        raise OrchestrateError(
            "unknown-lease",
            f"There is no lease `{lease_id}`",
            hint="It was released or taken over; `orchestrate unlock ENV` shows who holds one",
        )
    return _lease(row)


def all_leases(connection: Connection) -> tuple[Lease, ...]:
    """Return every lease, expired ones too, by environment and target."""
    found = (_lease(row) for row in connection.execute(select(leases)))
    return tuple(sorted(found, key=lambda one: (one.environment, one.target)))


def broken_event(held: Lease, *, by: str, why: str, now: datetime) -> NewEvent:
    """Return what the journal keeps of a lease that its holder did not give back."""
    return NewEvent(
        kind="lease.broken",
        at=now,
        run=held.run,
        step=held.step,
        data={**lease_facts(held), "by": by, "why": why},
    )


def lease_facts(lease: Lease) -> dict[str, object]:
    """Return a lease's fields as plain JSON."""
    facts = {field.name: getattr(lease, field.name) for field in fields(lease)}
    return {
        name: moment_text(value) if isinstance(value, datetime) else value
        for name, value in facts.items()
    }


def _values(lease: Lease) -> dict[str, Any]:
    return lease_facts(lease)


def _lease(row: Row[Any]) -> Lease:
    return Lease(
        id=row.id,
        target_key=row.target_key,
        environment=row.environment,
        target=row.target,
        run=row.run,
        holder=row.holder,
        host=row.host,
        pid=row.pid,
        step=row.step,
        acquired_at=moment_from_text(row.acquired_at),
        heartbeat_at=moment_from_text(row.heartbeat_at),
        expires_at=moment_from_text(row.expires_at),
    )


def _held(held: Lease, *, now: datetime) -> OrchestrateError:
    place = (
        held.environment
        if held.target == held.environment
        else f"{held.environment} ({held.target})"
    )
    step = f"at step {held.step}" if held.step else "before its first step"
    return OrchestrateError(
        "lease-held",
        f"{place} is being changed by run {held.run} of {held.holder} (process {held.pid} on "
        f"{held.host}), since {held.acquired_at:%Y-%m-%d %H:%M:%S} UTC, {step}; "
        f"its last sign of life was {_ago(now - held.heartbeat_at)} ago",
        where=held.environment,
        hint=f"`orchestrate unlock {held.environment}` shows it; try again when it is done, or if "
        f"that run is surely dead, `orchestrate unlock {held.environment} {held.id}`",
        details=lease_facts(held),
    )


def _ago(passed: timedelta) -> str:
    seconds = max(0, round(passed.total_seconds()))
    if seconds < 120:  # noqa: PLR2004  (two minutes read better than a hundred seconds)
        return f"{seconds} s"
    return f"{seconds // 60} min"
