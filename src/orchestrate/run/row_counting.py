"""Counting the rows of tables: in a target while it is copied, and in what was put back.

Each question goes over a connection of its own, with time limits of its own: the agent's may have
been idle for as long as a copy takes, and a role's `statement_timeout` is not meant for counting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import Copies
from orchestrate.dialects.row_tally import RowTally
from orchestrate.errors import OrchestrateError
from orchestrate.run.session import Session

_COUNTING_SECONDS: Final = 3600.0
"""All rows are read; what takes longer is not waited for."""
_LISTING_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_LEAVING_SECONDS: Final = 5.0

_Table = tuple[str | None, str]
"""Schema, where a database has several, and name."""


def row_counts(
    session: Session, copies: Copies, *, stop: Callable[[], bool] | None = None
) -> Mapping[str, int]:
    """Return the number of rows of each table, counted exactly, in one statement.

    Raises `backup-failed`: with the server's words where it does not answer, and where `stop` says
    that nobody waits any more.
    """
    count = _Count(session, copies, None, stop)
    with _under_way(count):
        rows = count.rows()
    if count.problem is not None:
        raise count.problem
    return rows


def table_names(session: Session) -> list[str]:
    """Return the tables whose rows could be counted, as counts name them."""
    return [_shown(*one) for one in _tables(session)]


@contextmanager
def counting(
    session: Session,
    copies: Copies,
    tally: RowTally | None,
    *,
    stop: Callable[[], bool] | None = None,
) -> Iterator[Callable[[], Mapping[str, int]]]:
    """Count a target's rows by table while the body copies it; what is yielded waits for them.

    Make no request of the session before they are there. With a `tally` of the copy, the rows that
    it tells of are counted there. The server counts what there was before the body began: a copy of
    a table that is written to lies between that number and a later one. What cannot be counted is
    left out; that says nothing of the copy. The waiting ends with `backup-failed` where `stop` says
    so.
    """
    count = _Count(session, copies, tally, stop)
    with _under_way(count):
        count.wait_for(count.asked)
        yield count.rows


@contextmanager
def _under_way(count: _Count) -> Iterator[None]:
    """Have a thread count while the body does something else; leave no thread behind."""
    thread = threading.Thread(target=count.run, daemon=True, name="row-counting")
    thread.start()
    try:
        yield
    except BaseException:
        if not count.done.is_set():
            count.session.stop()
        raise
    finally:
        thread.join(_LEAVING_SECONDS)
        if thread.is_alive():
            count.session.shoot()
            thread.join()


class _Count:
    """What one thread counts and another waits for."""

    def __init__(
        self,
        session: Session,
        copies: Copies,
        tally: RowTally | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self._copies, self._tally, self._stop = copies, tally, stop
        self.session = session
        self.problem: OrchestrateError | None = None
        """Why nothing could be counted."""
        self._tables: Sequence[_Table] = ()
        self._counted: Mapping[str, int] = {}
        self._defect: BaseException | None = None
        self.asked = threading.Event()
        """Nothing that is written from now on is counted."""
        self.done = threading.Event()

    def run(self) -> None:
        """Count what the copy will not tell."""
        session, tally = self.session, self._tally
        try:
            self._tables = _tables(session)
            wanted = self._tables if tally is None else _listed(session, tally.untold)
            self._counted = _counted(session, self._copies, wanted, asked=self.asked.set)
        except OrchestrateError as error:
            self.problem = error
        except BaseException as defect:  # noqa: BLE001  (raised again by who waits)
            self._defect = defect
        finally:
            self.asked.set()
            self.done.set()

    def wait_for(self, event: threading.Event) -> None:
        """Wait for an event. Raises `backup-failed` where somebody wants the work to end."""
        while not event.wait(_LOOK_SECONDS):
            if self._stop is not None and self._stop():
                raise OrchestrateError("backup-failed", "counting its rows was ended on the way")

    def rows(self) -> Mapping[str, int]:
        """Return the rows of each table that are known, once the copy is complete."""
        self.wait_for(self.done)
        if self._defect is not None:
            raise self._defect
        told = {} if self._tally is None else self._tally.rows()
        known = {_shown(*one): told[one[1]] for one in self._tables if one[1] in told}
        return {**known, **self._counted}


def _tables(session: Session) -> list[_Table]:
    kit = session.access.dialect.kit(lock_timeout=None, statement_timeout=None)
    return [] if kit.tables is None else _listed(session, kit.tables)


def _listed(session: Session, query: str) -> list[_Table]:
    rows = _answered(session, query, seconds=_LISTING_SECONDS)
    return [(None if schema is None else text(schema), text(name)) for schema, name in rows]


def _counted(
    session: Session,
    copies: Copies,
    tables: Sequence[_Table],
    *,
    asked: Callable[[], None] = lambda: None,
) -> Mapping[str, int]:
    if not tables:
        return {}
    query = copies.counts(tables)
    rows = _answered(session, query, seconds=_COUNTING_SECONDS, asked=asked)
    return {
        _shown(None if schema is None else text(schema), text(name)): int(text(count))
        for schema, name, count in rows
    }


def _answered(
    session: Session,
    query: str,
    *,
    seconds: float,
    asked: Callable[[], None] = lambda: None,
) -> Sequence[Sequence[object]]:
    answer = session.count(query, seconds=seconds, asked=asked)
    if answer["problem"] is not None:
        problem = session.access.redactor.redact(answer["problem"])
        raise OrchestrateError("backup-failed", f"its rows cannot be counted: {problem}")
    rows: Sequence[Sequence[object]] = answer["rows"]
    return rows


def _shown(schema: str | None, name: str) -> str:
    return name if schema is None else f"{schema}.{name}"
