"""How large a target's tables are, by what its server has at hand."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrate.domain.locks import TableSize
from orchestrate.run.session import Session


def known_sizes(session: Session) -> tuple[TableSize, ...]:
    """Return how large tables were when the server last looked; nothing where it does not tell.

    Waits for nobody's lock, and costs nobody the agent.
    """
    query = session.access.dialect.known_sizes
    rows = None if query is None else session.query_if_possible({"sizes": query})
    return () if rows is None else sizes_from(rows["sizes"])


def clone_sizes(session: Session) -> tuple[TableSize, ...]:
    """Return how large the tables of a clone are, if its target's are known.

    Nobody else works on a clone, and its server has not looked at it yet.
    """
    dialect = session.access.dialect
    if dialect.known_sizes is None or dialect.table_sizes is None:
        return ()
    rows = session.query_if_possible({"sizes": dialect.table_sizes})
    return () if rows is None else sizes_from(rows["sizes"])


def sizes_from(rows: Sequence[Sequence[object]]) -> tuple[TableSize, ...]:
    """Return the sizes that rows of `Dialect.table_sizes`, or its kin, tell."""
    return tuple(
        TableSize(
            schema=None if row[0] is None else str(row[0]),
            table=str(row[1]),
            bytes=None if row[2] is None else int(str(row[2])),
            rows=None if row[3] is None else int(str(row[3])),
            unqualified=bool(row[4]),
        )
        for row in rows
    )
