"""Statements of a half-applied step, told apart by what the schema shows."""

from __future__ import annotations

from orchestrate.domain.snapshot import SchemaObject, Snapshot
from orchestrate.planning.effects import sorted_by_effect

SQL = """
-- Running upgrade r2 -> r3
BEGIN;

CREATE TABLE invoices (
    id INTEGER NOT NULL
);

ALTER TABLE orders ADD COLUMN total NUMERIC;

CREATE INDEX ix_total ON orders (total);

UPDATE orders SET total = 0;

UPDATE alembic_version SET version_num='r3' WHERE alembic_version.version_num = 'r2';

COMMIT;
"""


def schema(*names: str) -> Snapshot:
    objects = (one.split(" ") for one in names)
    return Snapshot(
        dialect="sqlite",
        objects=tuple(SchemaObject(kind=kind, name=name, definition="") for kind, name in objects),
    )


BEFORE = schema("table orders", "column orders.id")


def test_statements_by_effect() -> None:
    """What shows in the schema is told from what does not; bookkeeping is left out."""
    after = schema(
        "table orders",
        "column orders.id",
        "column orders.total",
        "table invoices",
        "column invoices.id",
    )
    seen, unseen, rows = sorted_by_effect(SQL, BEFORE, after, version_table="alembic_version")
    assert seen == (
        "CREATE TABLE invoices ( id INTEGER NOT NULL )",
        "ALTER TABLE orders ADD COLUMN total NUMERIC",
    )
    assert unseen == ("CREATE INDEX ix_total ON orders (total)",)
    assert rows == ("UPDATE orders SET total = 0",)


def test_what_belongs_to_a_new_table() -> None:
    """An index of a table that is new itself shows; a column that it lacks does not."""
    sql = """
CREATE TABLE orders (id INTEGER);

CREATE INDEX ix_id ON orders (id);

ALTER TABLE orders ADD COLUMN note TEXT;
"""
    after = schema("table orders", "column orders.id", "index orders.ix_id")
    seen, unseen, _ = sorted_by_effect(sql, schema(), after, version_table="alembic_version")
    assert len(seen) == 2
    assert unseen == ("ALTER TABLE orders ADD COLUMN note TEXT",)
