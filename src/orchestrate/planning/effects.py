"""Which statements of a half-applied step left a trace in the schema. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrate.domain.snapshot import Difference

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


def sorted_by_effect(
    sql: str, differences: Sequence[Difference], *, version_table: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the statements of rendered SQL that show in the differences, and those that do not.

    A statement that creates or drops something shows when that thing is among the differences; any
    other one when it names every part of a difference's name, as `ALTER TABLE orders ADD COLUMN
    total …` names `orders.total`. One that changes rows alone cannot show, and stands among those
    that do not.
    """
    names = [[word.lower() for word in _WORD.findall(one.name)] for one in differences]
    seen: list[str] = []
    unseen: list[str] = []
    for text in _END_OF_STATEMENT.split(_COMMENT.sub("", sql)):
        words = [word.lower() for word in _WORD.findall(text)]
        if not words or words[0] in _TRANSACTION or version_table.lower() in words:
            continue
        (seen if _shows(text, words, names) else unseen).append(" ".join(text.split()))
    return tuple(seen), tuple(unseen)


def _shows(text: str, words: Sequence[str], names: Sequence[Sequence[str]]) -> bool:
    if words[0] in _ROWS_ALONE:
        return False
    own = _OWN_OBJECT.match(text.strip())
    if own:
        last = _WORD.findall(own["name"])[-1].lower()
        return any(name[-1] == last for name in names)
    return any(set(name) <= set(words) for name in names)
