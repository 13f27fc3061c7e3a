"""SQL as statements: what is read of it, in each dialect's own writing."""

from __future__ import annotations

import pytest

from orchestrate.domain.statements import Statement
from orchestrate.planning.statements import read_statements, tables_named


def one(sql: str, grammar: str = "postgres") -> Statement:
    (statement,) = read_statements(sql, grammar)
    return statement


@pytest.mark.parametrize(
    ("grammar", "sql", "verb", "kind", "tables", "name"),
    [
        ("postgres", 'CREATE TABLE IF NOT EXISTS app."Odd t" (id INT)', "CREATE", "TABLE", [("app", "Odd t")], ""),
        ("postgres", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY app.t (a)", "CREATE", "INDEX", [("app", "t")], "i"),
        ("postgres", "CREATE INDEX ON t (a)", "CREATE", "INDEX", [(None, "t")], ""),
        ("postgres", "DROP INDEX CONCURRENTLY IF EXISTS i", "DROP", "INDEX", [], "i"),
        ("mysql", "DROP INDEX i ON `t`", "DROP", "INDEX", [(None, "t")], "i"),
        ("mysql", "DELETE FROM t WHERE a = 'it\\'s; here'", "DELETE", "", [(None, "t")], ""),
        ("mysql", '# a remark; DROP TABLE x\nUPDATE LOW_PRIORITY t SET a = "b"', "UPDATE", "", [(None, "t")], ""),
        ("sqlite", "INSERT OR REPLACE INTO [t one] VALUES (1)", "INSERT", "", [(None, "t one")], ""),
        ("tsql", "DROP TABLE [dbo].[t]", "DROP", "TABLE", [("dbo", "t")], ""),
        ("postgres", "WITH x AS (SELECT 1) DELETE FROM t USING x", "DELETE", "", [(None, "t")], ""),
        ("postgres", "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "DELETE", "", [(None, "t")], ""),
        ("postgres", "WITH x AS (SELECT 1) SELECT * FROM x FOR UPDATE", "SELECT", "", [], ""),
        ("postgres", "VACUUM FULL t", "VACUUM", "", [], ""),
        ("postgres", "REINDEX TABLE CONCURRENTLY t", "REINDEX", "", [], ""),
    ],
)  # fmt: skip
def test_what_a_statement_is_about(  # noqa: PLR0917  (a row of the table)
    grammar: str, sql: str, verb: str, kind: str, tables: list[tuple[str | None, str]], name: str
) -> None:
    """Verb, kind, tables and name, whatever is quoted, commented or said before them."""
    found = one(sql, grammar)
    assert (found.verb, found.kind, list(found.tables), found.name) == (verb, kind, tables, name)


def test_actions_are_cut_at_commas_outside_of_parentheses() -> None:
    """Each action of an `ALTER TABLE` stands by itself."""
    found = one("ALTER TABLE t ADD COLUMN a NUMERIC(10, 2) DEFAULT 0, DROP COLUMN b")
    assert [str(action) for action in found.actions] == [
        "ADD COLUMN a NUMERIC ( 10 , 2 ) DEFAULT 0",
        "DROP COLUMN b",
    ]


def test_a_name_is_no_keyword() -> None:
    """A quoted word never counts as the keyword that it looks like, nor does a text."""
    words = one("ALTER TABLE \"drop\" ADD COLUMN a TEXT DEFAULT 'NOT NULL'").words
    assert (words.has("DROP"), words.has("NOT", "NULL")) == (False, False)


def test_what_stands_outside_of_a_transaction() -> None:
    """Between the COMMIT and the BEGIN that `autocommit_block()` renders."""
    sql = "CREATE TABLE a (b INT);\n\nCOMMIT;\n\nDROP INDEX CONCURRENTLY i;\n\nBEGIN;\nDROP TABLE c"
    found = read_statements(sql, "postgres")
    assert [(each.verb, each.outside) for each in found] == [
        ("CREATE", False),
        ("DROP", True),
        ("DROP", False),
    ]


def test_what_cannot_be_cut_is_one_statement() -> None:
    """A text without an end is nobody's error here."""
    found = read_statements("UPDATE t SET a = 'never ends", "postgres")
    assert [each.tables for each in found] == [()]
    assert read_statements(" ;; -- nothing\n", "postgres") == ()


def test_functions_stay_whole() -> None:
    """Semicolons in a body of code end nothing, and its words are a text."""
    found = read_statements(
        "CREATE FUNCTION f() RETURNS int AS $$ BEGIN DELETE FROM t; RETURN 1; END $$ LANGUAGE plpgsql;"
        "DO $x$ BEGIN DROP TABLE t; END $x$",
        "postgres",
    )
    assert [(each.verb, each.words.has("DELETE"), each.words.has("TABLE")) for each in found] == [
        ("CREATE", False, False),
        ("DO", False, False),
    ]


def test_tables_that_are_read() -> None:
    """Behind FROM, JOIN and USING."""
    words = one("INSERT INTO a SELECT * FROM app.b JOIN c ON true, d").words
    assert tables_named(words) == {("app", "b"), (None, "c")}
