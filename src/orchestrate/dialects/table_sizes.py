"""How large tables are with their indexes: one query each, which reads catalogues and no rows.

Rows of schema or null, table, bytes or null, number of rows or null, and 1 where the name alone
means this table.
"""

from __future__ import annotations

from typing import Final

POSTGRESQL: Final = """\
SELECT namespace.nspname, class.relname,
  CASE class.relkind WHEN 'p' THEN (SELECT CAST(sum(pg_catalog.pg_total_relation_size(part.relid))
      AS bigint) FROM pg_catalog.pg_partition_tree(class.oid) AS part)
    ELSE pg_catalog.pg_total_relation_size(class.oid) END,
  CASE WHEN class.relkind = 'r' THEN CAST(greatest(
    class.reltuples, pg_catalog.pg_stat_get_live_tuples(class.oid)) AS bigint) END,
  CAST(pg_catalog.pg_table_is_visible(class.oid) AS integer)
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p') AND namespace.nspname !~ '^pg_'
  AND namespace.nspname <> 'information_schema'"""

POSTGRESQL_AT_HAND: Final = """\
SELECT namespace.nspname, class.relname,
  CASE WHEN class.relpages > 0 THEN CAST(current_setting('block_size') AS bigint)
    * (class.relpages + COALESCE(toast.relpages, 0) + (
      SELECT COALESCE(sum(behind.relpages), 0) FROM pg_catalog.pg_index AS entry
      JOIN pg_catalog.pg_class AS behind ON behind.oid = entry.indexrelid
      WHERE entry.indrelid = class.oid)) END,
  CAST(CASE WHEN class.reltuples > 0 THEN class.reltuples
    ELSE NULLIF(pg_catalog.pg_stat_get_live_tuples(class.oid), 0) END AS bigint),
  CAST(pg_catalog.pg_table_is_visible(class.oid) AS integer)
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = class.reltoastrelid
WHERE class.relkind = 'r' AND namespace.nspname !~ '^pg_'
  AND namespace.nspname <> 'information_schema'"""
"""As of the last ANALYZE or VACUUM: `pg_total_relation_size` would wait for a lock on the table. A
table that neither has seen has no pages there, which says nothing."""

MYSQL: Final = """\
SELECT table_schema, table_name, data_length + index_length, table_rows, 1
FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema = database()"""

SQLITE: Final = """\
SELECT NULL, item.tbl_name, sum(page.pgsize), NULL, 1
FROM dbstat AS page JOIN sqlite_master AS item ON item.name = page.name
WHERE page.aggregate = 1 AND substr(item.tbl_name, 1, 7) <> 'sqlite_'
GROUP BY item.tbl_name"""
"""`dbstat` is not in every build of SQLite; where it is missing nobody knows the sizes."""
