"""The journal's statements: append to the chain, read it, find what may have been written.

Owns the tables `orchestrate_events` and `orchestrate_head`. Functions that write take a connection
inside `Database.write`, so that what belongs together becomes durable together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, select, update

from orchestrate.domain.events import Event, EventKind, NewEvent
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state.chain import (
    ChainCheck,
    ChainReport,
    Head,
    Link,
    canonical_json,
    event_of,
    forge,
    link_of,
    moment_text,
    plain_json,
)
from orchestrate.stores.state.database import Database
from orchestrate.stores.state.tables import events, head

_PAGE: Final = 1000
"""Rows to a transaction, so that a reader who takes its time holds nothing open."""

# Made once: building them costs as much as sending them.
_LOCK_HEAD: Final = select(head.c.sequence, head.c.hash).where(head.c.id == 1).with_for_update()
_MOVE_HEAD: Final = (
    update(head)
    .where(head.c.id == 1, head.c.sequence == bindparam("old_sequence"))
    .values(sequence=bindparam("new_sequence"), hash=bindparam("new_hash"))
)
_INSERT: Final = events.insert()
_LINKS: Final = select(*(events.c[name] for name in Link._fields))


def lock_head(connection: Connection, database: Database) -> Head:
    """Return the end of the chain, and keep every other writer waiting until we commit.

    All that writes several tables begins here, so that no two writers can deadlock.
    """
    row = connection.execute(_LOCK_HEAD).first()
    if row is None or not isinstance(row.sequence, int) or not isinstance(row.hash, str):
        raise database.failures.make(
            f"The state store `{database.failures.safe_url}` has lost the row that names the last "
            "event of its journal",
            hint="Somebody emptied `orchestrate_head`; put a backup in its place",
        )
    return Head(row.sequence, row.hash)


def add(
    connection: Connection, database: Database, end: Head, new: Sequence[NewEvent]
) -> tuple[Event, ...]:
    """Insert events behind `end`, which `lock_head` gave, and move the head to the last of them."""
    if not new:
        return ()
    links, made = forge(end, new)
    connection.execute(_INSERT, [link._asdict() for link in links])
    moved = connection.execute(
        _MOVE_HEAD,
        {
            "old_sequence": end.sequence,
            "new_sequence": links[-1].sequence,
            "new_hash": links[-1].hash,
        },
    )
    if moved.rowcount != 1:
        # Only a database of an unknown kind, which ignored the lock, comes here.
        raise database.failures.make(
            f"Another process wrote to `{database.failures.safe_url}` at the same moment",
            hint="Nothing was written; try again",
        )
    return tuple(made)


def found(connection: Connection, new: Sequence[NewEvent]) -> tuple[Event, ...]:
    """Return these very events if they stand in the journal one after the other, else nothing."""
    if not new:
        return ()
    wanted = [
        (one.kind, moment_text(one.at), one.run, one.step, canonical_json(plain_json(one.data)))
        for one in new
    ]
    kind, at, *_ = wanted[0]
    starts = connection.scalars(
        select(events.c.sequence)
        .where(events.c.kind == kind, events.c.at == at)
        .order_by(events.c.sequence.desc())
    ).all()
    for start in starts:
        stretch = events.c.sequence.between(start, start + len(wanted) - 1)
        rows = connection.execute(_LINKS.where(stretch).order_by(events.c.sequence))
        links = [link_of(row) for row in rows]
        if [(one.kind, one.at, one.run, one.step, one.data) for one in links] == wanted:
            return tuple(event_of(link) for link in links)
    return ()


def read(
    database: Database,
    *,
    run: str | None,
    after: int,
    kinds: Sequence[EventKind] | None,
) -> Iterator[Event]:
    """Return events in their order, page by page."""
    for link in _walk(database, run=run, after=after, kinds=kinds):
        yield event_of(link)


def last(
    database: Database,
    number: int,
    *,
    kinds: Sequence[EventKind] | None,
    before: int | None = None,
) -> tuple[Event, ...]:
    """Return the last events, or the last before a place in the journal, in their order."""
    wanted = _LINKS.order_by(events.c.sequence.desc()).limit(number)
    if before is not None:
        wanted = wanted.where(events.c.sequence < before)
    if kinds is not None:
        wanted = wanted.where(events.c.kind.in_(kinds))
    with database.read() as connection:
        rows = connection.execute(wanted).all()
    return tuple(event_of(link_of(row)) for row in reversed(rows))


def verify(database: Database) -> ChainReport:
    """Check every event's hash and the chain between them; reads all, changes nothing."""
    ends = select(
        func.max(events.c.sequence),
        select(head.c.sequence).where(head.c.id == 1).scalar_subquery(),
        select(head.c.hash).where(head.c.id == 1).scalar_subquery(),
    )
    # One statement, so that an event appended meanwhile is in both of them or in none.
    with database.read() as connection:
        highest, sequence, digest = connection.execute(ends).one()
    named = isinstance(sequence, int) and isinstance(digest, str)
    recorded = Head(sequence, digest) if named else None
    end = max(one for one in (highest, sequence, 0) if isinstance(one, int))
    check = ChainCheck()
    try:
        for link in _walk(database, run=None, after=None, kinds=None):
            if link.sequence > end or not check.walk(link, last=end):
                break
    except OrchestrateError as error:
        if error.code != "journal-broken":
            raise
        check.unreadable()
    return check.finish(recorded)


def _walk(
    database: Database,
    *,
    run: str | None,
    after: int | None,
    kinds: Sequence[EventKind] | None,
) -> Iterator[Link]:
    wanted = _LINKS.order_by(events.c.sequence).limit(_PAGE)
    if run is not None:
        wanted = wanted.where(events.c.run == run)
    if kinds is not None:
        wanted = wanted.where(events.c.kind.in_(kinds))
    page: Sequence[Row[Any]] | None = None
    while page is None or len(page) == _PAGE:
        query = wanted if after is None else wanted.where(events.c.sequence > after)
        with database.read() as connection:
            page = connection.execute(query).all()
        for row in page:
            link = link_of(row)
            after = link.sequence
            yield link
