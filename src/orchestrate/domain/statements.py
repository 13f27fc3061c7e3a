"""SQL statements as values: what a statement does to which table, without its texts and comments.

Owns the words that rules read. Must not know a server: dialects say what a statement costs.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrate.values import dataclass

Table = tuple[str | None, str]
"""Schema, where one is named, and name; as the SQL spells them, without quotes."""


def keywords(text: str) -> frozenset[str]:
    """Return the words of a text, as a set to look words up in."""
    return frozenset(text.split())


def said(table: Table) -> str:
    """Return a table as people write it: `public.orders`."""
    return ".".join(part for part in table if part is not None)


@dataclass(frozen=True, slots=True)
class Words:
    """A row of words: `keys` to compare, `texts` to show, one of each a word.

    A key is a bare word in upper case, a sign, `''` for a text, `""` for a quoted name, `0` for a
    number, so that a column called "drop" is not taken for the keyword.
    """

    keys: tuple[str, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def cut(self, start: int, end: int | None = None) -> Words:
        """Return a part of the row."""
        return Words(self.keys[start:end], self.texts[start:end])

    def begins(self, *keys: str) -> bool:
        """Return whether these are the first words."""
        return self.keys[: len(keys)] == keys

    def find(self, *keys: str) -> int | None:
        """Return where these words stand one after another for the first time, or None."""
        width = len(keys)
        for start in range(len(self.keys) - width + 1):
            if self.keys[start : start + width] == keys:
                return start
        return None

    def has(self, *keys: str) -> bool:
        """Return whether these words stand one after another somewhere."""
        return self.find(*keys) is not None

    def has_any(self, keys: Iterable[str]) -> bool:
        """Return whether one of these words is there."""
        return not set(keys).isdisjoint(self.keys)

    def __str__(self) -> str:
        return " ".join(self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. What could not be read has a verb and nothing else."""

    verb: str
    """`CREATE`, `ALTER`, `DROP`, `TRUNCATE`, `DELETE`, `UPDATE`, `INSERT`, `SELECT`, …"""
    kind: str
    """What is created, altered or dropped: `TABLE`, `INDEX`, `VIEW`; empty for others."""
    modifiers: tuple[str, ...]
    """Words between verb and kind: `UNIQUE`, `TEMPORARY`, `MATERIALIZED`; and `CONCURRENTLY`."""
    tables: tuple[Table, ...]
    """Tables that it is about; for an index the table that has it."""
    name: str
    """Of an index or another object that is no table."""
    actions: tuple[Words, ...]
    """What `ALTER` does, each by itself; what stands after the name for other statements."""
    words: Words
    outside: bool
    """It stands between a `COMMIT` and the next `BEGIN` of the same text."""

    @property
    def table(self) -> Table | None:
        """Return the first table, if there is one."""
        return self.tables[0] if self.tables else None

    def is_a(self, verb: str, kind: str) -> bool:
        """Return whether it is `CREATE INDEX`, for one."""
        return self.verb == verb and self.kind == kind
