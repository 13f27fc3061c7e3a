"""PostgreSQL: transactional DDL, advisory locks, and catalogues that tell everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from orchestrate.dialects import (
    measures,
    postgresql_remedies,
    postgresql_schema,
    table_sizes,
)
from orchestrate.dialects.canonical import text
from orchestrate.dialects.copies import Copies
from orchestrate.dialects.interface import Kit, Rights, Row
from orchestrate.dialects.locks import Locks
from orchestrate.dialects.measures import Measures
from orchestrate.dialects.networks import Network, PostgreSQLNetwork
from orchestrate.dialects.postgresql_copies import PostgreSQLCopies
from orchestrate.dialects.postgresql_locks import PostgreSQLLocks
from orchestrate.dialects.postgresql_rights import PostgreSQLRights
from orchestrate.dialects.postgresql_scratch import SCRATCH
from orchestrate.dialects.postgresql_signs import SIGNS
from orchestrate.dialects.row_counts import POSTGRESQL, RowCounts
from orchestrate.dialects.scratch import Scratch
from orchestrate.dialects.signs import first_fitting
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.equipment import Driver, Program
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.domain.troubles import Failure, Recognised

if TYPE_CHECKING:
    from orchestrate.dialects.filling import Filling

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

# Since PostgreSQL 14; earlier ones have no row of that name.
_KEEP_LOCK: Final = """\
SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"""
_ENUM_TYPES: Final = """\
SELECT namespace.nspname, type.typname
FROM pg_catalog.pg_type AS type
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
WHERE type.typtype = 'e' ORDER BY 1, 2"""


def _milliseconds(setting: str, seconds: float | None) -> tuple[str, ...]:
    """Return what follows `SET` for a timeout; at least 1 ms, since 0 means no limit."""
    if seconds is None:
        return ()
    return (f"{setting} = {max(1, round(seconds * 1000))}",)


class PostgreSQL:
    """What a dialect answers, for PostgreSQL 12 and later."""

    name = "postgresql"
    title = "PostgreSQL"
    grammar = "postgres"
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
    scratch: Scratch | None = SCRATCH
    copies: Copies | None = PostgreSQLCopies()
    row_counts: RowCounts | None = POSTGRESQL
    locks: Locks | None = PostgreSQLLocks()
    known_sizes: str | None = table_sizes.POSTGRESQL_AT_HAND
    table_sizes: str | None = table_sizes.POSTGRESQL
    measures: Measures | None = measures.POSTGRESQL
    network: Network | None = PostgreSQLNetwork()

    @property
    def filling(self) -> Filling | None:
        """Return how tables are filled with generated rows."""
        from orchestrate.dialects.postgresql_filling import FILLING  # noqa: PLC0415  (for rehearsals alone)

        return FILLING

    def kit(self, *, lock_timeout: float | None, statement_timeout: float | None) -> Kit:
        """Return the SQL the agent needs.

        `idle_in_transaction_session_timeout` is left as the server has it: it ends a session whose
        program hangs inside a revision, and the agent's own pauses there are short.
        """
        limits = (
            *_milliseconds("lock_timeout", lock_timeout),
            *_milliseconds("statement_timeout", statement_timeout),
        )
        return Kit(
            identity=_IDENTITY,
            server_version="SELECT current_setting('server_version')",
            session="SELECT pg_backend_pid()",
            default_schema="SELECT current_schema()",
            read_only=("SET TRANSACTION READ ONLY",),
            timeouts=tuple(f"SET {limit}" for limit in limits),
            passing_timeouts=tuple(f"SET LOCAL {limit}" for limit in limits),
            tables=_TABLES,
            snapshot=postgresql_schema.QUERIES,
            lock_kind="sql",
            # An advisory lock is the database's, not the cluster's, and takes any 64-bit number.
            try_lock="SELECT CAST(pg_try_advisory_lock(CAST(x'{key}' AS bigint)) AS integer)",
            release_lock="SELECT CAST(pg_advisory_unlock(CAST(x'{key}' AS bigint)) AS integer)",
            keep_lock=(_KEEP_LOCK,),
            commits=None,
            frozen=("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1"),
            cancel="SELECT pg_cancel_backend({pid})",
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

    def recognise(self, failure: Failure) -> Recognised | None:
        """Return which known trouble an error is, or None if it is not known."""
        return first_fitting(SIGNS, failure)

    def invalid_objects(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return indexes that a failed concurrent build left invalid, and unchecked constraints."""
        return postgresql_schema.invalid_objects(snapshot)

    def remedy(self, difference: DriftDifference) -> str | None:
        """Return SQL that brings back what is expected without losing data, or None."""
        return postgresql_remedies.remedy(difference)
