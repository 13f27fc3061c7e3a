"""Graphs kept on disk by digest, so that a plan need not run every revision file again.

A graph's digest covers the name and bytes of every file it was read from, computed by the agent at
each probe, so a hit cannot be stale. Anything wrong with a cached file only makes it a miss.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from orchestrate.domain.revisions import Graph, Revision

_FORMAT: Final = "orchestrate.graph/1"
_KEPT: Final = 20


class GraphCache:
    """A folder of graphs, one file a digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, digest: str) -> Graph | None:
        """Return the graph of that digest, or None."""
        try:
            value: dict[str, Any] = json.loads(self._path(digest).read_text("utf-8"))
            if value["format"] != _FORMAT or value["digest"] != digest:
                return None
            return Graph(
                digest=digest,
                revisions=tuple(
                    Revision(
                        **{
                            **one,
                            "down": tuple(one["down"]),
                            "depends_on": tuple(one["depends_on"]),
                            "labels": tuple(one["labels"]),
                        }
                    )
                    for one in value["revisions"]
                ),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, graph: Graph) -> None:
        """Store a graph, whole or not at all; a folder that cannot be written is no trouble."""
        value = {
            "format": _FORMAT,
            "digest": graph.digest,
            "revisions": [asdict(one) for one in graph.revisions],
        }
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".graph-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file, ensure_ascii=False)
            Path(name).replace(self._path(graph.digest))
            self._forget_old()

    def _path(self, digest: str) -> Path:
        return self._folder / f"graph-{digest.rpartition(':')[2]}.json"

    def _forget_old(self) -> None:
        kept = sorted(
            self._folder.glob("graph-*.json"), key=lambda path: path.stat().st_mtime, reverse=True
        )
        for path in kept[_KEPT:]:
            path.unlink(missing_ok=True)
