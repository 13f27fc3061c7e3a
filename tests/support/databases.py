"""Fresh empty databases of every dialect, and a look into them with nothing but the DBAPI.

Owns what tests use to see the truth of a database without orchestrate, Alembic or SQLAlchemy in
between. Must not change a database, but through `execute`.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import Server

KINDS = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True)
class Database:
    """One database of one test."""

    kind: str  # sqlite, postgresql or mariadb: the ids of the fixture `database`
    dialect: str  # SQLAlchemy's name: sqlite, postgresql or mysql
    name: str  # as the server calls it; for SQLite the file's path
    url: str  # with the default driver and the password
    server: Server | None = None

    @property
    def path(self) -> Path:
        """Return the file of a SQLite database."""
        assert self.server is None, f"a {self.kind} database has no file"
        return Path(self.name)

    def url_with(self, driver: str) -> str:
        """Return the URL for another driver: asyncpg, psycopg2, aiosqlite, or none if empty."""
        if self.server is not None:
            return self.server.url(self.name, driver=driver)
        return f"sqlite+{driver}:///{self.name}" if driver else self.url

    def connect(self) -> Any:
        """Return a DBAPI connection in autocommit mode."""
        if self.server is not None:
            return self.server.connect(self.name)
        return sqlite3.connect(self.name, isolation_level=None, timeout=10)

    def execute(self, *statements: str) -> None:
        """Execute statements one by one, each committed by itself."""
        with contextlib.closing(self.connect()) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with contextlib.closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())

    def tables(self) -> list[str]:
        """Return the sorted names of the tables, version table included."""
        return sorted(name for (name,) in self.rows(_TABLES[self.dialect]))

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns in their order."""
        with contextlib.closing(self.connect()) as connection:
            cursor = connection.cursor()
            quote = "`" if self.dialect == "mysql" else '"'
            cursor.execute(f"SELECT * FROM {quote}{table}{quote} WHERE 1 = 0")
            return [column[0] for column in cursor.description]

    def heads(self, *, version_table: str = "alembic_version") -> list[str]:
        """Return the sorted rows of the version table, and none when there is no such table."""
        if version_table not in self.tables():
            return []
        return sorted(head for (head,) in self.rows(f"SELECT version_num FROM {version_table}"))


# What the fixture `new_database` gives: called with a kind, it makes an empty database.
NewDatabase = Callable[[str], Database]

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    "mysql": (
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = database() AND table_type = 'BASE TABLE'"
    ),
}


def sqlite_database(path: Path) -> Database:
    """Return the SQLite database of a path, which need not exist yet."""
    return Database(kind="sqlite", dialect="sqlite", name=str(path), url=f"sqlite:///{path}")


def server_database(server: Server) -> Database:
    """Create a database on a server."""
    name = server.create_database()
    return Database(
        kind=server.kind, dialect=server.dialect, name=name, url=server.url(name), server=server
    )
