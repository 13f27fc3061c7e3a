"""A canonical description of a target's schema at one moment, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SchemaRows = Mapping[str, list[list[object]]]
"""Result rows by the name of the dialect's snapshot query, as the agent read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaObject:
    """One object; `kind` is table, column, index, constraint, view, type, trigger or the like."""

    kind: str
    name: str
    """Qualified where that is needed to be unique: `orders.total`, `public.orders`."""
    definition: str
    """Everything else about it, in one canonical line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A schema: objects in the order of (kind, name), each pair at most once.

    The version table is never part of it: it moves with every step.
    """

    dialect: str
    objects: tuple[SchemaObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference, in the words of the drift report (design, section 5)."""

    object: str
    name: str
    change: Literal["added", "removed", "altered"]
    expected: str | None
    actual: str | None
