"""MariaDB's and MySQL's tables, for generated rows: by the rows of information_schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.canonical import optional, text
from orchestrate.dialects.checks import limited
from orchestrate.dialects.filling import (
    AT_RANDOM,
    DATE,
    JSON,
    MOMENT,
    REAL,
    TIME,
    TRUTH,
    UUID,
    Filling,
    Rows,
    choice,
    keys_of,
    letters,
    number,
    put_together,
    references_of,
    type_parts,
    whole,
)
from orchestrate.dialects.mysql_queries import QUERIES as SCHEMA
from orchestrate.domain.table_shapes import ColumnShape, TableName, TableShape, Values

QUERIES: Final[Mapping[str, str]] = MappingProxyType(
    {name: SCHEMA[name] for name in ("tables", "columns", "indexes", "foreign_keys", "checks")}
)

_BITS: Final = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_LABEL: Final = re.compile(r"'((?:[^']|'')*)'")
_TABLE_KINDS: Final = frozenset({"BASE TABLE", "SYSTEM VERSIONED"})
_OTHERS: Final[Mapping[str, Values]] = MappingProxyType(
    {
        "date": DATE,
        "time": TIME,
        "datetime": MOMENT,
        "timestamp": MOMENT,
        "json": JSON,
        "double": REAL,
        "float": REAL,
        "tinytext": letters((255,)),
        "text": letters(()),
        "mediumtext": letters(()),
        "longtext": letters(()),
        "tinyblob": Values(kind="bytes"),
        "blob": Values(kind="bytes"),
        "mediumblob": Values(kind="bytes"),
        "longblob": Values(kind="bytes"),
        "uuid": UUID,
        "year": Values(kind="whole", low=Decimal(2001), high=Decimal(2100)),
        "inet4": choice(*(f"10.0.0.{one}" for one in range(1, 255))),
        "inet6": choice(*(f"fd00::{one:x}" for one in range(1, 255))),
    }
)


def shapes(rows: Rows, version_table: str) -> tuple[TableShape, ...]:
    """Return what tables take."""
    hidden = version_table.rpartition(".")[2]
    names = [
        text(row[0])
        for row in rows["tables"]
        if text(row[1]) in _TABLE_KINDS and text(row[0]) != hidden
    ]
    checks = [(text(row[0]), text(row[2]), optional(row[3])) for row in rows["checks"]]
    columns: dict[TableName, Sequence[ColumnShape]] = {
        (None, table): limited(
            tuple(_columns(rows["columns"], table)),
            [
                _condition(clause)
                for owner, clause, enforced in checks
                if owner == table and enforced != "NO"
            ],
        )
        for table in names
    }
    keys = keys_of(
        [
            (None, row[0], row[1], row[3] if row[3] is not None else row[8])
            for row in rows["indexes"]
            if text(row[2]) == "0"
        ],
        {name: [one.name for one in found] for name, found in columns.items()},
    )
    references = references_of(
        [(None, row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows["foreign_keys"]]
    )
    tables: dict[TableName, tuple[str, str | None]] = {(None, name): (name, None) for name in names}
    return put_together(tables, columns, keys, references)


def _condition(clause: str) -> str:
    """Return a check with its quotes doubled: MySQL escapes the text as a whole, MariaDB quotes."""
    whole_text = "_utf8mb4\\'" in clause or "_latin1\\'" in clause
    return clause.replace("\\'", "'" if whole_text else "''")


def _columns(rows: Sequence[Sequence[object]], table: str) -> Iterator[ColumnShape]:
    for owner, name, kind, _, nullable, default, extra, generated, *_ in rows:
        if text(owner) != table:
            continue
        told, more = optional(default), (optional(extra) or "").lower()
        yield ColumnShape(
            name=text(name),
            type=text(kind),
            values=_values(text(kind)),
            required=text(nullable) == "NO",
            # MariaDB says `NULL` where a column without a default may be null.
            has_default=told is not None and told.upper() != "NULL",
            distinct="auto_increment" in more
            or (told is not None and AT_RANDOM.search(told) is not None),
            computed=bool(optional(generated)) or " generated" in more.replace("default_", ""),
        )


def _values(told: str) -> Values | None:
    name, numbers = type_parts(told)
    unsigned = "unsigned" in told.lower()
    if told.lower().startswith("tinyint(1)"):
        return TRUTH
    if name in {"enum", "set"}:
        return choice(*(one.replace("''", "'") for one in _LABEL.findall(told)))
    bare = name.split()[0]
    if bare in _BITS:
        return whole(_BITS[bare], unsigned=unsigned)
    if bare == "decimal":
        return number(numbers or (10,), unsigned=unsigned)
    return _of_length(bare, numbers) or _OTHERS.get(bare)


def _of_length(name: str, numbers: Sequence[int]) -> Values | None:
    first = numbers[0] if numbers else 1
    match name:
        case "bit":
            return whole(min(first, 32), unsigned=True)
        case "char" | "varchar":
            return letters(numbers, fixed=name == "char")
        case "binary" | "varbinary":
            shortest = first if name == "binary" else 0
            return Values(kind="bytes", length=first, shortest=shortest)
    return None


def _written(quoted: str, column: ColumnShape | None) -> str:
    if column is not None and column.values is not None and column.values.kind == "bytes":
        return f"CONCAT('0x', HEX({quoted}))"
    return f"QUOTE({quoted})"


FILLING: Final = Filling(
    queries=QUERIES,
    shapes=shapes,
    written=_written,
    truth=("1", "0"),
    binary="X'{hex}'",
    quote="`",
    no_columns="() VALUES ()",
    backslashes=True,
)
