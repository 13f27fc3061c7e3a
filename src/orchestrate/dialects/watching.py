"""What a person looks at in the database itself while a run is at work, for each server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_STATEMENTS: Final[Mapping[str, str]] = {
    "postgresql": (
        "SELECT pid, state, wait_event_type, now() - query_start AS since, "
        "pg_blocking_pids(pid) AS behind, left(query, 80) AS query FROM pg_stat_activity "
        "WHERE datname = current_database() ORDER BY query_start"
    ),
    "mysql": (
        "SELECT id, user, command, time, state, left(info, 80) AS query "
        "FROM information_schema.processlist WHERE db = database() ORDER BY time DESC"
    ),
}


def sessions_statement(dialect: str) -> str | None:
    """Return the query that shows who works in the database and who waits for whom, or None."""
    return _STATEMENTS.get(dialect)
