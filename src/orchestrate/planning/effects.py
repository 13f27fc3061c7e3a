"""Which statements of a half-applied step left a trace in the schema. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from orchestrate.domain.snapshot import Snapshot

_END_OF_STATEMENT = re.compile(r";\s*(?:\n|$)")
_COMMENT = re.compile(r"^\s*--[^\n]*$", re.MULTILINE)
_WORD = re.compile(r"\w+")
_OWN_OBJECT = re.compile(
    r"(?:create|drop)\s+(?:(?:or|replace|unique|temporary|materialized|fulltext|spatial)\s+)*"
    r"(?:index|table|view|type|sequence|trigger|function|procedure|schema|domain)\s+"
    r"(?:concurrently\s+)?(?:if\s+(?:not\s+)?exists\s+)?(?P<name>[\w.\"`\[\]]+)",
    re.IGNORECASE,
)
_ROWS_ALONE = {"update", "insert", "delete", "select", "merge", "replace", "truncate"}
_TRANSACTION = {"begin", "commit", "rollback", "start"}


class Effects(NamedTuple):
    """The statements of a step, by what the schema tells of them."""

    shown: tuple[str, ...] = ()
    """Their effect is there."""
    not_shown: tuple[str, ...] = ()
    """It is not."""
    rows_alone: tuple[str, ...] = ()
    """They change rows, of which it tells nothing."""


NO_EFFECTS: Final = Effects()


def sorted_by_effect(sql: str, before: Snapshot, after: Snapshot, *, version_table: str) -> Effects:
    """Return the statements of rendered SQL, by what the schema tells of them.

    A statement that creates or drops something shows when that thing came, went or changed; any
    other one when it names something that belongs to a table and did, with its table, as `ALTER
    TABLE orders ADD COLUMN total …` names `orders.total`.
    """
    names = _changed_names(before, after)
    seen: list[str] = []
    unseen: list[str] = []
    rows: list[str] = []
    for text in _END_OF_STATEMENT.split(_COMMENT.sub("", sql)):
        words = [word.lower() for word in _WORD.findall(text)]
        if not words or words[0] in _TRANSACTION or version_table.lower() in words:
            continue
        group = seen if _shows(text, words, names) else unseen
        (rows if words[0] in _ROWS_ALONE else group).append(" ".join(text.split()))
    return Effects(tuple(seen), tuple(unseen), tuple(rows))


def _changed_names(before: Snapshot, after: Snapshot) -> list[list[str]]:
    old = {(one.kind, one.name): one.definition for one in before.objects}
    new = {(one.kind, one.name): one.definition for one in after.objects}
    return [
        [word.lower() for word in _WORD.findall(name)]
        for kind, name in sorted(old.keys() | new.keys())
        if old.get((kind, name)) != new.get((kind, name))
    ]


def _shows(text: str, words: Sequence[str], names: Sequence[Sequence[str]]) -> bool:
    own = _OWN_OBJECT.match(text.strip())
    if own:
        last = _WORD.findall(own["name"])[-1].lower()
        return any(name[-1] == last for name in names)
    return any(set(name[-2:]) <= set(words) for name in names if len(name) > 1)
