"""What was renamed, as a proposal: something gone and something new that are alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.snapshot import OWNED_KINDS, Snapshot, place_and_name
from orchestrate.values import dataclass

_Parts = Mapping[str, Mapping[tuple[str, str], str]]
"""By table or view, what belongs to it: kind and name within it to definition."""

_MOST_PAIRS: Final = 10_000
"""Where so much came and went, nobody renamed it by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """One proposal: `old` was removed, `new` was added, and but for the name they are alike."""

    old: DriftDifference
    new: DriftDifference

    def undone(self, text: str) -> str:
        """Return a text as it would read under the old name.

        A view keeps the old name for its own column: `SELECT amount AS total`.
        """
        old, new = (_last(one.name) for one in (self.old, self.new))
        before = text
        if self.old.object == "column":
            before = re.sub(rf"(?<!\w){re.escape(new)} AS {re.escape(old)}(?!\w)", old, before)
        return re.sub(rf"(?<!\w){re.escape(new)}(?!\w)", old.replace("\\", r"\\"), before)


def with_renames(
    differences: Sequence[DriftDifference], expected: Snapshot, actual: Snapshot
) -> tuple[DriftDifference, ...]:
    """Return the differences with proposals of what was renamed.

    Something removed and something added of one kind and in one place are proposed where they are
    alike and nothing else is like them. What is told in other words only because of the new name
    is listed with the proposal (`also`), and is no difference of its own.
    """
    changes = {one.change for one in differences}
    if not {"added", "removed"} <= changes:
        return tuple(differences)
    found = _renamings(differences, _parts(expected), _parts(actual))
    if not found:
        return tuple(differences)
    hints: dict[int, DriftDifference] = {}
    also: dict[int, list[str]] = {}
    left = [one for one in differences if not any(one in (two.old, two.new) for two in found)]
    for number, renaming in enumerate(found):
        told = [one for one in left if _follows(one, renaming, left)]
        left = [one for one in left if one not in told]
        also[number] = [f"{one.object} {one.name}" for one in told]
    for number, renaming in enumerate(found):
        old, new = renaming.old, renaming.new
        hints[id(old)] = replace(old, renamed_to=new.name, also=tuple(also[number]))
        hints[id(new)] = replace(new, rename_of=old.name)
    return tuple(hints.get(id(one), one) for one in differences if id(one) in hints or one in left)


def _renamings(
    differences: Iterable[DriftDifference], before: _Parts, after: _Parts
) -> list[Renaming]:
    groups: dict[tuple[str, str], list[DriftDifference]] = {}
    for one in differences:
        if one.change != "altered" and one.object not in {"column order", "grant"}:
            groups.setdefault((one.object, _place(one)), []).append(one)
    found = []
    for group in groups.values():
        removed = [one for one in group if one.change == "removed"]
        added = [one for one in group if one.change == "added"]
        if len(removed) * len(added) > _MOST_PAIRS:
            continue
        pairs = [
            Renaming(old=old, new=new)
            for old in removed
            for new in added
            if _alike(old, new, before, after)
        ]
        found += [
            pair
            for pair in pairs
            if sum(one.old is pair.old for one in pairs) == 1
            and sum(one.new is pair.new for one in pairs) == 1
        ]
    # Tables first: what a table's new name explains, no column has to.
    return sorted(found, key=lambda pair: pair.old.object in OWNED_KINDS)


def _place(one: DriftDifference) -> str:
    """Return what something is renamed within: its table, or its schema."""
    return place_and_name(one.name)[0]


def _last(name: str) -> str:
    return place_and_name(name)[1].partition("(")[0]


def _alike(old: DriftDifference, new: DriftDifference, before: _Parts, after: _Parts) -> bool:
    pair = Renaming(old=old, new=new)
    if pair.undone(new.actual or "") != pair.undone(old.expected or ""):
        return False
    was, now = before.get(old.name, {}), after.get(new.name, {})
    if not (was or now):
        # Nothing but a name: two empty definitions are not alike, they are just empty.
        return bool(old.expected)
    columns = [
        {key: pair.undone(text) for key, text in parts.items() if key[0] == "column"}
        for parts in (was, now)
    ]
    return bool(columns[0]) and columns[0] == columns[1]


def _parts(snapshot: Snapshot) -> _Parts:
    parts: dict[str, dict[tuple[str, str], str]] = {}
    for one in snapshot.objects:
        if one.kind in OWNED_KINDS:
            place, name = place_and_name(one.name)
            parts.setdefault(place, {})[one.kind, name] = one.definition
    return parts


def _follows(one: DriftDifference, renaming: Renaming, others: Iterable[DriftDifference]) -> bool:
    """Tell whether a difference is nothing but the new name, told elsewhere."""
    match one.change:
        case "altered":
            return renaming.undone(one.actual or "") == renaming.undone(one.expected or "")
        case "added":
            return any(_is_same(two, one, renaming) for two in others if two.change == "removed")
        case "removed":
            return any(_is_same(one, two, renaming) for two in others if two.change == "added")


def _is_same(old: DriftDifference, new: DriftDifference, renaming: Renaming) -> bool:
    return (
        old.object == new.object
        and renaming.undone(new.name) == renaming.undone(old.name)
        and renaming.undone(new.actual or "") == renaming.undone(old.expected or "")
    )
