"""Where a revision that this checkout lacks was seen in the history of its repository."""

from __future__ import annotations

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit for people."""

    id: str
    """Abbreviated."""
    date: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The revision's file, and the commit that added it."""

    file: str
    """Relative to the repository."""
    added: Commit
    branches: tuple[str, ...]
    """Branches and tags that have the commit, local ones first."""
    deleted: Commit | None
    """The commit that took the file away again, on the branch that is checked out."""
    on_disk: bool
    """The file is there, and the project does not read it."""
    in_head: bool
    """The branch that is checked out has the commit."""


Seen = Sighting | None
"""None: searched for, and no commit has it."""
