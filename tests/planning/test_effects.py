"""Statements of a half-applied step, told apart by what the schema shows."""

from __future__ import annotations

from orchestrate.domain.snapshot import Difference
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


def added(kind: str, name: str) -> Difference:
    return Difference(object=kind, name=name, change="added", expected=None, actual="there")


def test_statements_by_effect() -> None:
    """What shows in the schema is told from what does not; bookkeeping is left out."""
    seen, unseen = sorted_by_effect(
        SQL,
        [added("table", "invoices"), added("column", "orders.total")],
        version_table="alembic_version",
    )
    assert seen == (
        "CREATE TABLE invoices ( id INTEGER NOT NULL )",
        "ALTER TABLE orders ADD COLUMN total NUMERIC",
    )
    assert unseen == ("CREATE INDEX ix_total ON orders (total)", "UPDATE orders SET total = 0")
    seen, unseen = sorted_by_effect(
        SQL, [added("table", "invoices")], version_table="alembic_version"
    )
    assert len(seen) == 1
    assert len(unseen) == 3
