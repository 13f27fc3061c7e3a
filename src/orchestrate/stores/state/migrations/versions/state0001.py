"""Create the journal with its head, plans, snapshots, identities and leases."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "state0001"
down_revision = None
branch_labels = None
depends_on = None

# A revision stays as it was released, so it repeats what `tables` says today.
_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}
_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_HASH = sa.String(64)
_MOMENT = sa.String(27)
_NAME = sa.String(128)


def _tables() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "orchestrate_events",
        metadata,
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", _NAME, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("run", _NAME),
        sa.Column("step", _TEXT),
        sa.Column("data", _TEXT, nullable=False),
        sa.Column("previous_hash", _HASH, nullable=False),
        sa.Column("hash", _HASH, nullable=False),
        sa.Index("orchestrate_events_run", "run", "sequence"),
        sa.Index("orchestrate_events_kind", "kind", "sequence"),
        **_OPTIONS,
    )
    sa.Table(
        "orchestrate_head",
        metadata,
        sa.Column(
            "id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False
        ),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", _HASH, nullable=False),
        **_OPTIONS,
    )
    sa.Table(
        "orchestrate_plans",
        metadata,
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("digest", _NAME, nullable=False),
        sa.Column("text", _BYTES, nullable=False),
        **_OPTIONS,
    )
    sa.Table(
        "orchestrate_snapshots",
        metadata,
        sa.Column("digest", _HASH, primary_key=True),
        sa.Column("text", _BYTES, nullable=False),
        **_OPTIONS,
    )
    _add_identities_and_leases(metadata)
    return metadata


def _add_identities_and_leases(metadata: sa.MetaData) -> None:
    sa.Table(
        "orchestrate_identities",
        metadata,
        sa.Column("name_hash", _HASH, primary_key=True),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("target", _TEXT, nullable=False),
        sa.Column("identity", _TEXT, nullable=False),
        sa.Column("version_table", _TEXT, nullable=False),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        **_OPTIONS,
    )
    sa.Table(
        "orchestrate_leases",
        metadata,
        sa.Column("target_hash", _HASH, primary_key=True),
        sa.Column("id", _NAME, nullable=False, unique=True),
        sa.Column("target_key", _TEXT, nullable=False),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("target", _TEXT, nullable=False),
        sa.Column("run", _NAME, nullable=False),
        sa.Column("holder", _TEXT, nullable=False),
        sa.Column("host", _TEXT, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("step", _TEXT),
        sa.Column("acquired_at", _MOMENT, nullable=False),
        sa.Column("heartbeat_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        **_OPTIONS,
    )


def upgrade() -> None:
    """Create what is missing: MySQL may have made a part of it before a crash."""
    connection = op.get_bind()
    metadata = _tables()
    metadata.create_all(connection, checkfirst=True)
    head = metadata.tables["orchestrate_head"]
    if connection.execute(sa.select(head.c.id)).first() is None:
        connection.execute(head.insert().values(id=1, sequence=0, hash="0" * 64))


def downgrade() -> None:
    """Refuse: a journal is not thrown away."""
    raise NotImplementedError
