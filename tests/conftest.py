"""Fixtures that every test can ask for.

Owns when servers start: at the first test of a process that asks for one. A server that is not
installed is an error, never a skip.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import databases, interpreters, servers
from tests.support.databases import Database, NewDatabase
from tests.support.mariadb_server import MariadbServer
from tests.support.postgresql_server import PostgresqlServer
from tests.support.projects import Project
from tests.support.servers import Server
from tests.support.ssh_server import SshHome, SshServer

# What is committed passes or fails for everyone alike; `--hypothesis-profile explore` looks further.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("same")

SERVER_FIXTURES = {"postgresql_server", "mariadb_server", "ssh_server"}
SERVER_KINDS = {"postgresql": "postgresql_server", "mariadb": "mariadb_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, so that `-m 'not servers'` is the quick half."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        callspec = getattr(item, "callspec", None)
        kind = callspec.params.get("database") if callspec else None
        if names & SERVER_FIXTURES or kind in SERVER_KINDS:
            item.add_marker("servers")


def _serve(kind: type[Server]) -> Iterator[Server]:
    try:
        yield from servers.serve(kind)
    except servers.MissingServerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """Run PostgreSQL for this pytest process; asked for by tests that kill it, too."""
    yield from _serve(PostgresqlServer)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """Run MariaDB for this pytest process; asked for by tests that kill it, too."""
    yield from _serve(MariadbServer)


def _run_sshd() -> SshServer:
    try:
        return SshServer()
    except servers.MissingServerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def ssh_servers() -> Iterator[Callable[[], SshServer]]:
    """Return a function that starts another OpenSSH server for this pytest process."""
    made: list[SshServer] = []

    def another() -> SshServer:
        made.append(_run_sshd())
        return made[-1]

    yield another
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def ssh_server(ssh_servers: Callable[[], SshServer]) -> SshServer:
    """Run OpenSSH's server for this pytest process; a test that stops it starts it again."""
    return ssh_servers()


@pytest.fixture
def home(tmp_path: Path) -> SshHome:
    """Return a home folder with an SSH key."""
    return SshHome(tmp_path / "home")


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """Return a function that creates an empty database of a kind; all are dropped afterwards."""
    made: list[Database] = []

    def create(kind: str) -> Database:
        if kind == "sqlite":
            database = databases.sqlite_database(tmp_path / f"database-{len(made) + 1}.db")
        else:
            database = databases.server_database(request.getfixturevalue(SERVER_KINDS[kind]))
        made.append(database)
        return database

    yield create
    for database in made:
        if database.server is not None:
            database.server.start()  # the test may have killed it
            database.server.drop(database.name)


@pytest.fixture(params=databases.KINDS)
def database(request: pytest.FixtureRequest, new_database: NewDatabase) -> Database:
    """Create an empty database, once for each dialect.

    `@pytest.mark.parametrize("database", ["sqlite"], indirect=True)` chooses some of them.
    """
    return new_database(request.param)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Start an Alembic project of the default shape, without revisions, in a folder of its own."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def oldest_python() -> Path:
    """Return the Python of an environment with the oldest Alembic that is supported."""
    return interpreters.interpreter("oldest")


@pytest.fixture(scope="session")
def newest_python() -> Path:
    """Return the Python of an environment with the newest Alembic, on the newest Python here."""
    return interpreters.interpreter("newest")


@pytest.fixture(params=["oldest", "newest"])
def python(request: pytest.FixtureRequest) -> Path:
    """Return the Python of either end of what is supported, one after the other."""
    return interpreters.interpreter(request.param)
