"""Whether a state store can be used, found out without creating, upgrading or changing it."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from orchestrate.domain.secrets import Secret
from orchestrate.stores.state import tables
from orchestrate.stores.state.database import Database, sqlalchemy_url
from orchestrate.stores.state.failures import Failures
from orchestrate.stores.state.schema import schema_version

_TOUCH = text(f"UPDATE {tables.leases.name} SET holder = holder WHERE 1 = 0")  # noqa: S608  (ours)


def examine_state(url: Secret, *, safe_url: str) -> str:
    """Return what can be said of a store that can be used, in a sentence.

    A server is asked to change no row, which it refuses like any change
    where the store may only be read. Raises `state-unavailable`.
    """
    file = _file_of(url)
    if file is not None and not file.exists():
        folder = next(one for one in file.parents if one.exists())
        if os.access(folder, os.W_OK | os.X_OK):
            return f"`{safe_url}` will be made at the first run"
        raise Failures(safe_url=safe_url).make(
            f"The state store `{safe_url}` cannot be created: `{folder}` may not be written to",
            hint=f"`chmod u+w {folder}`, as its owner, or name another file in `state`",
        )
    database = Database(url, safe_url=safe_url)
    try:
        version = schema_version(database)
        if version is None:
            return f"`{safe_url}` can be reached; its tables will be made at the first run"
        with database.write() as connection:
            connection.execute(_TOUCH)
        return f"`{safe_url}` can be read and written (schema {version})"
    finally:
        database.close()


def _file_of(url: Secret) -> Path | None:
    """Return the file of a SQLite store; opening the store would create it."""
    try:
        parsed = sqlalchemy_url(url)
    except (SQLAlchemyError, ValueError):
        return None  # opening it says so better
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or not name or name.startswith((":", "file:")):
        return None
    return Path(name)
