"""The state store: everything that other floors do with it, one transaction a method.

Threads may share one store; processes open their own. A method that has returned is durable. One
that has raised `state-unavailable` has written nothing, unless `details["outcome"]` is `unknown`:
then the answer to COMMIT was lost, and for events `find` says what is so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from orchestrate.domain.events import Event, EventKind, NewEvent
from orchestrate.domain.leases import Lease, RecordedIdentity
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import journal, leases, records
from orchestrate.stores.state.chain import ChainReport
from orchestrate.stores.state.database import Database
from orchestrate.stores.state.schema import ensure_schema


def open_state(url: Secret, *, safe_url: str) -> StateStore:
    """Open a state store, creating or upgrading it where that is needed.

    A SQLite file is created for its owner alone, with the folders above it. Raises
    `state-unavailable` if the database cannot be reached, is not a state store's, or belongs to a
    newer version.

    Args:
        url: Where it is. `postgresql://` and `mysql://` stand for the drivers that we install.
        safe_url: The same without its password, for messages.
    """
    database = Database(url, safe_url=safe_url)
    try:
        ensure_schema(database)
    except BaseException:
        database.close()
        raise
    return StateStore(database)


class StateStore:
    """An open state store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Close every connection. Safe to repeat."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- journal ------------------------------------------------------------------------------

    def append(
        self, events: Sequence[NewEvent], *, snapshots: Sequence[str] = ()
    ) -> tuple[Event, ...]:
        """Append events, with the snapshots that they name, in one durable transaction.

        If the connection is lost in answer to COMMIT, this looks for itself what became of it, and
        returns as usual if the events are there. Raises TypeError for data that is not JSON.

        On SQLite one event costs one fsync and about 0.4 ms (1000 appends, measured).
        """
        if not events and not snapshots:
            return ()
        try:
            with self._database.write() as connection:
                end = journal.lock_head(connection, self._database)
                records.add_snapshots(connection, snapshots)
                return journal.add(connection, self._database, end, events)
        except OrchestrateError as error:
            if error.details.get("outcome") != "unknown" or not events:
                raise
            found = self._find_after(error, events)
            if not found:
                raise self._database.failures.make(error.message, hint=error.hint) from error
            return found

    def find(self, events: Sequence[NewEvent]) -> tuple[Event, ...]:
        """Return these very events if the journal has them, else an empty tuple.

        Waits for a writer whose connection was lost and who still holds the journal, so that the
        answer is final.
        """
        with self._database.write() as connection:
            journal.lock_head(connection, self._database)
            return journal.found(connection, events)

    def _find_after(self, error: OrchestrateError, events: Sequence[NewEvent]) -> tuple[Event, ...]:
        try:
            return self.find(events)
        except OrchestrateError:
            # Still not to be reached: the first error tells more, and that nobody knows.
            raise error from error.__cause__

    def events(
        self,
        *,
        run: str | None = None,
        after: int = 0,
        kinds: Sequence[EventKind] | None = None,
    ) -> Iterator[Event]:
        """Return events in their order, read as they are asked for.

        Raises `journal-broken` at a row that cannot be read as an event.
        """
        return journal.read(self._database, run=run, after=after, kinds=kinds)

    def last_events(
        self,
        number: int,
        *,
        kinds: Sequence[EventKind] | None = None,
        before: int | None = None,
    ) -> tuple[Event, ...]:
        """Return the last events, or the last before a place in the journal, in their order."""
        return journal.last(self._database, number, kinds=kinds, before=before)

    def verify(self) -> ChainReport:
        """Check the whole chain; reads everything, changes nothing."""
        return journal.verify(self._database)

    # --- plans and snapshots ------------------------------------------------------------------

    def save_plan(self, plan_id: str, digest: str, text: str) -> None:
        """Save a plan; safe to repeat. Raises `plan-unreadable` if its id has another digest."""
        with self._database.write() as connection:
            journal.lock_head(connection, self._database)
            records.add_plan(connection, records.SavedPlan(id=plan_id, digest=digest, text=text))

    def load_plan(self, plan_id: str) -> str:
        """Return the text first saved under the id. Raises `state-unavailable` if there is none."""
        with self._database.read() as connection:
            return records.plan_of(connection, plan_id, self._database.failures)

    def save_snapshot(self, text: str) -> str:
        """Save a text once, however often it is given, and return its digest."""
        self.append((), snapshots=(text,))
        return records.snapshot_digest(text)

    def load_snapshot(self, digest: str) -> str:
        """Return a snapshot's text. Raises `state-unavailable` if it is not there or damaged."""
        with self._database.read() as connection:
            return records.snapshot_of(connection, digest, self._database.failures)

    def drop_snapshots(self, digests: Iterable[str]) -> int:
        """Delete snapshots that nobody needs any more; return how many there were."""
        with self._database.write() as connection:
            journal.lock_head(connection, self._database)
            return records.remove_snapshots(connection, digests)

    # --- identities ---------------------------------------------------------------------------

    def identities(self) -> tuple[RecordedIdentity, ...]:
        """Return every recorded identity, by environment and target."""
        with self._database.read() as connection:
            return records.all_identities(connection, self._database.failures)

    def record_identity(
        self, identity: RecordedIdentity, *, replace: bool, event: NewEvent
    ) -> Event | None:
        """Record an identity and the event that tells of it, together.

        Returns None, and writes nothing, if this very identity is recorded already; so it is safe
        to repeat. Raises `identity-changed` if another one is and `replace` is false.
        """
        with self._database.write() as connection:
            end = journal.lock_head(connection, self._database)
            if not records.put_identity(connection, identity, replace=replace):
                return None
            return journal.add(connection, self._database, end, [event])[0]

    # --- leases -------------------------------------------------------------------------------

    def acquire_lease(self, lease: Lease) -> Lease:
        """Take the right to change a target; `lease.acquired_at` is now.

        A lease that has expired by then is taken over and the journal says so, in the same
        transaction; of any number of takers one gets it. Safe to repeat with the same lease.
        Raises `lease-held`, with the holder's lease in `details`.
        """
        with self._database.write() as connection:
            end = journal.lock_head(connection, self._database)
            expired = leases.take(connection, lease, self._database.failures)
            if expired is not None:
                event = leases.broken_event(
                    expired, by=lease.holder, why="it had expired", now=lease.acquired_at
                )
                journal.add(connection, self._database, end, [event])
        return lease

    def heartbeat(
        self, lease_id: str, *, step: str | None, now: datetime, expires_at: datetime
    ) -> bool:
        """Keep a lease alive; return False if it was taken over or broken. For any thread."""
        with self._database.write() as connection:
            return leases.renew(connection, lease_id, step=step, now=now, expires_at=expires_at)

    def release(self, lease_id: str) -> bool:
        """Give a lease back; return False if it was gone. Safe to repeat."""
        with self._database.write() as connection:
            return leases.remove(connection, lease_id)

    def leases(self) -> tuple[Lease, ...]:
        """Return every lease, expired ones too, by environment and target."""
        with self._database.read() as connection:
            return leases.all_leases(connection)

    def break_lease(self, lease_id: str, *, by: str, now: datetime) -> Lease:
        """Take a lease from its holder, which the journal keeps. Raises `unknown-lease`."""
        with self._database.write() as connection:
            end = journal.lock_head(connection, self._database)
            held = leases.one(connection, lease_id)
            leases.remove(connection, lease_id)
            event = leases.broken_event(held, by=by, why="it was broken", now=now)
            journal.add(connection, self._database, end, [event])
        return held
