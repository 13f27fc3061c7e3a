"""What a statement does to others while it runs, and how large the tables are."""

from __future__ import annotations

import re
from typing import Final, Literal

from orchestrate.domain.revision_source import TypeText
from orchestrate.domain.statements import Table, said
from orchestrate.values import dataclass

EffectCode = Literal["rewrites-table", "checks-table", "blocks-writes", "required-column"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something that a statement does to a table while others want to work with it."""

    code: EffectCode
    table: Table
    lock: str
    """The lock's name with the server: `ACCESS EXCLUSIVE`."""
    keeps_out: str
    """Who waits meanwhile: `reads and writes`, `writes`."""
    meanwhile: str
    """What takes so long: `rewritten`, `read in full`, `the index is built`."""
    hint: str
    beside: Table | None = None
    """A second table under the same lock: the one that a foreign key refers to."""
    only_large: bool = False
    """Not worth a word unless the table is known to be large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """How large a table is with its indexes, as the server tells without reading it."""

    schema: str | None
    table: str
    bytes: int | None
    rows: int | None
    unqualified: bool
    """Whether the name alone means this table."""

    def fits(self, table: Table) -> bool:
        """Return whether this is the table that a statement names."""
        schema, name = table
        same = self.unqualified if schema is None else self.schema in {schema, None}
        return same and self.table.lower() == name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedTable:
    """A table that a step names, and how large it was before the run."""

    table: str
    """As the statement names it, in lower case: without a schema where it says none."""
    bytes: int | None
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retyping:
    """A column's type before and after, as the revision writes them; None where it does not."""

    before: TypeText | None = None
    after: TypeText | None = None


UNKNOWN: Final = Retyping()
_NUMBERS: Final = re.compile(r"\d+")


def version_numbers(version: str | None) -> tuple[int, ...] | None:
    """Return `(15, 18)` of `PostgreSQL 15.18`; None where nothing is known."""
    found = tuple(int(one) for one in _NUMBERS.findall(version or ""))
    return found or None


def at_least(version: str | None, *wanted: int) -> bool:
    """Return whether a server is that new; one that nobody named is."""
    found = version_numbers(version)
    return found is None or found >= wanted


def tables_said(effect: Effect) -> str:
    """Return the tables of an effect for people."""
    return " and ".join(said(one) for one in (effect.table, effect.beside) if one is not None)
