"""SQLite's statements, however they are written: read the same, and never a failure."""

import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.dialects.sqlite_tokens import render, tokens
from tests.dialects.reading import read

ODD = (
    'CREATE TABLE "order" ("group" INT, `key` TEXT, [a b] NUMERIC, "x.y" , "q""q" BLOB)',
    "CREATE TABLE 'single' ('a' INT, b DEFAULT 'it''s; -- (', c DEFAULT (1 + (2)))",
    "CREATE TABLE commas (a DECIMAL(10,2), b INT CHECK (b IN (1, 2)) , PRIMARY KEY (a , b))",
    "CREATE TABLE comments (a INT, -- first, (\n b INT /* , c INT ) */, d INT)",
    "CREATE TABLE no_comma (a INT, b INT, UNIQUE (a) UNIQUE (b))",
    "CREATE TABLE twice (a INT, UNIQUE (a), UNIQUE (a))",
    "CREATE TABLE copied AS SELECT 1 AS one, 'two' AS \"t w o\"",
    "CREATE TABLE unicode (größe INT, 名前 TEXT)",
    'CREATE INDEX "on" ON "order" ("group", `key` COLLATE NOCASE) WHERE "group" IS NOT NULL',
    'CREATE TRIGGER "odd one" AFTER INSERT ON "order" BEGIN SELECT \'CREATE TABLE x (\'; END',
    'CREATE VIEW "v v" (a, b) AS SELECT "group", `key` FROM "order" -- the end',
    "CREATE VIRTUAL TABLE words USING fts5(a, b, tokenize = 'porter ascii')",
)


def test_odd_statements_are_read() -> None:
    """Quotes of every kind, comments, missing commas and virtual tables are all taken."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in ODD:
            connection.execute(statement)
        found = {(one.kind, one.name): one.definition for one in read(connection, "sqlite").objects}
    assert found["column", "order.a b"] == "NUMERIC"
    assert found["column", 'order."x.y"'] == ""
    assert found["column order", "comments"] == "a, b, d"
    assert found["column", "single.b"] == "DEFAULT 'it''s; -- ('"
    assert found["column", "commas.b"] == "INT CHECK (b IN (1,2))"
    assert found["constraint", "twice.UNIQUE(a) #2"] == "UNIQUE(a)"
    assert found["column order", "unicode"].count(",") == 1
    assert found["index", "order.on"] == '("group", "key" COLLATE NOCASE) WHERE "group" IS NOT NULL'
    assert found["table", "words"] == "VIRTUAL USING fts5(a, b, tokenize = 'porter ascii')"


def test_one_word_in_brackets_is_that_word() -> None:
    """SQLAlchemy writes a default that it has reflected in brackets."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE t (a DEFAULT (CURRENT_TIMESTAMP) NOT NULL, b DEFAULT CURRENT_TIMESTAMP,"
            " c INT DEFAULT (1 + (2)), d DEFAULT ('x') CHECK (d <> ('y')), e DEFAULT (abs(1)))"
        )
        found = {one.name: one.definition for one in read(connection, "sqlite").objects}
    assert found["t.a"] == "DEFAULT CURRENT_TIMESTAMP NOT NULL"
    assert found["t.b"] == "DEFAULT CURRENT_TIMESTAMP"
    assert found["t.c"] == "INT DEFAULT(1 + (2))"
    assert found["t.d"] == "DEFAULT 'x' CHECK (d <> ('y'))"
    assert found["t.e"] == "DEFAULT(abs(1))"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a  INT\n,b INT", "a INT, b INT"),
        ('"a" INT', "a INT"),
        ("[a] INT", "`a` INT"),
        ("a INT -- x", "a INT"),
        ("a numeric( 10 , 2 )", "a numeric(10,2)"),
    ],
)
def test_spelling_is_no_difference(one: str, other: str) -> None:
    """White space, quotes and comments say nothing about the schema."""
    assert render(tokens(one)) == render(tokens(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("'a  b'", "'a b'"), ("'a'", '"a"'), ('"A b"', '"a b"'), ("'--'", ""), ("x'00'", "x'01'")],
)
def test_literals_are_kept(one: str, other: str) -> None:
    """What stands in quotes is kept to the letter."""
    assert render(tokens(one)) != render(tokens(other))


@given(st.text(alphabet="ab '\"`[]()-/*\n,.;0x=", max_size=40))
def test_any_text_is_read_to_its_end(text: str) -> None:
    """No text fails, takes long, or grows out of bounds."""
    line = render(tokens(text))
    assert "\n" not in line
    assert len(line) <= 4 * len(text)
