"""PgBouncer before a private PostgreSQL: what many applications' URLs lead to."""

import shutil
from pathlib import Path
from typing import Literal

from tests.support.postgresql_server import PostgresqlServer
from tests.support.servers import HOST, INSTALL, PASSWORD, USER, MissingServerError


class Pooler(PostgresqlServer):
    """PgBouncer with five sessions of a server, reached by the server's own names of databases."""

    kind = "pgbouncer"

    def __init__(
        self, server: PostgresqlServer, *, mode: Literal["transaction", "session"]
    ) -> None:
        self.server = server
        self.mode = mode
        super().__init__()

    def find_programs(self) -> None:
        """Take Debian's, which is in no user's PATH, or another."""
        found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if found is None:
            raise MissingServerError(f"PgBouncer is not installed; run `{INSTALL}`")
        self.programs = Path(found).parent

    def prepare(self) -> None:
        """Write who may come in, and whereto."""
        users = self.folder / "users"
        users.write_text(f'"{USER}" "{PASSWORD}"\n')
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(
            "[databases]\n"
            f"* = host={HOST} port={self.server.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = {HOST}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\n"
            f"pool_mode = {self.mode}\ndefault_pool_size = 5\n"
        )
        for path in (users, settings):
            self._hand_over(path)

    def command(self) -> list[str]:
        """Return the command; what it logs goes to the log of all servers."""
        return [str(self.programs / "pgbouncer"), str(self.folder / "pgbouncer.ini")]
