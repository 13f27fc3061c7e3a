"""Builders of the values that pure decisions take: short where a test does not care."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.observation import Habits, Observation
from orchestrate.domain.plan import Basis, Plan, Step
from orchestrate.domain.revisions import Downgrade, Graph, Revision
from orchestrate.planning.chain import Chain

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HABITS = Habits(
    external_transaction=False,
    transaction_per_migration=False,
    transactional_ddl=True,
    asynchronous=False,
)


def revision(
    identifier: str,
    *down: str,
    depends_on: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    downgrade: Downgrade = "present",
    leaves_transaction: bool = False,
) -> Revision:
    return Revision(
        id=identifier,
        down=down,
        depends_on=depends_on,
        labels=labels,
        title=f"title of {identifier}",
        file=f"versions/{identifier}.py",
        sha256=f"sha-{identifier}",
        downgrade=downgrade,
        leaves_transaction=leaves_transaction,
    )


def chain(*revisions: Revision) -> Chain:
    return Chain(Graph(digest="graph", revisions=revisions))


def line(number: int) -> Chain:
    """Return r1 ← r2 ← … ← rN."""
    return chain(
        *(
            revision(f"r{one}", *([f"r{one - 1}"] if one > 1 else []))
            for one in range(1, number + 1)
        )
    )


def branches() -> Chain:
    """Return the shape of alembic-in-the-wild B7: a branch, a dependency across, a merge."""
    return chain(
        revision("b1"),
        revision("l1", "b1", labels=("left",)),
        revision("l2", "l1"),
        revision("x1", "b1"),
        revision("x2", "x1", depends_on=("l1",)),
        revision("m1", "l2", "x2"),
        revision("m2", "m1"),
    )


def observation(
    *heads: str,
    environment: str = "dev",
    identity: str = "sqlite path=/srv/dev.db",
    version_table: str = "alembic_version",
    tables: int = 0,
    habits: Habits = HABITS,
    has_version_table: bool | None = None,
) -> Observation:
    return Observation(
        environment=environment,
        target=environment,
        dialect="postgresql",
        server_version="PostgreSQL 15.18",
        identity=identity,
        version_table=version_table,
        has_version_table=bool(heads) if has_version_table is None else has_version_table,
        heads=tuple(sorted(heads)),
        tables=tables,
        habits=habits,
        graph_digest="graph",
    )


def step(
    number: int = 2, *, transactional: bool = True, kind: Any = "upgrade", parts: Any = ()
) -> Step:
    """Return the step r(number-1) → r(number) of `line`."""
    return Step(
        id=f"{number:03d}-r{number}",
        kind=kind,
        target="dev",
        title=f"title of r{number}",
        revision=f"r{number}",
        from_heads=(f"r{number - 1}",) if number > 1 else (),
        to_heads=(f"r{number}",),
        transactional=transactional,
        file=f"versions/r{number}.py",
        file_sha256=f"sha-r{number}",
        parts=parts,
    )


def plan(*steps: Step, environment: str = "dev", **keys: Any) -> Plan:
    """Return the plan of an upgrade to the heads, with other values for some fields."""
    told: dict[str, Any] = {
        "id": "plan-1",
        "digest": "sha256:1",
        "created_at": NOON,
        "environment": environment,
        "direction": "upgrade",
        "to": "heads",
        "mode": "session",
        "spec_digest": "",
        "basis": (),
        "steps": steps,
        "gates": (),
        "findings": (),
        "tool_version": "0",
    }
    return Plan(**{**told, **keys})


def basis(*heads: str, dialect: str, identity: str) -> Basis:
    """Return what a plan was made from."""
    return Basis(
        target="dev",
        dialect=dialect,
        identity=identity,
        heads=heads,
        version_table="alembic_version",
        server_version="1",
    )


def events(
    told: Iterable[tuple[EventKind, str | None, dict[str, Any]]], run: str = "run-1"
) -> list[Event]:
    """Return events of one run, a second apart, with hashes that nobody checks."""
    return [
        Event(
            sequence=number,
            kind=kind,
            at=NOON + timedelta(seconds=number),
            run=run,
            step=step_id,
            data=data,
            previous_hash="",
            hash="",
        )
        for number, (kind, step_id, data) in enumerate(told, 1)
    ]


STARTED: dict[str, Any] = {
    "environment": "dev",
    "plan": "plan-1",
    "plan_digest": "sha256:1",
    "direction": "upgrade",
    "by": "ada@host",
    "host": "host",
    "pid": 1,
    "steps": 2,
    "target_keys": ["sqlite path=/srv/dev.db alembic_version"],
}
