"""The SQL that brings back what should be there; nothing that would lose data."""

from __future__ import annotations

import pytest

from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.drift import Change, DriftDifference

CASES: list[tuple[str, str, str, Change, str | None, str | None, str | None]] = [
    # dialect, object, name, change, expected, actual, remedy
    (
        "postgresql",
        "index",
        "shop.orders.ix_total",
        "removed",
        "UNIQUE btree (total) WHERE (total > 0)",
        None,
        "CREATE UNIQUE INDEX ix_total ON shop.orders USING btree (total) WHERE (total > 0)",
    ),
    ("postgresql", "index", "shop.orders.ix", "added", None, "btree (a)", "DROP INDEX shop.ix"),
    (
        "postgresql",
        "index",
        "orders.Ix",
        "altered",
        "btree (a)",
        "btree (a) INVALID",
        'DROP INDEX "Ix"; CREATE INDEX "Ix" ON orders USING btree (a)',
    ),
    ("postgresql", "column", "orders.note", "added", None, "text", None),
    ("postgresql", "column", "orders.note", "removed", "text", None, None),
    ("postgresql", "table", "orders", "added", None, "", None),
    ("postgresql", "column", "orders.note", "altered", "text", "integer", None),
    (
        "postgresql",
        "column",
        "orders.note",
        "altered",
        "text NOT NULL DEFAULT 'x'::text",
        "text NOT NULL",
        "ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'x'::text",
    ),
    (
        "postgresql",
        "column",
        "orders.note",
        "altered",
        "text NOT NULL",
        "text",
        "ALTER TABLE orders ALTER COLUMN note SET NOT NULL",
    ),
    (
        "postgresql",
        "constraint",
        "orders.ck",
        "removed",
        "CHECK ((total >= 0))",
        None,
        "ALTER TABLE orders ADD CONSTRAINT ck CHECK ((total >= 0))",
    ),
    (
        "postgresql",
        "trigger",
        "orders.touch",
        "removed",
        "BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
        None,
        "CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
    ),
    (
        "postgresql",
        "function",
        "twice(a integer)",
        "altered",
        r"CREATE OR REPLACE FUNCTION public.twice(a integer) AS $f$ a\n 'b\\n' $f$",
        "CREATE …",
        "CREATE OR REPLACE FUNCTION public.twice(a integer) AS $f$ a\n 'b\\n' $f$",
    ),
    (
        "postgresql",
        "grant",
        "orders to reader",
        "added",
        None,
        "INSERT, SELECT",
        "REVOKE INSERT, SELECT ON orders FROM reader",
    ),
    ("postgresql", "grant", "f(integer) to PUBLIC", "removed", "EXECUTE", None, None),
    (
        "mysql",
        "index",
        "orders.ix_total",
        "removed",
        "UNIQUE (total, note) USING BTREE",
        None,
        "CREATE UNIQUE INDEX ix_total ON orders (total, note)",
    ),
    ("mysql", "index", "orders.ix", "added", None, "(a)", "DROP INDEX ix ON orders"),
    ("mysql", "column", "orders.note", "added", None, "text", None),
    (
        "mysql",
        "constraint",
        "orders.fk_user",
        "removed",
        "FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE RESTRICT ON DELETE CASCADE",
        None,
        "ALTER TABLE orders ADD CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users (id) "
        "ON UPDATE RESTRICT ON DELETE CASCADE",
    ),
    (
        "sqlite",
        "index",
        "orders.ix_total",
        "removed",
        "UNIQUE (total) WHERE total > 0",
        None,
        "CREATE UNIQUE INDEX ix_total ON orders (total) WHERE total > 0",
    ),
    ("sqlite", "column", "orders.note", "added", None, "text", None),
    ("sqlite", "view", "paid", "added", None, "AS SELECT 1", "DROP VIEW paid"),
]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{n} {case[0]} {case[1]}" for n, case in enumerate(CASES)]
)
def test_remedy(
    case: tuple[str, str, str, Change, str | None, str | None, str | None],
) -> None:
    """A statement where one is safe, none where data would be lost."""
    dialect, kind, name, change, expected, actual, remedy = case
    one = DriftDifference(
        kind="schema", object=kind, name=name, change=change, expected=expected, actual=actual
    )
    assert dialect_for(dialect).remedy(one) == remedy
