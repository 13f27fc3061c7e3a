"""PostgreSQL's snapshot queries: rows of (kind, schema, table or null, name or null, definition).

The server writes the definitions, with its own `pg_get_…def` functions and an empty search path, so
that every name outside `pg_catalog` is qualified, whoever asks. What belongs to an extension
is left out: the extension itself, with its version, stands for it. So are owners and
grants, statistics, and the current value of sequences. Columns of catalogues that PostgreSQL 12
does not have are read through `to_jsonb`, which gives null for a key that is not there.
"""

# ruff: noqa: S608  (texts are put together from constants of this module alone)

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NOT_OURS = "namespace.nspname !~ '^pg_' AND namespace.nspname <> 'information_schema'"


def _free(catalogue: str, oid: str) -> str:
    """Return the condition that an object belongs to no extension."""
    return (
        "NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.deptype = 'e'"
        f" AND depend.classid = CAST('pg_catalog.{catalogue}' AS regclass)"
        f" AND depend.objid = {oid})"
    )


def _comment(catalogue: str, oid: str, column: str = "0") -> str:
    """Return the join that gives an object's comment as `comment.description`."""
    return (
        "LEFT JOIN pg_description AS comment"
        f" ON comment.classoid = CAST('pg_catalog.{catalogue}' AS regclass)"
        f" AND comment.objoid = {oid} AND comment.objsubid = {column}"
    )


_COMMENT = "'COMMENT ' || quote_literal(comment.description)"

_SCHEMAS: Final = f"""\
SELECT 'schema', NULL, NULL, namespace.nspname, concat_ws(' ', {_COMMENT})
FROM pg_namespace AS namespace {_comment("pg_namespace", "namespace.oid")}
WHERE {_NOT_OURS} AND {_free("pg_namespace", "namespace.oid")}"""

_EXTENSIONS: Final = """\
SELECT 'extension', NULL, NULL, extension.extname,
  concat_ws(' ', 'VERSION', extension.extversion, 'SCHEMA', quote_ident(namespace.nspname))
FROM pg_extension AS extension
JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace"""

_TABLES: Final = f"""\
SELECT
  CASE class.relkind WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view'
    WHEN 'm' THEN 'materialized view' ELSE 'table' END,
  namespace.nspname, class.relname, NULL,
  concat_ws(' ',
    CASE class.relpersistence WHEN 'u' THEN 'UNLOGGED' END,
    'OF ' || CAST(CAST(NULLIF(class.reloftype, 0) AS regtype) AS text),
    (SELECT 'INHERITS (' || string_agg(CAST(CAST(inherits.inhparent AS regclass) AS text), ', '
        ORDER BY inherits.inhseqno) || ')'
      FROM pg_inherits AS inherits
      WHERE inherits.inhrelid = class.oid AND NOT class.relispartition),
    (SELECT 'PARTITION OF ' || CAST(CAST(inherits.inhparent AS regclass) AS text)
      FROM pg_inherits AS inherits
      WHERE inherits.inhrelid = class.oid AND class.relispartition),
    pg_get_expr(class.relpartbound, class.oid),
    'PARTITION BY ' || CASE class.relkind WHEN 'p' THEN pg_get_partkeydef(class.oid) END,
    (SELECT 'SERVER ' || quote_ident(server.srvname)
        || COALESCE(' OPTIONS (' || array_to_string(remote.ftoptions, ', ') || ')', '')
      FROM pg_foreign_table AS remote
      JOIN pg_foreign_server AS server ON server.oid = remote.ftserver
      WHERE remote.ftrelid = class.oid),
    (SELECT 'USING ' || quote_ident(method.amname) FROM pg_am AS method
      WHERE method.oid = class.relam AND method.amname <> 'heap'),
    'WITH (' || array_to_string(class.reloptions, ', ') || ')',
    'TABLESPACE ' || (SELECT quote_ident(space.spcname) FROM pg_tablespace AS space
      WHERE space.oid = class.reltablespace),
    CASE class.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL'
      WHEN 'n' THEN CASE WHEN class.relkind <> 'v' THEN 'REPLICA IDENTITY NOTHING' END END,
    CASE WHEN class.relrowsecurity THEN 'ROW LEVEL SECURITY' END,
    CASE WHEN class.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END,
    'AS ' || CASE WHEN class.relkind IN ('v', 'm') THEN pg_get_viewdef(class.oid) END,
    CASE WHEN class.relkind = 'm' AND NOT class.relispopulated THEN 'WITH NO DATA' END,
    {_COMMENT})
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
{_comment("pg_class", "class.oid")}
WHERE class.relkind IN ('r', 'p', 'f', 'v', 'm') AND {_NOT_OURS}
  AND {_free("pg_class", "class.oid")}"""

_SEQUENCE_OPTIONS = """\
  concat_ws(' ', 'AS', format_type(sequence.seqtypid, NULL),
    'START', sequence.seqstart, 'INCREMENT', sequence.seqincrement,
    'MINVALUE', sequence.seqmin, 'MAXVALUE', sequence.seqmax, 'CACHE', sequence.seqcache,
    CASE WHEN sequence.seqcycle THEN 'CYCLE' END)"""

# The sequence behind an identity column is the column's: it cannot be changed by its own name.
_COLUMNS: Final = f"""\
SELECT 'column', namespace.nspname, class.relname, attribute.attname,
  concat_ws(' ',
    format_type(attribute.atttypid, attribute.atttypmod),
    CASE WHEN attribute.attcollation <> type.typcollation THEN
      (SELECT 'COLLATE ' || quote_ident(space.nspname) || '.' || quote_ident(coll.collname)
        FROM pg_collation AS coll
        JOIN pg_namespace AS space ON space.oid = coll.collnamespace
        WHERE coll.oid = attribute.attcollation) END,
    CASE WHEN attribute.attnotnull THEN 'NOT NULL' END,
    CASE attribute.attgenerated WHEN '' THEN 'DEFAULT ' ELSE 'GENERATED ALWAYS AS (' END
      || pg_get_expr(fallback.adbin, fallback.adrelid)
      || CASE attribute.attgenerated WHEN 's' THEN ') STORED' WHEN 'v' THEN ') VIRTUAL'
           ELSE '' END,
    CASE attribute.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY'
      WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
    identity.options,
    CASE WHEN attribute.attstorage <> type.typstorage THEN
      'STORAGE ' || CASE attribute.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
        WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
    'COMPRESSION ' || NULLIF(to_jsonb(attribute) ->> 'attcompression', ''),
    'STATISTICS ' || NULLIF(attribute.attstattarget, -1),
    'WITH (' || array_to_string(attribute.attoptions, ', ') || ')',
    'OPTIONS (' || array_to_string(attribute.attfdwoptions, ', ') || ')',
    {_COMMENT})
FROM pg_attribute AS attribute
JOIN pg_class AS class ON class.oid = attribute.attrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
JOIN pg_type AS type ON type.oid = attribute.atttypid
LEFT JOIN pg_attrdef AS fallback
  ON fallback.adrelid = attribute.attrelid AND fallback.adnum = attribute.attnum
LEFT JOIN LATERAL (
  SELECT '(' || {_SEQUENCE_OPTIONS.strip()} || ')' AS options
  FROM pg_depend AS depend
  JOIN pg_sequence AS sequence ON sequence.seqrelid = depend.objid
  WHERE attribute.attidentity <> '' AND depend.deptype = 'i'
    AND depend.classid = CAST('pg_catalog.pg_class' AS regclass)
    AND depend.refclassid = CAST('pg_catalog.pg_class' AS regclass)
    AND depend.refobjid = attribute.attrelid AND depend.refobjsubid = attribute.attnum
) AS identity ON true
{_comment("pg_class", "attribute.attrelid", "attribute.attnum")}
WHERE class.relkind IN ('r', 'p', 'f') AND attribute.attnum > 0 AND NOT attribute.attisdropped
  AND {_NOT_OURS} AND {_free("pg_class", "class.oid")}
ORDER BY class.oid, attribute.attnum"""

# A view's columns are in its definition; what may be set beside it is a default and a comment.
_VIEW_COLUMNS: Final = f"""\
SELECT 'column', namespace.nspname, class.relname, attribute.attname,
  concat_ws(' ', 'DEFAULT ' || pg_get_expr(fallback.adbin, fallback.adrelid), {_COMMENT})
FROM pg_attribute AS attribute
JOIN pg_class AS class ON class.oid = attribute.attrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_attrdef AS fallback
  ON fallback.adrelid = attribute.attrelid AND fallback.adnum = attribute.attnum
{_comment("pg_class", "attribute.attrelid", "attribute.attnum")}
WHERE class.relkind IN ('v', 'm') AND attribute.attnum > 0
  AND (fallback.oid IS NOT NULL OR comment.description IS NOT NULL)
  AND {_NOT_OURS} AND {_free("pg_class", "class.oid")}"""

_INDEX_STATE = """\
    CASE WHEN NOT entry.indisvalid THEN 'INVALID' END,
    CASE WHEN NOT entry.indisready THEN 'NOT READY' END,
    CASE WHEN entry.indisclustered THEN 'CLUSTERED' END,
    CASE WHEN entry.indisreplident THEN 'REPLICA IDENTITY' END"""

# 'n' is left out: PostgreSQL 18 keeps a column's NOT NULL there as well. 't' is in the triggers.
_CONSTRAINTS: Final = f"""\
SELECT 'constraint', namespace.nspname, class.relname, bound.conname,
  concat_ws(' ', pg_get_constraintdef(bound.oid),
    CASE WHEN bound.connoinherit AND bound.contype = 'c' THEN 'NO INHERIT' END,
    'WITH (' || array_to_string(behind.reloptions, ', ') || ')',
{_INDEX_STATE},
    {_COMMENT})
FROM pg_constraint AS bound
JOIN pg_class AS class ON class.oid = bound.conrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_class AS behind
  ON behind.oid = bound.conindid AND bound.contype IN ('p', 'u', 'x')
LEFT JOIN pg_index AS entry ON entry.indexrelid = behind.oid
{_comment("pg_constraint", "bound.oid")}
WHERE bound.contype IN ('c', 'f', 'p', 'u', 'x') AND {_NOT_OURS}
  AND {_free("pg_class", "class.oid")}"""

_INDEXES: Final = f"""\
SELECT 'index', namespace.nspname, class.relname, behind.relname,
  concat_ws(' ',
    regexp_replace(pg_get_indexdef(entry.indexrelid), '^CREATE (UNIQUE )?INDEX .*? ON (ONLY )?'
      || '.*? USING ', CASE WHEN entry.indisunique THEN 'UNIQUE ' ELSE '' END),
{_INDEX_STATE},
    'TABLESPACE ' || (SELECT quote_ident(space.spcname) FROM pg_tablespace AS space
      WHERE space.oid = behind.reltablespace),
    {_COMMENT})
FROM pg_index AS entry
JOIN pg_class AS behind ON behind.oid = entry.indexrelid
JOIN pg_class AS class ON class.oid = entry.indrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
{_comment("pg_class", "entry.indexrelid")}
WHERE {_NOT_OURS} AND {_free("pg_class", "class.oid")}
  AND NOT EXISTS (SELECT FROM pg_constraint AS bound
    WHERE bound.conindid = entry.indexrelid AND bound.contype IN ('p', 'u', 'x'))"""

_SEQUENCES: Final = f"""\
SELECT 'sequence', namespace.nspname, NULL, class.relname,
  concat_ws(' ', CASE class.relpersistence WHEN 'u' THEN 'UNLOGGED' END,
    {_SEQUENCE_OPTIONS.strip()},
    (SELECT 'OWNED BY ' || CAST(CAST(depend.refobjid AS regclass) AS text) || '.'
        || quote_ident(attribute.attname)
      FROM pg_depend AS depend
      JOIN pg_attribute AS attribute
        ON attribute.attrelid = depend.refobjid AND attribute.attnum = depend.refobjsubid
      WHERE depend.classid = CAST('pg_catalog.pg_class' AS regclass)
        AND depend.objid = class.oid AND depend.deptype = 'a'
        AND depend.refclassid = CAST('pg_catalog.pg_class' AS regclass)),
    {_COMMENT})
FROM pg_sequence AS sequence
JOIN pg_class AS class ON class.oid = sequence.seqrelid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
{_comment("pg_class", "class.oid")}
WHERE {_NOT_OURS} AND {_free("pg_class", "class.oid")}
  AND NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.deptype = 'i'
    AND depend.classid = CAST('pg_catalog.pg_class' AS regclass) AND depend.objid = class.oid)"""

_TYPES: Final = f"""\
SELECT CASE type.typtype WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' ELSE 'type' END,
  namespace.nspname, NULL, type.typname,
  concat_ws(' ',
    CASE type.typtype
      WHEN 'e' THEN (SELECT '(' || string_agg(quote_literal(label.enumlabel), ', '
          ORDER BY label.enumsortorder) || ')'
        FROM pg_enum AS label WHERE label.enumtypid = type.oid)
      WHEN 'd' THEN format_type(type.typbasetype, type.typtypmod)
      WHEN 'c' THEN (SELECT '(' || string_agg(quote_ident(attribute.attname) || ' '
          || format_type(attribute.atttypid, attribute.atttypmod), ', '
          ORDER BY attribute.attnum) || ')'
        FROM pg_attribute AS attribute
        WHERE attribute.attrelid = type.typrelid AND attribute.attnum > 0
          AND NOT attribute.attisdropped)
      WHEN 'r' THEN (SELECT 'RANGE OF ' || format_type(range.rngsubtype, NULL)
        FROM pg_range AS range WHERE range.rngtypid = type.oid)
      ELSE 'BASE' END,
    CASE WHEN type.typtype = 'd' AND type.typcollation <> base.typcollation THEN
      (SELECT 'COLLATE ' || quote_ident(space.nspname) || '.' || quote_ident(coll.collname)
        FROM pg_collation AS coll JOIN pg_namespace AS space ON space.oid = coll.collnamespace
        WHERE coll.oid = type.typcollation) END,
    CASE WHEN type.typtype = 'd' THEN 'DEFAULT ' || type.typdefault END,
    CASE WHEN type.typnotnull THEN 'NOT NULL' END,
    (SELECT string_agg('CONSTRAINT ' || quote_ident(bound.conname) || ' '
        || pg_get_constraintdef(bound.oid), ' ' ORDER BY bound.conname)
      FROM pg_constraint AS bound
      WHERE bound.contypid = type.oid AND bound.contype = 'c'),
    {_COMMENT})
FROM pg_type AS type
JOIN pg_namespace AS namespace ON namespace.oid = type.typnamespace
LEFT JOIN pg_type AS base ON base.oid = type.typbasetype
LEFT JOIN pg_class AS class ON class.oid = type.typrelid
{_comment("pg_type", "type.oid")}
WHERE type.typtype IN ('d', 'e', 'c', 'r', 'b') AND type.typisdefined
  AND (class.oid IS NULL OR class.relkind = 'c')
  AND NOT (type.typtype = 'b' AND type.typelem <> 0 AND type.typlen = -1)
  AND {_NOT_OURS} AND {_free("pg_type", "type.oid")}"""

QUERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # For the transaction only; everything below is written with it in force.
        "settings": "SELECT set_config('search_path', 'pg_catalog', true)",
        "schemas": _SCHEMAS,
        "extensions": _EXTENSIONS,
        "tables": _TABLES,
        "columns": _COLUMNS,
        "view_columns": _VIEW_COLUMNS,
        "constraints": _CONSTRAINTS,
        "indexes": _INDEXES,
        "sequences": _SEQUENCES,
        "types": _TYPES,
    }
)
