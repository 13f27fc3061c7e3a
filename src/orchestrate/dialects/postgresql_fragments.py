"""Pieces that PostgreSQL's snapshot queries share; each query calls the schema `namespace`."""

from __future__ import annotations

from typing import Final

NOT_OURS: Final = "namespace.nspname !~ '^pg_' AND namespace.nspname <> 'information_schema'"


def free(catalogue: str, oid: str) -> str:
    """Return the condition that an object belongs to no extension, nor comes with another one.

    A range type brings its functions, an identity column its sequence.
    """
    return (
        "NOT EXISTS (SELECT FROM pg_depend AS depend WHERE depend.deptype IN ('e', 'i')"
        f" AND depend.classid = CAST('pg_catalog.{catalogue}' AS regclass)"
        f" AND depend.objid = {oid})"
    )


def comment(catalogue: str, oid: str, column: str = "0") -> str:
    """Return the join that gives an object's comment as `comment.description`."""
    return (
        "LEFT JOIN pg_description AS comment"
        f" ON comment.classoid = CAST('pg_catalog.{catalogue}' AS regclass)"
        f" AND comment.objoid = {oid} AND comment.objsubid = {column}"
    )


COMMENT: Final = "'COMMENT ' || quote_literal(comment.description)"
