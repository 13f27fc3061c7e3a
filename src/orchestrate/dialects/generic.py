"""Any other server: plans and applies as elsewhere, and says what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.canonical import make_snapshot, text
from orchestrate.dialects.copies import Copies
from orchestrate.dialects.interface import Kit, Rights, Row
from orchestrate.dialects.locks import Locks
from orchestrate.dialects.measures import Measures
from orchestrate.dialects.networks import Network, PlainNetwork
from orchestrate.dialects.row_counts import RowCounts
from orchestrate.dialects.scratch import Scratch
from orchestrate.dialects.signs import NETWORK, Signs, first_fitting, sign
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.equipment import Driver, Program
from orchestrate.domain.snapshot import SchemaRows, Snapshot
from orchestrate.domain.troubles import Failure, Recognised

_SIGNS: Final[Signs] = (
    sign(
        "login-refused",
        r"login failed|access denied|invalid username/password|authentication failed",
        "Check user and password where the URL comes from",
    ),
    *NETWORK,
)

_CANNOT: Final = (
    "prove which database it is: the identity is the URL's word alone",
    "keep a look read-only on the server's side",
    "take a lock in the database: only the lease in the state store keeps two runs apart",
    "set lock and statement timeouts, or name the sessions that block a statement",
    "read the schema: a step that was cut short is always in doubt, and drift sees revisions only",
)

_GRAMMARS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "oracle": "oracle",
        "mssql": "tsql",
        "snowflake": "snowflake",
        "redshift": "redshift",
        "bigquery": "bigquery",
        "duckdb": "duckdb",
        "clickhouse": "clickhouse",
        "databricks": "databricks",
        "trino": "trino",
        "cockroachdb": "postgres",
    }
)
"""sqlglot's names of those that it knows."""


class Generic:
    """What a dialect answers for a server that has no module here.

    No SQL is sent at all: there is no query that every server takes (even `SELECT 1` needs a
    `FROM` in Oracle before 23), and a failed one would spoil the transaction.
    """

    title: str
    grammar: str
    transactional_ddl = False
    cannot: tuple[str, ...] = _CANNOT
    drivers: tuple[Driver, ...] = ()
    programs: tuple[Program, ...] = ()
    rights: Rights | None = None
    scratch: Scratch | None = None
    copies: Copies | None = None
    row_counts: RowCounts | None = None
    locks: Locks | None = None
    known_sizes: str | None = None
    table_sizes: str | None = None
    measures: Measures | None = None
    filling: None = None
    network: Network | None = PlainNetwork()

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = name
        self.grammar = _GRAMMARS.get(name, "")

    def kit(self, *, lock_timeout: float | None, statement_timeout: float | None) -> Kit:
        """Return a kit without any text; the agent asks SQLAlchemy in place of the server."""
        del lock_timeout, statement_timeout
        return Kit(
            identity=None,
            server_version=None,
            session=None,
            default_schema=None,
            read_only=(),
            passing_timeouts=(),
            timeouts=(),
            tables=None,
            snapshot=MappingProxyType({}),
            lock_kind="none",
            try_lock=None,
            release_lock=None,
            keep_lock=(),
            commits=None,
            frozen=(),
            cancel=None,
            blockers=(),
            enum_types=None,
        )

    def identity(self, rows: Sequence[Row]) -> str:
        """Return `oracle db1 1521 app`: what the URL says, since the server cannot be asked."""
        return " ".join([self.name, *(text(value) for row in rows for value in row)])

    def server_version(self, rows: Sequence[Row]) -> str:
        """Return the dialect's name and the version SQLAlchemy found."""
        return " ".join([self.name, *(text(value) for row in rows for value in row)])

    def snapshot(self, rows: SchemaRows, *, version_table: str) -> Snapshot:
        """Return an empty snapshot."""
        del rows, version_table
        return make_snapshot(self.name, ())

    def recognise(self, failure: Failure) -> Recognised | None:
        """Return which known trouble an error is, or None if it is not known."""
        return first_fitting(_SIGNS, failure)

    def invalid_objects(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return nothing."""
        del snapshot
        return {}

    def remedy(self, difference: DriftDifference) -> str | None:
        """Return nothing: no statement is known."""
        del difference
        return None
