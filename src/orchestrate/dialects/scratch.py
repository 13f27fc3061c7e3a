"""Scratch databases: empty ones beside a target, of its kind, made for a moment. Texts only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from orchestrate.values import dataclass

PREFIX: Final = "orchestrate_scratch_"
"""What every one is called, so that nothing else is ever dropped; twelve hex digits follow."""

Rows = Mapping[str, Sequence[Sequence[object]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchFile:
    """A database is a file: nothing has to be asked of anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchDatabase:
    """A database of the same server, made by the target's own credential."""

    facts: Mapping[str, str]
    """Queries of the target, for what a copy has to have in common with it."""
    create: Callable[[str, Rows], tuple[str, ...]]
    """Statements that make it, by its name and the facts."""
    drop: Callable[[str], tuple[str, ...]]
    """Statements of which one drops it if it exists: the next is for servers that refuse the one
    before."""


Scratch = ScratchFile | ScratchDatabase
