"""What would keep a backup from being made or put back, found before anything is begun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrate.adapters.copying import ask
from orchestrate.adapters.destinations import open_destination
from orchestrate.dialects.canonical import text
from orchestrate.domain.backups import BackupOrder
from orchestrate.domain.observation import Observation, Sight
from orchestrate.errors import OrchestrateError
from orchestrate.reports.backups import size
from orchestrate.run.access import Access
from orchestrate.run.backups import copies_of, going_with, pooler_between, root_of, way_to
from orchestrate.run.session import Session

_SQL_SHARE: Final = 3
"""A compressed dump is smaller than the database by more than this, nearly always."""


def obstacles(
    access: Access, order: BackupOrder, sight: Sight, session: Session | None
) -> tuple[str, ...]:
    """Return sentences, one for each thing in the way; nothing is written anywhere.

    Rights and sizes are asked of the server where there is a session.
    """
    try:
        if order.strategy == "command":
            return ()
        return tuple(_obstacles(access, order, sight, session))
    except OrchestrateError as error:
        return (error.message,)


def _obstacles(
    access: Access, order: BackupOrder, sight: Sight, session: Session | None
) -> Iterator[str]:
    copies = copies_of(access, order)
    versions = ask(copies.versions(way_to(access, order)), going_with(access, order))
    if isinstance(sight, Observation):
        too_old = copies.too_old(versions, sight.server_version)
        if too_old:
            yield too_old
        between = pooler_between(access, order, sight)
        if between:
            yield between
    yield from _place(access, order)
    if session is None:
        return
    yield from copies.missing_rights(session.query(copies.rights) if copies.rights else {})
    with open_destination(order.destination, root=root_of(access)) as destination:
        free = destination.free_bytes()
    if free is None:
        return
    bytes_there = int(text(session.query({"size": copies.size})["size"][0][0]))
    wanted = bytes_there if order.strategy == "sqlite" else bytes_there // _SQL_SHARE
    if wanted > free:
        yield (
            f"{order.destination} has {size(free)} left, and a copy of {size(bytes_there)} is to "
            "be made"
        )


def _place(access: Access, order: BackupOrder) -> Iterator[str]:
    """Look at a folder of this machine without touching it; other places tell when it is made."""
    with open_destination(order.destination, root=root_of(access)) as destination:
        if destination.path is None:
            return
        folder = Path(destination.path).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        yield f"{folder} is no folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield f"{folder} may not be written to"
