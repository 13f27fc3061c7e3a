"""Proving that a copy can be put back: read to its end, or restored into a scratch database.

Whatever comes of it is recorded, and the scratch database is dropped in any case.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from orchestrate.adapters.copy_programs import Going
from orchestrate.adapters.copying import load, read_through
from orchestrate.adapters.destinations import Destination
from orchestrate.dialects.copies import Copies, Way
from orchestrate.dialects.difference import compare
from orchestrate.domain.backups import Backup, BackupOrder, Verification
from orchestrate.domain.snapshot import GRANTS
from orchestrate.errors import OrchestrateError
from orchestrate.planning.staleness import words
from orchestrate.run.access import Access
from orchestrate.run.backup_commands import restored_by_command
from orchestrate.run.backups import (
    Stop,
    copies_of,
    fitted,
    going_with,
    kept_at,
    record,
    url_of,
    way_to,
)
from orchestrate.run.observe import open_session
from orchestrate.run.row_counting import row_counts, table_names
from orchestrate.run.scratch import ScratchPlace, scratch_database
from orchestrate.run.session import Session
from orchestrate.stores.snapshots import snapshot_from_text

_SHOWN: Final = 5


def prove(
    place: ScratchPlace,
    copy: Backup,
    order: BackupOrder,
    *,
    how: Verification | None = None,
    live_counts: Callable[[], Mapping[str, int]] | None = None,
    stop: Stop | None = None,
) -> Backup:
    """Prove a copy, by `how` or as the order says; return it as it is then in the catalogue.

    `live_counts` counts the target's rows again, where a difference may come from writers who went
    on meanwhile. Raises `backup-broken`, which is recorded too, and `scratch-unavailable` and its
    kin where nothing could be found out.
    """
    wanted = how or order.verify
    if wanted is None:
        return copy
    try:
        uncompared = _prove(place, copy, order, wanted, live_counts, stop)
    except OrchestrateError as error:
        if error.code != "backup-broken":
            raise
        record(place, "backup.broken", copy=copy.id, message=error.message)
        raise OrchestrateError(
            "backup-broken",
            f"The copy {copy.id} is not good: {error.message}",
            where=copy.environment,
            hint="It is not counted on; nothing else was changed",
        ) from error
    record(place, "backup.verified", copy=copy.id, how=wanted, uncompared=list(uncompared))
    return replace(
        copy,
        verified=wanted,
        verified_at=place.clock.now(),
        uncompared=uncompared,
        broken=None,
    )


def _prove(  # noqa: PLR0917  (private, called once)
    place: ScratchPlace,
    copy: Backup,
    order: BackupOrder,
    how: Verification,
    live_counts: Callable[[], Mapping[str, int]] | None,
    stop: Stop | None,
) -> tuple[str, ...]:
    if copy.strategy == "command":
        if how == "list":
            return ()
        with scratch_database(place, secrets.token_hex(6)) as access:
            restored_by_command(access, order, copy.location)
            return _compare(place, access, copy, None, live_counts, stop)
    order = fitted(order, copy)
    copies, way = copies_of(place.access, order), way_to(place.access, order)
    going = going_with(place.access, order, stop)
    with kept_at(place.access, copy) as destination:
        check_file(destination, copy, copies, way, going)
        if how == "list":
            listing = copies.listing(way)
            if listing is not None:
                load(listing, destination, copy.file, going, code="backup-broken")
            return ()
        with scratch_database(place, secrets.token_hex(6)) as access:
            program = copies.load(url_of(access, order), way, owners="ours")
            load(program, destination, copy.file, going, code="backup-broken")
            return _compare(place, access, copy, copies, live_counts, stop)


def check_file(
    destination: Destination, copy: Backup, copies: Copies, way: Way, going: Going
) -> None:
    """Read a copy and compare it with what was written. Raises `backup-broken`."""
    found = read_through(destination, copy.file, trailer=copies.trailer(way), going=going)
    if (found.bytes, found.sha256) != (copy.bytes, copy.sha256):
        raise OrchestrateError(
            "backup-broken",
            f"{copy.location} has {found.bytes} bytes and SHA-256 {found.sha256}, "
            f"recorded were {copy.bytes} bytes and {copy.sha256}",
        )


def _compare(  # noqa: PLR0917  (private)
    place: ScratchPlace,
    access: Access,
    copy: Backup,
    copies: Copies | None,
    live_counts: Callable[[], Mapping[str, int]] | None,
    stop: Stop | None,
) -> tuple[str, ...]:
    """Return the tables whose rows there is no number of. Raises `backup-broken`."""
    with open_session(access) as session:
        differing = what_differs(place, session, copy, copies, live_counts, ours=True, stop=stop)
        if differing:
            raise OrchestrateError(
                "backup-broken", f"restored, it is not what was saved: {differing}"
            )
        return tuple(sorted(set(table_names(session)) - set(copy.counts)))


def what_differs(
    place: ScratchPlace,
    session: Session,
    copy: Backup,
    copies: Copies | None,
    live_counts: Callable[[], Mapping[str, int]] | None = None,
    *,
    ours: bool = False,
    stop: Stop | None = None,
) -> str | None:
    """Return in what a restored database differs from what the catalogue says of the copy.

    `ours` says that it was put back without its owners and grants. Raises `backup-failed` where
    `stop` says that nobody waits for its rows any more.
    """
    heads = session.observe().heads
    if heads != copy.heads:
        return f"it is at {words(heads)}, not at {words(copy.heads)}"
    if copy.snapshot is not None:
        saved = snapshot_from_text(place.state.load_snapshot(copy.snapshot))
        if copies is not None and ours:
            saved = copies.proven(saved)
        found = compare(saved, session.snapshot(), without=GRANTS)
        if found:
            told = "; ".join(f"{one.object} {one.name}: {one.change}" for one in found[:_SHOWN])
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            return f"{told}{more}"
    if copies is None or not copy.counts:
        return None
    counted = row_counts(session, copies, stop=stop)
    wrong = _miscounted(copy.counts, counted, {})
    if wrong and live_counts is not None:
        # Somebody may have gone on writing while the copy was made: then between the two.
        wrong = _miscounted(copy.counts, counted, live_counts())
    return "; ".join(wrong[:_SHOWN]) or None


def _miscounted(
    saved: Mapping[str, int], found: Mapping[str, int], now: Mapping[str, int]
) -> list[str]:
    wrong = []
    for name, number in saved.items():
        # A scratch database has another name than the schema that was saved, on some servers.
        there = found.get(name, _by_last_word(found, name))
        low, high = sorted((number, now.get(name, number)))
        if there is None or not low <= there <= high:
            rows = "no such table" if there is None else f"{there} rows"
            wrong.append(f"{name}: {rows} where {number} were saved")
    return wrong


def _by_last_word(found: Mapping[str, int], name: str) -> int | None:
    table = name.rpartition(".")[2]
    return next((count for key, count in found.items() if key.rpartition(".")[2] == table), None)
