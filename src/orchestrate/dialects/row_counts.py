"""How many rows tables have, by what a server can tell without reading them all. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from orchestrate.values import dataclass


class RowCounts(Protocol):
    """What a dialect knows of counting rows."""

    @property
    def exact(self) -> bool:
        """Return whether it is a count; else the server's estimate."""

    def queries(self, tables: Sequence[str]) -> Mapping[str, str]:
        """Return named, read-only queries about tables that exist.

        Each gives rows of schema or null, table, number or null, and 1 where the name alone means
        this table. More tables than were asked for are no harm.
        """


@dataclass(frozen=True, slots=True)
class Estimated:
    """One query to the catalogue tells of all tables."""

    text: str
    exact: bool = False

    def queries(self, tables: Sequence[str]) -> Mapping[str, str]:
        """Return the one query."""
        return {"rows": self.text} if tables else {}


@dataclass(frozen=True, slots=True)
class Counted:
    """SQLite keeps no number: rows are counted, and only so far."""

    exact: bool = True

    def queries(self, tables: Sequence[str]) -> Mapping[str, str]:
        """Return a query for each table whose name can stand in a text of ours."""
        return {
            name: f"SELECT NULL, '{name}', (SELECT count(*) FROM "  # noqa: S608  (no quote in it)
            f'(SELECT 1 FROM "{name}" LIMIT {_MOST})), 1'
            for name in tables
            if _HARMLESS.fullmatch(name)
        }


_MOST: Final = 10_000_000
_HARMLESS: Final = re.compile(r"[\w$ -]+")

POSTGRESQL: Final = Estimated(
    """\
SELECT namespace.nspname, class.relname,
  CASE WHEN class.relkind = 'r' THEN CAST(greatest(
    class.reltuples, pg_catalog.pg_stat_get_live_tuples(class.oid)) AS bigint) END,
  CAST(pg_catalog.pg_table_is_visible(class.oid) AS integer)
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p') AND namespace.nspname !~ '^pg_'
  AND namespace.nspname <> 'information_schema'"""
)
"""`reltuples` is -1, or 0, until the table is analysed; the statistics know of its rows earlier."""

MYSQL: Final = Estimated(
    """\
SELECT table_schema, table_name, table_rows,
  CASE WHEN table_schema = database() THEN 1 ELSE 0 END
FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema = database()"""
)
