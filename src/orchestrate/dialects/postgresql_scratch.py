"""Scratch databases on PostgreSQL: the target's encoding and locale, the template's extensions."""

from __future__ import annotations

from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.scratch import Rows, ScratchDatabase

_DATABASES: Final = """\
SELECT datname = current_database(), pg_encoding_to_char(encoding), datcollate, datctype
FROM pg_catalog.pg_database WHERE datname IN (current_database(), 'template1')
ORDER BY datname = current_database()"""

_SETTINGS: Final = """\
SELECT setting FROM pg_catalog.pg_db_role_setting AS kept
JOIN pg_catalog.pg_database AS database ON database.oid = kept.setdatabase,
  unnest(kept.setconfig) AS setting
WHERE database.datname = current_database() AND kept.setrole = 0
  AND setting LIKE 'search_path=_%'"""


def _create(name: str, facts: Rows) -> tuple[str, ...]:
    """Copy `template1`, where extensions are put for all databases, if the locale allows it."""
    locales = [tuple(text(value) for value in row[1:]) for row in facts["databases"]]
    encoding, collation, characters = locales[-1]
    create = f'CREATE DATABASE "{name}" TEMPLATE '
    if locales[0] == locales[-1]:
        create += "template1"
    else:
        create += (
            f"template0 ENCODING {_literal(encoding)} "
            f"LC_COLLATE {_literal(collation)} LC_CTYPE {_literal(characters)}"
        )
    settings = [text(row[0]).partition("=")[2] for row in facts["settings"]]
    return (create, *(f'ALTER DATABASE "{name}" SET search_path TO {one}' for one in settings))


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _drop(name: str) -> tuple[str, ...]:
    # Before PostgreSQL 13 there is no `FORCE`, which ends sessions that are still there.
    return (
        f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
        f'DROP DATABASE IF EXISTS "{name}"',
    )


SCRATCH: Final = ScratchDatabase(
    facts={"databases": _DATABASES, "settings": _SETTINGS}, create=_create, drop=_drop
)
