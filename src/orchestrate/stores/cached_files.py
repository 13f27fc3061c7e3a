"""JSON kept on disk to save time: whole or not at all, the newest few, and never an error."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedFiles:
    """Files of one kind in a folder; a folder that cannot be written or read is no trouble."""

    folder: Path
    kind: str
    """What their names begin with."""
    kept: int
    """How many of them stay."""

    def read(self, name: str) -> Mapping[str, Any] | None:
        """Return what is kept under a name, or None; damaged is as good as not there."""
        try:
            value = json.loads(self._path(name).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a value under a name, and remove the oldest of too many."""
        # UnicodeError: the name of a file may be no text at all.
        with contextlib.suppress(OSError, UnicodeError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, partial = tempfile.mkstemp(dir=self.folder, prefix=f".{self.kind}-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file, ensure_ascii=False)
            Path(partial).replace(self._path(name))
            self._forget_old()

    def _path(self, name: str) -> Path:
        return self.folder / f"{self.kind}-{name}.json"

    def _forget_old(self) -> None:
        found = sorted(
            self.folder.glob(f"{self.kind}-*.json"),
            key=lambda path: path.stat().st_mtime,
            reverse=True,
        )
        for path in found[self.kept :]:
            path.unlink(missing_ok=True)
