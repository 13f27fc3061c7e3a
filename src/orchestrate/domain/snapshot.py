"""A canonical description of a target's schema at one moment, and how two of them differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from orchestrate.values import dataclass

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
    version: int = 1
    """Of the dialect's description: which kinds it has, and how they are told (`REVISED`)."""
    hidden: tuple[str, ...] = ()
    """Kinds of which the credential that read this may not see everything, sorted."""


REVISED: Final[Mapping[str, Mapping[int, frozenset[str]]]] = {
    "postgresql": {2: frozenset({"grant", "default grant"})},
}
"""By dialect and version of its description, the kinds that it tells in another way than before.

A schema that an earlier version recorded is compared without them: what is told in other words is
no drift.
"""


def description_version(dialect: str) -> int:
    """Return the version in which a dialect's schemas are described today."""
    return max(REVISED.get(dialect, {}), default=1)


OWN_TABLES: Final = frozenset(
    {
        "orchestrate_alembic_version",
        "orchestrate_events",
        "orchestrate_head",
        "orchestrate_identities",
        "orchestrate_leases",
        "orchestrate_plans",
        "orchestrate_restored",
        "orchestrate_restoring",
        "orchestrate_snapshots",
    }
)
"""Tables of the state store, which may share a database with a target and is no part of it, and the
signs of a restore."""

GRANTS: Final = frozenset({"grant", "default grant"})
"""Kinds that a schema made anew, or a copy put back elsewhere, does not have."""

OWNED_KINDS: Final = frozenset(
    {"column", "column order", "constraint", "index", "policy", "rule", "trigger"}
)
"""Kinds that live and die with a table or view: their name begins with its name and a dot."""


_LAST_PART: Final = re.compile(r'(?:^|(?<=\.))("(?:[^"]|"")*"|[^."]*(?:\(.*)?)\Z')


def place_and_name(name: str) -> tuple[str, str]:
    """Return what an object is in (its table, its schema) and its own name.

    A name that has a dot itself is in quotes; the arguments of a function are part of its name.
    """
    found = _LAST_PART.search(name)
    start = found.start() if found else 0
    return name[: max(start - 1, 0)], name[start:]


def is_own(one: SchemaObject) -> bool:
    """Tell whether an object belongs to the state store."""
    if "orchestrate_" not in one.name:
        return False
    parts = one.name.partition(" to ")[0].split(".")
    owned = one.kind in OWNED_KINDS and one.kind != "column order"
    return len(parts) > owned and parts[-1 - owned] in OWN_TABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference, in the words of the drift report (design, section 5)."""

    object: str
    name: str
    change: Literal["added", "removed", "altered"]
    expected: str | None
    actual: str | None
