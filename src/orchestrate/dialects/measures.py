"""What is measured of a step on a clone: locks, tables rewritten, bytes, what columns hold. Texts.

Every query reads only. `{pid}` stands for the server's session number of env.py's connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.domain.rehearsals import Contents
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The queries of one dialect; None where the server does not tell."""

    locks: str | None
    """Rows of schema or null, table, mode: what a session holds now."""
    whole_file: str | None
    """How the lock is called that a writing transaction has on everything, where there is one."""
    files: str | None
    """Rows of schema or null, table, something that changes when the table is written anew."""
    written: str | None
    """One row, one number: bytes written so far, of which the difference counts."""
    size: str
    """One row, one number: the bytes of the database."""
    columns: str
    """Rows of schema or null, table, column, in the order of the columns."""
    value: str
    """An aggregate over `{column}` that changes with what stands in it, whatever the order."""
    quote: str

    def contents(self, columns: Sequence[Sequence[object]]) -> tuple[Mapping[str, str], _Places]:
        """Return one query a table, by a name each, and which place each value belongs to."""
        tables: dict[tuple[str | None, str], list[str]] = {}
        for schema, table, column in columns:
            key = (None if schema is None else text(schema), text(table))
            tables.setdefault(key, []).append(text(column))
        queries: dict[str, str] = {}
        places: dict[str, list[tuple[str, str]]] = {}
        for number, ((schema, table), names) in enumerate(sorted(tables.items(), key=repr)):
            shown = table if schema is None else f"{schema}.{table}"
            parts = ["count(*)"]
            for name in names:
                quoted = self._quoted(name)
                parts += [f"count({quoted})", self.value.replace("{column}", quoted)]
            source = ".".join(self._quoted(part) for part in (schema, table) if part is not None)
            queries[str(number)] = f"SELECT {', '.join(parts)} FROM {source}"  # noqa: S608  (quoted)
            places[str(number)] = [(shown, ""), *((shown, name) for name in names)]
        return queries, places

    def _quoted(self, name: str) -> str:
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"


_Places = Mapping[str, Sequence[tuple[str, str]]]


def contents_from(places: _Places, rows: Mapping[str, Sequence[Sequence[object]]]) -> Contents:
    """Return the fingerprints that the rows of `Measures.contents` give."""
    found: Contents = {}
    for name, keys in places.items():
        values = [str(one) for one in rows[name][0]]
        found[keys[0]] = values[0]
        for index, key in enumerate(keys[1:]):
            found[key] = " ".join(values[1 + 2 * index : 3 + 2 * index])
    return found


_ORDINARY: Final = "namespace.nspname !~ '^pg_' AND namespace.nspname <> 'information_schema'"

POSTGRESQL: Final = Measures(
    locks=f"""\
SELECT namespace.nspname, class.relname, held.mode
FROM pg_catalog.pg_locks AS held
JOIN pg_catalog.pg_class AS class ON class.oid = held.relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE held.pid = {{pid}} AND held.locktype = 'relation' AND held.granted
  AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND held.mode <> 'AccessShareLock' AND class.relkind IN ('r', 'p', 'm') AND {_ORDINARY}""",  # noqa: S608
    whole_file=None,
    files=f"""\
SELECT namespace.nspname, class.relname, pg_catalog.pg_relation_filenode(class.oid)
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'm') AND {_ORDINARY}""",  # noqa: S608
    written="SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')",
    size="SELECT pg_catalog.pg_database_size(current_database())",
    columns=f"""\
SELECT namespace.nspname, class.relname, attribute.attname
FROM pg_catalog.pg_attribute AS attribute
JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind = 'r' AND attribute.attnum > 0 AND NOT attribute.attisdropped AND {_ORDINARY}
ORDER BY 1, 2, attribute.attnum""",  # noqa: S608
    # Of the server's own functions, this one is there in every version.
    value="sum(pg_catalog.hashtext(CAST({column} AS text)))",
    quote='"',
)

SQLITE: Final = Measures(
    locks=None,
    whole_file="the whole file",
    files="SELECT NULL, name, rootpage FROM sqlite_master WHERE type = 'table'",
    written="SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    size="SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    columns=(
        "SELECT NULL, item.name, part.name FROM sqlite_master AS item"
        " JOIN pragma_table_info(item.name) AS part WHERE item.type = 'table'"
        " AND substr(item.name, 1, 7) <> 'sqlite_' ORDER BY item.name, part.cid"
    ),
    # SQLite has no hash: length, first character and value, summed.
    value="total(length({column})) || ' ' || total(unicode({column})) || ' ' || total({column})",
    quote='"',
)

MYSQL: Final = Measures(
    # Metadata locks are told by a plugin or a schema that few have switched on.
    locks=None,
    whole_file=None,
    files=None,
    written=None,
    size=(
        "SELECT sum(data_length + index_length) FROM information_schema.tables"
        " WHERE table_schema = database()"
    ),
    columns=(
        "SELECT NULL, part.table_name, part.column_name FROM information_schema.columns AS part"
        " JOIN information_schema.tables AS item ON item.table_schema = part.table_schema"
        " AND item.table_name = part.table_name WHERE part.table_schema = database()"
        " AND item.table_type = 'BASE TABLE' ORDER BY part.table_name, part.ordinal_position"
    ),
    value="sum(crc32({column}))",
    quote="`",
)
