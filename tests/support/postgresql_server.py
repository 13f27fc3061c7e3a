"""How a private PostgreSQL is made, run and reached; see `servers`."""

import shutil
from pathlib import Path
from typing import Any

import psycopg

from tests.support.servers import (
    HOST,
    INSTALL,
    NUMBERS,
    PASSWORD,
    USER,
    MissingServerError,
    Server,
    literal,
)


class PostgresqlServer(Server):
    """PostgreSQL, with `tester` as its superuser."""

    kind = "postgresql"
    dialect = "postgresql"
    driver = "psycopg"
    account = "postgres"

    def find_programs(self) -> None:
        """Take Debian's newest version, or what is on PATH."""
        debian = sorted(
            Path("/usr/lib/postgresql").glob("*/bin/postgres"),
            key=lambda path: int(path.parts[-3]),
        )
        found = str(debian[-1]) if debian else shutil.which("postgres")
        if found is None:
            raise MissingServerError(f"PostgreSQL is not installed; run `{INSTALL}`")
        self.programs = Path(found).resolve().parent

    def prepare(self) -> None:
        """Make a cluster whose every connection has to give the password."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self._hand_over(secret)
        self._run(
            [
                str(self.programs / "initdb"),
                f"--pgdata={self.folder / 'data'}",
                f"--username={USER}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ]
        )

    def command(self) -> list[str]:
        """Return the command with small buffers and no socket outside the folder."""
        return [
            str(self.programs / "postgres"),
            *("-D", str(self.folder / "data")),
            *("-p", str(self.port)),
            *("-k", str(self.folder)),
            *("-c", f"listen_addresses={HOST}"),
            *("-c", "shared_buffers=16MB"),
            *("-c", "jit=off"),
        ]

    def connect(self, database: str | None = None) -> Any:
        """Return a psycopg connection in autocommit mode."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=database or "postgres",
            connect_timeout=10,
            autocommit=True,
        )

    def create_reader(self, database: str) -> str:
        """Create a role that may select from all tables, present and future."""
        name = f"reader_{next(NUMBERS)}"
        self.execute(
            f"CREATE ROLE {name} LOGIN PASSWORD {literal(PASSWORD)}",
            f"GRANT pg_read_all_data TO {name}",
        )
        return self.url(database, user=name)

    def drop(self, database: str) -> None:
        """Drop the database and its connections."""
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
