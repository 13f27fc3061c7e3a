"""What was read of a target, or why it could not be."""

from __future__ import annotations

from typing import Literal

from orchestrate.values import dataclass

State = Literal[
    "current",
    "behind",
    "ahead",
    "diverged",
    "unknown-revision",
    "unversioned",
    "empty",
    "unreachable",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How env.py handles transactions, as the probe found it (alembic-in-the-wild, B4)."""

    external_transaction: bool
    """A transaction was open before `configure()`: commits are env.py's business."""
    transaction_per_migration: bool
    transactional_ddl: bool
    asynchronous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A target as it was seen through a connection of our own, beside env.py's."""

    environment: str
    target: str
    dialect: str
    server_version: str
    identity: str
    """Which database this is, whatever its URL says, in one printable line."""
    version_table: str
    """Schema-qualified where env.py or the connection names a schema: `public.alembic_version`."""
    has_version_table: bool
    heads: tuple[str, ...]
    """The rows of the version table, sorted."""
    tables: int
    """Number of tables beside the version table."""
    habits: Habits
    graph_digest: str
    pooled: bool = False
    """The server session changes between transactions (a pooler): session locks mean nothing."""

    driver: str = ""
    """SQLAlchemy's name of the driver that env.py connected with."""
    version_locations: tuple[str, ...] = ()
    """Folders of revisions as env.py left them; absolute, at the far end."""
    made_files: tuple[str, ...] = ()
    """What appeared in the project's directory while env.py ran."""
    unmade: bool = False
    """The target is an SQLite file that is not there yet; the run makes it."""
    unmade_databases: tuple[str, ...] = ()
    """SQLite files beside the target that env.py would have made, had it not been kept from it."""

    @property
    def target_key(self) -> str:
        """Return what a lease is taken on: the database and the version table in it."""
        return f"{self.identity} {self.version_table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """A target that could not be observed; `code` is an error code, `message` has no secret."""

    environment: str
    target: str
    dialect: str
    code: str
    message: str
    hint: str | None = None
    trouble: str | None = None


Sight = Observation | Unreachable
