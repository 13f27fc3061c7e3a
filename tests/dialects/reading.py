"""What the agent does with a kit, in the few lines that a test of a dialect needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrate.dialects.interface import Dialect, Kit
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.snapshot import Difference, Snapshot
from orchestrate.domain.troubles import Failure
from tests.support.databases import Database

LOCK_TIMEOUT = 1.0


def kit_of(database: Database) -> Kit:
    """Return the kit of a database's dialect."""
    return dialect_for(database.dialect).kit(lock_timeout=LOCK_TIMEOUT, statement_timeout=None)


def rows(connection: Any, sql: str) -> list[list[Any]]:
    """Return the rows of one statement, as JSON would carry them."""
    cursor = connection.cursor()
    cursor.execute(sql)
    return [list(row) for row in cursor.fetchall()] if cursor.description else []


def read(connection: Any, dialect: str, *, version_table: str = "alembic_version") -> Snapshot:
    """Return the snapshot seen through a connection, in one transaction that is rolled back."""
    chosen = dialect_for(dialect)
    kit = chosen.kit(lock_timeout=None, statement_timeout=None)
    rows(connection, "BEGIN")
    try:
        found = {name: rows(connection, sql) for name, sql in kit.snapshot.items()}
    finally:
        rows(connection, "ROLLBACK")
    return chosen.snapshot(found, version_table=version_table)


@dataclass(frozen=True)
class Change:
    """A change of a schema, the way back, and the objects that it touches and nothing else."""

    id: str
    there: Sequence[str]
    back: Sequence[str]
    named: Sequence[str]
    """`added column orders.note`"""


def named(differences: Sequence[Difference]) -> list[str]:
    """Return differences the way `Change.named` has them."""
    return sorted(f"{one.change} {one.object} {one.name}" for one in differences)


def trouble(dialect: Dialect, error: BaseException | str, state: str | None = None) -> str | None:
    """Return the trouble that an error is known as, by its words and, if it has one, its state."""
    state = state or getattr(error, "sqlstate", None)
    found = dialect.recognise(Failure(message=str(error), sqlstate=state))
    return found.trouble if found else None
