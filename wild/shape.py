"""What a database looks like, read without anything of ours, Alembic's or SQLAlchemy's.

Owns the comparison by which two upgrades are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.support.databases import Database

# A name of an object to the text that describes it.
Shape = dict[str, str]

_SQLITE: Final = """
    SELECT type || ' ' || name, sql FROM sqlite_master
    WHERE name NOT LIKE 'sqlite_%' AND sql IS NOT NULL
"""
_POSTGRESQL: Final = (
    """
    SELECT 'column ' || table_schema || '.' || table_name || '.' || column_name,
        concat_ws(' ', ordinal_position, udt_name, character_maximum_length,
                  numeric_precision, numeric_scale, is_nullable, column_default, is_identity,
                  generation_expression)
    FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
    """,
    """
    SELECT 'constraint ' || conrelid::regclass || '.' || conname,
        pg_get_constraintdef(oid) || convalidated
    FROM pg_constraint WHERE conrelid >= 16384
    """,
    """
    SELECT 'index ' || indexrelid::regclass, pg_get_indexdef(indexrelid) || indisvalid
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE indrelid >= 16384 AND relkind <> 't'
    """,
    """
    SELECT 'enum ' || enumtypid::regtype || '.' || enumlabel, '' FROM pg_enum
    """,
    """
    SELECT 'function ' || oid::regprocedure, prosrc FROM pg_proc WHERE oid >= 16384
    """,
    """
    SELECT 'view ' || oid::regclass, pg_get_viewdef(oid)
    FROM pg_class WHERE relkind IN ('v', 'm') AND oid >= 16384
    """,
    """
    SELECT 'sequence ' || oid::regclass, '' FROM pg_class WHERE relkind = 'S' AND oid >= 16384
    """,
    """
    SELECT 'trigger ' || tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    """,
)


def of(database: Database) -> Shape:
    """Return every object of a database, and the rows of its version tables."""
    found: Shape = {}
    if database.dialect == "sqlite":
        if not database.path.exists():
            return {}
        found.update((name, _parts(text)) for name, text in database.rows(_SQLITE))
    elif database.dialect == "postgresql":
        for query in _POSTGRESQL:
            found.update((name, text or "") for name, text in database.rows(query))
    else:
        for table in database.tables():
            (row,) = database.rows(f"SHOW CREATE TABLE `{table}`")
            found[f"table {table}"] = _parts(row[1])
    for table in database.tables():
        found[f"columns {table}"] = " ".join(database.columns(table))
        if table.startswith("alembic_version"):
            found[f"rows {table}"] = " ".join(database.heads(version_table=table))
    return found


def _parts(statement: str) -> str:
    """Return a CREATE statement with what is between its parentheses in one order.

    Alembic copies a table's keys and constraints in the order of a set, another one in each run.
    """
    head, _, rest = " ".join(statement.split()).partition("(")
    body, _, tail = rest.rpartition(")")
    parts = sorted(part.strip() for part in body.split(","))
    return f"{head}({', '.join(parts)}){tail}"


def difference(found: Shape, wanted: Shape, known: Sequence[str] = ()) -> str:
    """Return the first few things in which two shapes differ, or nothing; `known` ones may."""
    names = sorted(
        name
        for name in (found.keys() | wanted.keys()) - set(known)
        if found.get(name) != wanted.get(name)
    )
    told = [f"{name}: {found.get(name)!r}, not {wanted.get(name)!r}" for name in names[:5]]
    more = [f"and {len(names) - len(told)} more"] if len(names) > len(told) else []
    return "; ".join([*told, *more])
