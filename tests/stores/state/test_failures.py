"""Whatever goes wrong is said in our words, with a hint, without a password, and loses nothing."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import open_state
from tests.support.databases import Database
from tests.support.servers import PASSWORD
from tests.support.states import event, open_store


def fails(url: str, *, safe_url: str = "SAFE") -> tuple[str, str | None]:
    """Open a store that cannot be opened, and return message and hint of the error."""
    with pytest.raises(OrchestrateError) as caught:
        open_state(Secret(url), safe_url=safe_url)
    assert caught.value.code == "state-unavailable"
    shown = "".join(traceback.format_exception(caught.value))
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "hunter2"):
        assert secret not in shown
    return caught.value.message, caught.value.hint


# --- files --------------------------------------------------------------------------------------


def test_not_a_database(tmp_path: Path) -> None:
    """A file of another kind is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("shopping list, long enough for SQLite to look at its header\n" * 20)
    assert fails(f"sqlite:///{path}") == (
        "The state store `SAFE` is no SQLite database: file is not a database",
        "Name another file in `state`; this one was left as it is",
    )
    assert path.read_text().startswith("shopping list")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """A folder is no file."""
    assert fails(f"sqlite:///{tmp_path}") == (
        "The state store `SAFE` cannot be opened: unable to open database file",
        "Check that the path is a file in a folder that is yours and can be written",
    )


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """The folder cannot be made where a file stands."""
    (tmp_path / "file").touch()
    assert fails(f"sqlite:///{tmp_path}/file/state.db") == (
        "The state store `SAFE` cannot be created: File exists",
        f"Check the folder `{tmp_path}/file`, or name another file in `state`",
    )


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory(url: str) -> None:
    """A journal that ends with the process is none."""
    assert fails(url) == (
        "A state store in memory would forget every run",
        "Name a file: `state: sqlite:///.orchestrate/state.db`",
    )


@contextlib.contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Give up root's right to write everywhere, for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that anybody can reach, since pytest's own are private."""
    with tempfile.TemporaryDirectory(prefix="orchestrate-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_folder_that_cannot_be_written(open_folder: Path) -> None:
    """A store is not created where we may not write, and the folder is named."""
    (open_folder / "locked").mkdir(mode=0o555)
    with as_ordinary_user():
        assert fails(f"sqlite:///{open_folder}/locked/state.db") == (
            "The state store `SAFE` cannot be created: Permission denied",
            f"Check the folder `{open_folder}/locked`, or name another file in `state`",
        )


def test_a_file_that_cannot_be_written(open_folder: Path) -> None:
    """A store that can only be read is read, and refuses to be written."""
    folder = open_folder / "store"
    url = Secret(f"sqlite:///{folder}/state.db")
    with open_state(url, safe_url="SAFE") as state:
        (made,) = state.append([event(1)])
    folder.chmod(0o555)
    (folder / "state.db").chmod(0o444)
    with (
        as_ordinary_user(),
        pytest.raises(OrchestrateError) as caught,
        open_state(url, safe_url="SAFE") as state,
    ):
        state.append([event(2)])
    assert caught.value.code == "state-unavailable"
    assert caught.value.hint is not None
    folder.chmod(0o755)
    with open_state(url, safe_url="SAFE") as state:
        assert list(state.events()) == [made]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_full_disk(database: Database) -> None:
    """An append that finds no space says so and leaves no trace; with space it works again."""
    with open_store(database) as state:
        state.append([event(1)])
        engine = state._database._engine
        limit = sa.event.listens_for(engine, "checkout")
        pages = 40

        @limit
        def _fill(connection: Any, *_rest: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(OrchestrateError) as caught:
            state.append([event(2), event(3, text="x" * 1_000_000)], snapshots=["one"])
        assert (caught.value.message, caught.value.hint, caught.value.details["outcome"]) == (
            "The state store `the sqlite of the test` has no space left to write to: "
            "database or disk is full",
            "Free some space and try again; what was recorded before is intact",
            "not written",
        )
        assert state.verify().count == 1
        pages = 1_000_000
        state.append([event(2)])
        assert state.verify().count == 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_disk_that_fails_at_commit(database: Database) -> None:
    """An append whose COMMIT cannot be written has not happened, and the next one works."""
    with open_store(database) as state:
        state.append([event(1)])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = (database.path.with_name(database.path.name + "-wal")).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        try:
            with pytest.raises(OrchestrateError) as caught:
                state.append([event(2)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert (caught.value.code, caught.value.details["outcome"]) == (
            "state-unavailable",
            "not written",
        )
        state.append([event(3)])
        assert [one.data["number"] for one in state.events()] == [1, 3]
        assert state.verify().problem is None


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_file_that_stays_locked(database: Database) -> None:
    """Somebody who keeps the file locked is named as the cause, and can be waited for."""
    with open_store(database, query="?timeout=0.1") as state:
        other = sqlite3.connect(database.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OrchestrateError) as caught:
            state.append([event(1)])
        assert (caught.value.message, caught.value.hint) == (
            "The state store `the sqlite of the test` stayed locked by somebody else for too long: "
            "database is locked",
            "Look for a program that keeps a transaction open on it; nothing was written, try again",
        )
        assert list(state.events()) == []
        other.execute("ROLLBACK")
        other.close()
        assert len(state.append([event(1)])) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_damaged_file(database: Database) -> None:
    """A file whose pages are overwritten is called damaged."""
    with open_store(database) as state:
        state.append([event(number, text="x" * 900) for number in range(50)])
    content = bytearray(database.path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    database.path.write_bytes(content)
    message, hint = fails(database.url)
    assert message == ("The state store `SAFE` is damaged: database disk image is malformed")
    assert hint is not None
    assert "backup" in hint


# --- servers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_wrong_password(kind: str, request: pytest.FixtureRequest) -> None:
    """A refused password is called that, and is shown nowhere."""
    server = request.getfixturevalue(f"{kind}_server")
    server.start()
    message, hint = fails(server.url("anything", password="hunter2 @/:%"))
    assert message.startswith("The state store `SAFE` refused the account: ")
    assert hint == "Check the user and the password that the source of `state` gives"


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_database_that_does_not_exist(kind: str, request: pytest.FixtureRequest) -> None:
    """We create tables, not databases."""
    server = request.getfixturevalue(f"{kind}_server")
    server.start()
    message, hint = fails(server.url("nowhere"))
    assert message.startswith("The state store `SAFE` does not exist on its server: ")
    assert hint == "Create the database, or correct its name in `state`"


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "postgresql+psycopg2"])
def test_nobody_answers(scheme: str) -> None:
    """A port on which nobody listens."""
    message, hint = fails(f"{scheme}://somebody:hunter2@127.0.0.1:1/state")
    assert message.startswith("The state store `SAFE` cannot be reached or used: ")
    assert hint == (
        "Check that the server runs, and what `state` says of host, port, user and database"
    )


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_an_account_that_may_only_read(database: Database) -> None:
    """It may look at a store that is there; it can neither write it nor make one."""
    assert database.server is not None
    url = database.server.create_reader(database.name)
    message, hint = fails(url)
    assert message.startswith("The state store `SAFE` does not let the account do this: ")
    assert hint == (
        "The account has to read and write tables named `orchestrate_…`, and to create them once"
    )
    with open_store(database) as state:
        (made,) = state.append([event(1)])
    with open_state(Secret(url), safe_url="SAFE") as reader:
        assert tuple(reader.events()) == (made,)
        with pytest.raises(OrchestrateError, match="does not let the account do this"):
            reader.append([event(2)])


@pytest.mark.parametrize(
    "url",
    [
        "not a url hunter2",
        "postgresql://somebody:hunter2@host:port/database",
        "://somebody:hunter2@host/database",
    ],
)
def test_what_is_no_url(url: str) -> None:
    """A text that cannot be parsed is not shown, because nobody can tell where its secrets are."""
    assert fails(url) == (
        "The URL of the state store is no database URL: `SAFE`",
        "It looks like `sqlite:///path/state.db` or `postgresql://user@host/database`",
    )


def test_a_secret_in_the_query() -> None:
    """A password may stand in the query as well, and a driver may repeat it."""
    message, _ = fails("postgresql://127.0.0.1:1/state?password=hunter2&sslmode=hunter2")
    assert "***" in message


@pytest.mark.parametrize(
    ("missing", "url", "message", "hint"),
    [
        (
            ["psycopg", "psycopg2"],
            "postgresql://a:hunter2@host/state",
            "The state store `SAFE` needs `postgresql+psycopg`, which is not installed",
            "Install it beside orchestrate: `pip install 'orchestrate[postgresql]'`",
        ),
        (
            ["pymysql", "MySQLdb"],
            "mariadb://a:hunter2@host/state",
            "The state store `SAFE` needs `mariadb+pymysql`, which is not installed",
            "Install it beside orchestrate: `pip install 'orchestrate[mysql]'`",
        ),
        (
            ["psycopg2"],
            "postgresql+psycopg2://a:hunter2@host/state",
            "The state store `SAFE` needs `postgresql+psycopg2`, which is not installed",
            "Install that driver beside orchestrate",
        ),
    ],
)
def test_a_missing_driver(
    monkeypatch: pytest.MonkeyPatch, missing: list[str], url: str, message: str, hint: str
) -> None:
    """The extra that brings the driver is named."""
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    assert fails(url) == (message, hint)


def test_another_driver_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the driver that we install, one that the user has is as good."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    message, _ = fails("postgresql://a:hunter2@127.0.0.1:1/state")
    assert "127.0.0.1" in message


def test_an_asynchronous_driver() -> None:
    """A store is not written through asyncio."""
    assert fails("postgresql+asyncpg://a:hunter2@127.0.0.1:1/state") == (
        "The state store cannot use `asyncpg`, which is an asynchronous driver",
        "Leave the driver out of the URL: `postgresql://…`",
    )


def test_an_unknown_database() -> None:
    """A dialect that SQLAlchemy has not is said to be missing."""
    message, _ = fails("nonesuch://a:hunter2@host/state")
    assert "nonesuch" in message
