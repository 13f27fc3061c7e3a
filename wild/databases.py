"""Empty databases on private servers, for a user whose password any project can take.

Owns the servers' life. What odd characters in a password do is the test suite's business.
"""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Final

from tests.support.databases import Database, server_database, sqlite_database
from tests.support.mariadb_server import MariadbServer
from tests.support.postgresql_server import PostgresqlServer
from tests.support.servers import Server

USER: Final = "wild"
PASSWORD: Final = "horses"  # noqa: S105 - of servers that end with this process
_SERVERS: Final[dict[str, type[Server]]] = {
    "postgresql": PostgresqlServer,
    "mariadb": MariadbServer,
}
_USERS: Final = {
    "postgresql": (f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'",),
    "mariadb": (
        f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION",
    ),
}


class Databases:
    """Makes databases; each server starts when its first one is asked for."""

    def __init__(self) -> None:
        self._servers: dict[str, Server] = {}
        self._lock = threading.Lock()

    def new(self, dialect: str, folder: Path, name: str) -> Database:
        """Return an empty database; `folder` and `name` are where SQLite will have its file."""
        if dialect == "sqlite":
            return sqlite_database(folder / f"{name}.db")
        with self._lock:
            server = self._server(dialect)
            database = server_database(server)
        url = server.url(database.name, user=USER, password=PASSWORD)
        return dataclasses.replace(database, url=url)

    def version(self, dialect: str) -> str:
        """Return the version of a dialect's server."""
        if dialect == "sqlite":
            return ""
        with self._lock:
            ((version,),) = self._server(dialect).rows("SELECT version()")
        return str(version).removeprefix("PostgreSQL ").split("-")[0].split()[0]

    def _server(self, dialect: str) -> Server:
        if dialect not in self._servers:
            server = _SERVERS[dialect]()
            server.execute(*_USERS[dialect])
            self._servers[dialect] = server
        return self._servers[dialect]

    def close(self) -> None:
        """End the servers."""
        for server in self._servers.values():
            server.close()
