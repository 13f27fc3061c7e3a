"""A copy that changes places with what a target holds, where the server does not undo DDL.

Until `renamed` the target is not touched; what was made beside it is dropped by whoever comes next
(`scratch`). From then on a sign in the target says how far it went (`dialects/exchange.py`), so
that a cut-off is told from the server alone. Done again, all of it is right from any point.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from orchestrate.adapters.copy_programs import Going
from orchestrate.adapters.copying import captured, given, load
from orchestrate.adapters.destinations import Destination
from orchestrate.clock import Clock
from orchestrate.dialects.copies import Way
from orchestrate.dialects.exchange import Exchange, Schemas, Swap
from orchestrate.dialects.scratch import PREFIX
from orchestrate.domain.backups import Backup, BackupOrder
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.restores import PutBack
from orchestrate.errors import OrchestrateError
from orchestrate.run.access import Access
from orchestrate.run.backups import url_of
from orchestrate.run.observe import open_session
from orchestrate.run.scratch import ScratchPlace, scratch_database
from orchestrate.run.session import Session
from orchestrate.stores.snapshots import snapshot_from_text
from orchestrate.stores.state import StateStore
from orchestrate.values import dataclass

_LOOK_SECONDS: Final = 0.5
_LOOKS: Final = 60
_LOCK_SECONDS: Final = 60.0
"""How long the exchange waits for others' locks where the spec does not say."""


def obstacle(session: Session, state: StateStore, copy: Backup) -> str | None:
    """Return why a copy has to be put back in place although the server undoes no DDL; or None.

    Raises what reading the target raises.
    """
    exchange = exchange_of(session.access)
    if exchange is None or copy.strategy == "command":
        return None
    saved = snapshot_from_text(state.load_snapshot(copy.snapshot)) if copy.snapshot else None
    return exchange.obstacle(session.query(exchange.facts), saved)


def exchange_of(access: Access) -> Exchange | None:
    """Return how contents are exchanged on the target's server, if they are."""
    return access.dialect.copies.exchange if access.dialect.copies is not None else None


def standing(session: Session, run: str) -> PutBack:
    """Return how far a run's copy came that was to be exchanged with what the target holds.

    Raises what reading the target raises.
    """
    exchange = exchange_of(session.access)
    if exchange is None:
        raise AssertionError("asked where contents are exchanged alone")
    return exchange.standing(session.query({"sign": exchange.sign})["sign"], run)


def forget(session: Session) -> None:
    """Take away the sign of a restore that is recorded as done; nothing hangs on it any more."""
    exchange = exchange_of(session.access)
    if exchange is not None:
        with contextlib.suppress(OrchestrateError):
            session.attempt(*exchange.forget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanging:
    """One copy's way into a target: make it under the target's lease, call `carry` once."""

    place: ScratchPlace
    session: Session
    """Of an agent that reaches the target."""
    copy: Backup
    order: BackupOrder
    """As it fits the copy."""
    way: Way
    going: Going
    run: str

    def carry(self, destination: Destination) -> str | None:
        """Put the copy in the place of what the target holds; the sign says that it is `whole`.

        Return what a person has to do about what stays, if anything does.

        Raises an error, in most cases `restore-failed`, whose detail `left` is what is there
        then: a `PutBack`, or `unknown` where the target could not be asked any more.
        """
        exchange = exchange_of(self.place.access)
        if exchange is None:
            raise AssertionError("planned where contents are exchanged alone")
        try:
            with self._left():
                self._refuse_company()
                self._refuse_obstacle()
                self._tidy(exchange)
            first, second = secrets.token_hex(6), secrets.token_hex(6)
            schemas = Schemas(scratch=f"{PREFIX}{first}", parked=f"{PREFIX}{second}", token=first)
            with (
                scratch_database(self.place, first) as scratch,
                scratch_database(self.place, second),
            ):
                self._carry(exchange, schemas, scratch, destination)
            return self._remark(exchange, schemas)
        except OrchestrateError as error:
            if error.code != "scratch-unavailable":
                raise
            with self._left():
                raise OrchestrateError(
                    "restore-failed",
                    f"no scratch database can be made ({error.message})",
                    hint="`orchestrate restore` plans anew, in place if it has to be",
                ) from error

    def _carry(
        self, exchange: Exchange, schemas: Schemas, scratch: Access, destination: Destination
    ) -> None:
        target = url_of(self.place.access, self.order)
        with self._left():
            beside = url_of(scratch, self.order)
            fill(self, exchange, beside, destination)
            rows = self.session.query(exchange.contents(schemas))
            asked = exchange.shapes(rows, schemas)
            shapes = self.session.query(asked) if asked else {}
            swap = exchange.swap(rows, shapes, schemas, run=self.run)
            programs = b"".join(
                captured(one, self.going, code="restore-failed")
                for one in exchange.programs(beside, self.way, rows, schemas)
            )
        with self._left():
            rename(self, exchange, target, swap)
        with self._left():
            put_programs_back(self, exchange, target, swap, programs)

    def _remark(self, exchange: Exchange, schemas: Schemas) -> str | None:
        with contextlib.suppress(OrchestrateError):
            if self.session.query({"there": exchange.remaining(schemas)})["there"]:
                return (
                    f"the old tables are still in `{schemas.parked}` and cannot be dropped: "
                    "most likely a foreign key of another schema, which this account does not see, "
                    "refers to them; make that key anew, and the next restore drops them"
                )
        return None

    def _refuse_company(self) -> None:
        """Have the client of a process that was killed come to its end first."""
        if _settled(self.session, self.run, self.place.clock) != "changing":
            return
        raise OrchestrateError(
            "restore-failed",
            "the server is still at work on an earlier restore of this database, whose process is "
            "gone",
            hint="Wait until it is done, or end its session on the server, then resume",
        )

    def _refuse_obstacle(self) -> None:
        """Look once more: what was planned may not be possible any longer."""
        found = obstacle(self.session, self.place.state, self.copy)
        if found is not None:
            raise OrchestrateError(
                "restore-failed",
                f"the tables cannot be exchanged any more, as {found}",
                hint="`orchestrate restore` plans anew, in place if it has to be",
            )

    def _tidy(self, exchange: Exchange) -> None:
        statements = exchange.tidy(self.session.query(exchange.leftovers))
        problem = self.session.attempt(*statements) if statements else None
        if problem is not None:
            raise OrchestrateError(
                "restore-failed", f"what an earlier restore left cannot be dropped: {problem}"
            )

    @contextmanager
    def _left(self) -> Iterator[None]:
        """Tell of an error in the body what is in the target then, as the server has it."""
        try:
            yield
        except OrchestrateError as error:
            error.details = {**error.details, "left": self._found()}
            raise

    def _found(self) -> PutBack | str:
        # With an agent of its own: the error may be that the other one has no connection left.
        try:
            with open_session(self.place.access) as session:
                return _settled(session, self.run, self.place.clock)
        except OrchestrateError:
            return "unknown"


def _settled(session: Session, run: str, clock: Clock) -> PutBack:
    """Return how far it came, once no client is at work any more, or after half a minute."""
    found = standing(session, run)
    for _ in range(_LOOKS):
        if found != "changing":
            break
        clock.sleep(_LOOK_SECONDS)
        found = standing(session, run)
    return found


# Functions of the module, so that tests can end the process before and after each.


def fill(
    work: Exchanging, exchange: Exchange, beside: DatabaseUrl, destination: Destination
) -> None:
    """Load the copy into the scratch database."""
    program = exchange.fill(beside, work.way)
    load(program, destination, work.copy.file, work.going, code="restore-failed")


def rename(work: Exchanging, exchange: Exchange, target: DatabaseUrl, swap: Swap) -> None:
    """Exchange the tables in one statement. Gives up where somebody keeps a lock."""
    access = work.place.access
    kit = access.dialect.kit(
        lock_timeout=access.lock_timeout or _LOCK_SECONDS, statement_timeout=None
    )
    limits = "".join(f"{one};\n" for one in kit.timeouts).encode()
    program = exchange.client(target, work.way)
    given(program, limits + swap.rename, work.going, code="restore-failed")


def put_programs_back(
    work: Exchanging, exchange: Exchange, target: DatabaseUrl, swap: Swap, programs: bytes
) -> None:
    """Drop what is left of the old, and make what names tables. Waits for locks."""
    program = exchange.client(target, work.way)
    text = swap.before_programs + programs + swap.after_programs
    given(program, text, work.going, code="restore-failed")
