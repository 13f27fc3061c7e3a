"""One database that holds a state store: its engine, its transactions, its failures.

Owns how a connection is made and how a transaction begins and ends. Every library exception leaves
here as `state-unavailable`. Threads: each transaction takes a connection of its own from the pool,
so any number of threads may use one store.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.secrets import Secret
from orchestrate.stores.state.backends import BACKENDS, OTHER, Backend
from orchestrate.stores.state.failures import Failures, hidden_parts

_BEGIN: Final = "orchestrate_begin"
"""The option of a connection that says how its transactions begin, where the driver must not."""
_READY: Final = {"postgres": "postgresql"}
"""Scheme names that other tools use."""


class Database:
    """The store's database. `read` and `write` are the only doors to it."""

    def __init__(self, url: Secret, *, safe_url: str) -> None:
        self.failures = Failures(safe_url=safe_url)
        self.url = self._parsed(url)
        self.failures = Failures(safe_url=safe_url, hidden=hidden_parts(self.url))
        self.backend = BACKENDS.get(self.url.get_backend_name(), OTHER)
        if self.backend.file:
            self._make_file()
        self._engine = self._make_engine()
        # SQLite lets waiting writers poll, and one of them can be unlucky for long; among threads
        # of one process a lock is fair and quick.
        self._one_writer = threading.Lock() if self.backend.file else None
        self._written: tuple[int, int] | None = None
        """Which file was written to: device and inode."""

    @property
    def file(self) -> Path | None:
        """Return the file of a SQLite store."""
        name = self.url.database
        if not self.backend.file or name is None or name.startswith("file:"):
            return None
        return Path(name)

    def close(self) -> None:
        """Close every connection. Safe to repeat; a later use opens new ones."""
        self._engine.dispose()
        self._written = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a short transaction that only reads."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is durable once the body was left without an exception.

        An exception of the body rolls it back. If the connection is lost in answer to COMMIT the
        outcome is not known, which the error's `details["outcome"]` says.
        """
        with self._translated(), self._turn(), self._engine.connect() as connection:
            self._refuse_another_file()
            connection.execution_options(**{_BEGIN: self.backend.begin_write})
            transaction = connection.begin()
            try:
                if self.backend.first_in_write is not None:
                    connection.exec_driver_sql(self.backend.first_in_write)
                yield connection
            except BaseException:
                transaction.rollback()
                raise
            try:
                transaction.commit()
            except SQLAlchemyError as error:
                raise self.failures.of(error, committing=True) from self.failures.cause(error)

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """Open a connection to a file on which nothing is begun."""
        with self._translated(), self._engine.connect() as connection:
            yield connection.execution_options(**{_BEGIN: None})

    def _refuse_another_file(self) -> None:
        """Refuse to go on writing to a file that its path no longer leads to."""
        path = self.file
        if path is None:
            return
        try:
            status = path.stat()
            found: tuple[int, int] | None = (status.st_dev, status.st_ino)
        except OSError:
            found = None
        if self._written is None:
            self._written = found
        elif found != self._written:
            raise self.failures.make(
                f"The state store `{self.failures.safe_url}` was removed or replaced while it was "
                "in use",
                hint="What was recorded in it since is lost; `orchestrate status` shows where each "
                "database is",
            )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._one_writer is None:
            yield
            return
        with self._one_writer:
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self.failures.of(error) from self.failures.cause(error)

    def _parsed(self, secret: Secret) -> URL:
        try:
            url = sqlalchemy_url(secret)
        except (SQLAlchemyError, ValueError):
            # What cannot be parsed cannot be cleaned either: SQLAlchemy's message may quote it.
            raise self.failures.make(
                f"The URL of the state store is no database URL: `{self.failures.safe_url}`",
                hint="It looks like `sqlite:///path/state.db` or `postgresql://user@host/database`",
            ) from None
        name, _, driver = url.drivername.partition("+")
        name = _READY.get(name, name)
        backend = BACKENDS.get(name, OTHER)
        if not driver and backend.drivers:
            installed = (one for one, module in backend.drivers if find_spec(module) is not None)
            driver = next(installed, backend.drivers[0][0])
        return url.set(drivername=f"{name}+{driver}" if driver else name)

    def _make_file(self) -> None:
        """Create the folder and the file for their owner alone; leave alone what is there.

        SQLite gives the files that it puts beside it the same rights.
        """
        if self.url.database in {None, "", ":memory:"}:
            raise self.failures.make(
                "A state store in memory would forget every run",
                hint="Name a file: `state: sqlite:///.orchestrate/state.db`",
            )
        path = self.file
        if path is None:
            return
        try:
            if path.exists():
                return
            _make_private_folder(path.parent)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            _sync_folder(path.parent)
        except OSError as error:
            raise self.failures.make(
                f"The state store `{self.failures.safe_url}` cannot be created: {error.strerror}",
                hint=f"Check the folder `{path.parent}`, or name another file in `state`",
            ) from error

    def _make_engine(self) -> Engine:
        backend, url = self.backend, self.url
        options: dict[str, Any] = (
            {} if backend.isolation is None else {"isolation_level": backend.isolation}
        )
        driver = url.drivername.partition("+")[2]
        arguments = {**backend.connect, **backend.connect_driver.get(driver, {})}
        try:
            engine = create_engine(
                url,
                hide_parameters=True,
                # A server that was restarted since the last event is noticed before it matters.
                pool_pre_ping=not backend.file,
                max_overflow=-1,
                connect_args={
                    key: value for key, value in arguments.items() if key not in url.query
                },
                **options,
            )
        except ImportError as error:
            raise self._missing_driver() from error
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise self.failures.of(error) from self.failures.cause(error)
        if engine.dialect.is_async:
            raise self.failures.make(
                f"The state store cannot use `{driver}`, which is an asynchronous driver",
                hint=f"Leave the driver out of the URL: `{url.get_backend_name()}://…`",
            )
        _listen(engine, backend)
        return engine

    def _missing_driver(self) -> Exception:
        wanted = self.url.drivername
        best = self.backend.drivers[0][0] if self.backend.drivers else None
        extra = self.backend.extra if wanted.endswith(f"+{best}") else None
        return self.failures.make(
            f"The state store `{self.failures.safe_url}` needs `{wanted}`, which is not installed",
            hint=f"Install it beside orchestrate: `pip install 'orchestrate[{extra}]'`"
            if extra
            else "Install that driver beside orchestrate",
        )


def sqlalchemy_url(secret: Secret) -> URL:
    """Return SQLAlchemy's own of a URL; raises what `make_url` does.

    The name of a file is decoded as `DatabaseUrl` does it: SQLAlchemy does so from 2.1 on.
    """
    text = secret.reveal()
    url = make_url(text)
    if url.get_backend_name() != "sqlite" or not url.database:
        return url
    return url.set(database=DatabaseUrl.parse(text).database)


def _listen(engine: Engine, backend: Backend) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        if backend.begin_write is not None:
            connection.isolation_level = None  # the sqlite3 module begins nothing by itself
        if backend.on_connect:
            cursor = connection.cursor()
            for statement in backend.on_connect:
                cursor.execute(statement)
            cursor.close()

    if backend.begin_read is not None:

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            statement = connection.get_execution_options().get(_BEGIN, backend.begin_read)
            if statement is not None:
                connection.exec_driver_sql(statement)


def _make_private_folder(folder: Path) -> None:
    """Create a folder and those above it that are missing, each for its owner alone."""
    if folder.is_dir():
        return
    _make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut, where folders can be synced."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
