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


def row_counts(session: Session, copies: Copies) -> Mapping[str, int]:
    """Return the number of rows of each table, counted exactly, in one statement.

    Raises `backup-failed` with the server's words where it does not answer.
    """
    return _counted(session, copies, _tables(session))


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
    found: dict[str, int] = {}
    tables: list[_Table] = []
    asked, done = threading.Event(), threading.Event()
    defects: list[BaseException] = []

    def count() -> None:
        try:
            tables.extend(_tables(session))
            wanted = tables if tally is None else _listed(session, tally.untold)
            found.update(_counted(session, copies, wanted, asked=asked.set))
        except OrchestrateError:
            return
        except BaseException as defect:  # noqa: BLE001  (raised again by who waits)
            defects.append(defect)
        finally:
            asked.set()
            done.set()

    def wait_for(event: threading.Event) -> None:
        while not event.wait(_LOOK_SECONDS):
            if stop is not None and stop():
                raise OrchestrateError("backup-failed", "counting its rows was ended on the way")

    def counts() -> Mapping[str, int]:
        wait_for(done)
        if defects:
            raise defects[0]
        told = {} if tally is None else tally.rows()
        return {**{_shown(*one): told[one[1]] for one in tables if one[1] in told}, **found}

    thread = threading.Thread(target=count, daemon=True, name="row-counting")
    thread.start()
    try:
        wait_for(asked)
        yield counts
    except BaseException:
        if not done.is_set():
            session.stop()
        raise
    finally:
        thread.join(_LEAVING_SECONDS)
        if thread.is_alive():
            session.shoot()
            thread.join()


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
