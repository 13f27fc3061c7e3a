"""How a private MariaDB is made, run and reached; see `servers`."""

import contextlib
import os
import shutil
from typing import Any

import pymysql

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


class MariadbServer(Server):
    """MariaDB, with `tester` as its all-powerful user."""

    kind = "mariadb"
    dialect = "mysql"
    driver = "pymysql"
    account = "mysql"

    def find_programs(self) -> None:
        """Take Debian's version, or what is on PATH."""
        # Debian keeps servers in /usr/sbin, which is not on everybody's PATH.
        path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/libexec"])
        server = shutil.which("mariadbd", path=path)
        install = shutil.which("mariadb-install-db", path=path)
        if server is None or install is None:
            raise MissingServerError(f"MariaDB is not installed; run `{INSTALL}`")
        self.server, self.install = server, install

    def prepare(self) -> None:
        """Make a data folder, and a script that creates the account at the first start."""
        self._run(
            [
                self.install,
                "--no-defaults",
                f"--datadir={self.folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )
        # A server that starts removes the temporary tables of any other from a folder they share.
        temporary = self.folder / "temporary"
        temporary.mkdir()
        self._hand_over(temporary)
        script = self.folder / "first.sql"
        script.write_text(
            f"ALTER USER root@localhost IDENTIFIED BY {literal(PASSWORD)};\n"
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY {literal(PASSWORD)};\n"
            f"GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n"
        )
        self._hand_over(script)

    def command(self) -> list[str]:
        """Return the command with small buffers and no socket outside the folder."""
        return [
            self.server,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder / 'temporary'}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'mariadbd.pid'}",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            f"--init-file={self.folder / 'first.sql'}",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M",
            "--skip-name-resolve",
        ]

    def connect(self, database: str | None = None) -> Any:
        """Return a PyMySQL connection in autocommit mode."""
        return pymysql.connect(
            host=HOST,
            port=self.port,
            user=USER,
            password=PASSWORD,
            database=database,
            connect_timeout=10,
            autocommit=True,
        )

    def create_reader(self, database: str) -> str:
        """Create a user that may select from the tables of `database`."""
        name = f"reader_{next(NUMBERS)}"
        self.execute(
            f"CREATE USER {name}@'%' IDENTIFIED BY {literal(PASSWORD)}",
            f"GRANT SELECT ON {database}.* TO {name}@'%'",
        )
        return self.url(database, user=name)

    def drop(self, database: str) -> None:
        """End the database's connections, whose metadata locks would make it wait, and drop it."""
        sessions = self.rows(
            f"SELECT id FROM information_schema.processlist WHERE db = {literal(database)}"
        )
        for (session,) in sessions:
            with contextlib.suppress(pymysql.err.OperationalError):  # it may have just ended
                self.execute(f"KILL {session}")
        self.execute(f"DROP DATABASE IF EXISTS {database}")
