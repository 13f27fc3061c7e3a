"""Copies of PostgreSQL databases: `pg_dump`, `pg_restore` and `psql`. Texts only."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import (
    PATH_VARIABLE,
    Owners,
    Place,
    Program,
    Way,
    parameters,
    through_shell,
)
from orchestrate.dialects.replacing import POSTGRESQL_CLEAR, POSTGRESQL_FAILED
from orchestrate.dialects.row_tally import RowTally
from orchestrate.domain.backups import Strategy
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.snapshot import Snapshot
from orchestrate.errors import OrchestrateError

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS: what a URL may say
# to `psycopg` as well. Whatever else stands in a URL is for the driver alone.
_KEYWORDS: Final = frozenset(
    {
        "application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname",
        "gssencmode", "gsslib", "host", "hostaddr", "keepalives", "keepalives_count",
        "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts", "options",
        "passfile", "port", "require_auth", "requirepeer", "service", "ssl_max_protocol_version",
        "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl",
        "sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslrootcert", "sslsni",
        "target_session_attrs", "tcp_user_timeout", "user",
    }
)  # fmt: skip
_SOCKET: Final = re.compile(r"(?P<folder>.*)/\.s\.PGSQL\.(?P<port>\d+)")
_VERSION: Final = re.compile(
    r"^(?P<name>\w+) \(PostgreSQL\) (?P<version>(?P<major>\d+)\S*)", re.MULTILINE
)
_LOCK_TIMEOUT: Final = "5min"
"""How long a table that somebody is changing is waited for; left alone, for ever."""
_TRAILER: Final = b"-- PostgreSQL database dump complete"

_TABLES: Final = """\
SELECT CASE class.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END,
  CAST(namespace.nspname AS text), CAST(class.relname AS text),
  has_schema_privilege(namespace.oid, 'USAGE')
    AND CASE class.relkind WHEN 'S' THEN has_sequence_privilege(class.oid, 'SELECT')
      ELSE has_table_privilege(class.oid, 'SELECT') END,
  class.relkind <> 'S' AND row_security_active(class.oid)
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p', 'S') AND class.relpersistence <> 't'
  AND namespace.nspname !~ '^pg_' AND namespace.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend
    LEFT JOIN pg_catalog.pg_extension AS extension ON extension.oid = depend.refobjid
    WHERE depend.deptype = 'e' AND depend.objid = class.oid
      AND depend.classid = CAST('pg_catalog.pg_class' AS regclass)
      AND class.oid <> ALL (COALESCE(extension.extconfig, CAST('{}' AS oid[]))))
  AND (NOT has_schema_privilege(namespace.oid, 'USAGE')
    OR CASE class.relkind WHEN 'S' THEN NOT has_sequence_privilege(class.oid, 'SELECT')
      ELSE NOT has_table_privilege(class.oid, 'SELECT') OR row_security_active(class.oid) END)
ORDER BY 1 DESC, 2, 3 LIMIT 10000"""

_ROLE: Final = """\
SELECT CAST(current_user AS text), CAST(current_database() AS text)"""

# No function tells rights on large objects before PostgreSQL 18.
_LARGE_OBJECTS: Final = """\
SELECT count(*), min(CAST(large.oid AS bigint)) FROM pg_catalog.pg_largeobject_metadata AS large
WHERE NOT pg_has_role(large.lomowner, 'USAGE')
  AND current_setting('lo_compat_privileges') = 'off'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles
    WHERE rolname = current_user AND rolsuper)
  AND NOT EXISTS (SELECT FROM aclexplode(large.lomacl) AS grant_
    WHERE grant_.privilege_type = 'SELECT'
      AND (grant_.grantee = 0 OR pg_has_role(grant_.grantee, 'USAGE')))"""


class PostgreSQLCopies:
    """What `pg_dump` and its kin are told; members as in `Copies`.

    A copy keeps owners and grants; whether they are put back is decided when it is. The plain
    format decides it for good, and it keeps them.
    """

    strategy: Strategy = "pg_dump"
    size = "SELECT pg_database_size(current_database())"
    rights: Mapping[str, str] = MappingProxyType(
        {"role": _ROLE, "unreadable": _TABLES, "large_objects": _LARGE_OBJECTS}
    )

    def dump(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the call of `pg_dump`."""
        connection, environ = _connection(url)
        words = ["pg_dump", "--no-password", f"--lock-wait-timeout={_LOCK_TIMEOUT}"]
        words += [f"--format={way.format}", f"--dbname={connection}"]
        command = f"exec {shlex.join(words)}"
        if way.format == "directory":
            command += f' --jobs={way.jobs} --file="${PATH_VARIABLE}"'
        return through_shell(
            "pg_dump",
            command,
            prefix=way.prefix,
            environ=environ,
            place=_place(way),
            trailer=self.trailer(way),
        )

    def load(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the call of `pg_restore`, for a plain text of `psql`."""
        connection, environ = _connection(url)
        if way.format == "plain":
            name = "psql"
            words = ["psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
            words += ["--output=/dev/null", f"--dbname={connection}", "--file=-"]
        else:
            name = "pg_restore"
            words = ["pg_restore", "--no-password", "--exit-on-error", f"--dbname={connection}"]
        if owners == "ours" and way.format != "plain":
            # A subscription would begin to fetch rows from its publisher.
            words += ["--no-owner", "--no-privileges", "--no-subscriptions", "--no-tablespaces"]
        command = f"exec {shlex.join(words)}"
        if way.format == "directory":
            command += f' --jobs={way.jobs} "${PATH_VARIABLE}"'
        return through_shell(name, command, prefix=way.prefix, environ=environ, place=_place(way))

    def proven(self, snapshot: Snapshot) -> Snapshot:
        """Return it as it is: owners are no part of it, and no proof asks for grants."""
        return snapshot

    sets_session = True
    names_roles = True
    replaces_at_once = True
    exchange: None = None

    def replace(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the call that clears the database and puts the copy back, in one transaction.

        COMMIT comes last, and from whoever has read the copy to its end: a program that is cut off
        in the middle ends without it, and the server takes everything back. A plain copy that holds
        large objects commits by itself on the way.
        """
        connection, environ = _connection(url)
        psql = ["psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
        psql += ["--output=/dev/null", f"--dbname={connection}", "--file=-"]
        variables = {**environ, "ORCHESTRATE_CLEAR": POSTGRESQL_CLEAR}
        clear = "printf '%s\\n' \"$ORCHESTRATE_CLEAR\""
        if way.format == "plain":
            return through_shell(
                "psql",
                f"{{ {clear}; cat; }} | {shlex.join(psql)}",
                prefix=way.prefix,
                environ=variables,
                closing=b"\nCOMMIT;\n",
            )
        # Its own BEGIN comes inside ours, which only warns; its COMMIT ends both.
        words = ["pg_restore", "--single-transaction", "--file=-"]
        if owners == "ours":
            words += ["--no-owner", "--no-privileges", "--no-subscriptions", "--no-tablespaces"]
        restore = shlex.join(words)
        if way.format == "directory":
            restore += f' "${PATH_VARIABLE}"'
        failed = f"printf '%s\\n' {shlex.quote(POSTGRESQL_FAILED)}"
        return through_shell(
            "pg_restore",
            f"{{ {clear}; {restore} || {failed}; }} | {shlex.join(psql)}",
            prefix=way.prefix,
            environ=variables,
            place=_place(way),
        )

    def listing(self, way: Way) -> Program | None:
        """Return the call of `pg_restore` that unpacks everything: `--list` reads the contents."""
        if way.format == "plain":
            return None
        command = "exec pg_restore --file=/dev/null"
        if way.format == "directory":
            command += f' "${PATH_VARIABLE}"'
        return through_shell("pg_restore", command, prefix=way.prefix, place=_place(way))

    def trailer(self, way: Way) -> bytes | None:
        """Return the last comment of a plain text."""
        return _TRAILER if way.format == "plain" else None

    def versions(self, way: Way) -> Program:
        """Return the call that prints the versions of both programs."""
        other = "psql" if way.format == "plain" else "pg_restore"
        command = f"pg_dump --version && exec {other} --version"
        return through_shell("pg_dump", command, prefix=way.prefix)

    def too_old(self, versions: str, server_version: str) -> str | None:
        """Say so where a program's first number is lower than the server's: it refuses."""
        server = re.search(r"\d+", server_version)
        for found in _VERSION.finditer(versions):
            if server and int(found["major"]) < int(server[0]):
                return (
                    f"{found['name']} {found['version']} is older than the server "
                    f"({server_version}) and refuses to copy it"
                )
        return None

    def counts(self, tables: Sequence[tuple[str | None, str]]) -> str:
        """Return one list of values: a chain of unions is limited by the server's stack."""
        if not tables:
            return "SELECT NULL, NULL, NULL WHERE false"
        return "VALUES " + ", ".join(_counted(schema, table) for schema, table in tables)

    def tally(self, server_version: str) -> RowTally | None:
        """Return nothing: the formats of `pg_dump` are not read here."""
        del server_version
        return None

    def missing_rights(self, rows: Rows) -> tuple[str, ...]:
        """Name what cannot be read, and what row security would leave out."""
        role, database = (text(value) for value in rows["role"][0])
        return tuple(_unreadable(role, database, rows))


def _place(way: Way) -> Place:
    return "folder" if way.format == "directory" else "stream"


def _connection(url: DatabaseUrl) -> tuple[str, dict[str, str]]:
    """Return a connection string without secrets, and the variables that hold them."""
    given = parameters(url)
    if any(name == "sslpassword" for name, _ in given):
        raise OrchestrateError(
            "backup-impossible",
            "`sslpassword` in the URL can be given to `pg_dump` in its argument list alone, "
            "where every user of the machine reads it",
            hint="Take a key without a password, readable by its owner alone",
        )
    parts = {"host": url.host, "port": url.port, "user": url.user, "dbname": url.database}
    values = {name: str(value) for name, value in parts.items() if value not in {None, ""}}
    for name, value in given:
        values |= _setting(name, value)
    hosts = [_host(value) for name, value in given if name == "host"]
    if hosts:
        values["host"] = ",".join(host for host, _ in hosts)
        if any(port for _, port in hosts):
            values["port"] = ",".join(port for _, port in hosts)
    password = url.password.reveal() if url.password is not None else None
    password = dict(given).get("password", password)
    connection = " ".join(f"{name}={_quoted(value)}" for name, value in values.items())
    return connection, {} if password is None else {"PGPASSWORD": password}


def _setting(name: str, value: str) -> dict[str, str]:
    """Return a URL's parameter as the library knows it, nothing for what is a driver's alone."""
    socket = _SOCKET.fullmatch(value)
    if name == "unix_sock" and socket:  # of pg8000
        return {"host": socket["folder"], "port": socket["port"]}
    if name == "ssl":  # of asyncpg
        return {"sslmode": {"true": "require", "false": "disable"}.get(value.lower(), value)}
    return {name: value} if name in _KEYWORDS else {}


def _host(value: str) -> tuple[str, str]:
    """Return host and port: SQLAlchemy writes several hosts as `host=one:5432&host=two:5432`."""
    host, colon, port = value.rpartition(":")
    return (host, port) if colon and port.isdigit() and ":" not in host else (value, "")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _counted(schema: str | None, table: str) -> str:
    place = _identifier(table) if schema is None else f"{_identifier(schema)}.{_identifier(table)}"
    shown = "CAST(NULL AS text)" if schema is None else _literal(schema)
    return f"({shown}, {_literal(table)}, (SELECT count(*) FROM {place}))"  # noqa: S608


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    # Whatever `standard_conforming_strings` is, a backslash is one in this form alone.
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _unreadable(role: str, database: str, rows: Rows) -> Iterator[str]:
    hidden: dict[str, list[str]] = {}
    for kind, schema, name, readable, _ in rows["unreadable"]:
        kinds = "rows" if readable else text(kind)
        hidden.setdefault(kinds, []).append(f"{text(schema)}.{text(name)}")
    for kinds, names in hidden.items():
        shown = ", ".join(f"`{name}`" for name in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004
        if kinds == "rows":
            yield (
                f"row security hides rows of {shown}{more} from `{role}`: the owner sees all rows "
                f'unless it is forced, so does `ALTER ROLE "{role}" BYPASSRLS`'
            )
        else:
            yield (
                f"`{role}` may not read the {kinds}{'s' if len(names) > 1 else ''} {shown}{more}: "
                f'`GRANT SELECT` on it, or `GRANT pg_read_all_data TO "{role}"`'
            )
    count, first = rows["large_objects"][0]
    if count:
        yield (
            f"`{role}` may not read {count} large objects of `{database}`: "
            f'`GRANT SELECT ON LARGE OBJECT {first} TO "{role}"`, and so on'
        )
