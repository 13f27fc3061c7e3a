"""What has to be installed around a database: drivers beside SQLAlchemy, programs on PATH."""

from __future__ import annotations

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A driver as SQLAlchemy's URLs name it, and the module that has to be there."""

    name: str
    module: str
    for_asyncio: bool = False
    for_plain_calls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the database's maker, under any of its names."""

    names: tuple[str, ...]
    version: str
    """Regular expression that finds its version in the first line of `--version`."""
    parts: int
    """How many parts of the version count when it is compared with the server's."""
