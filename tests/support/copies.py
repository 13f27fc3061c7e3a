"""Databases worth copying, and what tests need around a copy of one."""

import contextlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from orchestrate.adapters.copy_programs import Going
from orchestrate.adapters.redaction import Redactor
from orchestrate.dialects.copies import Copies, Way
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.backups import DumpFormat
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.snapshot import Snapshot
from tests.dialects import changes_mariadb, changes_postgresql, changes_sqlite, copy_samples
from tests.dialects.reading import kit_of, read
from tests.support.databases import Database

_SAMPLES = {
    "sqlite": (*changes_sqlite.SCHEMA, *copy_samples.SQLITE),
    "postgresql": (*changes_postgresql.SCHEMA, *copy_samples.POSTGRESQL),
    "mariadb": (*changes_mariadb.SCHEMA, *copy_samples.MARIADB),
}


def fill(database: Database) -> None:
    """Put a bit of everything into an empty database."""
    database.execute(*_SAMPLES[database.kind])


def make_alike(database: Database) -> None:
    """Give an empty database what a copy does not carry: the schema's own character set."""
    if database.kind == "mariadb":
        database.execute(changes_mariadb.SCHEMA[0])


def copies_of(database: Database) -> Copies:
    """Return how a database is copied."""
    found = dialect_for(database.dialect).copies
    assert found is not None
    return found


def url_of(database: Database) -> DatabaseUrl:
    """Return a database's URL, taken apart."""
    return DatabaseUrl.parse(database.url)


def way_of(database: Database, form: DumpFormat = "custom", **more: Any) -> Way:
    """Return the way for copies of a database by the programs of this machine."""
    prefix = (sys.executable,) if database.kind == "sqlite" else ()
    return Way(**{"format": form, "jobs": 2, "prefix": prefix, **more})


def going_in(folder: Path, database: Database, **more: Any) -> Going:
    """Return what goes with programs that copy a database."""
    return Going(
        **{
            "folder": folder,
            "redactor": Redactor(url_of(database).secrets),
            "timeout": 60.0,
            **more,
        }
    )


def tables_of(database: Database) -> list[tuple[str | None, str]]:
    """Return schema and name of every table."""
    return [(row[0], row[1]) for row in database.rows(kit_of(database).tables or "")]


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[Any]:
    """Return what only one of two contents has."""
    return [
        (
            name,
            one.get(name, Counter()) - other.get(name, Counter()),
            "and",
            other.get(name, Counter()) - one.get(name, Counter()),
        )
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]


def snapshot_of(database: Database) -> Snapshot:
    """Return a database's schema."""
    with contextlib.closing(database.connect()) as connection:
        return read(connection, database.dialect)


def content(database: Database) -> dict[str, Any]:
    """Return all that a copy has to have in common with its database."""
    quote = "`" if database.dialect == "mysql" else '"'
    rows = {}
    for schema, name in tables_of(database):
        table = ".".join(
            f"{quote}{part.replace(quote, quote * 2)}{quote}" for part in (schema, name) if part
        )
        # Python has no value for all that PostgreSQL knows, such as a date before Christ.
        what = "CAST(entry AS text)" if database.kind == "postgresql" else "*"
        rows[table] = Counter(map(repr, database.rows(f"SELECT {what} FROM {table} AS entry")))
    for sql in _BESIDE_TABLES[database.kind]:
        rows[sql] = Counter(map(repr, database.rows(sql)))
    rows["schema"] = Counter(map(repr, snapshot_of(database).objects))
    return rows


_BESIDE_TABLES = {
    "sqlite": ("PRAGMA user_version", "PRAGMA application_id", "SELECT * FROM words"),
    "postgresql": (
        "SELECT oid, lo_get(oid), obj_description(oid, 'pg_largeobject')"
        " FROM pg_largeobject_metadata",
        "SELECT schemaname, sequencename, last_value FROM pg_sequences",
        "SELECT * FROM totals",
    ),
    "mariadb": (
        "SELECT *, hidden FROM kinds",
        "SELECT id, price, ROW_START, ROW_END FROM contracts FOR SYSTEM_TIME ALL",
        "SELECT NEXT_NOT_CACHED_VALUE FROM ticket",
    ),
}
