"""MariaDB: a copy's tables change places with a schema's in one `RENAME TABLE`.

From 10.6.1 on that statement happens as a whole or not at all, with several tables and across
schemas, even when the server is killed in the middle: https://mariadb.com/kb/en/atomic-ddl/,
https://jira.mariadb.org/browse/MDEV-23842. Foreign keys follow the tables, so that those of the
old ones go along with them. The rest is from https://mariadb.com/kb/en/rename-table/:

- A table with triggers cannot be moved to another schema. An old one gets another name where it is,
  and its triggers with it; the copy's are dropped in the scratch schema and made anew afterwards.
- Views cannot either, nor can routines and events. They are made anew afterwards, too.

The name of a foreign key is unique in its schema (in all of InnoDB, up to MariaDB 12.0). Where an
old table stays, the copy's key of the same name has another one until the old table is dropped.

MySQL 8 documents the same (https://dev.mysql.com/doc/refman/8.4/en/atomic-ddl.html) and keeps
foreign keys otherwise (https://bugs.mysql.com/bug.php?id=89441); as long as nobody has tried that
on a server, copies are put back in place there.
"""

# ruff: noqa: S608  (texts are put together from constants, and names quoted in this module)

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import Program, Way
from orchestrate.dialects.exchange import REPLACED, Schemas, Swap
from orchestrate.dialects.mysql_programs import client, dumped, events_made
from orchestrate.dialects.mysql_rights import rights_in
from orchestrate.dialects.mysql_swap import (
    BEGUN,
    DONE,
    LOCK,
    Contents,
    contents_of,
    placed,
    quoted,
    swap,
)
from orchestrate.dialects.scratch import PREFIX
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.restores import PutBack
from orchestrate.domain.snapshot import Snapshot

_FIRST: Final = (10, 6, 1)
_MOVABLE: Final = frozenset({"InnoDB", "Aria", "MyISAM"})
"""Engines that were seen to be renamed as a whole together with others."""
_RIGHTS: Final = (
    "SELECT", "INSERT", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "TRIGGER", "CREATE VIEW",
    "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EVENT",
)  # fmt: skip
_ROUTINES: Final = frozenset({"function", "procedure", "package", "package body"})
# Asleep, and told apart from those that are meant to sleep.
_SLEEPING: Final = events_made("ENABLE", "DISABLE ON SLAVE")
_WOKEN: Final = events_made("DISABLE ON (?:SLAVE|REPLICA)", "ENABLE")


class MariaDBExchange:
    """What is asked and executed; members as in `Exchange`."""

    facts: Mapping[str, str] = MappingProxyType(
        {
            "server": "SELECT VERSION(), CURRENT_USER(), DATABASE()",
            "grants": "SHOW GRANTS",
            "engines": "SELECT DISTINCT ENGINE FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA = DATABASE() AND ENGINE IS NOT NULL ORDER BY ENGINE",
            "referring": "SELECT CONSTRAINT_SCHEMA, TABLE_NAME "
            "FROM information_schema.REFERENTIAL_CONSTRAINTS "
            "WHERE UNIQUE_CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_SCHEMA <> DATABASE() "
            f"AND LEFT(CONSTRAINT_SCHEMA, {len(PREFIX)}) <> '{PREFIX}' "
            "ORDER BY CONSTRAINT_SCHEMA, TABLE_NAME",
        }
    )

    def obstacle(self, rows: Rows, saved: Snapshot | None) -> str | None:
        """Return the first that there is: server, rights, old tables, the copy's tables."""
        version, account, schema = (text(value) for value in rows["server"][0])
        if _number(version) < _FIRST:
            return "tables change places as a whole from MariaDB 10.6.1 on alone"
        grants = [text(row[0]) for row in rows["grants"]]
        for place in (f"{PREFIX}0", schema):
            rights, _ = rights_in(grants, place)
            lacking = [one for one in _RIGHTS if one not in rights and "ALL" not in rights]
            if lacking:
                shown = "a scratch schema" if place.startswith(PREFIX) else f"`{schema}`"
                return f"`{account}` has no right to {', '.join(lacking)} in {shown}"
        strange = sorted({text(row[0]) for row in rows["engines"]} - _MOVABLE)
        if strange:
            return f"the database has tables of the engine {', '.join(strange)}"
        if rows["referring"]:
            other, table = (text(value) for value in rows["referring"][0])
            return (
                f"a foreign key of `{other}`.`{table}` refers to the database, and would go along"
            )
        return _obstacle_of(saved, grants)

    sign = (
        "SELECT TABLE_NAME, TABLE_COMMENT FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('{BEGUN}', '{DONE}') "
        f"UNION ALL SELECT NULL, IS_USED_LOCK({LOCK})"
    )

    def standing(self, rows: Sequence[Sequence[object]], run: str) -> PutBack:
        """Return what the sign's name says; one of another run that was given up says nothing."""
        if any(name is None and holder is not None for name, holder in rows):
            return "changing"
        found = {text(name) for name, told in rows if name and text(told).split(" ")[0] == run}
        if BEGUN in found:
            return "tables"
        return "whole" if DONE in found else "old"

    leftovers: Mapping[str, str] = MappingProxyType(
        {
            "sign": "SELECT TABLE_COLLATION FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{BEGUN}'",
            "replaced": "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = DATABASE() AND LEFT(TABLE_NAME, {len(REPLACED)}) = '{REPLACED}'",
        }
    )

    def tidy(self, rows: Rows) -> tuple[str, ...]:
        """Drop old tables that stayed, and give the schema its own character set back.

        A program of the copy may have been cut off between the two statements around it.
        """
        if not rows["sign"]:
            return ()
        gone = [
            f"DROP {'VIEW' if text(kind) == 'VIEW' else 'TABLE'} IF EXISTS {quoted(text(name))}"
            for name, kind in rows["replaced"]
        ]
        collation = text(rows["sign"][0][0])
        return ("SET FOREIGN_KEY_CHECKS = 0", *gone, f"ALTER DATABASE COLLATE {collation}")

    forget: tuple[str, ...] = (f"DROP TABLE IF EXISTS {BEGUN}, {DONE}",)

    def fill(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the client, for which the copy's events are put to sleep."""
        return client(url, way, edits=(_SLEEPING,))

    def contents(self, schemas: Schemas) -> Mapping[str, str]:
        """Return the queries of `mysql_swap`."""
        return contents_of(schemas)

    def shapes(self, rows: Rows, schemas: Schemas) -> Mapping[str, str]:
        """Ask for the definition of each table whose foreign key has the name of one that stays."""
        tables = Contents.of(rows, schemas).clashing
        return {name: f"SHOW CREATE TABLE {placed(schemas.scratch, name)}" for name in tables}

    def swap(self, rows: Rows, shapes: Rows, schemas: Schemas, *, run: str) -> Swap:
        """Return the texts of `mysql_swap`."""
        return swap(Contents.of(rows, schemas), shapes, schemas, run=run)

    def remaining(self, schemas: Schemas) -> str:
        """Ask for the schema of the old tables."""
        return (
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA "
            f"WHERE SCHEMA_NAME = '{schemas.parked}'"
        )

    def programs(
        self, url: DatabaseUrl, way: Way, rows: Rows, schemas: Schemas
    ) -> tuple[Program, ...]:
        """Return up to two calls: of triggers, events and routines, and of views, which call them.

        The events that were put to sleep wake on the way.
        """
        there = Contents.of(rows, schemas)
        found = []
        if there.new_programs:
            found.append(dumped(url, way, ("--no-data", "--no-create-info"), edits=(_WOKEN,)))
        if there.new_views:
            only = ("--no-data", "--skip-triggers", "--skip-routines", "--skip-events")
            found.append(dumped(url, way, only, tables=there.new_views))
        return tuple(found)

    def client(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the client."""
        return client(url, way)


def _obstacle_of(saved: Snapshot | None, grants: Sequence[str]) -> str | None:
    """Return what there is about the copy."""
    if saved is None:
        return "what the copy holds was not recorded when it was made"
    kinds = {one.kind for one in saved.objects}
    strange = sorted(
        {
            found[1]
            for one in saved.objects
            if one.kind == "table" and (found := re.search(r"\bENGINE (\w+)", one.definition))
        }
        - _MOVABLE
    )
    if strange:
        return f"the copy has tables of the engine {', '.join(strange)}"
    for one in saved.objects:
        if one.kind == "event" and "SLAVESIDE_DISABLED" in one.definition:
            return f"the event {one.name} is disabled on replicas alone"
    if kinds & _ROUTINES and not _reads_all(grants):
        return "the account may not read the bodies of routines that others defined"
    return None


def _reads_all(grants: Sequence[str]) -> bool:
    """Tell whether every routine's body may be read, whoever defined it."""
    rights, _ = rights_in(grants, "mysql")
    of_scratch, _ = rights_in(grants, f"{PREFIX}0")
    return bool(rights & {"SELECT", "ALL"} or "SHOW CREATE ROUTINE" in of_scratch)


def _number(version: str) -> tuple[int, ...]:
    """Return MariaDB's version; of another server one that is too old for anything."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)-MariaDB", version, re.IGNORECASE)
    return tuple(int(part) for part in found.groups()) if found else (0,)
