"""Graphs kept on disk by digest, so that a plan need not run every revision file again.

A graph's digest covers the name and bytes of every file it was read from, computed by the agent at
each probe, so a hit cannot be stale. Anything wrong with a cached file only makes it a miss.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

from orchestrate.domain.revisions import Graph, Revision
from orchestrate.stores.cached_files import CachedFiles

_FORMAT: Final = "orchestrate.graph/1"
_KEPT: Final = 20


class GraphCache:
    """A folder of graphs, one file a digest."""

    def __init__(self, folder: Path) -> None:
        self._files = CachedFiles(folder=folder, kind="graph", kept=_KEPT)

    def find(self, digest: str) -> Graph | None:
        """Return the graph of that digest, or None."""
        value = self._files.read(_name(digest))
        try:
            if value is None or (value["format"], value["digest"]) != (_FORMAT, digest):
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
        except (KeyError, TypeError):
            return None

    def keep(self, graph: Graph) -> None:
        """Store a graph; a folder that cannot be written is no trouble."""
        revisions = [asdict(one) for one in graph.revisions]
        value = {"format": _FORMAT, "digest": graph.digest, "revisions": revisions}
        self._files.write(_name(graph.digest), value)


def _name(digest: str) -> str:
    return digest.rpartition(":")[2]
