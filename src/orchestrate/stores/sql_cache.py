"""SQL of revisions kept on disk, so that the next lint need not render thousands of them again.

A file for each environment, its env.py, and the libraries that render; in it the SQL by the
revision's own digest. Kept only of revisions that lean on nothing but Alembic, SQLAlchemy and
Python: what they render depends on their text. Anything wrong with a file only makes it a miss.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestrate.planning.linting import Rendered

_FORMAT: Final = "orchestrate.sql/1"
_KEPT: Final = 8


class SqlCache:
    """What was rendered before, for one environment of one checkout."""

    def __init__(self, folder: Path, facts: Sequence[str]) -> None:
        """Take in where it lies and all that decides, beside a revision's text, on its SQL."""
        name = hashlib.sha256(json.dumps([_FORMAT, *facts]).encode()).hexdigest()[:32]
        self._folder = folder
        self._path = folder / f"sql-{name}.json"

    def load(self) -> Mapping[str, Rendered]:
        """Return what is kept, by the digest of the revision's file."""
        try:
            value: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
            if value["format"] != _FORMAT:
                return {}
            return {
                sha256: Rendered(sql=sql, problem=problem)
                for sha256, (sql, problem) in value["sql"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def keep(self, rendered: Mapping[str, Rendered]) -> None:
        """Store SQL, whole or not at all; a folder that cannot be written is no trouble."""
        value = {
            "format": _FORMAT,
            "sql": {sha256: (one.sql, one.problem) for sha256, one in rendered.items()},
        }
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".sql-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file, ensure_ascii=False)
            Path(name).replace(self._path)
            self._forget_old()

    def _forget_old(self) -> None:
        kept = sorted(
            self._folder.glob("sql-*.json"), key=lambda path: path.stat().st_mtime, reverse=True
        )
        for path in kept[_KEPT:]:
            path.unlink(missing_ok=True)
