"""Copies of MariaDB's and MySQL's schemas: `mariadb-dump` and `mariadb`, or the older names.

Texts only. A copy keeps its `DEFINER` clauses: a program that runs with somebody's rights has to
keep running with them. Who puts it back has to be that account, or have the right to name others;
`missing_rights` says so before. Names within views and triggers that have no schema before them
follow the copy into another schema; those that have one go on meaning the old one.

Nothing in a copy names the schema that it was made of. The programs write `ALTER DATABASE` with the
name around what was made under another character set: put back elsewhere, it would change the
original. The name is left out on the way, which means the schema that is being written.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import Owners, Program, Way, through_shell
from orchestrate.dialects.mysql_programs import (
    COMMON,
    TRAILER,
    client,
    connection,
    dumped,
    either,
    events_made,
    loading,
    whichever,
)
from orchestrate.dialects.mysql_rights import names_role, rights_in
from orchestrate.dialects.replacing import MYSQL_CLEAR
from orchestrate.dialects.row_tally import RowTally
from orchestrate.domain.backups import Strategy
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.snapshot import Snapshot

if TYPE_CHECKING:
    from orchestrate.dialects.exchange import Exchange

_VERSION: Final = re.compile(
    r"^(?P<name>\S+)\s+(?:Ver \S+ Distrib|Ver|from) "
    r"(?P<version>(?P<major>\d+)\.(?P<minor>\d+)[\d.]*)(?P<mariadb>-MariaDB)?",
    re.MULTILINE,
)
# A scratch schema's events would run beside the original's, on whatever they name.
_ASLEEP: Final = events_made("ENABLE", "DISABLE")
_STATUS: Final = ("ENABLED ON COMPLETION", "DISABLED ON COMPLETION")

_ROUTINES: Final = """\
SELECT ROUTINE_NAME FROM information_schema.ROUTINES
WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_DEFINITION IS NULL
ORDER BY ROUTINE_NAME LIMIT 10000"""
_DEFINERS: Final = """\
SELECT DISTINCT found.definer FROM (
  SELECT DEFINER AS definer FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
  UNION ALL SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
  UNION ALL SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()
) AS found WHERE found.definer <> CURRENT_USER() ORDER BY found.definer"""
_READING: Final = ("SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "EXECUTE")
_NAMING_OTHERS: Final = frozenset({"SUPER", "SET USER", "SET_USER_ID", "SET_ANY_DEFINER"})


class MySQLCopies:
    """What `mysqldump` and its kin are told; members as in `Copies`."""

    strategy: Strategy = "mysqldump"
    size = """\
SELECT COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE()"""
    rights: Mapping[str, str] = MappingProxyType(
        {
            "account": "SELECT CURRENT_USER(), DATABASE()",
            "grants": "SHOW GRANTS",
            "routines": _ROUTINES,
            "definers": _DEFINERS,
        }
    )

    @property
    def exchange(self) -> Exchange | None:
        """Return how tables change places; loaded when it is asked for, by restores alone."""
        from orchestrate.dialects.mysql_exchange import MariaDBExchange  # noqa: PLC0415

        return MariaDBExchange()

    def dump(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the call of `mariadb-dump`, or of `mysqldump` where there is none."""
        return dumped(url, way)

    def load(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the call of the client; with `ours`, events are put back disabled."""
        return client(url, way, edits=(_ASLEEP,) if owners == "ours" else ())

    sets_session = False
    names_roles = False
    replaces_at_once = False

    def replace(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the call that drops everything in the schema and then puts the copy back.

        No server takes that back when it is killed in between; done again, it is right.
        """
        options, environ = connection(url)
        words = [*COMMON, "--batch", "--skip-column-names", *options, "--", url.database or ""]
        query = f"--execute={' '.join(MYSQL_CLEAR.split())}"
        asking = shlex.join([*words[:-2], query, *words[-2:]])
        commands = (
            f"client={whichever('mariadb', 'mysql')}",
            f'drops=$("$client" {asking} </dev/null) || exit 1',
            f'printf \'%s\\n\' "$drops" | "$client" {shlex.join(words)} || exit 1',
            f'exec "$client" {shlex.join(loading(options, url))}',
        )
        return through_shell(
            "mysql",
            "; ".join(commands),
            prefix=way.prefix,
            environ=environ,
            edits=(_ASLEEP,) if owners == "ours" else (),
        )

    def proven(self, snapshot: Snapshot) -> Snapshot:
        """Return it with every event disabled."""
        return replace(
            snapshot,
            objects=tuple(
                replace(one, definition=one.definition.replace(*_STATUS, 1))
                if one.kind == "event"
                else one
                for one in snapshot.objects
            ),
        )

    def listing(self, way: Way) -> Program | None:
        """Return nothing: a copy is a plain text."""
        del way
        return None

    def trailer(self, way: Way) -> bytes | None:
        """Return the beginning of the last comment."""
        del way
        return TRAILER

    def versions(self, way: Way) -> Program:
        """Return the call that prints the versions of both programs."""
        first = whichever("mariadb-dump", "mysqldump")
        command = f"{first} --version && {{ {either('mariadb', 'mysql', ['--version'])}; }}"
        return through_shell("mysqldump", command, prefix=way.prefix)

    def too_old(self, versions: str, server_version: str) -> str | None:
        """Say so where a program is older, or MySQL's for a MariaDB: it leaves out in silence.

        MariaDB's programs have other numbers than MySQL's servers, and are taken for them.
        """
        server = re.search(r"(\d+)\.(\d+)", server_version)
        mariadb = server_version.startswith("MariaDB")
        for found in _VERSION.finditer(versions):
            shown = f"{found['name']} {found['version']}"
            if mariadb and not found["mariadb"]:
                return f"{shown} is MySQL's, and leaves out what only {server_version} has"
            if not mariadb and found["mariadb"]:
                continue
            number = (int(found["major"]), int(found["minor"]))
            if server and number < (int(server[1]), int(server[2])):
                return f"{shown} is older than {server_version}, and leaves out what is new"
        return None

    def counts(self, tables: Sequence[tuple[str | None, str]]) -> str:
        """Return one union: lists of values differ between the servers."""
        if not tables:
            return "SELECT NULL, NULL, NULL FROM DUAL WHERE 1 = 0"
        return " UNION ALL ".join(_counted(schema, table) for schema, table in tables)

    def tally(self, server_version: str) -> RowTally | None:
        """Return what counts lines, of MariaDB's program: MySQL's writes many rows on one."""
        return RowTally() if server_version.startswith("MariaDB") else None

    def missing_rights(self, rows: Rows) -> tuple[str, ...]:
        """Name the rights without which something is left out in silence, or cannot be put back."""
        return tuple(_missing(rows))


def _counted(schema: str | None, table: str) -> str:
    place = _identifier(table) if schema is None else f"{_identifier(schema)}.{_identifier(table)}"
    shown = "NULL" if schema is None else _literal(schema)
    return f"SELECT {shown}, {_literal(table)}, COUNT(*) FROM {place}"  # noqa: S608


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(value: str) -> str:
    # In hexadecimal, since what a backslash is depends on the session's mode.
    return f"CONVERT(X'{value.encode().hex()}' USING utf8mb4)"


def _missing(rows: Rows) -> Iterator[str]:
    account, schema = (None if value is None else text(value) for value in rows["account"][0])
    grants = [text(row[0]) for row in rows["grants"]]
    rights, _ = rights_in(grants, schema or "")
    lacking = [name for name in _READING if name not in rights]
    if lacking and "ALL" not in rights and not names_role(grants):
        user, _, host = (account or "").rpartition("@")
        yield (
            f"`{account}` has no right to {', '.join(lacking)} in `{schema}`, and what needs that "
            f"would be left out: `GRANT {', '.join(lacking)} ON `{schema}`.* TO '{user}'@'{host}'`"
        )
    routines = [text(row[0]) for row in rows["routines"]]
    if routines:
        yield (
            f"`{account}` may not read the body of {', '.join(f'`{one}`' for one in routines[:3])}"
            f"{', …' if routines[3:] else ''}: `GRANT SHOW CREATE ROUTINE` (MariaDB 11.3), "
            "`GRANT SHOW_ROUTINE ON *.*` (MySQL 8.0.20) or `GRANT SELECT ON mysql.proc`"
        )
    definers = [text(row[0]) for row in rows["definers"]]
    if definers and not rights & _NAMING_OTHERS:
        names = ", ".join(f"`{one}`" for one in definers)
        yield (
            f"views, routines, triggers or events run as {names}, and `{account}` may not put "
            "them back as such: `GRANT SET USER ON *.*` (MariaDB), "
            "`GRANT SET_ANY_DEFINER ON *.*` (MySQL)"
        )
