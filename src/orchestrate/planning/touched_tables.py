"""Which tables statements touch, as far as a few words tell, and how large these are. Pure.

This runs for every step of a run: nothing here takes SQL apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from orchestrate.domain.locks import TableSize, TouchedTable
from orchestrate.domain.statements import Table

_PART: Final = r'(?:"[^"]+"|`[^`]+`|[\w$]+)'
_NAMED: Final = re.compile(
    r"\b(?:TABLE|UPDATE|INTO|FROM|JOIN|ON|REFERENCES|TRUNCATE)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?"
    rf"({_PART}(?:\s*\.\s*{_PART})?)",
    re.IGNORECASE,
)
"""What else stands behind these words is the name of no table that has a size."""
_MOST: Final = 20


SizesByName = Mapping[str, Sequence[TableSize]]
"""Sizes by the table's own name in lower case: of each schema that has one of that name."""


def by_name(sizes: Iterable[TableSize]) -> SizesByName:
    """Return sizes as `touched` wants them: made once, for every step of a run."""
    found: dict[str, list[TableSize]] = {}
    for size in sizes:
        found.setdefault(size.table.lower(), []).append(size)
    return found


def touched(
    texts: Iterable[str], sizes: SizesByName, *, version_table: str
) -> tuple[TouchedTable, ...]:
    """Return the tables that statements name, as far as it is known how large they are.

    Tables that the same run has made have no size, and are left out.
    """
    found: dict[str, TouchedTable] = {}
    own = version_table.rpartition(".")[2].lower()
    for text in texts:
        for named in _NAMED.findall(text):
            table = table_named(named)
            shown = ".".join(part for part in table if part)
            if shown in found or table[1] == own or len(found) == _MOST:
                continue
            for size in sizes.get(table[1], ()):
                if size.fits(table):
                    found[shown] = TouchedTable(table=shown, bytes=size.bytes, rows=size.rows)
                    break
    return tuple(found.values())


def table_named(text: str) -> Table:
    """Return schema, where one is named, and table of a name, in lower case."""
    parts = [one.strip('"`').lower() for one in re.findall(_PART, text)]
    return (parts[-2] if len(parts) > 1 else None, parts[-1])
