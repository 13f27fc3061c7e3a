"""PostgreSQL: transactional DDL, advisory locks, and catalogues that tell everything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from orchestrate.dialects import postgresql_schema
from orchestrate.dialects.canonical import text
from orchestrate.dialects.hints import NETWORK, Hints, first_match, hint
from orchestrate.dialects.interface import Kit, Rights, Row
from orchestrate.dialects.postgresql_rights import PostgreSQLRights
from orchestrate.domain.equipment import Driver, Program
from orchestrate.domain.snapshot import SchemaRows, Snapshot

_IDENTITY: Final = """\
SELECT
  CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN
    substring(CAST(query_to_xml(
      'SELECT system_identifier FROM pg_catalog.pg_control_system()', true, true, ''
    ) AS text) FROM '>([0-9]+)<')
  END,
  CASE WHEN NOT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN
    host(inet_server_addr())
  END,
  CASE WHEN NOT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN
    current_setting('port')
  END,
  current_database(),
  (SELECT CAST(oid AS text) FROM pg_catalog.pg_database WHERE datname = current_database())"""
"""`query_to_xml` because rights are checked for every function of a statement before any `CASE` is
decided; a text that the server runs later is checked later. Everybody may execute
`pg_control_system()` unless a hardened server took that away. Address and port stand in for it
alone: beside it they would make a socket and the network look like two servers."""

_BLOCKERS: Final = """\
SELECT activity.pid, activity.usename,
  COALESCE(NULLIF(activity.application_name, ''), host(activity.client_addr), 'local'),
  activity.state,
  CAST(extract(epoch FROM clock_timestamp()
    - COALESCE(activity.xact_start, activity.query_start)) AS double precision),
  left(activity.query, 200)
FROM pg_catalog.pg_stat_activity AS activity
WHERE activity.pid = ANY (pg_blocking_pids({pid}))
ORDER BY 5 DESC NULLS LAST, 1 LIMIT 20"""

_TABLES: Final = """\
SELECT namespace.nspname, class.relname
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p') AND namespace.nspname !~ '^pg_'
  AND namespace.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.deptype = 'e'
    AND depend.classid = CAST('pg_catalog.pg_class' AS regclass) AND depend.objid = class.oid)
ORDER BY 1, 2"""

_ENUM_TYPES: Final = """\
SELECT namespace.nspname, type.typname
FROM pg_catalog.pg_type AS type
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
WHERE type.typtype = 'e' ORDER BY 1, 2"""

_LOCK_STATES: Final = frozenset({"55P03", "40P01"})
_LOCK_MESSAGE: Final = re.compile(
    r"canceling statement due to lock timeout|could not obtain lock on|deadlock detected"
)

_HINTS: Final[Hints] = (
    hint(
        r'database "(?P<name>[^"]*)" does not exist',
        "The server has no database `{name}`: check the last part of the URL, or create it",
    ),
    hint(
        r"no password supplied",
        "The URL has no password and the server wants one: check where the URL comes from",
    ),
    hint(
        r'password authentication failed for user "(?P<user>[^"]*)"',
        "The server refused the password of `{user}`, or knows no such user: check both where the "
        "URL comes from",
    ),
    hint(
        r'role "(?P<user>[^"]*)" (does not exist|is not permitted to log in)',
        "`{user}` may not log in to this server: check the user in the URL, or `CREATE ROLE` with "
        "`LOGIN`",
    ),
    hint(
        r"pg_hba\.conf.*no encryption|SSL (connection is )?(off|required)$",
        "The server wants TLS: add `?sslmode=require` to the URL (asyncpg: `?ssl=require`)",
    ),
    hint(
        r"pg_hba\.conf",
        "The server lets nobody in from this address with this user and database: check user, "
        "database and address in its pg_hba.conf",
    ),
    hint(
        r"does not support SSL|rejected SSL upgrade",
        "The URL asks for TLS and the server has none: check host and port, or leave out `sslmode`",
    ),
    hint(
        r"invalid response to SSL negotiation|unsupported frontend protocol",
        "What listens there is not PostgreSQL: check host and port",
    ),
    hint(
        r"certificate verify failed|root certificate file|certificate has expired",
        "The server's certificate is not trusted: check `sslrootcert` and the host name in the URL",
    ),
    hint(
        r"too many (connections|clients)|remaining connection slots",
        "The server has no connection left: wait, end idle sessions (`pg_stat_activity`), or raise "
        "the limit of the server, the database or the role",
    ),
    hint(
        r"is not currently accepting connections",
        "The database is closed to connections: `ALTER DATABASE … ALLOW_CONNECTIONS true`",
    ),
    hint(
        r'permission denied for database "(?P<name>[^"]*)"',
        "This user may not connect to `{name}`: `GRANT CONNECT ON DATABASE`, or take another user",
    ),
    hint(
        r"the database system is (starting up|shutting down|in recovery|not yet accepting)",
        "The server is starting or stopping: try again in a moment",
    ),
    hint(
        r"on socket .* failed: No such file|FileNotFoundError",
        "There is no socket at that path: check the folder in `host=`, and that the server runs on "
        "this machine",
    ),
    *NETWORK,
)


def _milliseconds(setting: str, seconds: float | None) -> tuple[str, ...]:
    """Return the statement that sets a timeout; at least 1 ms, since 0 means no limit."""
    if seconds is None:
        return ()
    return (f"SET {setting} = {max(1, round(seconds * 1000))}",)


class PostgreSQL:
    """What a dialect answers, for PostgreSQL 12 and later."""

    name = "postgresql"
    title = "PostgreSQL"
    transactional_ddl = True
    cannot: tuple[str, ...] = ()
    drivers: tuple[Driver, ...] = (
        Driver(name="psycopg", module="psycopg", for_asyncio=True),
        Driver(name="psycopg2", module="psycopg2"),
        Driver(name="asyncpg", module="asyncpg", for_asyncio=True, for_plain_calls=False),
        Driver(name="pg8000", module="pg8000"),
    )
    # `pg_dump` refuses a server whose first number is higher than its own.
    programs: tuple[Program, ...] = tuple(
        Program(names=(name,), version=r"\(PostgreSQL\) ([\d.]+)", parts=1)
        for name in ("pg_dump", "pg_restore", "psql")
    )
    rights: Rights | None = PostgreSQLRights()

    def kit(self, *, lock_timeout: float | None, statement_timeout: float | None) -> Kit:
        """Return the SQL the agent needs.

        `idle_in_transaction_session_timeout` is left as the server has it: it ends a session whose
        program hangs inside a revision, and the agent's own pauses there are short.
        """
        return Kit(
            identity=_IDENTITY,
            server_version="SELECT current_setting('server_version')",
            session="SELECT pg_backend_pid()",
            default_schema="SELECT current_schema()",
            read_only=("SET TRANSACTION READ ONLY",),
            timeouts=(
                *_milliseconds("lock_timeout", lock_timeout),
                *_milliseconds("statement_timeout", statement_timeout),
            ),
            tables=_TABLES,
            snapshot=postgresql_schema.QUERIES,
            lock_kind="sql",
            # An advisory lock is the database's, not the cluster's, and takes any 64-bit number.
            try_lock="SELECT CAST(pg_try_advisory_lock(CAST(x'{key}' AS bigint)) AS integer)",
            release_lock="SELECT CAST(pg_advisory_unlock(CAST(x'{key}' AS bigint)) AS integer)",
            blockers=(_BLOCKERS,),
            enum_types=_ENUM_TYPES,
        )

    def identity(self, rows: Sequence[Row]) -> str:
        """Return `postgresql system=7402… database=app oid=16402`.

        The system identifier is made by initdb and the same through every address, socket and
        pooler; the oid changes when a database is dropped and created again. Physical copies
        (standby, file-level clone) keep both. Where an ordinary user may not read the identifier,
        the address and port of the server as the server sees them take its place: weaker, and
        another through a socket than over the network.
        """
        system, address, port, database, oid = (
            None if value is None else text(value) for value in rows[0]
        )
        server = f"system={system}" if system else f"server={address or 'socket'}:{port}"
        return f"postgresql {server} database={database} oid={oid}"

    def server_version(self, rows: Sequence[Row]) -> str:
        """Return `PostgreSQL 15.18`, without the packager's words."""
        return f"PostgreSQL {text(rows[0][0]).split()[0]}"

    def snapshot(self, rows: SchemaRows, *, version_table: str) -> Snapshot:
        """Return the canonical schema without the version table."""
        return postgresql_schema.parse(rows, version_table=version_table)

    def is_lock_timeout(self, sqlstate: str | None, message: str) -> bool:
        """Tell whether an error means that a lock was not granted in time.

        55P03 is `lock_not_available` (`lock_timeout`, `NOWAIT`). 40P01, a deadlock, counts too: its
        victim waited for a lock and lost it, its transaction is rolled back whole, and the cure is
        the same wait and retry. 57014 does not: `statement_timeout` and a cancel by a person look
        alike, and neither is cured by trying again.
        https://www.postgresql.org/docs/current/errcodes-appendix.html
        """
        if sqlstate is not None:
            return sqlstate in _LOCK_STATES
        return _LOCK_MESSAGE.search(message) is not None

    def unreachable_hint(self, message: str) -> str | None:
        """Return what to check, for a driver's connection error, or None if it is not known."""
        return first_match(_HINTS, message)

    def invalid_objects(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return indexes that a failed concurrent build left invalid, and unchecked constraints."""
        return postgresql_schema.invalid_objects(snapshot)
