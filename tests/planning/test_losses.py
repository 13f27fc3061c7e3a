"""What rendered SQL deletes, and how it is told."""

from __future__ import annotations

import pytest

from orchestrate.planning.losses import RowCount, loss_findings, losses
from tests.support.values import step


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DROP TABLE orders;", ["drops table orders"]),
        ('drop table if exists "Odd ""x", public.orders', ['drops table Odd "x', "drops table public.orders"]),
        ("ALTER TABLE t1 DROP COLUMN note;", ["drops column t1.note"]),
        ("ALTER TABLE `a` DROP COLUMN IF EXISTS `b c`, DROP d", ["drops column a.b c", "drops column a.d"]),
        ("ALTER TABLE ONLY t DROP CONSTRAINT x, DROP COLUMN c CASCADE", ["drops column t.c"]),
        ("ALTER TABLE a DROP PRIMARY KEY, DROP KEY k, DROP INDEX i, DROP FOREIGN KEY f", []),
        ("ALTER TABLE a ALTER COLUMN b DROP NOT NULL; ALTER TABLE a ALTER b DROP DEFAULT", []),
        ("TRUNCATE TABLE ONLY t; DELETE FROM t WHERE id = 1", ["empties table t", "deletes rows of t"]),
        ("INSERT INTO t VALUES ('x; DROP TABLE y;'); -- DROP TABLE z\nSELECT 1", []),
        ("SELECT $f$ DROP TABLE y; $f$; /* DROP TABLE x; */ DROP INDEX i", []),
        (
            "CREATE TABLE _alembic_tmp_t (id INT); INSERT INTO _alembic_tmp_t SELECT id FROM t;"
            " DROP TABLE t; ALTER TABLE _alembic_tmp_t RENAME TO t",
            [],
        ),
        ("DELETE FROM t; DELETE FROM t", ["deletes rows of t"]),
    ],
)  # fmt: skip
def test_what_is_deleted(sql: str, told: list[str]) -> None:
    """Tables, columns and rows; never an index, a default, a word in a text or a comment."""
    grammar = "mysql" if "`" in sql else "postgres"
    assert [one.what for one in losses(sql, grammar)] == told


def test_with_the_rows_that_are_there() -> None:
    """Where the server tells, and only of the table that is meant; the version table never."""
    counts = [
        RowCount(schema="archive", table="orders", rows=9, unqualified=False, exact=False),
        RowCount(schema="public", table="orders", rows=1200, unqualified=True, exact=False),
        RowCount(schema=None, table="one", rows=1, unqualified=True, exact=True),
    ]
    sql = "DROP TABLE Orders; DROP TABLE archive.orders; DROP TABLE one; DROP TABLE two;"
    sql += "DELETE FROM alembic_version"
    found = loss_findings(
        step(), sql, counts, version_table="public.alembic_version", grammar="postgres"
    )
    assert [one.message for one in found] == [
        "drops table Orders, which has about 1200 rows",
        "drops table archive.orders, which has about 9 rows",
        "drops table one, which has 1 row",
        "drops table two",
    ]
    assert {(one.code, one.severity, one.where) for one in found} == {
        ("loses-data", "warning", "versions/r2.py")
    }
