"""Copies of SQLite files by its online backup, in a Python that reaches the file. Texts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from orchestrate.dialects.copies import PATH_VARIABLE, READY, Owners, Program, Way
from orchestrate.dialects.row_tally import RowTally
from orchestrate.domain.backups import Strategy
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.secrets import Secret
from orchestrate.domain.snapshot import Snapshot

BUSY_SECONDS: Final = 30
"""How long somebody else's lock is waited for."""

# For Python 3.8 and later, whatever the project runs on. `PATH` is the database's.
_PRELUDE: Final = """\
import contextlib, os, shutil, sqlite3, sys, tempfile, time, urllib.parse

def opened(path, options):
    place = "file:" + urllib.parse.quote(os.path.abspath(path)) + "?" + options
    return contextlib.closing(
        sqlite3.connect(place, uri=True, timeout=BUSY, isolation_level=None))

def copied(source, target):
    # All pages in one step, under one lock: in several, each change by another process would have
    # it begin anew. Left alone, Python waits for a lock for ever.
    deadline = time.monotonic() + BUSY
    def progress(status, remaining, total):
        if status & 255 in (5, 6) and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")
    source.backup(target, pages=-1, progress=progress)

@contextlib.contextmanager
def received():
    # The copy as a file: the one that was named, or what comes on standard input.
    if COPY:
        yield COPY
        return
    with tempfile.NamedTemporaryFile(prefix="orchestrate-") as file:
        with os.fdopen(os.dup(0), "rb") as data:
            shutil.copyfileobj(data, file, 1 << 20)
        file.flush()
        yield file.name

def checked(path):
    # SQLite takes no bytes at all for a database; its backup of an empty one has a page.
    if not os.path.getsize(path):
        raise sqlite3.DatabaseError("the copy is empty")
    # Immutable: nothing is put beside it, whatever its journal mode.
    with opened(path, "mode=ro&immutable=1") as copy:
        found = [row[0] for row in copy.execute("PRAGMA quick_check(5)")]
        if found != ["ok"]:
            raise sqlite3.DatabaseError("the copy is damaged: " + "; ".join(map(str, found)))
        return copy.execute("PRAGMA page_size").fetchone()[0]

def main():
"""
_DUMP: Final = """\
    def made(path):
        with opened(PATH, "mode=rw") as source, opened(path, "mode=rwc") as target:
            # Nobody reads it before it is complete and synced.
            target.execute("PRAGMA synchronous = OFF")
            copied(source, target)
    if COPY:
        made(COPY)
        return
    with tempfile.NamedTemporaryFile(prefix="orchestrate-") as file:
        made(file.name)
        with os.fdopen(os.dup(1), "wb") as out:
            shutil.copyfileobj(file, out, 1 << 20)
"""
_LOAD: Final = """\
    with received() as path:
        size = checked(path)
        with opened(path, "mode=ro&immutable=1") as source, opened(PATH, "mode=rwc") as target:
            # A file with a write-ahead log keeps the size of its pages.
            if target.execute("PRAGMA page_size").fetchone()[0] != size:
                target.execute("PRAGMA journal_mode = DELETE")
            copied(source, target)
"""
_LISTING: Final = """\
    with received() as path:
        checked(path)
"""
_VERSION: Final = """\
    print("SQLite", sqlite3.sqlite_version, flush=True)
"""
_RUN: Final = """
os.write(1, READY)
try:
    main()
except BaseException as error:
    sys.stderr.write("\\norchestrate: %s: %s\\n" % (type(error).__name__, error))
    sys.stderr.flush()
    os._exit(1)
os._exit(0)
"""


class SQLiteCopies:
    """What is done in a Python near the file; members as in `Copies`.

    The interpreter is started as an interactive one (`-i`), since that takes a single line from
    standard input and leaves the rest; `-c` would put the text where a second shell reads it.
    """

    strategy: Strategy = "sqlite"
    size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    rights: Mapping[str, str] = MappingProxyType({})

    def dump(self, url: DatabaseUrl, way: Way) -> Program:
        """Return the program that copies the file as it is at one moment, the log included."""
        return _python(_DUMP, _path(url), way)

    def load(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the program that replaces the file's content in one transaction.

        Killed in the middle, it leaves the old content: whoever opens the file next rolls back.
        """
        del owners
        return _python(_LOAD, _path(url), way)

    def proven(self, snapshot: Snapshot) -> Snapshot:
        """Return it as it is: owners and grants are no part of it."""
        return snapshot

    sets_session = False
    names_roles = False
    replaces_at_once = True
    exchange: None = None

    def replace(self, url: DatabaseUrl, way: Way, *, owners: Owners) -> Program:
        """Return the same: a copy replaces the whole file."""
        return self.load(url, way, owners=owners)

    def listing(self, way: Way) -> Program | None:
        """Return the program that has SQLite check every page."""
        return _python(_LISTING, "", way)

    def trailer(self, way: Way) -> bytes | None:
        """Return nothing: the file tells its own length."""
        del way
        return None

    def versions(self, way: Way) -> Program:
        """Return the program that prints the version of the library."""
        return _python(_VERSION, "", way)

    def too_old(self, versions: str, server_version: str) -> str | None:
        """Return nothing: the backup copies pages and need not understand them."""
        del versions, server_version
        return None

    def counts(self, tables: Sequence[tuple[str | None, str]]) -> str:
        """Return one list of values: a chain of unions may have 500 members at the most."""
        if not tables:
            return "SELECT NULL, NULL, NULL WHERE 0"
        return "VALUES " + ", ".join(_counted(schema, table) for schema, table in tables)

    def tally(self, server_version: str) -> RowTally | None:
        """Return nothing: a copy is a database."""
        del server_version
        return None

    def missing_rights(self, rows: Rows) -> tuple[str, ...]:
        """Return nothing: who can open the file reads all of it."""
        del rows
        return ()


def _path(url: DatabaseUrl) -> str:
    """Return the path of the file; with `uri=true` the driver is given a URI."""
    path = url.database or ""
    return unquote(path.removeprefix("file:").partition("?")[0]) if path[:5] == "file:" else path


def _python(body: str, path: str, way: Way) -> Program:
    ready = f"{READY}\n".encode()
    facts = f"PATH, BUSY, READY = {path!r}, {BUSY_SECONDS}, {ready!r}\n"
    facts += f"COPY = __import__('os').environ.get({PATH_VARIABLE!r})\n"
    source = facts + _PRELUDE + body + _RUN
    return Program(
        name="sqlite3",
        command=(*way.prefix, "-I", "-q", "-i"),
        opening=Secret(f"exec(compile({source!r}, 'orchestrate', 'exec'))\n"),
        place="either" if way.here else "stream",
    )


def _counted(schema: str | None, table: str) -> str:
    place = _identifier(table) if schema is None else f"{_identifier(schema)}.{_identifier(table)}"
    shown = "NULL" if schema is None else _literal(schema)
    return f"({shown}, {_literal(table)}, (SELECT count(*) FROM {place}))"  # noqa: S608


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
