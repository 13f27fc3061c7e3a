"""How two snapshots differ, and how to say it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from orchestrate.domain.snapshot import (
    OWNED_KINDS,
    REVISED,
    Difference,
    SchemaObject,
    Snapshot,
)

_OWNERS: Final = frozenset({"table", "foreign table", "view", "materialized view"})

_Definitions = Mapping[tuple[str, str], str]


def compare(
    expected: Snapshot, actual: Snapshot, *, without: Iterable[str] = ()
) -> tuple[Difference, ...]:
    """Return what is added, removed or altered in `actual`, in the order of (kind, name).

    A whole table that came or went is one difference, not one for each of its columns. That the
    order of columns differs is said only if columns that are in both stand in another order. Left
    out are the kinds `without`, and those that one side does not tell as the other one does.
    """
    if expected.objects == actual.objects:
        return ()
    left_out = {*without, *not_comparable(expected, actual)}
    before = _definitions(expected.objects, left_out)
    after = _definitions(actual.objects, left_out)
    owners = {name for kind, name in [*before, *after] if kind in _OWNERS}
    whole = {name for name in owners if _exists(before, name) != _exists(after, name)}
    return tuple(
        one
        for one in _differences(before, after)
        if not (one.object in OWNED_KINDS and _owner(one.name, owners) in whole)
        and not (one.object == "column order" and _same_order(one))
    )


def not_comparable(expected: Snapshot, actual: Snapshot) -> tuple[str, ...]:
    """Return the kinds that cannot be compared, sorted: hidden on one side, or told otherwise.

    Another version of orchestrate tells a kind in another way.
    """
    older, newer = sorted((expected.version, actual.version))
    revised = REVISED.get(actual.dialect, {})
    told_otherwise = {
        kind for version, kinds in revised.items() if older < version <= newer for kind in kinds
    }
    return tuple(sorted({*told_otherwise, *expected.hidden, *actual.hidden}))


def _definitions(objects: Iterable[SchemaObject], without: set[str]) -> dict[tuple[str, str], str]:
    return {(one.kind, one.name): one.definition for one in objects if one.kind not in without}


def _exists(definitions: _Definitions, name: str) -> bool:
    return any((kind, name) in definitions for kind in _OWNERS)


def _differences(before: _Definitions, after: _Definitions) -> Iterator[Difference]:
    for kind, name in sorted(before.keys() | after.keys()):
        expected, actual = before.get((kind, name)), after.get((kind, name))
        if expected == actual:
            continue
        yield Difference(
            object=kind,
            name=name,
            change="added" if expected is None else "removed" if actual is None else "altered",
            expected=expected,
            actual=actual,
        )


def _owner(name: str, owners: Iterable[str]) -> str | None:
    """Return the table or view that something belongs to: the longest that its name begins with."""
    return max(
        (one for one in owners if name == one or name.startswith(f"{one}.")), key=len, default=None
    )


def _same_order(order: Difference) -> bool:
    """Tell whether the columns that both sides have stand in the same order."""
    if order.expected is None or order.actual is None:
        return False
    expected, actual = order.expected.split(", "), order.actual.split(", ")
    common = set(expected) & set(actual)
    return [one for one in expected if one in common] == [one for one in actual if one in common]


def describe(difference: Difference) -> str:
    """Return a sentence for people: `column orders.total added: numeric(10,2)`."""
    what = f"{difference.object} {difference.name} {difference.change}"
    expected, actual = difference.expected or "nothing", difference.actual or "nothing"
    match difference.change:
        case "added":
            return f"{what}: {difference.actual}" if difference.actual else what
        case "removed":
            return f"{what}: it was {difference.expected}" if difference.expected else what
        case "altered":
            return f"{what}: from {expected} to {actual}"


def describe_all(differences: Iterable[Difference]) -> tuple[str, ...]:
    """Return a sentence for each difference."""
    return tuple(describe(one) for one in differences)
