"""The pages about troubles: `docs/troubles/NAME.md`, shown by `orchestrate explain NAME`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # The database cannot be reached
        "unreachable": "The database cannot be reached",
        "host-unknown": "The host of the URL is unknown",
        "connection-refused": "Nothing listens at the URL's host and port",
        "no-answer": "The server's host gives no answer",
        "login-refused": "The server refuses user or password",
        "not-let-in": "The server knows the user and does not let it in",
        "unknown-database": "The server has no database of this name",
        "tls": "URL and server do not agree on TLS",
        "too-many-connections": "The server has no connection left",
        "url-unavailable": "The source of the URL gives nothing",
        "host-key-unknown": "An SSH server's host key is not known",
        "host-key-changed": "An SSH server's host key is another one than before",
        "ssh-login-refused": "An SSH server takes none of the keys",
        "ssh-lost": "An SSH connection was lost",
        # The project
        "driver-missing": "The project's Python has no driver for the URL",
        "async-driver": "env.py is asynchronous and the driver is not, or the reverse",
        "module-missing": "No module named …",
        "project-unreadable": "The Alembic project cannot be loaded",
        "env-failed": "env.py fails",
        "env-writes": "env.py, or what it imports, writes when it is only looked at",
        "wrong-database": "env.py connects to another database",
        "agent-failed": "The runner does not reach the project's Python",
        "agent-stalled": "The project gives no answer in time",
        "not-rendered": "A revision cannot be shown as SQL",
        # Where the database stands
        "not-up-to-date": "Target database is not up to date",
        "unknown-database-revision": "The database is at a revision that this checkout lacks",
        "unknown-revision": "No revision has this name",
        "multiple-heads": "Multiple heads are present",
        "unversioned": "A full database without a recorded revision",
        "tables-missing": "The version table says more than is there",
        "identity-changed": "The database is not the one recorded for the environment",
        "same-database": "Two environments lead to one database",
        # While a revision runs
        "already-exists": "A table, column or index already exists",
        "enum-exists": "An enum type already exists",
        "missing-object": "A table or column does not exist",
        "rows-in-the-way": "Existing rows contradict the revision",
        "missing-right": "The URL's user lacks a right",
        "sqlite-alter": "SQLite cannot alter that in place",
        "needs-autocommit": "A statement that refuses to run inside a transaction",
        "invalid-index": "An index that CONCURRENTLY left invalid",
        "swallowed": "env.py hides an error",
        "not-committed": "The revision ran and was never committed",
        "external-transaction": "env.py opens a transaction of its own",
        "pooler": "A connection pooler is between",
        "lock-timeout": "A lock is not granted in time",
        "statement-timeout": "A statement runs longer than it may",
        "connection-lost": "The server closed the connection",
        # Runs and plans
        "stale-plan": "The plan no longer fits",
        "schema-differs": "The schema is not that of the revision",
        "not-proven": "Whether the schema is that of the revision cannot be shown",
        "in-doubt": "A step may be half applied",
        "run-unfinished": "An earlier run has not ended",
        "lease-held": "Another run is at work",
        "revision-changed": "A revision was edited while its run was unfinished",
        "target-moved": "Someone else moved the database",
        "plan-already-used": "The saved plan was carried out before",
        "not-enforced-yet": "The spec declares a protection that this version cannot keep",
        "state-unavailable": "The state store cannot be used",
        "internal": "A defect of orchestrate",
    }
)
"""Every page by its name, with its title."""


def page_of(*names: str | None) -> str | None:
    """Return the first of these troubles or error codes that has a page."""
    return next((name for name in names if name in PAGES), None)


def page_path(name: str) -> str:
    """Return where a page lies in the checkout."""
    return f"docs/troubles/{name}.md"
