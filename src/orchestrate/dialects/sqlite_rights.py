"""SQLite: rights are those of the file system."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrate.dialects.interface import VersionTable
from orchestrate.domain.diagnosis import Check, Rows, Storage


class SQLiteRights:
    """What the user that the agent runs as may do with the file and its folder."""

    queries: Mapping[str, str] = MappingProxyType({})

    def checks(
        self, rows: Rows, *, version_table: VersionTable, storage: Storage | None
    ) -> tuple[Check, ...]:
        """Return what the file system says, in one check."""
        del rows, version_table
        return (_check(storage),)


def _check(storage: Storage | None) -> Check:
    if storage is None:
        return _made(None, "A database in memory is gone when its connection closes")
    path, folder = storage.path, storage.folder
    if storage.exists and not storage.writable:
        return _made(f"This user may not write to `{path}`", f"`chmod u+w {path}`, as its owner")
    if not storage.folder_writable:
        return _made(
            f"This user may not write in `{folder}`, where SQLite puts its journal",
            f"`chmod u+w {folder}`, as its owner",
        )
    if not storage.exists:
        return _made(None, f"`{path}` does not exist yet; this user may create it")
    return _made(None, "This user may write to the file and its folder")


def _made(problem: str | None, text: str) -> Check:
    if problem is None:
        return Check(check="rights", status="ok", message=text)
    return Check(check="rights", status="problem", message=problem, hint=text)
