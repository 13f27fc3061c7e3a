"""The state store's tables, as this version reads and writes them.

Their creation is Alembic's (`migrations/`); a test holds the two equal. Every name begins with
`orchestrate_`, so that a store may share a database with others. Names of people's choosing are
unbounded and found by a hash, so that no server's limit on indexed text or idea of equal letters
decides which target is which.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql

VERSION_TABLE: Final = "orchestrate_alembic_version"
REVISIONS: Final = ("state0001",)
"""Every revision of the schema, oldest first. Opening compares the last one without Alembic."""

TABLE_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}

# MySQL's TEXT and BLOB end at 64 KB.
_LONG_TEXT: Final = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_LONG_BYTES: Final = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_HASH: Final = String(64)
_MOMENT: Final = String(27)
_NAME: Final = String(128)
"""Identifiers that we make ourselves."""

metadata = MetaData()

events = Table(
    "orchestrate_events",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", _NAME, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("run", _NAME),
    Column("step", _LONG_TEXT),
    Column("data", _LONG_TEXT, nullable=False),
    Column("previous_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
    Index("orchestrate_events_run", "run", "sequence"),
    Index("orchestrate_events_kind", "kind", "sequence"),
    **TABLE_OPTIONS,
)

head = Table(
    "orchestrate_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", _HASH, nullable=False),
    **TABLE_OPTIONS,
)

plans = Table(
    "orchestrate_plans",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("digest", _NAME, nullable=False),
    Column("text", _LONG_BYTES, nullable=False),
    **TABLE_OPTIONS,
)

snapshots = Table(
    "orchestrate_snapshots",
    metadata,
    Column("digest", _HASH, primary_key=True),
    Column("text", _LONG_BYTES, nullable=False),
    **TABLE_OPTIONS,
)

identities = Table(
    "orchestrate_identities",
    metadata,
    Column("name_hash", _HASH, primary_key=True),
    Column("environment", _LONG_TEXT, nullable=False),
    Column("target", _LONG_TEXT, nullable=False),
    Column("identity", _LONG_TEXT, nullable=False),
    Column("version_table", _LONG_TEXT, nullable=False),
    Column("recorded_at", _MOMENT, nullable=False),
    **TABLE_OPTIONS,
)

leases = Table(
    "orchestrate_leases",
    metadata,
    Column("target_hash", _HASH, primary_key=True),
    Column("id", _NAME, nullable=False, unique=True),
    Column("target_key", _LONG_TEXT, nullable=False),
    Column("environment", _LONG_TEXT, nullable=False),
    Column("target", _LONG_TEXT, nullable=False),
    Column("run", _NAME, nullable=False),
    Column("holder", _LONG_TEXT, nullable=False),
    Column("host", _LONG_TEXT, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("step", _LONG_TEXT),
    Column("acquired_at", _MOMENT, nullable=False),
    Column("heartbeat_at", _MOMENT, nullable=False),
    Column("expires_at", _MOMENT, nullable=False),
    **TABLE_OPTIONS,
)


def name_hash(*names: str) -> str:
    """Return the key under which names of any length and alphabet are found."""
    return hashlib.sha256("\0".join(names).encode(errors="surrogatepass")).hexdigest()
