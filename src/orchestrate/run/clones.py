"""Clones of a target: a scratch database filled from a backup, the live database, or revisions.

Dropped in any case, after a kill by the next command that makes a scratch database.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrate.adapters.copying import dump, load
from orchestrate.adapters.destinations import open_destination
from orchestrate.domain.backups import Backup, BackupOrder
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Step
from orchestrate.domain.rehearsals import Clone, CloneSource
from orchestrate.domain.spec import Project
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.plan_maker import replay_steps
from orchestrate.planning.staleness import is_empty, words
from orchestrate.run.access import Access
from orchestrate.run.backup_commands import restored_by_command
from orchestrate.run.backups import (
    copies_of,
    fitted,
    going_with,
    kept_at,
    refuse_pooler,
    root_of,
    url_of,
    way_to,
)
from orchestrate.run.filling import Filled, filled
from orchestrate.run.lease_keeper import is_gone
from orchestrate.run.observe import open_session
from orchestrate.run.proofs import check_file
from orchestrate.run.scratch import ScratchPlace, carried, scratch_database
from orchestrate.run.session import Session
from orchestrate.values import dataclass

_FOLDER: Final = "rehearsal-"
_FILE: Final = "clone"
_NO_COPY: Final = "no proven backup is in the catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What is cloned, and by what means."""

    place: ScratchPlace
    observation: Observation
    chain: Chain
    project: Project
    order: BackupOrder | None
    """How copies are made here, as declared or by the server's programs; None: not known how."""
    copies: Sequence[Backup]
    """Proven copies of the target that can be put back, the newest first."""
    rows: int
    """How many rows are made up for each table of a clone that has but the schema."""


@contextmanager
def clone_of(original: Original, wanted: CloneSource | None) -> Iterator[tuple[Session, Clone]]:
    """Make a clone at the target's revision, yield an agent that saw it, and drop it in any case.

    Raises what keeps the `wanted` one from being made; without a wish the next best is tried.
    """
    passed: list[str] = []
    sources: list[CloneSource] = [wanted] if wanted else ["backup", "live", "schema"]
    if is_empty(original.observation):
        sources = ["schema"]  # there is nothing to copy
    elif not wanted and not original.copies:
        passed.append(f"backup: {_NO_COPY}")
        del sources[0]
    for source in sources:
        with scratch_database(original.place, secrets.token_hex(6)) as access:
            try:
                session, clone = _made(original, source, access)
            except OrchestrateError as error:
                if source == sources[-1] or error.code == "state-unavailable":
                    raise
                passed.append(f"{source}: {error.message}")
                continue
            try:
                yield session, replace(clone, passed_over=(*passed, *clone.passed_over))
            finally:
                session.kill()
            return


def _made(original: Original, source: CloneSource, access: Access) -> tuple[Session, Clone]:
    began, at = time.monotonic(), original.place.clock.now()
    copy: Backup | None = None
    match source:
        case "backup":
            copy = _restored(original, access)
            at = copy.created_at
        case "live":
            _copied(original, access)
        case "schema":
            pass
    return _finished(original, access, source, copy, at, began)


def _finished(  # noqa: PLR0917  (private, called once)
    original: Original,
    access: Access,
    source: CloneSource,
    copy: Backup | None,
    at: datetime,
    began: float,
) -> tuple[Session, Clone]:
    """Bring a clone to the target's revision and return what is to be said of it."""
    session = open_session(access)
    try:
        here = session.observe()
        wanted = original.observation.heads
        steps: tuple[Step, ...] = ()
        if here.heads != wanted:
            mode, steps = replay_steps(
                here,
                original.chain,
                wanted,
                transactions=original.project.transactions,
                baseline=original.project.baseline,
                server_undoes_ddl=access.dialect.transactional_ddl,
            )
            if not steps or set(steps[-1].to_heads) != set(wanted):
                raise OrchestrateError(
                    "scratch-unavailable",
                    f"the clone is at {words(here.heads)}, and no upgrade leads from there to "
                    f"{words(wanted)}, where {original.observation.environment} is",
                )
            session = carried(session, steps, mode)
        rows_made = Filled()
        filling = access.dialect.filling
        if source == "schema" and steps and original.rows and filling is not None:
            rows_made = filled(session, filling, original.rows)
            if rows_made.problem is not None:
                session.kill()  # it is of no use after an error
                session = open_session(access)
                session.observe()
        measures = access.dialect.measures
        rows = session.query({"size": measures.size})["size"] if measures else []
    except BaseException:
        session.kill()
        raise
    revisions = sum(len(step.parts) or 1 for step in steps if step.kind == "upgrade")
    clone = Clone(
        source=source,
        copy=copy.id if copy else None,
        made_at=at,
        bytes=int(float(str(rows[0][0] or 0))) if rows else None,
        seconds=round(time.monotonic() - began, 3),
        brought_up=0 if source == "schema" else revisions,
        passed_over=(
            (f"more generated rows: {rows_made.problem}",) if rows_made.problem is not None else ()
        ),
        generated_rows=rows_made.rows,
        filled_tables=rows_made.tables,
        left_empty=tuple(rows_made.left_empty),
    )
    return session, clone


def _restored(original: Original, access: Access) -> Backup:
    """Put the newest proven copy into a scratch database. Raises `backup-broken` and its kin."""
    if not original.copies or original.order is None:
        raise OrchestrateError("backup-impossible", _NO_COPY)
    copy, order, place = original.copies[0], original.order, original.place
    if copy.strategy == "command":
        restored_by_command(access, order, copy.location)
        return copy
    order = fitted(order, copy)
    refuse_pooler(place.access, order, original.observation)
    copies, way = copies_of(place.access, order), way_to(place.access, order)
    going = going_with(place.access, order)
    with kept_at(place.access, copy) as destination:
        check_file(destination, copy, copies, way, going)
        program = copies.load(url_of(access, order), way, owners="ours")
        load(program, destination, copy.file, going, code="backup-broken")
    return copy


def _copied(original: Original, access: Access) -> None:
    """Copy the live database into a scratch database, by way of a file that only we can read."""
    order, place = original.order, original.place
    dialect = place.access.dialect
    if dialect.copies is None or order is None:
        raise OrchestrateError("backup-impossible", f"how {dialect.title} is copied is not known")
    if order.strategy != dialect.copies.strategy:
        order = BackupOrder(strategy=dialect.copies.strategy, destination="")
    refuse_pooler(place.access, order, original.observation)
    way, going = way_to(place.access, order), going_with(place.access, order)
    with (
        _own_folder(place.access) as folder,
        open_destination(str(folder), root=root_of(place.access)) as destination,
    ):
        program = dialect.copies.dump(url_of(place.access, order), way)
        dump(program, destination, _FILE, going)
        program = dialect.copies.load(url_of(access, order), way, owners="ours")
        load(program, destination, _FILE, going, code="backup-failed")


@contextmanager
def _own_folder(access: Access) -> Iterator[Path]:
    """Make a folder for nobody else and remove it, and those that killed processes left."""
    root = root_of(access) / ".orchestrate"
    root.mkdir(exist_ok=True)
    for one in root.glob(f"{_FOLDER}*"):
        pid = one.name.removeprefix(_FOLDER).partition("-")[0]
        if pid.isdigit() and is_gone(int(pid)):
            shutil.rmtree(one, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
