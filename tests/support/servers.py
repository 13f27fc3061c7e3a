"""Private PostgreSQL and MariaDB servers for one pytest process.

Owns their folders, ports, accounts and processes. Each listens on a loopback port of its own, asks
for a password, keeps its data in a temporary folder and syncs it as a real one does, because crash
tests look at what survived. Must not know what the tests test. Nothing survives pytest: see
`reaper`.
"""

import abc
import contextlib
import itertools
import os
import pwd
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import psycopg
import pymysql

from tests.support import reaper

INSTALL = "bash tests/support/install_servers.sh"
HOST = "127.0.0.1"
USER = "tester"
# Every character that a URL, an ini file, a shell or a Jinja template could trip over.
PASSWORD = "s3cret@/:%{{x}}' tester"

NUMBERS = itertools.count(1)  # make the names of databases and readers unique


class MissingServerError(Exception):
    """A server's program is not installed."""


class Server(abc.ABC):
    """A running server that is ours alone; `close` ends it and removes its data."""

    kind: ClassVar[str]  # as in the ids of the fixture `database`
    dialect: ClassVar[str]  # SQLAlchemy's name
    driver: ClassVar[str]  # the default driver of its URLs
    account: ClassVar[str]  # whom it runs as when the tests run as root

    def __init__(self) -> None:
        self.find_programs()
        self.folder = Path(tempfile.mkdtemp(prefix=f"orchestrate-{self.kind}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper = subprocess.Popen(
            [sys.executable, reaper.__file__, str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # so that Ctrl-C on pytest does not end it first
        )
        try:
            self._hand_over(self.folder)
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    @abc.abstractmethod
    def find_programs(self) -> None:
        """Find the server's programs, or raise `MissingServerError`."""

    @abc.abstractmethod
    def prepare(self) -> None:
        """Fill the new data folder."""

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""

    @abc.abstractmethod
    def connect(self, database: str | None = None) -> Any:
        """Return a DBAPI connection in autocommit mode."""

    @abc.abstractmethod
    def create_reader(self, database: str) -> str:
        """Create a user that can only read `database`, and return its URL."""

    @abc.abstractmethod
    def drop(self, database: str) -> None:
        """Drop a database, also when somebody is still connected to it."""

    @property
    def pid(self) -> int:
        """Return the number of the server's first process, for whoever wants to kill it."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, patience: float = 60) -> None:
        """Start the server, and return when it answers. Nothing happens when it runs already."""
        if self.is_running():
            return
        with (self.folder / "log").open("ab") as log:
            self._process = self._popen(self.command(), stdout=log, stderr=log)
        (self.folder / "server.pid").write_text(str(self._process.pid))
        deadline = time.monotonic() + patience
        while True:
            try:
                self.connect().close()
            except (psycopg.OperationalError, pymysql.err.OperationalError) as error:
                if not self.is_running() or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.kind} did not start:\n{self.log()}") from error
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill the server and its children with SIGKILL, as a power cut would."""
        assert self._process is not None
        reaper.kill_tree(self._process.pid)
        self._process.wait()

    def close(self) -> None:
        """End the server for good and remove its folder. Safe to repeat."""
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait()
        if self._process is not None:
            self._process.wait()

    def create_database(self) -> str:
        """Create an empty database with a new name, and return the name."""
        self.start()
        name = f"db_{next(NUMBERS)}_{secrets.token_hex(3)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def url(
        self,
        database: str,
        *,
        driver: str | None = None,
        user: str = USER,
        password: str | None = PASSWORD,
    ) -> str:
        """Return the URL of a database; an empty `driver` leaves the driver out."""
        driver = self.driver if driver is None else driver
        scheme = f"{self.dialect}+{driver}" if driver else self.dialect
        secret = "" if password is None else f":{quote(password, safe='')}"
        return f"{scheme}://{user}{secret}@{HOST}:{self.port}/{database}"

    def execute(self, *statements: str, database: str | None = None) -> None:
        """Execute statements one by one, each committed by itself."""
        with contextlib.closing(self.connect(database)) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)

    def rows(self, sql: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with contextlib.closing(self.connect(database)) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())

    def log(self, *, lines: int = 40) -> str:
        """Return the end of what the server logged."""
        path = self.folder / "log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _run(self, command: list[str]) -> None:
        """Run a program to its end as the server's account."""
        process = self._popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{output.decode(errors='replace')}")

    def _popen(self, command: list[str], **streams: Any) -> subprocess.Popen[bytes]:
        whom: dict[str, Any] = {}
        if os.geteuid() == 0:  # these servers refuse to run as root
            entry = self._entry()
            whom = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # so that Ctrl-C on pytest does not end it first
            **streams,
            **whom,
        )

    def _hand_over(self, path: Path) -> None:
        """Make a path belong to the server's account."""
        if os.geteuid() == 0:
            entry = self._entry()
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _entry(self) -> pwd.struct_passwd:
        try:
            return pwd.getpwnam(self.account)
        except KeyError:
            return pwd.getpwnam("nobody")


def serve(kind: type[Server]) -> Iterator[Server]:
    """Yield a new server of a kind and close it afterwards; the body of a fixture."""
    server = kind()
    try:
        yield server
    finally:
        server.close()


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def free_port() -> int:
    """Return a port that nobody listens on.

    Below the range that the kernel gives to outgoing connections, so that none takes it between a
    kill and the next start.
    """
    for _ in range(1000):
        port = random.randint(20_000, 32_000)
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind((HOST, port))
            return port
    raise RuntimeError("no free port on the loopback address")
