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
from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import Edit, Owners, Program, Way, parameters, through_shell
from orchestrate.dialects.mysql_rights import names_role, rights_in
from orchestrate.dialects.replacing import MYSQL_CLEAR
from orchestrate.domain.backups import Strategy
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.snapshot import Snapshot

_TRAILER: Final = b"-- Dump completed"
# A file of somebody's settings must not change what is in a copy. `loose` options are those that
# only MySQL's or only newer programs know: the others pass over them with a warning.
_COMMON: Final = (
    "--no-defaults",
    "--default-character-set=utf8mb4",
    # The programs' own limit is lower than what a row may have, twice as long in hexadecimal.
    "--max-allowed-packet=1G",
)
_DUMP: Final = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    # Their definitions are the server's, and need the right PROCESS.
    "--no-tablespaces",
    "--loose-column-statistics=0",  # unknown to MariaDB and to MySQL 5.7
    "--loose-set-gtid-purged=OFF",  # would have to be an administrator's to be put back
    "--loose-dump-history",  # of system-versioned tables, since MariaDB 10.11
)
_VERSION: Final = re.compile(
    r"^(?P<name>\S+)\s+(?:Ver \S+ Distrib|Ver|from) "
    r"(?P<version>(?P<major>\d+)\.(?P<minor>\d+)[\d.]*)(?P<mariadb>-MariaDB)?",
    re.MULTILINE,
)
_TLS: Final = {
    "ssl_ca": "ssl-ca",
    "ssl_capath": "ssl-capath",
    "ssl_cert": "ssl-cert",
    "ssl_key": "ssl-key",
    "ssl_cipher": "ssl-cipher",
    "unix_socket": "socket",
}
# Drivers over the C library, which takes the name `localhost` for a socket; no other one does.
_C_LIBRARY: Final = ("mysqldb", "mariadbconnector")

_NAMELESS: Final = Edit(
    pattern=re.compile(
        rb"\nALTER DATABASE `(?:[^`\n]|``)*` (CHARACTER SET \w+ COLLATE \w+ ;;?)(?=\n|\Z)"
    ),
    replacement=rb"\nALTER DATABASE \1",
    literal=b"\nALTER DATABASE `",
)
# A scratch schema's events would run beside the original's, on whatever they name.
_ASLEEP: Final = Edit(
    pattern=re.compile(
        rb"(\n(?:/\*!50106 )?CREATE\b[^\n]*? EVENT `[^\n]*? ON COMPLETION (?:NOT )?PRESERVE)"
        rb" ENABLE\b"
    ),
    replacement=rb"\1 DISABLE",
    literal=b" EVENT `",
)
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

    def dump(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the call of `mariadb-dump`, or of `mysqldump` where there is none."""
        options, environ = _connection(url)
        words = [*_COMMON, *_DUMP, *options, "--", url.database or ""]
        return through_shell(
            "mysqldump",
            _either("mariadb-dump", "mysqldump", words),
            prefix=way.prefix,
            environ=environ,
            trailer=_TRAILER,
            edits=(_NAMELESS,),
        )

    def load(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the call of `mariadb`, or of `mysql` where there is none.

        In binary mode text is taken as it is, and a copy cannot have commands run on this machine.
        With `ours`, events are put back disabled.
        """
        options, environ = _connection(url)
        command = _either("mariadb", "mysql", _loading(options, url))
        edits = (_ASLEEP,) if owners == "ours" else ()
        return through_shell("mysql", command, prefix=way.prefix, environ=environ, edits=edits)

    names_roles = False
    replaces_at_once = False

    def replace(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the call that drops everything in the schema and then puts the copy back.

        No server takes that back when it is killed in between; done again, it is right.
        """
        options, environ = _connection(url)
        words = [*_COMMON, "--batch", "--skip-column-names", *options, "--", url.database or ""]
        query = f"--execute={' '.join(MYSQL_CLEAR.split())}"
        asking = shlex.join([*words[:-2], query, *words[-2:]])
        commands = (
            f"client={_found('mariadb', 'mysql')}",
            f'drops=$("$client" {asking} </dev/null) || exit 1',
            f'printf \'%s\\n\' "$drops" | "$client" {shlex.join(words)} || exit 1',
            f'exec "$client" {shlex.join(_loading(options, url))}',
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
        return _TRAILER

    def versions(self, way: Way) -> Program:
        """Return the call that prints the versions of both programs."""
        first = _found("mariadb-dump", "mysqldump")
        command = f"{first} --version && {{ {_either('mariadb', 'mysql', ['--version'])}; }}"
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

    def missing_rights(self, rows: Rows) -> tuple[str, ...]:
        """Name the rights without which something is left out in silence, or cannot be put back."""
        return tuple(_missing(rows))


def _loading(options: Sequence[str], url: DatabaseUrl) -> list[str]:
    """Return the words of a client that reads a copy."""
    # The program drops comments unless told otherwise, out of the bodies of routines too.
    words = [*_COMMON, "--batch", "--binary-mode", "--comments"]
    return [*words, *options, "--", url.database or ""]


def _either(first: str, second: str, words: Sequence[str]) -> str:
    return f'client={_found(first, second)}; exec "$client" {shlex.join(words)}'


def _found(first: str, second: str) -> str:
    """Return the shell's words for the program that is there; the second's absence is told."""
    return f"$(command -v {first} || echo {second})"


def _connection(url: DatabaseUrl) -> tuple[list[str], dict[str, str]]:
    """Return options without secrets, and the variables that hold them."""
    given = dict(parameters(url))
    options = [f"--host={url.host}"] if url.host else []
    if url.port is not None:
        options.append(f"--port={url.port}")
    if "unix_socket" not in given and (url.driver or _C_LIBRARY[0]) not in _C_LIBRARY:
        options.append("--protocol=TCP")
    if url.user:
        options.append(f"--user={url.user}")
    options += [f"--{_TLS[name]}={value}" for name, value in given.items() if name in _TLS]
    checked = {"ssl_verify_identity", "ssl_check_hostname", "ssl_verify_cert"} & {
        name for name, value in given.items() if value.lower() in {"true", "1", "yes"}
    }
    # As drivers do it: encrypted where the server offers that, and its certificate is checked where
    # the URL asks for it. MariaDB's programs of 11.4 check it unasked, and refuse servers without.
    options.append(f"--loose-ssl-verify-server-cert={1 if checked else 0}")
    if checked:
        options.append("--loose-ssl-mode=VERIFY_IDENTITY")
    password = url.password.reveal() if url.password is not None else None
    return options, {} if password is None else {"MYSQL_PWD": password}


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
