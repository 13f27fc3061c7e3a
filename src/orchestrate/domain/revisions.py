"""A project's revisions as values: what the agent read of the script directory."""

from __future__ import annotations

from typing import Literal

from orchestrate.values import dataclass

Downgrade = Literal["present", "missing", "empty", "raises"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision file. `down` and `depends_on` are as written, resolved to full identifiers."""

    id: str
    down: tuple[str, ...]
    depends_on: tuple[str, ...]
    labels: tuple[str, ...]
    title: str
    """First line of the file's docstring."""
    file: str
    """Relative to the project's directory where it lies inside, else absolute; with `/`."""
    sha256: str
    """Of the file's bytes, lower-case hexadecimal."""
    downgrade: Downgrade
    leaves_transaction: bool
    """The file mentions `autocommit_block` or AUTOCOMMIT; what it imports is not looked into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """All revisions of a project for one dialect, in no particular order.

    `digest` covers names and contents of every file of the version locations, so two graphs of one
    digest are the same graph.
    """

    digest: str
    revisions: tuple[Revision, ...]

    @property
    def heads(self) -> frozenset[str]:
        """Return the identifiers that no revision follows."""
        followed = {parent for revision in self.revisions for parent in revision.down}
        return frozenset(one.id for one in self.revisions if one.id not in followed)
