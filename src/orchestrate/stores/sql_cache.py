"""SQL of revisions kept on disk, so that the next lint need not render thousands of them again.

A file for each environment, its env.py, and the libraries that render; in it the SQL by the
revision's own digest. Kept only of revisions that lean on nothing but Alembic, SQLAlchemy and
Python: what they render depends on their text. Anything wrong with a file only makes it a miss.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrate.planning.linting import Rendered
from orchestrate.stores.cached_files import CachedFiles

_FORMAT: Final = "orchestrate.sql/1"
_KEPT: Final = 8


class SqlCache:
    """What was rendered before, for one environment of one checkout."""

    def __init__(self, folder: Path, facts: Sequence[str]) -> None:
        """Take in where it lies and all that decides, beside a revision's text, on its SQL."""
        self._name = hashlib.sha256(json.dumps([_FORMAT, *facts]).encode()).hexdigest()[:32]
        self._files = CachedFiles(folder=folder, kind="sql", kept=_KEPT)

    def load(self) -> Mapping[str, Rendered]:
        """Return what is kept, by the digest of the revision's file."""
        value = self._files.read(self._name)
        try:
            if value is None or value["format"] != _FORMAT:
                return {}
            return {
                sha256: Rendered(sql=sql, problem=problem)
                for sha256, (sql, problem) in value["sql"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def keep(self, rendered: Mapping[str, Rendered]) -> None:
        """Store SQL; a folder that cannot be written is no trouble."""
        found = {sha256: (one.sql, one.problem) for sha256, one in rendered.items()}
        self._files.write(self._name, {"format": _FORMAT, "sql": found})
