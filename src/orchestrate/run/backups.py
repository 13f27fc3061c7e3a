"""Making copies of a target, proving them, removing what is not kept.

Shared by the step of a plan and the commands that do it by hand. A copy is in the catalogue once it
is complete: it is written under another name and renamed, and only then recorded.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from orchestrate.adapters.copy_programs import Going
from orchestrate.adapters.copying import Written, dump
from orchestrate.adapters.destinations import Destination, open_destination, part_name
from orchestrate.dialects.copies import Copies, Way
from orchestrate.domain.backups import Backup, BackupOrder
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.domain.observation import Observation
from orchestrate.errors import OrchestrateError
from orchestrate.planning.backups import (
    CATALOGUE_KINDS,
    backup_id,
    catalogue,
    file_name,
    left_behind,
    superfluous,
)
from orchestrate.planning.digests import sha256_text
from orchestrate.planning.staleness import words
from orchestrate.run.access import Access
from orchestrate.run.backup_commands import copied_by_command
from orchestrate.run.explaining import on_the_road
from orchestrate.run.journal import all_runs
from orchestrate.run.lease_keeper import is_gone, this_host, this_person
from orchestrate.run.observe import open_session
from orchestrate.run.row_counting import counting
from orchestrate.run.scratch import ScratchPlace
from orchestrate.run.session import Session
from orchestrate.stores.snapshots import snapshot_text
from orchestrate.stores.state import StateStore

Stop = Callable[[], bool]
"""Whether somebody wants the work to end in the middle."""

_NOT_RECORDED = frozenset(
    {"created_at", "run", "verified", "verified_at", "uncompared", "broken", "removed_at"}
)
_REMOVED_AGAIN = 20
"""Removals that are made sure of: a process may have died between the record and the act."""


def all_backups(state: StateStore) -> list[Backup]:
    """Return every copy that was ever made, oldest first."""
    return list(catalogue(state.events(kinds=CATALOGUE_KINDS)).values())


def copies_of(access: Access, order: BackupOrder) -> Copies:
    """Return how the target's dialect copies. Raises `backup-impossible` for another strategy."""
    copies = access.dialect.copies
    if copies is None or copies.strategy != order.strategy:
        fitting = f"`strategy: {copies.strategy}`" if copies else "`strategy: command`"
        raise OrchestrateError(
            "backup-impossible",
            f"The strategy `{order.strategy}` does not copy {access.dialect.title}",
            where=access.environment,
            hint=f"{fitting} under `backup` does",
        )
    return copies


def fitted(order: BackupOrder, copy: Backup) -> BackupOrder:
    """Return how a copy is reached that was made when the spec may have said something else."""
    return replace(order, strategy=copy.strategy, format=copy.format)


def way_to(access: Access, order: BackupOrder) -> Way:
    """Return in which form a target is copied and how the programs for that are reached."""
    if _by_the_runner(order):
        # The runner's Python reaches the file; a bare interpreter runs on this machine.
        here = len(access.command) == 1 and access.far is None
        return Way(prefix=access.command, here=here)
    return Way(format=order.format, jobs=order.jobs, prefix=order.prefix, here=not order.prefix)


def _by_the_runner(order: BackupOrder) -> bool:
    return order.strategy == "sqlite" and not order.prefix


def going_with(access: Access, order: BackupOrder, stop: Stop | None = None) -> Going:
    """Return what goes with every program that copies this target."""
    directory = access.project.get("directory")
    return Going(
        folder=Path(access.folder) / (directory or "."),
        redactor=access.redactor,
        stop=stop,
        launcher=access.roads.launcher(
            access.far if _by_the_runner(order) else None, directory=directory
        ),
    )


def root_of(access: Access) -> Path:
    """Return the folder that destinations are relative to: that of the spec."""
    return Path(access.folder)


def url_of(access: Access, order: BackupOrder) -> DatabaseUrl:
    """Return the target's URL as the programs that copy it need it, the way there open.

    Behind a prefix host and port are those of the spec. Raises what opening a tunnel raises.
    """
    if order.prefix or _by_the_runner(order):
        return DatabaseUrl.parse(access.declared_url.reveal())
    if access.tunnel is not None:
        access.tunnel.open()
    return DatabaseUrl.parse(access.program_url.reveal())


def pooler_between(access: Access, order: BackupOrder, sight: Observation) -> str | None:
    """Return why the programs must not connect: a pooler would pass their settings on to others.

    `pg_dump` and `pg_restore` empty the search path; whoever gets that server session next does not
    find its tables (https://www.pgbouncer.org/features.html).
    """
    copies = access.dialect.copies
    if not sight.pooled or order.strategy == "command" or copies is None:
        return None
    if not copies.sets_session:
        return None
    return (
        "a connection pooler is between, and what the server's programs set for their session "
        "would stay with it for the application, whose tables are then not found; give "
        f"{access.environment} the server's own host and port"
    )


def refuse_pooler(access: Access, order: BackupOrder, sight: Observation) -> None:
    """Raise `backup-impossible` where a pooler is in the way of the programs."""
    between = pooler_between(access, order, sight)
    if between:
        raise OrchestrateError("backup-impossible", between, where=access.environment)


def make_backup(
    place: ScratchPlace,
    session: Session,
    order: BackupOrder,
    *,
    reason: str,
    run: str | None,
    stop: Stop | None = None,
) -> Backup:
    """Copy a target and record the copy; a proof is another step (`proofs.prove`).

    Call it under the target's lease. Raises `backup-failed` or `backup-impossible`; then there is
    no copy, and nothing under a copy's name.
    """
    observation = session.observation or session.observe()
    refuse_pooler(session.access, order, observation)
    identifier = backup_id(
        observation, now=place.clock.now(), reason=reason, token=secrets.token_hex(2)
    )
    file = file_name(order, identifier)
    rows = session.schema_rows()
    schema = snapshot_text(session.snapshot_of(rows)) if rows else None
    if order.strategy == "command":
        location, written = copied_by_command(session.access, order, stop=stop), None
        _refuse_moved(session, observation)
        counts: Mapping[str, int] = {}
    else:
        copies = copies_of(session.access, order)
        with open_destination(order.destination, root=root_of(session.access)) as destination:
            destination.check()
            _remove_leftovers(place, destination)
            record(place, "backup.begun", copy=identifier, file=file, run=run)
            tally = copies.tally(observation.server_version)
            with counting(session, copies, tally, stop=stop) as counted:
                url, way = url_of(session.access, order), way_to(session.access, order)
                going = going_with(session.access, order, stop)
                try:
                    program = copies.dump(url, way)
                    written = dump(program, destination, file, going, tally=tally)
                except OrchestrateError as error:
                    raise on_the_road(error, session.access) from error
                with _removed_unless_good(destination, file):
                    counts = counted()
                    _refuse_moved(session, observation)
            location = destination.location(file)
    copy = _copy(place, order, observation, identifier, file, location, written, counts, schema)
    _record_made(place, copy, run=run, schema=schema)
    return copy


def _copy(  # noqa: PLR0917  (private, called once)
    place: ScratchPlace,
    order: BackupOrder,
    observation: Observation,
    identifier: str,
    file: str,
    location: str,
    written: Written | None,
    counts: Mapping[str, int],
    schema: str | None,
) -> Backup:
    return Backup(
        id=identifier,
        environment=observation.environment,
        target=observation.target,
        created_at=place.clock.now(),
        strategy=order.strategy,
        format=order.format,
        destination="" if order.strategy == "command" else order.destination,
        file=file,
        location=location,
        bytes=written.bytes if written else None,
        sha256=written.sha256 if written else None,
        heads=observation.heads,
        identity=observation.identity,
        dialect=observation.dialect,
        server_version=observation.server_version,
        version_table=observation.version_table,
        snapshot=sha256_text(schema) if schema else None,
        counts=counts,
    )


def _record_made(place: ScratchPlace, copy: Backup, *, run: str | None, schema: str | None) -> None:
    data: dict[str, Any] = {
        field.name: getattr(copy, field.name)
        for field in fields(copy)
        if field.name not in _NOT_RECORDED
    }
    event = NewEvent(
        kind="backup.made",
        at=copy.created_at,
        run=run,
        step=None,
        data={**data, "heads": list(copy.heads), "counts": dict(copy.counts), "by": this_person()},
    )
    place.state.append([event], snapshots=[schema] if schema else [])


@contextmanager
def _removed_unless_good(destination: Destination, file: str) -> Iterator[None]:
    """Remove a copy that was complete when the body fails all the same."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OrchestrateError):
            destination.remove(file)
        raise


def _refuse_moved(session: Session, before: Observation) -> None:
    if session.usable:
        now = session.observe_again()
    else:
        with open_session(session.access) as fresh:  # counting took too long for the first
            now = fresh.observe()
    if now.heads != before.heads:
        raise OrchestrateError(
            "backup-failed",
            f"The database moved from {words(before.heads)} to {words(now.heads)} while it was "
            "copied: somebody else migrates it",
        )


# --- what is not kept -----------------------------------------------------------------------------


def retire(
    place: ScratchPlace, order: BackupOrder, *, needed: frozenset[str] = frozenset()
) -> tuple[Backup, ...]:
    """Remove the target's copies that retention does not keep; return them.

    `needed` are kept in any case. What cannot be removed just now is tried again the next time.
    """
    mine = [one for one in all_backups(place.state) if _is_of(one, place.access)]
    going = [
        one
        for one in superfluous(
            mine, now=place.clock.now(), keep=order.keep, keep_seconds=order.keep_seconds
        )
        if one.id not in needed and one.strategy != "command"
    ]
    for one in going:
        # First the record: what is gone must never be counted on.
        record(place, "backup.removed", copy=one.id, why="retention")
    again = [one for one in mine if one.removed_at is not None and one.destination]
    for one in (*going, *again[-_REMOVED_AGAIN:]):
        with contextlib.suppress(OrchestrateError), kept_at(place.access, one) as destination:
            destination.remove(one.file)
    return tuple(going)


def needed_copies(state: StateStore) -> frozenset[str]:
    """Return the copies that a run which is not over may have to put back."""
    open_runs = {run.id for run in all_runs(state) if run.resumable}
    return frozenset(one.id for one in all_backups(state) if one.run in open_runs)


def _is_of(copy: Backup, access: Access) -> bool:
    return (copy.environment, copy.target) == (access.environment, access.target)


@contextmanager
def kept_at(access: Access, copy: Backup) -> Iterator[Destination]:
    """Open the place where a copy is."""
    with open_destination(copy.destination, root=root_of(access)) as destination:
        yield destination


def _remove_leftovers(place: ScratchPlace, destination: Destination) -> None:
    """Remove what killed processes of this machine left of copies that they did not finish."""
    events = place.state.events(kinds=CATALOGUE_KINDS)
    for identifier, data in left_behind(events, place.access.environment).items():
        if data["host"] != this_host() or not is_gone(int(data["pid"])):
            continue
        with contextlib.suppress(OrchestrateError):
            for name in (part_name(str(data["file"])), str(data["file"])):
                # Complete or not: what was never recorded is no copy.
                destination.remove(name)
            record(place, "backup.removed", copy=identifier, why="cut off")


def record(
    place: ScratchPlace, kind: EventKind, *, copy: str, run: str | None = None, **data: object
) -> None:
    """Make an event about a copy durable."""
    event = NewEvent(
        kind=kind,
        at=place.clock.now(),
        run=run,
        step=None,
        data={
            "id": copy,
            "environment": place.access.environment,
            "by": this_person(),
            "host": this_host(),
            "pid": os.getpid(),
            **data,
        },
    )
    place.state.append([event])
