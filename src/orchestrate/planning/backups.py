"""Backups as far as they are decided: the step, the names, the catalogue, what is kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrate.domain.backups import Backup, BackupOrder, DumpFormat, Verification
from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Step
from orchestrate.domain.spec_protections import Backup as Declared

CATALOGUE_KINDS: Final[tuple[EventKind, ...]] = (
    "backup.begun",
    "backup.made",
    "backup.verified",
    "backup.broken",
    "backup.removed",
)
BACKUP_STEP: Final = "000-backup"
_STRENGTH: Final[Mapping[Verification | None, int]] = {None: 0, "list": 1, "restore": 2}
_ENDINGS: Final[Mapping[tuple[str, DumpFormat], str]] = {
    ("pg_dump", "custom"): ".dump",
    ("pg_dump", "plain"): ".sql",
    ("pg_dump", "directory"): ".dir",
    ("sqlite", "custom"): ".db",
    ("mysqldump", "custom"): ".sql",
}


def order_of(declared: Declared | None) -> BackupOrder | None:
    """Return what the spec orders; None where no copy is wanted."""
    if declared is None or declared.strategy == "none":
        return None
    keep = declared.keep
    return BackupOrder(
        strategy=declared.strategy,
        destination=declared.destination,
        format=declared.format or "custom",
        jobs=declared.jobs or 1,
        prefix=tuple(declared.prefix or ()),
        verify=declared.verify,
        keep=keep if isinstance(keep, int) else None,
        keep_seconds=keep if isinstance(keep, float) else None,
        command=tuple(declared.command or ()),
        restore=tuple(declared.restore or ()),
    )


def backup_step(order: BackupOrder, observation: Observation) -> Step:
    """Return the step that copies a target as it is."""
    return Step(
        id=BACKUP_STEP,
        kind="backup",
        target=observation.target,
        title=_described(order),
        revision="",
        from_heads=observation.heads,
        to_heads=observation.heads,
        # It leaves nothing behind that anybody takes for a copy.
        transactional=True,
        file="",
        file_sha256="",
        backup=order,
    )


def restore_step(
    order: BackupOrder, copy: Backup, observation: Observation, *, number: int, exchange: bool
) -> Step:
    """Return the step that puts a copy in the place of what a target holds."""
    return Step(
        id=f"{number:03d}-restore",
        kind="restore",
        target=observation.target,
        title=f"put back {copy.id}",
        revision="",
        from_heads=observation.heads,
        to_heads=copy.heads,
        transactional=False,
        file="",
        file_sha256="",
        backup=order,
        copy=copy.id,
        exchange=exchange,
    )


def in_place_finding(why: str) -> Finding:
    """Return what a person should know before a copy is put back in place, by the reason for it."""
    return Finding(
        code="restored-in-place",
        severity="warning",
        message="Cut off, this restore leaves a half-empty database, neither the old one nor the "
        f"new: everything is dropped and the copy loaded in its place, as {why}",
        hint="`orchestrate resume` then puts the copy back from its beginning",
    )


def good_copies(
    copies: Iterable[Backup], *, environment: str, heads: Sequence[str] | None = None
) -> list[Backup]:
    """Return the copies of an environment that can be put back, newest first.

    Those at `heads` alone, if given.
    """
    return sorted(
        (
            one
            for one in copies
            if one.good
            and one.environment == environment
            and (heads is None or sorted(one.heads) == sorted(heads))
        ),
        key=lambda one: one.created_at,
        reverse=True,
    )


def _described(order: BackupOrder) -> str:
    if order.strategy == "command":
        return f"copy by {order.command[0]}"
    proof = {None: "", "list": ", read again", "restore": ", restored"}
    return f"copy by {order.strategy}{proof[order.verify]}"


def backup_id(observation: Observation, *, now: datetime, reason: str, token: str) -> str:
    """Return a copy's name, as the handbooks have it: `before-migrate-20261121-010000-prod-r003-…`.

    `reason` is `before-migrate`, `before-rollback`, `by-hand`, …; `token` keeps two of one second
    apart.
    """
    heads = re.sub(r"[^0-9A-Za-z]+", "-", "-".join(observation.heads))[:40] or "base"
    place = re.sub(r"[^0-9A-Za-z_.]+", "-", observation.environment)
    return f"{reason}-{now:%Y%m%d-%H%M%S}-{place}-{heads}-{token}"


def file_name(order: BackupOrder, identifier: str) -> str:
    """Return the name of a copy's file or folder."""
    return identifier + _ENDINGS.get((order.strategy, order.format), "")


def left_behind(events: Iterable[Event], environment: str) -> dict[str, Mapping[str, Any]]:
    """Return what is known of copies that were begun and never finished, by identifier.

    Their files, if there are any, have a temporary name; they are no copies.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for event in events:
        data: Mapping[str, Any] = event.data
        if event.kind == "backup.begun" and data["environment"] == environment:
            found[data["id"]] = data
        elif event.kind in {"backup.made", "backup.removed"}:
            found.pop(data["id"], None)
    return found


def catalogue(events: Iterable[Event]) -> dict[str, Backup]:
    """Return every copy that the journal's events tell of, by its identifier, oldest first."""
    found: dict[str, Backup] = {}
    for event in events:
        data: Mapping[str, Any] = event.data
        if event.kind == "backup.made":
            found[data["id"]] = _made(event)
        elif event.kind in CATALOGUE_KINDS and data["id"] in found:
            found[data["id"]] = _advanced(found[data["id"]], event)
    return found


def _made(event: Event) -> Backup:
    data: Mapping[str, Any] = event.data
    known = Backup.__dataclass_fields__
    fields = {name: value for name, value in data.items() if name in known}
    return Backup(
        **{
            **fields,
            "created_at": event.at,
            "heads": tuple(data["heads"]),
            "run": event.run,
        }
    )


def _advanced(copy: Backup, event: Event) -> Backup:
    data: Mapping[str, Any] = event.data
    match event.kind:
        case "backup.verified":
            how: Verification = data["how"]
            stronger = _STRENGTH[how] >= _STRENGTH[copy.verified]
            return replace(
                copy,
                verified=how if stronger else copy.verified,
                verified_at=event.at,
                uncompared=tuple(data.get("uncompared", ())) if stronger else copy.uncompared,
                broken=None,
            )
        case "backup.broken":
            return replace(copy, broken=data["message"])
        case _:
            return replace(copy, removed_at=event.at)


def superfluous(
    copies: Sequence[Backup], *, now: datetime, keep: int | None, keep_seconds: float | None
) -> tuple[Backup, ...]:
    """Return the copies of one target that retention removes, oldest first.

    The last good one is never among them, and what an unfinished run may need is for the caller to
    leave out. Copies that proved broken do not count as kept ones.
    """
    there = sorted(
        (one for one in copies if one.removed_at is None), key=lambda one: one.created_at
    )
    good = [one for one in there if one.good]
    if not good or (keep is None and keep_seconds is None):
        return ()
    kept = set[str]()
    if keep is not None:
        kept = {one.id for one in good[-keep:]}
    if keep_seconds is not None:
        oldest = now - timedelta(seconds=keep_seconds)
        kept = {one.id for one in good if one.created_at >= oldest}
    kept.add(good[-1].id)
    return tuple(one for one in there if one.id not in kept)
