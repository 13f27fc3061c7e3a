"""PostgreSQL's tables, for generated rows: by its catalogues."""

# ruff: noqa: S608  (texts are put together from constants of this module alone)

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
from orchestrate.domain.table_shapes import ColumnShape, TableName, TableShape, Values

# A partition is filled through its table, what is an extension's is left to it.
_TABLES: Final = """\
class.relkind IN ('r', 'p') AND NOT class.relispartition AND namespace.nspname !~ '^pg_'
  AND namespace.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.deptype = 'e'
    AND depend.classid = CAST('pg_catalog.pg_class' AS regclass) AND depend.objid = class.oid)"""

_FROM: Final = """\
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace"""

_ATTRIBUTES: Final = """\
JOIN pg_catalog.pg_attribute AS attribute
  ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped"""

QUERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tables": f"""\
SELECT namespace.nspname, class.relname, CAST(pg_table_is_visible(class.oid) AS integer)
{_FROM} WHERE {_TABLES}""",
        "columns": f"""\
SELECT namespace.nspname, class.relname, attribute.attname,
  format_type(base.oid, CASE WHEN type.typtype = 'd' THEN type.typtypmod
    ELSE attribute.atttypmod END),
  base.typname, base.typtype, base.typcategory,
  CAST(attribute.attnotnull OR type.typnotnull AS integer),
  COALESCE(pg_get_expr(fallback.adbin, fallback.adrelid), type.typdefault),
  CAST(attribute.attgenerated <> '' AS integer), CAST(attribute.attidentity <> '' AS integer),
  (SELECT CAST(json_agg(label.enumlabel ORDER BY label.enumsortorder) AS text)
    FROM pg_catalog.pg_enum AS label WHERE label.enumtypid = base.oid)
{_FROM}
{_ATTRIBUTES}
JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
JOIN pg_catalog.pg_type AS base
  ON base.oid = CASE WHEN type.typtype = 'd' THEN type.typbasetype ELSE type.oid END
LEFT JOIN pg_catalog.pg_attrdef AS fallback
  ON fallback.adrelid = attribute.attrelid AND fallback.adnum = attribute.attnum
WHERE {_TABLES} ORDER BY 1, 2, attribute.attnum""",
        "keys": f"""\
SELECT namespace.nspname, class.relname, behind.relname,
  pg_get_indexdef(entry.indexrelid, part.number, true)
{_FROM}
JOIN pg_catalog.pg_index AS entry ON entry.indrelid = class.oid AND entry.indisunique
JOIN pg_catalog.pg_class AS behind ON behind.oid = entry.indexrelid
CROSS JOIN LATERAL generate_series(1, CAST(entry.indnkeyatts AS integer)) AS part (number)
WHERE {_TABLES} ORDER BY 1, 2, entry.indisprimary DESC, 3, part.number""",
        "references": f"""\
SELECT namespace.nspname, class.relname, bound.conname, attribute.attname,
  space.nspname, parent.relname, target.attname
{_FROM}
JOIN pg_catalog.pg_constraint AS bound ON bound.conrelid = class.oid AND bound.contype = 'f'
CROSS JOIN LATERAL unnest(bound.conkey, bound.confkey)
  WITH ORDINALITY AS part (own, other, number)
JOIN pg_catalog.pg_attribute AS attribute
  ON attribute.attrelid = class.oid AND attribute.attnum = part.own
JOIN pg_catalog.pg_class AS parent ON parent.oid = bound.confrelid
JOIN pg_catalog.pg_namespace AS space ON space.oid = parent.relnamespace
JOIN pg_catalog.pg_attribute AS target
  ON target.attrelid = parent.oid AND target.attnum = part.other
WHERE {_TABLES} ORDER BY 1, 2, 3, part.number""",
        # A domain's checks speak of `VALUE`, which is each of its columns.
        "checks": f"""\
SELECT namespace.nspname, class.relname, NULL, pg_get_expr(bound.conbin, bound.conrelid)
{_FROM}
JOIN pg_catalog.pg_constraint AS bound ON bound.conrelid = class.oid AND bound.contype = 'c'
WHERE {_TABLES}
UNION ALL
SELECT namespace.nspname, class.relname, quote_ident(attribute.attname),
  pg_get_expr(bound.conbin, 0)
{_FROM}
{_ATTRIBUTES}
JOIN pg_catalog.pg_constraint AS bound
  ON bound.contypid = attribute.atttypid AND bound.contype = 'c'
WHERE {_TABLES}""",
    }
)

_VALUES: Final[Mapping[str, Values]] = MappingProxyType(
    {
        "int2": whole(16),
        "int4": whole(32),
        "int8": whole(64),
        "oid": whole(31, unsigned=True),
        "money": number((10, 2)),
        "float4": REAL,
        "float8": REAL,
        "bool": TRUTH,
        "date": DATE,
        "time": TIME,
        "timetz": TIME,
        "timestamp": MOMENT,
        "timestamptz": MOMENT,
        "uuid": UUID,
        "bytea": Values(kind="bytes"),
        "json": JSON,
        "jsonb": JSON,
        "interval": choice(*(f"{one} days" for one in range(1, 1000))),
        "inet": choice(*(f"10.0.0.{one}" for one in range(1, 255))),
        "cidr": choice(*(f"10.0.{one}.0/24" for one in range(1, 255))),
        "macaddr": choice(*(f"08002b0102{one:02x}" for one in range(255))),
        "tsvector": choice(*(f"word{one}" for one in range(1, 1000))),
        "xml": choice("<a/>"),
        "hstore": choice(""),
    }
)


def shapes(rows: Rows, version_table: str) -> tuple[TableShape, ...]:
    """Return what tables take.

    A version table without a schema is left out of every schema, as it is of the snapshot.
    """
    schema, _, hidden = version_table.rpartition(".")
    tables: dict[TableName, tuple[str, str | None]] = {}
    for one, table, visible in rows["tables"]:
        home, own = text(one), text(table)
        if not (own == hidden and schema in {"", home}):
            tables[home, own] = (own if visible else f"{home}.{own}", None)
    checks: dict[TableName, list[str]] = {}
    for one, table, column, condition in rows["checks"]:
        told = text(condition)
        if column is not None:
            told = told.replace("VALUE", text(column))
        checks.setdefault((text(one), text(table)), []).append(told)
    found: dict[TableName, list[ColumnShape]] = {}
    for name, column in _columns(rows["columns"]):
        found.setdefault(name, []).append(column)
    columns = {name: limited(own, checks.get(name, ())) for name, own in found.items()}
    keys = keys_of(rows["keys"], {name: [one.name for one in own] for name, own in columns.items()})
    return put_together(tables, columns, keys, references_of(rows["references"]))


def _columns(rows: Sequence[Sequence[object]]) -> Iterator[tuple[TableName, ColumnShape]]:
    for row in rows:
        schema, table, name, told, kind, sort, category = (text(one) for one in row[:7])
        required, default, generated, identity, labels = row[7:]
        fallback = optional(default)
        yield (
            (schema, table),
            ColumnShape(
                name=name,
                type=told,
                values=_values(told, kind, sort, category, optional(labels)),
                required=bool(required),
                has_default=fallback is not None and not fallback.startswith("NULL"),
                distinct=bool(identity)
                or (
                    fallback is not None
                    and (fallback.startswith("nextval(") or AT_RANDOM.search(fallback) is not None)
                ),
                computed=bool(generated),
            ),
        )


def _values(told: str, kind: str, sort: str, category: str, labels: str | None) -> Values | None:
    """Return what a type takes, by its name, what sort it is of and its category."""
    if labels is not None:
        return choice(*json.loads(labels))
    if category == "A":
        return choice("{}")
    if sort in {"r", "m"}:
        return choice("empty" if sort == "r" else "{}")
    _, numbers = type_parts(told)
    if kind == "numeric":
        return number(numbers)
    if kind in _VALUES:
        return _VALUES[kind]
    if category == "V":
        return choice(*(f"{one:0{numbers[0] if numbers else 1}b}" for one in range(2)))
    return letters(numbers, fixed=kind == "bpchar") if category == "S" else None


def _written(quoted: str, column: ColumnShape | None) -> str:
    del column
    return f"quote_literal(CAST({quoted} AS text))"


FILLING: Final = Filling(
    queries=QUERIES,
    shapes=shapes,
    written=_written,
    truth=("true", "false"),
    binary="decode('{hex}', 'hex')",
    quote='"',
    no_columns="DEFAULT VALUES",
)
