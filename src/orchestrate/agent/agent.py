"""The agent: runs beside a project, in the project's own Python, and does what it is asked in JSON.

Owns everything that touches Alembic or a target: connections, env.py, revisions. It decides nothing
that an orchestrator could decide, and its contract is `docs/agent-protocol.md`. It is one file, far
longer than our others, because it is sent over standard input to interpreters where nothing of ours
is installed: it imports only the standard library, alembic (1.8 or newer) and sqlalchemy (1.4 or
newer), and runs on Python 3.8. Top to bottom: small helpers, the channel that speaks the protocol,
connections of our own, keeping env.py from writing, the project, the watch over a running
statement, the runs of env.py (probe, steps, rendering), the graph, and the agent itself.

Alembic's context is made of module globals, so one process never does two things at once. Private
names of Alembic used here, all present from 1.8.0 to 1.20.1: `_ensure_version_table`,
`_has_version_table` and `_version` of the migration context, `_exec` and `memo` of its
implementation, `_version_locations` and `_load_revisions` of the script directory,
`_orig_branch_labels` and `_resolved_dependencies` of a revision.
"""
# ruff: noqa: BLE001  (whatever the project's code raises has to be told, not to end the agent)
# ruff: noqa: PTH100, PTH108, PTH109, PTH110, PTH112, PTH116, PTH118, PTH120, PTH123, PTH202, PTH208
# (paths come and go as text)
# ruff: noqa: SLF001  (the private names above, and what drivers do not tell otherwise)

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import gc
import hashlib
import importlib
import importlib.util
import io
import json
import math
import opcode
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import urllib.parse
import warnings
import weakref
from typing import Any, Callable, ClassVar, Dict, Iterable, Iterator, List, NoReturn, Sequence

if sys.platform != "win32":
    import fcntl

PROTOCOL = 1
CONNECT_SECONDS = 10
TICK_SECONDS = 0.1
SLOW_SECONDS = 0.2
MEASURING_SHARE = 0.05
ALIVE_SECONDS = 5.0
BLOCKER_SECONDS = 1.0
POOLER_TRIES = 5
SNAPSHOT_SECONDS = 10.0
PREPARED_FROM = 5
"""Psycopg's own: https://www.psycopg.org/psycopg3/docs/advanced/prepare.html."""
TEXT_LIMIT = 500
MESSAGE_LIMIT = 4000
SHORTEST_SECRET = 3
TEXTS_KEPT = 200
CHANGES_TOLD = 20
PROGRAM_SECONDS = 5
SOURCE_LIMIT = 200_000
FIRST_ROWS = 10
IDLE_SECONDS = 1.0
NAMES_TOLD = 300
USUAL_FOLDERS = ("src", "app", "backend", "server", "api", "lib")

Json = Dict[str, Any]
Rows = List[List[Any]]

# --- Small helpers --------------------------------------------------------------------------------


class Refusal(BaseException):
    """A reason to end the request, with its error code.

    Not an `Exception`: env.py may catch those, log them, and go on with another database.
    """

    def __init__(self, kind: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.details: Json = details or {}
        self.trace = ""


def plain(value: Any) -> Any:
    """Return a value of a result row as JSON can carry it, the same from every driver."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if type(value).__name__ == "Decimal":
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def comparable(rows: Rows) -> list[list[str]]:
    """Return rows in a form in which two drivers agree."""
    return [[str(value) for value in row] for row in rows]


def digest_of(rows: dict[str, Rows], ordered: Sequence[str]) -> str:
    """Return the digest of named rows; of queries that ask for no order, in any."""
    told = {
        name: found if name in ordered else sorted(map(str, found)) for name, found in rows.items()
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def cut(text: str) -> str:
    """Return a statement on one line, shortened."""
    text = printable(" ".join(text[: TEXT_LIMIT * 4].split()))
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def printable(text: str) -> str:
    """Return a text without what moves a terminal's cursor, turns its direction, or is no text."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else " " if one.isspace() else "" for one in text)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what it came from, driver errors inside SQLAlchemy's included."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__


def first_line(error: BaseException) -> str:
    """Return what an exception says, in one line and without statement parameters.

    The lines after the first are left out on purpose: SQLAlchemy puts parameters there, PostgreSQL
    the values of the offending row. MariaDB and MySQL put a value into the first.
    """
    inner = getattr(error, "orig", None)
    if isinstance(inner, BaseException):
        # An adapter's exception wraps that of asyncpg and its like.
        wrapped = type(inner).__module__.startswith("sqlalchemy")
        error = (inner.__cause__ if wrapped else None) or inner
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = type(error)
    if not re.search(r"\w", lines[0] if lines else ""):
        # Superset raises an empty one from what did go wrong.
        deeper = error.__cause__ or error.__context__
        if deeper is not None:
            return first_line(deeper)
    if kind.__name__ == "CommandError" and kind.__module__.startswith("alembic") and lines:
        return printable(lines[0][:MESSAGE_LIMIT])
    if not lines:
        return kind.__name__
    return f"{kind.__name__}: {ROW_VALUE.sub(hidden, printable(lines[0][:MESSAGE_LIMIT]))}"


SECRET_PARAMETER = re.compile("pass|pwd|secret|token|credential|odbc_connect", re.IGNORECASE)
ROW_VALUE = re.compile(r"(Duplicate entry |Incorrect [\w ]+ value: )'.*'( for (?:key|column) )")


def hidden(match: re.Match[str]) -> str:
    """Return what surrounds a value of a row, with the value left out."""
    return f"{match[1]}'…'{match[2]}"


def trace_of(error: BaseException) -> str:
    """Return the places an exception passed through, with what was said reduced to one line."""
    parts = []
    for one in causes(error):
        places = "".join(traceback.format_tb(one.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{places}{first_line(one)}\n")
    return "\nwhich came from:\n".join(parts)


def state_of(error: BaseException) -> tuple[str | None, str | None]:
    """Return SQLSTATE and the driver's own code, where an exception carries them."""
    state = code = None
    for one in causes(error):
        for name in ("pgcode", "sqlstate"):
            found = getattr(one, name, None)
            state = state or (found if isinstance(found, str) else None)
        arguments = getattr(one, "args", ())
        if isinstance(one, Exception) and arguments and isinstance(arguments[0], int):
            code = code or str(arguments[0])
    return state, code


def refused_as_read_only(error: BaseException) -> bool:
    """Tell whether a write was refused because the connection may only look."""
    for one in causes(error):
        arguments = getattr(one, "args", ())
        if (
            "25006" in (getattr(one, "sqlstate", None), getattr(one, "pgcode", None))
            or (arguments and arguments[0] in (1290, 1792))
            or "attempt to write a readonly database" in str(one)
            or ("cannot execute" in str(one) and "in a read-only transaction" in str(one))
        ):
            return True
    return False


def refused_with(kind: str, error: BaseException, message: str | None = None) -> Refusal:
    """Return a refusal with an exception's words, trace, state and number."""
    state, code = state_of(error)
    refusal = Refusal(kind, message or first_line(error))
    refusal.trace = trace_of(error)
    refusal.details = {"sqlstate": state, "driver_code": code, **missing_module(error)}
    return refusal


def missing_module(error: BaseException) -> Json:
    """Return which interpreter lacks a module, and where something of that name lies; or nothing.

    Only beside the project and one folder deep: who imports `backend.models` has it nearby.
    """
    for one in causes(error):
        name = getattr(one, "name", None)
        if not isinstance(one, ModuleNotFoundError) or not isinstance(name, str):
            continue
        root = name.split(".")[0]
        return {
            "executable": sys.executable,
            "found_in": folder_with(root),
            "other_python": other_python(),
        }
    return {}


def folder_with(root: str) -> str | None:
    """Return the folder near the working folder that holds a module or a package."""
    with contextlib.suppress(OSError):
        inside = sorted(one.name for one in os.scandir(".") if one.is_dir())
        for folder in (".", "..", "../..", *inside):
            path = os.path.join(folder, root)
            if os.path.exists(path + ".py") or os.path.exists(os.path.join(path, "__init__.py")):
                return folder
    return None


def other_python() -> str | None:
    """Return the Python of a virtual environment beside the project that is not this one."""
    for folder in (".venv", "venv", "../.venv", "../venv"):
        path = os.path.join(folder, "bin", "python")
        if os.path.exists(path) and os.path.abspath(folder) != os.path.abspath(sys.prefix):
            return path
    return None


def release_frames(error: BaseException) -> None:
    """Let go of everything an exception's frames hold: connections above all.

    Otherwise env.py's connection would stay open, with its locks, as long as its error is known.
    """
    for one in causes(error):
        if one.__traceback__ is not None:
            traceback.clear_frames(one.__traceback__)
        one.__traceback__ = None
    gc.collect()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage while the body imports what stays: each look takes longer."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def sha256_of(path: str) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


# --- The channel ----------------------------------------------------------------------------------


class Channel:
    """Speaks the protocol on descriptors of its own, out of reach of what the project does.

    A reader thread takes requests off standard input, so that its end is noticed at any time.
    """

    def __init__(self, requests: Any) -> None:
        self._requests = requests
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._secrets: list[str] = []
        self._held = b""
        self._granted: set[str] = set()
        self._stopping = False
        self.request_id: Any = None
        self.gone = False
        self.in_revision = False
        self.on_leave: Callable[[], None] | None = None
        self._output = self._take_descriptors()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._silence_child)

    @staticmethod
    def _take_descriptors() -> int:
        """Keep standard output for us; give the project the null device and standard error."""
        output = os.dup(1)  # not inherited by programs the project starts (PEP 446)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        try:
            os.dup2(2, 1)
        except OSError:
            os.dup2(null, 1)
        os.close(null)
        with contextlib.suppress(Exception):
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        return output

    def _silence_child(self) -> None:
        """Cut a forked child off from both ends, so that it can neither answer nor read."""
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, self._output)
            os.dup2(null, self._requests.fileno())
        for descriptor in Agent.locked_files.values():
            # It shares the lock, and would keep it after the agent's end. No SQLite lock is
            # dropped by this: a child inherits none.
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._lock = threading.Lock()

    def end_child(self) -> None:
        """End this process if it is a fork of the agent that came back into our code."""
        if os.getpid() != self._pid:
            os._exit(0)

    def start(self) -> None:
        """Begin to read requests."""
        threading.Thread(target=self._read, name="orchestrate-reader", daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                line = self._requests.readline()
            except (OSError, ValueError):
                line = b""
            if not line:
                break
            with contextlib.suppress(ValueError):
                # The deadline begins now, even if Alembic is still being imported.
                message = {**json.loads(line.decode("utf-8")), "received": time.monotonic()}
                self._queue.put(message)
                if message.get("do") == "stop":
                    self._leave()
        self._leave()
        self.gone = True
        self._queue.put(None)
        # The main thread ends by itself, unless it hangs in something of the project's. A revision
        # is always finished: ending in the middle would leave a doubt where none has to be.
        while True:
            time.sleep(1.0)
            if not self.in_revision:
                time.sleep(1.0)
                if not self.in_revision:
                    os._exit(0)

    def _leave(self) -> None:
        leave = self.on_leave
        if leave is not None:
            leave()

    def next(self) -> Json | None:
        """Wait for the next message; None when there will be none."""
        message = self._queue.get()
        if message is None:
            self._queue.put(None)
        return message

    def keep_secret(self, text: str | None) -> None:
        """Have a text replaced in all that is sent from now on."""
        if text and text not in self._secrets:
            forms = {text, printable(text), text.replace("'", "''")}
            forms |= {one.replace("%", "%%") for one in forms}  # as statements are sent to drivers
            forms |= {urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text)}
            self._secrets = sorted({*self._secrets, *forms}, key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """Return a text for people without the target's password."""
        for secret in self._secrets:
            if len(secret) >= SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return re.sub(r"(://[^\s:/@]*):[^\s@/]*@", r"\1:***@", text)

    def shown(self, statement: str) -> str:
        """Return a statement for people: on one line, without the password, then shortened."""
        return cut(self.scrub(statement[: TEXT_LIMIT * 4]))

    def send(self, event: str, **fields: Any) -> None:
        """Send one message. A child process stays silent; a broken pipe means nobody listens."""
        self._send(event, fields, hold=False)

    def send_with_next(self, event: str, **fields: Any) -> None:
        """Send one message together with the next, which follows at once: one wake-up for both."""
        self._send(event, fields, hold=True)

    def _send(self, event: str, fields: Json, *, hold: bool) -> None:
        if os.getpid() != self._pid:
            return
        message = {"id": self.request_id, "event": event, **fields}
        data = json.dumps(message, separators=(",", ":"), default=str).encode("utf-8") + b"\n"
        with self._lock:
            data, self._held = self._held + data, b""
            if hold:
                self._held = data
                return
            while data and not self.gone:
                try:
                    data = data[os.write(self._output, data) :]
                except OSError:  # noqa: PERF203 - a pipe may take a line in several pieces
                    self.gone = True

    def begin_run(self) -> None:
        """Forget what was said about steps of an earlier run."""
        self._granted.clear()
        self._stopping = False

    def may_begin(self, step: str, *, ahead: bool) -> bool:
        """Wait for `go` or `stop` after a step was announced.

        A `go` may have come before, naming the step; it counts if `ahead`. A `stop` counts from the
        moment it is read, whatever was granted.
        """
        while True:
            while not self._queue.empty():
                if self._hear(self._queue.get()):
                    return not self._stopping
            if self._stopping or self.gone:
                return False
            if ahead and step in self._granted:
                return True
            if self._hear(self._queue.get()):
                return not self._stopping

    def may_leave(self) -> bool:
        """Wait for `go` after a step said that it leaves its transaction."""
        while not self.gone:
            if self._hear(self._queue.get()):
                return True
        return False

    def _hear(self, message: Json | None) -> bool:
        """Note an answer to an announcement; return whether it lets what is waiting go on."""
        if message is None:
            self._queue.put(None)
            return False
        if message.get("do") != "go":
            self._stopping = True
        elif message.get("step") is None:
            return True
        else:
            self._granted.add(message["step"])
        return False


# --- Connections of our own -----------------------------------------------------------------------

SYNC_DRIVERS: dict[str, tuple[str, ...]] = {
    "postgresql": ("psycopg", "psycopg2", "pg8000"),
    "mysql": ("pymysql", "mysqldb", "mysqlconnector", "mariadbconnector"),
    "mariadb": ("pymysql", "mysqldb", "mysqlconnector", "mariadbconnector"),
    "sqlite": ("pysqlite",),
}
CONNECT_TIMEOUT_KEYS = {
    "psycopg": "connect_timeout",
    "psycopg2": "connect_timeout",
    "asyncpg": "timeout",
    "pg8000": "timeout",
    "pymysql": "connect_timeout",
    "mysqldb": "connect_timeout",
    "aiomysql": "connect_timeout",
    "asyncmy": "connect_timeout",
    "mysqlconnector": "connection_timeout",
    "mariadbconnector": "connect_timeout",
    "pyodbc": "timeout",
    "oracledb": "tcp_connect_timeout",
}


def sqlite_path(url: Any) -> str | None:
    """Return the absolute path of an SQLite URL's file, or None for another or one in memory."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    path = url.database
    if path.startswith("file:"):
        parts = urllib.parse.urlsplit(path)
        modes = (url.query.get("mode"), *urllib.parse.parse_qs(parts.query).get("mode", ()))
        if ":memory:" in path or "memory" in modes:
            return None
        path = urllib.parse.unquote(parts.path)
    return str(os.path.abspath(path))


def looking_uri(path: str) -> str:
    """Return the URI by which SQLite opens a file that is only looked at, and never creates it.

    A reader of a file in WAL mode makes two files beside it, which only a connection that may write
    takes away again; and what a killed writer left half done, in a journal, only such a one undoes:
    there the kit's `query_only` has to do alone.
    """
    path = os.path.abspath(path)
    mode = "ro"
    with contextlib.suppress(OSError), open(path, "rb") as file:
        may_write = os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)
        in_wal_mode = file.read(20)[18:19] == b"\x02"
        left = os.path.exists(path + "-journal")
        if may_write and (left or (in_wal_mode and not os.path.exists(path + "-wal"))):
            mode = "rw"
    return "file:" + urllib.parse.quote(path) + "?mode=" + mode


class AsyncDoor:
    """Calls a driver that only knows asyncio, from any thread, on an event loop of its own.

    The loop has a thread to itself because env.py may have a running loop in the thread that asks.
    """

    def __init__(self) -> None:
        asyncio = importlib.import_module("asyncio")
        self._spawn = importlib.import_module("sqlalchemy.util").greenlet_spawn
        self._submit = asyncio.run_coroutine_threadsafe
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def __call__(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function that waits inside, and wait for it."""

        async def call() -> Any:
            return await self._spawn(function, *arguments, **named)

        return self._submit(call(), self._loop).result()


def call_directly(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function; stands where an `AsyncDoor` stands for asyncio's drivers."""
    return function(*arguments, **named)


class Side:
    """A connection of our own beside env.py's, in AUTOCOMMIT, opened through the driver alone.

    An engine would ask the server several questions at its first connection; this asks none.
    """

    open_ones: ClassVar[Any] = weakref.WeakSet()

    @classmethod
    def sessions(cls) -> set[int]:
        """Return the server's numbers of our own connections, as far as drivers tell them."""
        numbers = {session_of(side._connection) for side in list(cls.open_ones)}
        return {number for number in numbers if number is not None}

    def __init__(self, url: Any, *, read_only: bool) -> None:
        self.open_ones.add(self)
        self.url = url
        self._read_only = read_only
        self._connection: Any = None
        self._dialect: Any = None
        self._door: Callable[..., Any] = call_directly
        self._used = -math.inf

    def open(self) -> None:
        """Connect, with the first driver that this Python has."""
        problems = []
        for url in self._candidates():
            try:
                dialect_class = url.get_dialect()
                make = getattr(dialect_class, "import_dbapi", None) or dialect_class.dbapi
                dialect = dialect_class(dbapi=make())
            except ImportError as error:
                problems.append(str(error))
                continue
            except Exception as error:
                if type(error).__name__ != "NoSuchModuleError":
                    raise
                problems.append(first_line(error))
                continue
            self._connect(dialect, url)
            return
        raise Refusal("unreachable", "; ".join(dict.fromkeys(problems)))

    def open_or_refuse(self) -> None:
        """Connect, or refuse with the state and number by which the error is known."""
        try:
            self.open()
        except Exception as error:
            raise refused_with("unreachable", error) from None

    def _candidates(self) -> Iterator[Any]:
        """Yield the URL for each driver to try, those that need no event loop first."""
        backend = self.url.get_backend_name()
        try:
            given: str | None = self.url.get_driver_name()
            needs_loop = bool(getattr(self.url.get_dialect(), "is_async", False))
        except Exception:
            given, needs_loop = None, False
        if given and not needs_loop:
            yield self.url
        for driver in SYNC_DRIVERS.get(backend, ()):
            if driver != given:
                yield self._with_driver(f"{backend}+{driver}", given)
        if needs_loop or not given:
            yield self.url

    def _with_driver(self, name: str, given: str | None) -> Any:
        """Return the URL for another driver; asyncpg's own words are translated or left out."""
        query = dict(self.url.query)
        if given == "asyncpg":
            mode = query.pop("ssl", None)
            if mode is not None and "sslmode" not in query:
                query["sslmode"] = mode
            query = {key: text for key, text in query.items() if not key.startswith("prepared_")}
        return self.url.set(drivername=name, query=query)

    def _connect(self, dialect: Any, url: Any) -> None:
        if getattr(dialect, "is_async", False):
            self._door = AsyncDoor()
        self._dialect = dialect
        positional, named = dialect.create_connect_args(url)
        positional, named = list(positional), dict(named)
        key = CONNECT_TIMEOUT_KEYS.get(dialect.driver)
        if key and key not in named:
            named[key] = CONNECT_SECONDS
        path = sqlite_path(url)
        if path is not None and os.path.isdir(path):  # "disk I/O error" is what SQLite says of it
            raise Refusal("unreachable", f"unable to open database file: {path} is a folder")
        if path is not None:
            named["check_same_thread"] = False  # env.py may be run in another thread than ours
            if self._read_only:
                positional[0] = looking_uri(path)
                named["uri"] = True
        self._connection = self._door(dialect.connect, *positional, **named)
        never_prepare(self._connection)
        if url.get_backend_name() == "sqlite" and self._door is call_directly:
            self._connection.isolation_level = None
        else:
            self._door(dialect.set_isolation_level, self._connection, "AUTOCOMMIT")

    def let_prepare(self) -> None:
        """Have psycopg prepare what is sent often, where nobody is between us and the server."""
        if hasattr(self._connection, "prepare_threshold"):
            self._connection.prepare_threshold = PREPARED_FROM

    def session(self) -> int | None:
        """Return the number of our session that was told when we connected, where one is."""
        return session_of(self._connection)

    def rest(self) -> None:
        """Say that nobody knows for how long the connection was idle when it is used again."""
        self._used = -math.inf

    def usable(self) -> bool:
        """Tell whether it is connected and, where it was idle, whether the server still answers.

        Servers, proxies and firewalls end connections that nobody used for a while.
        """
        if self._connection is None:
            return False
        if time.monotonic() - self._used > IDLE_SECONDS:
            self.close_if_dead()
        return self._connection is not None

    def close_if_dead(self) -> None:
        """Close the connection if the server does not answer on it."""
        try:
            alive = self._door(self._dialect.do_ping, self._connection)
        except Exception:
            alive = False
        if not alive:
            self.close()
        self._used = time.monotonic()

    def answered(self, error: Exception) -> bool:
        """Tell whether an error is what the server said to a statement, not that it fell silent.

        What the driver does not count among its own errors came of something else: the answer may
        have been that all is well.
        """
        try:
            lost = bool(self._dialect.is_disconnect(error, self._connection, None))
        except Exception:
            lost = True
        number = error.args[0] if error.args else None
        if isinstance(number, int) and number <= 0:
            lost = True  # the driver's own word: servers count their errors from 1 on
        return self.is_of_driver(error) and not lost

    def is_of_driver(self, error: BaseException) -> bool:
        """Tell whether the driver counts an error among its own."""
        module = getattr(self._dialect, "dbapi", None)
        kinds = (getattr(module, name, None) for name in ("Error", "Warning"))
        return isinstance(error, tuple(kind for kind in kinds if isinstance(kind, type)))

    def rows(self, *statements: str) -> Rows:
        """Execute statements and return the rows of the last."""
        if self._connection is None:
            self.open()
        found: Rows = self._door(self._execute, statements)
        self._used = time.monotonic()
        return found

    def _execute(self, statements: Sequence[str]) -> Rows:
        cursor = self._connection.cursor()
        try:
            for statement in statements:
                cursor.execute(statement)
            if cursor.description is None:
                return []
            return [[plain(value) for value in row] for row in cursor.fetchall()]
        finally:
            cursor.close()

    def first_rows(self, statement: str, number: int) -> tuple[Rows, bool]:
        """Execute a statement and return its first rows, and whether there are more."""
        if self._connection is None:
            self.open()
        found: tuple[Rows, bool] = self._door(self._execute_some, statement, number)
        return found

    def _execute_some(self, statement: str, number: int) -> tuple[Rows, bool]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement)
            if cursor.description is None:
                return [], False
            rows = cursor.fetchmany(number + 1)
            return [[plain(value) for value in row] for row in rows[:number]], len(rows) > number
        finally:
            cursor.close()

    def look(self, statements: dict[str, str], prepare: Sequence[str]) -> dict[str, Rows]:
        """Execute named queries in one transaction that is rolled back.

        Without a word to make it read-only, without a transaction: `BEGIN` is not everybody's.
        """
        if not prepare:
            return {name: self.rows(text) for name, text in statements.items()}
        # Before it for MySQL, where this is said of transactions to come; in it for PostgreSQL.
        self.rows(*prepare, "BEGIN", *prepare)
        try:
            return {name: self.rows(text) for name, text in statements.items()}
        finally:
            with contextlib.suppress(Exception):
                self.rows("ROLLBACK")

    def close(self) -> None:
        """Close the connection; what the driver thinks of that does not matter."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                self._door(connection.close)


def transaction_open(connection: Any) -> bool:
    """Tell whether a transaction is open on a SQLAlchemy connection, or in its driver.

    SQLAlchemy 1.4 knows nothing of the transaction that the driver opened for a plain SELECT.
    """
    if connection.in_transaction():
        return True
    found = driver_transaction_open(driver_connection(connection))
    if found is None:  # then trust SQLAlchemy, whose 2.x style leaves nothing open behind its back
        return not getattr(connection, "_is_future", True)
    return found


def driver_connection(connection: Any) -> Any:
    """Return the driver's connection (an adapter, for asyncio's) under SQLAlchemy's."""
    proxied = connection.connection
    return getattr(proxied, "dbapi_connection", None) or proxied.connection


def never_prepare(raw: Any) -> None:
    """Have psycopg prepare no statement by itself, as it does with what is sent for the sixth time.

    What is prepared in one server session is unknown in the next that a pooler gives us.
    """
    if hasattr(raw, "prepare_threshold"):
        raw.prepare_threshold = None


def session_of(raw: Any) -> int | None:
    """Return the server's number of a driver's connection; None where the driver does not tell."""
    number = getattr(raw, "thread_id", None)  # PyMySQL, mysqlclient
    with contextlib.suppress(Exception):
        if callable(number):
            number = number()
        elif number is None:
            number = getattr(raw, "connection_id", None)  # MySQL Connector, MariaDB Connector
        if number is None:
            number = raw.info.backend_pid  # psycopg, psycopg2
    return number if isinstance(number, int) else None


def driver_transaction_open(raw: Any) -> bool | None:
    """Tell whether a driver's connection is in a transaction; None where it does not tell."""
    for read in (
        lambda: raw.info.transaction_status != 0,  # psycopg, psycopg2
        lambda: raw.in_transaction,  # sqlite3
        lambda: raw._started,  # SQLAlchemy's adapter of asyncpg
        lambda: raw._in_transaction,  # pg8000
        lambda: bool(raw.server_status & 1),  # PyMySQL
    ):
        try:
            found = read()
        except Exception:  # noqa: S112 - each driver has at most one of these
            continue
        if isinstance(found, bool):
            return found
    return None


def commits_by_itself(connection: Any) -> bool:
    """Tell whether a connection is in AUTOCOMMIT mode, where no statement is ever taken back."""
    raw = driver_connection(connection)
    return getattr(raw, "autocommit", None) is True


def fetch(connection: Any, *statements: str, commit: bool = False) -> Rows:
    """Execute statements on env.py's connection behind SQLAlchemy's back, leaving no trace.

    A transaction that was open stays open; one that this begins is ended. Through SQLAlchemy, the
    first statement would begin one, which Alembic takes for env.py's own ("external").
    """
    was_open = transaction_open(connection)
    proxied = connection.connection
    cursor = proxied.cursor()
    try:
        found: Rows = []
        for statement in statements:
            cursor.execute(statement)
            if cursor.description is not None:
                found = [[plain(value) for value in row] for row in cursor.fetchall()]
        return found
    finally:
        cursor.close()
        if not was_open:
            proxied.commit() if commit else proxied.rollback()


# --- Keeping env.py from writing while it is only looked at ---------------------------------------


EAGER_BEGIN = re.compile(r"\A\s*begin\s+(immediate|exclusive)\b", re.IGNORECASE)
JOURNAL_MODE = re.compile(r"\A\s*pragma\s+journal_mode\s*[=(][^;]*", re.IGNORECASE)


@functools.lru_cache(maxsize=1)
def looking_connection() -> Any:
    """Return a class of SQLite connections that do without what only whoever writes needs.

    A lock from the transaction's beginning and the switch to WAL, which many applications ask for
    as soon as they connect: SQLite refuses both, as writes, where only reading is allowed.
    """
    sqlite3 = importlib.import_module("sqlite3")

    class LookingCursor(sqlite3.Cursor):  # type: ignore[misc, name-defined]
        def execute(self, sql: str, *parameters: Any) -> Any:
            sql = JOURNAL_MODE.sub("PRAGMA journal_mode", EAGER_BEGIN.sub("BEGIN", sql))
            return super().execute(sql, *parameters)

    class LookingConnection(sqlite3.Connection):  # type: ignore[misc, name-defined]
        def cursor(self, factory: Any = LookingCursor) -> Any:
            return super().cursor(factory)

    return LookingConnection


class Looking:
    """Makes the connections of env.py read-only while `active`, whatever engine they come from.

    SQLite files are opened with `mode=ro`, and one that does not exist is replaced by memory. Other
    servers get the kit's statements at the beginning of each transaction.
    """

    MARK = "orchestrate.looked-at"

    def __init__(self) -> None:
        self.active = False
        self.turn = 0
        self.statements: Sequence[str] = ()
        self.replaced: list[str] = []
        self.refused: str | None = None

    def install(self) -> None:
        """Listen to every engine there is or will be."""
        event = importlib.import_module("sqlalchemy.event")
        engine = importlib.import_module("sqlalchemy.engine").Engine
        pool = importlib.import_module("sqlalchemy.pool").Pool
        event.listen(engine, "do_connect", self._connecting)
        event.listen(engine, "begin", self._began)
        event.listen(engine, "before_cursor_execute", self._executing)
        event.listen(engine, "handle_error", self._failed)
        event.listen(pool, "checkout", self._checked_out)

    @contextlib.contextmanager
    def at(self, kit: Json, *, wanted: bool) -> Iterator[None]:
        """Be active for a while."""
        self.statements = kit["read_only"]
        self.replaced = []
        self.refused = None
        self.turn += 1
        self.active = wanted
        try:
            yield
        finally:
            self.active = False

    def _connecting(self, dialect: Any, _record: Any, positional: Any, named: Any) -> None:
        if not self.active or dialect.name != "sqlite":
            return
        given = positional[0] if positional else named.get("database")
        if not isinstance(given, str) or given in {"", ":memory:"} or "mode=memory" in given:
            return
        path = given
        if given.startswith("file:"):
            path = urllib.parse.unquote(urllib.parse.urlsplit(given).path)
        path = os.path.abspath(path)
        if dialect.driver in {"pysqlite", "aiosqlite"}:
            named.setdefault("factory", looking_connection())
        if os.path.exists(path):
            given, named["uri"] = looking_uri(path), True
        else:
            self.replaced.append(path)
            given = ":memory:"
        if positional:
            positional[0] = given
        else:
            named["database"] = given

    def _checked_out(self, _connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get(self.MARK, self.turn) != self.turn or (
            self.MARK in record.info and not self.active
        ):
            # Kept in a pool of env.py's since an earlier look, when it may have been read-only, or
            # memory in place of a file that exists by now: have it replaced by a new one.
            raise importlib.import_module("sqlalchemy.exc").DisconnectionError
        if self.active:
            record.info[self.MARK] = self.turn

    def _began(self, connection: Any) -> None:
        if self.active:
            self._send(connection)

    def _executing(self, connection: Any, *_: Any) -> None:
        # SQLAlchemy 1.4 executes outside of a transaction that it would tell us about.
        if self.active and not connection.in_transaction():
            self._send(connection)

    def _send(self, connection: Any) -> None:
        with contextlib.suppress(Exception):
            if driver_transaction_open(driver_connection(connection)):
                return
            cursor = connection.connection.cursor()
            try:
                if not self._in_own_memory(connection, cursor):
                    for statement in self.statements:
                        cursor.execute(statement)
            finally:
                cursor.close()

    @staticmethod
    def _in_own_memory(connection: Any, cursor: Any) -> bool:
        """Tell whether it is an SQLite database in memory, the project's own: no harm in writing.

        By its URL, too: memory may also stand for a file that does not exist yet.
        """
        if connection.dialect.name != "sqlite" or sqlite_path(connection.engine.url) is not None:
            return False
        cursor.execute("PRAGMA database_list")
        return not any(file for _number, _name, file in cursor.fetchall())

    def _failed(self, context: Any) -> None:
        if self.active and refused_as_read_only(context.original_exception):
            self.refused = first_line(context.original_exception)


# --- The project ----------------------------------------------------------------------------------


class Hook:
    """The project's own few lines of Python, run beside env.py."""

    def __init__(self, name: str, source: str, spec: Json) -> None:
        self.source = source
        self.module = types.ModuleType("orchestrate_hook")
        self.module.__file__ = name
        sys.modules["orchestrate_hook"] = self.module
        exec(compile(source, name, "exec"), self.module.__dict__)  # noqa: S102 - its purpose
        session = getattr(self.module, "session", None)
        # Once a process and never left: applications made for each run leak connections.
        self._session: Any = session(spec) if session else None
        if self._session is not None and hasattr(self._session, "__enter__"):
            self._session.__enter__()

    def around(self, config: Any, spec: Json) -> Any:
        """Return a context manager that goes around one run of env.py."""
        function = getattr(self.module, "around", None)
        found = function(config, spec) if function else None
        return found if hasattr(found, "__enter__") else contextlib.nullcontext()


class Project:
    """One Alembic project as a request describes it."""

    _kept: ClassVar[dict[str, Any]] = {}
    _hook: Hook | None = None
    _home: str = ""

    def __init__(self, fields: Json, url_text: str) -> None:
        self.fields = fields
        if not Project._home:
            Project._home = os.getcwd()
        self.directory = os.path.abspath(
            os.path.join(Project._home, fields.get("directory") or ".")
        )
        self.url_text = url_text
        self.url: Any = None

    @property
    def spec(self) -> Json:
        """Return what hooks are told: the project's fields and the target's URL."""
        return {**self.fields, "url": self.url_text}

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Stand in the project's directory with its environment, and leave all as it was found."""
        environment, path = dict(os.environ), list(sys.path)
        try:
            try:
                os.chdir(self.directory)
            except OSError as error:
                raise Refusal("project-unreadable", f"no project directory: {error}") from None
            os.environ.update(self.fields.get("environ") or {})
            for folder in reversed(self.fields.get("sys_path") or []):
                sys.path.insert(0, os.path.abspath(folder))
            # `python -m alembic` would find modules here. Last, so that nothing is shadowed.
            sys.path.append(self.directory)
            self._read_url()
            yield
        finally:
            with contextlib.suppress(OSError):
                os.chdir(Project._home)
            if dict(os.environ) != environment:
                os.environ.clear()
                os.environ.update(environment)
            sys.path[:] = path

    def _read_url(self) -> None:
        make_url = importlib.import_module("sqlalchemy.engine").make_url
        try:
            url = make_url(self.url_text)
            path = sqlite_path(url)
        except Exception as error:
            raise Refusal(
                "unreachable", f"this is not a database URL: {type(error).__name__}"
            ) from None
        if path is not None and not url.database.startswith("file:"):
            url = url.set(database=path)  # before anything can change the directory
        self.url = url

    def start_hook(self) -> Hook | None:
        """Load the hook, if there is one, once for the life of the process."""
        wanted = self.fields.get("hook")
        if not wanted:
            return None
        if Project._hook is None:
            Project._hook = Hook(wanted["name"], wanted["source"], self.spec)
        elif Project._hook.source != wanted["source"]:
            raise Refusal("agent-failed", "one agent cannot serve two hooks")
        return Project._hook

    def config(self) -> Any:
        """Make a fresh Alembic configuration with the target's values in it."""
        config_class = importlib.import_module("alembic.config").Config
        fields = self.fields
        named: Json = {"ini_section": fields.get("section") or "alembic"}
        path = fields.get("config")
        if path and not os.path.exists(path):
            raise Refusal("project-unreadable", f"there is no `{path}` in {self.directory}")
        if path and path.endswith(".toml"):
            if os.path.exists("alembic.ini"):  # as Alembic's own command line does
                named["file_"] = os.path.abspath("alembic.ini")
            named["toml_file"] = os.path.abspath(path)
        elif path:
            named["file_"] = os.path.abspath(path)
        if fields.get("x"):
            # Only then: galaxy's env.py takes another URL when there are command-line options.
            namespace = importlib.import_module("argparse").Namespace
            named["cmd_opts"] = namespace(x=list(fields["x"]))
        try:
            config = config_class(**named)
        except TypeError:
            raise Refusal(
                "project-unreadable", "this Alembic is too old for pyproject.toml (1.16 reads it)"
            ) from None
        self._prepare_sections(config, path)
        for key, value in (fields.get("options") or {}).items():
            config.set_main_option(key, str(value).replace("%", "%%"))
        if fields.get("script_location"):
            config.set_main_option("script_location", fields["script_location"].replace("%", "%%"))
        if fields.get("version_locations"):
            joined = os.pathsep.join(fields["version_locations"]).replace("%", "%%")
            config.set_main_option("version_locations", joined)
            config.set_main_option("version_path_separator", "os")
        return config

    @staticmethod
    def _prepare_sections(config: Any, path: str | None) -> None:
        """Read the ini file, whose section need not be there."""
        try:
            read = config.file_config
        except Exception as error:
            said = printable(" ".join(str(error).split()))
            raise Refusal("project-unreadable", f"`{path}` cannot be read: {said}") from None
        # A folder named `100%` is no interpolation: Alembic gives its name as it is.
        here = read.defaults().get("here")
        if here and "%" in here and "%%" not in here:
            read.defaults()["here"] = here.replace("%", "%%")
        if not read.has_section(config.config_ini_section):
            read.add_section(config.config_ini_section)

    def configuration_files(self) -> Iterator[str]:
        """Yield the files that Alembic's configuration is read from."""
        for path in {self.fields.get("config"), "alembic.ini", "pyproject.toml"}:
            if path and os.path.exists(path):
                yield os.path.abspath(path)

    def script(self, config: Any) -> Any:
        """Return the script directory, kept for the life of the process: loading it is dear.

        One for each dialect, as projects exist whose env.py chooses version locations by dialect.
        """
        key = self.key
        if key not in Project._kept:
            directory_class = importlib.import_module("alembic.script").ScriptDirectory
            Project._kept[key] = self.arranged(directory_class.from_config(config))
        elif config.get_main_option("prepend_sys_path"):
            # `from_config` puts these on sys.path as a side effect, which env.py relies on.
            importlib.import_module("alembic.script").ScriptDirectory.from_config(config)
        return Project._kept[key]

    def arranged(self, script: Any) -> Any:
        """Return the script directory with the version locations that the project was given."""
        if self.fields.get("version_locations"):
            script.version_locations = list(self.fields["version_locations"])
            script.__dict__.pop("_version_locations", None)
        return script

    @property
    def key(self) -> str:
        """Return what two targets have in common that share a script directory."""
        fields = {
            name: self.fields.get(name)
            for name in ("config", "section", "script_location", "version_locations", "sys_path")
        }
        fields["directory"] = self.directory
        fields["options"] = {
            key: value
            for key, value in (self.fields.get("options") or {}).items()
            if "location" in key
        }
        return json.dumps([fields, self.url.get_backend_name()], sort_keys=True, default=str)

    @property
    def probed(self) -> Any:
        """Return the script directory as env.py left it, or None if no env.py has run for it."""
        return Project._kept.get(self.key)

    @contextlib.contextmanager
    def attribute(self, config: Any) -> Iterator[None]:
        """Put a connection or an engine where env.py looks for one, if the project asks for it."""
        kind = self.fields.get("attribute")
        if not kind:
            yield
            return
        sqlalchemy = importlib.import_module("sqlalchemy")
        null_pool = importlib.import_module("sqlalchemy.pool").NullPool
        engine = sqlalchemy.create_engine(self.url, poolclass=null_pool)
        if kind == "engine":
            config.attributes["connection"] = config.attributes["engine"] = engine
            yield
            return
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            yield


# --- What version files there are -----------------------------------------------------------------


class Files:
    """Names and digests of a script directory's files, read again only when they change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int], str]] = {}

    def sha256(self, path: str) -> str:
        """Return a file's digest, from memory if its time and size are the same."""
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, sha256_of(path))
            self._known[path] = known
        return known[1]

    def digest(self, script: Any) -> str:
        """Return a digest of names and bytes of all files that make the graph; imports none.

        Alembic's version is part of it, because it decides how the files are read.
        """
        parts = [sys.modules["alembic"].__version__]
        environment = os.path.join(script.dir, "env.py")
        if os.path.exists(environment):
            parts.append("env.py " + self.sha256(environment))
        for number, location in enumerate(script._version_locations):
            for name, path in sorted(self._listed(script, str(location))):
                parts.append(f"{number} {name} {self.sha256(path)}")
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    @staticmethod
    def _listed(script: Any, location: str) -> Iterator[tuple[str, str]]:
        endings = (".py", ".pyc", ".pyo") if getattr(script, "sourceless", False) else (".py",)
        recursive = getattr(script, "recursive_version_locations", False)
        for folder, folders, names in os.walk(location):
            if not recursive:
                folders[:] = [one for one in folders if one == "__pycache__" and len(endings) > 1]
            folders.sort()
            if folder.endswith("__pycache__") and len(endings) == 1:
                continue
            for name in names:
                if name.endswith(endings):
                    path = os.path.join(folder, name)
                    yield os.path.relpath(path, location).replace(os.sep, "/"), path


STANDARD_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


def loaded_sources() -> Iterator[str]:
    """Yield the files of all modules that are loaded and are no library's: what env.py leans on."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and not any(folder in path for folder in PACKAGES):
            path = os.path.abspath(path)
            if not path.startswith(STANDARD_LIBRARY) and os.path.exists(path):
                yield path


# --- Watching what runs ---------------------------------------------------------------------------


class Watch:
    """A thread that tells of slow statements, of who blocks them, and of a deadline that passed.

    It asks the server through a connection of its own, never through the main thread's.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._active = 0
        self._deadline: float | None = None
        self._roots: tuple[str, ...] = ()
        self._side: Side | None = None
        self._kit: Json = {}
        self.worker = threading.get_ident()
        self.phase = ""
        self.step: str | None = None
        self.session: str | None = None
        self.statement: tuple[str, float] | None = None
        self.reported: tuple[str, float] | None = None
        self.blockers: Rows = []

    @contextlib.contextmanager
    def over(self, request: Json, project: Project | None) -> Iterator[None]:
        """Watch one request."""
        seconds = request.get("deadline")
        if seconds is None and request["do"] != "run":
            yield
            return
        self._deadline = None if seconds is None else request["received"] + float(seconds)
        self._kit = request.get("dialect") or {}
        self._roots = (project.directory + os.sep,) if project else ()
        self.worker = threading.get_ident()
        self.phase, self.step, self.session, self.statement = request["do"], None, None, None
        self.reported, self.blockers = None, []
        with self._wake:
            self._active += 1
            turn = self._active
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        try:
            yield
        finally:
            with self._wake:
                self._active = 0 if self._active == turn else self._active
            side, self._side = self._side, None
            if side is not None:
                side.close()

    def add_root(self, folder: str) -> None:
        """Count the files under a folder as the project's."""
        self._roots = (*self._roots, os.path.abspath(folder) + os.sep)

    def target(self, url: Any) -> None:
        """Say which database blockers are asked of."""
        self._side = Side(url, read_only=True)

    def enter(self, phase: str) -> None:
        """Note what is going on, and tell it."""
        self.phase = phase
        self._channel.send("phase", phase=phase)

    def _work(self) -> None:
        alive = sampled = time.monotonic()
        seen: tuple[str, float] | None = None
        while True:
            with self._wake:
                if not self._active:
                    self._wake.wait()
                    alive = time.monotonic()
            time.sleep(TICK_SECONDS)
            now = time.monotonic()
            if not self._active:
                continue
            with contextlib.suppress(Exception):
                if self._deadline is not None and now > self._deadline:
                    self._deadline = None
                    self._stalled()
                if now - alive >= ALIVE_SECONDS:
                    alive = now
                    self._channel.send("alive", step=self.step, phase=self.phase)
                statement = self.statement
                if statement is None or now - statement[1] < TICK_SECONDS:
                    continue
                # At once for a new statement: a short `lock_timeout` leaves no second chance.
                if statement is not seen or now - sampled > BLOCKER_SECONDS:
                    self._sample(statement)
                    seen, sampled = statement, time.monotonic()
                if now - statement[1] > SLOW_SECONDS:
                    self._report(statement, now)

    def _report(self, statement: tuple[str, float], now: float) -> None:
        if self.reported is not statement:
            self.reported = statement
            self._channel.send(
                "statement",
                step=self.step,
                text=self._channel.shown(statement[0]),
                seconds=round(now - statement[1], 3),
                ended=False,
            )

    def _sample(self, statement: tuple[str, float]) -> None:
        side = self._side
        if side is None:
            return
        rows = sqlite_blockers(side.url) if self._kit.get("lock_kind") == "file" else []
        for text in self._kit.get("blockers") or []:
            if rows or self.session is None:
                break
            with contextlib.suppress(Exception):
                rows = side.rows(text.replace("{pid}", self.session))
                own = Side.sessions()
                rows = [row for row in rows if row[0] not in own]
        if rows and self.statement is statement:
            self.blockers = json.loads(self._channel.scrub(json.dumps(rows, default=str)))
            seconds = round(time.monotonic() - statement[1], 3)
            self._channel.send("waiting", step=self.step, seconds=seconds, blockers=self.blockers)

    def _stalled(self) -> None:
        statement = self.statement
        self._channel.send(
            "stalled",
            step=self.step,
            where=self.where(sys._current_frames().get(self.worker)),
            phase=self.phase,
            statement=self._channel.shown(statement[0]) if statement else None,
            blockers=self.blockers,
        )

    def where(self, frame: types.FrameType | None) -> str | None:
        """Return file and line of the innermost frame of the project, or of any."""
        innermost = None
        while frame is not None:
            name = frame.f_code.co_filename
            if not name.startswith("<"):
                place = f"{name}:{frame.f_lineno}"
                innermost = innermost or place
                if self.is_project(name):
                    return place
            frame = frame.f_back
        return innermost

    def is_project(self, path: str) -> bool:
        """Tell whether a file is the project's own, not a package of its environment."""
        if path.startswith("<"):  # SQLAlchemy compiles functions from text
            return False
        path = os.path.abspath(path)
        return path.startswith(self._roots or ("\0",)) and "site-packages" not in path

    def where_raised(self, error: BaseException) -> str | None:
        """Return file and line of the project's innermost frame that an exception passed."""
        found = None
        for one in causes(error):
            for frame, line in traceback.walk_tb(one.__traceback__):
                if self.is_project(frame.f_code.co_filename):
                    found = f"{frame.f_code.co_filename}:{line}"
            if found:
                return found
        return None


def sqlite_blockers(url: Any) -> Rows:
    """Return processes that hold locks on an SQLite file: Linux tells in /proc/locks."""
    path = sqlite_path(url)
    rows: Rows = []
    if path is None or not os.path.exists("/proc/locks"):
        return rows
    inodes = {
        str(os.stat(path + ending).st_ino)
        for ending in ("", "-wal", "-shm", "-journal")
        if os.path.exists(path + ending)
    }
    seen: set[int] = set()
    with open("/proc/locks", encoding="ascii", errors="replace") as locks:
        for line in locks:
            words = line.replace("->", "").split()
            # number, POSIX, ADVISORY, WRITE, pid, major:minor:inode, start, end
            if words[1] != "POSIX" or words[5].rpartition(":")[2] not in inodes:
                continue
            pid = int(words[4])
            if pid not in {os.getpid(), *seen}:
                seen.add(pid)
                rows.append([pid, None, process_name(pid), words[3].lower() + " lock", None, None])
    return rows


def process_name(pid: int) -> str | None:
    """Return the short name of a process, if it can be seen from here."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


# --- Runs of env.py -------------------------------------------------------------------------------


class Job:
    """A request about a target, with all that its handler needs."""

    def __init__(self, agent: Agent, request: Json) -> None:
        self.request = request
        self.kit: Json = request.get("dialect") or {}
        self.channel = agent.channel
        self.watch = agent.watch
        self.looking = agent.looking
        self.files = agent.files
        self.project = Project(request.get("project") or {}, request.get("url") or "")
        self._agent = agent

    @property
    def about(self) -> Json:
        """Return the fields that say which target this is about, and how it is reached."""
        return {name: self.request.get(name) for name in ("project", "url", "dialect")}

    @property
    def side(self) -> Side:
        """Return our own connection to the target, which only looks."""
        return self._agent.side_for(self.project.url)

    @property
    def pooled(self) -> bool:
        """Tell whether a pooler was noticed between us and this target."""
        return self._agent.pooled(self)

    def missing_file(self) -> str | None:
        """Return the path of the target's SQLite file if there is no such file yet."""
        path = sqlite_path(self.project.url)
        return path if path is not None and not os.path.exists(path) else None

    def identity(self) -> Rows:
        """Read which database our own connection reaches."""
        if not self.kit.get("identity"):
            return url_identity(self.project.url)
        missing = self.missing_file()
        if missing is not None:
            return [[os.path.realpath(missing)]]
        return self.side.rows(self.kit["identity"])

    def look(self, statements: dict[str, str]) -> dict[str, Rows]:
        """Execute named queries that only read; an SQLite file that is not there is empty."""
        if self.missing_file() is not None:
            return {name: memory_rows(text) for name, text in statements.items()}
        return self.side.look(statements, self.kit["read_only"])

    def snapshot(self) -> dict[str, Rows]:
        """Read the rows that describe the target's schema."""
        if self.missing_file() is not None:
            return {name: [] for name in self.kit["snapshot"]}
        try:
            return self.side.look(self.kit["snapshot"], self.kit["read_only"])
        except Refusal:
            raise
        except Exception as error:
            said = f"the schema cannot be read: {first_line(error)}"
            raise refused_with("unreachable", error, said) from None


def url_identity(url: Any) -> Rows:
    """Return host, port and database of a URL: all there is for a server we know nothing of."""
    return [[url.host, url.port, url.database]]


class EnvRun:
    """One run of env.py with `configure` replaced and a function of ours for the work.

    A subclass says what the function does. The connection that env.py configures is compared with
    the target before anything else happens: nothing runs on another database.
    """

    as_sql = False
    destination: Any = "heads"

    def __init__(self, job: Job) -> None:
        self.job = job
        self.fault: Refusal | None = None
        self.called = False
        self.guarded: Any = None
        self.habits: Json = {}
        self.version_table: str | None = None
        self.version_schema: str | None = None
        self.default_schema: str | None = None
        self.heads_query = ""
        self.table_seen = True
        self.sessions: list[Any] = []

    # What subclasses say.

    def steps(self, heads: Sequence[str], context: Any) -> Iterable[Any]:
        """Return the steps Alembic is to run."""
        raise NotImplementedError

    def configured(self, connection: Any) -> None:
        """Act on env.py's connection once it is known to be the right one."""

    def adjust(self, named: Json) -> None:
        """Change the arguments of env.py's `configure`."""

    # The run.

    def execute(self) -> None:
        """Run env.py; ends with a `Refusal` whenever something is not as it has to be."""
        watch, project = self.job.watch, self.job.project
        try:
            self._execute()
        except Refusal as refusal:
            self.job.channel.end_child()
            self.fault = self.fault or refusal
        except BaseException as error:
            self.job.channel.end_child()
            if not isinstance(error, SystemExit) or error.code not in (None, 0):
                self.fault = self.fault or self.explain(error)
            release_frames(error)
        self.job.channel.end_child()
        watch.worker = threading.get_ident()
        if self.fault is not None:
            raise self.fault
        if not self.called:
            raise Refusal(
                "env-failed",
                f"{os.path.join(project.directory, 'env.py')} ended without a call of"
                " `context.run_migrations()`",
            )

    def _execute(self) -> None:
        project, watch = self.job.project, self.job.watch
        hook = project.start_hook()
        config = project.config()
        with contextlib.ExitStack() as stack:
            stack.enter_context(project.attribute(config))
            if hook is not None:
                stack.enter_context(hook.around(config, project.spec))
            try:
                script = project.script(config)
            except Refusal:
                raise
            except Exception as error:
                raise self._refusal("project-unreadable", error) from error
            watch.add_root(script.dir)
            environment_class = importlib.import_module("alembic.runtime.environment")
            environment = environment_class.EnvironmentContext(
                config,
                script,
                fn=self._work,
                as_sql=self.as_sql,
                destination_rev=self.destination,
                tag=project.fields.get("tag"),
                dont_mutate=True,
            )
            # On the instance: Alembic's proxies are registered for the exact class, so a subclass
            # would do nothing.
            environment.configure = self._configure(environment)
            with environment:
                script.run_env()

    def _refusal(self, kind: str, error: BaseException, message: str | None = None) -> Refusal:
        refusal = refused_with(kind, error, message)
        refusal.details["where"] = self.job.watch.where_raised(error)
        return refusal

    def explain(self, error: BaseException) -> Refusal:
        """Return what an exception that came out of env.py means."""
        refused = self.job.looking.refused
        if refused or (self.job.looking.active and refused_as_read_only(error)):
            return self._refusal(
                "env-writes", error, f"env.py tried to write: {refused or first_line(error)}"
            )
        return self._refusal("env-failed", error)

    def _configure(self, environment: Any) -> Callable[..., None]:
        original = environment.configure

        def configure(*arguments: Any, **named: Any) -> None:
            self.job.channel.end_child()
            self.job.watch.worker = threading.get_ident()
            connection = arguments[0] if arguments else named.get("connection")
            if connection is not None and hasattr(connection, "connection"):
                self._guard(connection)
                if not self.as_sql:
                    self.configured(connection)
            # `update`, as env.py may run its migrations twice and only the first time is looked at.
            self.habits.update(
                external_transaction=bool(connection is not None and connection.in_transaction()),
                transaction_per_migration=bool(named.get("transaction_per_migration", False)),
            )
            self.adjust(named)
            original(*arguments, **named)

        return configure

    def _guard(self, connection: Any) -> None:
        """Refuse to go on unless env.py's connection reaches the target."""
        if self.fault is not None:
            raise self.fault
        kit, url = self.job.kit, self.job.project.url
        own = self.job.identity()
        if self.job.looking.replaced and kit.get("lock_kind") == "file":
            found: Rows = [[os.path.realpath(self.job.looking.replaced[-1])]]
        elif not kit.get("identity"):
            found = url_identity(connection.engine.url)
        else:
            try:
                found = fetch(connection, kit["identity"])
            except Exception:
                if connection.dialect.name == url.get_backend_name():
                    raise
                # The text of one dialect means nothing to another server.
                found = [[connection.dialect.name]]
        if kit.get("lock_kind") == "file":
            same = file_identity(found) == file_identity(own)
        else:
            same = comparable(found) == comparable(own)
        if not same:
            there = describe(connection.engine.url, found)
            self.fault = Refusal(
                "wrong-database",
                f"env.py connected to {there}, not to {describe(url, own)}",
                {"expected": own, "found": found},
            )
            raise self.fault
        self.guarded = connection
        if kit.get("session") and not self.as_sql:
            self._note_session(connection)

    def _note_session(self, connection: Any) -> None:
        rows = fetch(connection, self.job.kit["session"])
        session = str(rows[0][0]) if rows and rows[0] else ""
        self.sessions.append(session)
        if session.isdigit():
            self.job.watch.session = session

    def _work(self, heads: Sequence[str], context: Any) -> Iterable[Any]:
        """Take Alembic's place in choosing the steps. Called by `context.run_migrations()`."""
        self.job.channel.end_child()
        if self.fault is not None:
            raise self.fault
        if not self.as_sql and self.guarded is None:
            self._guard(context.connection)
        table, schema = context.version_table, context.version_table_schema
        if self.called and (table, schema) != (self.version_table, self.version_schema):
            self.fault = Refusal(
                "env-failed",
                "env.py migrates several version tables in one run "
                f"(`{self.version_table}`, then `{schema + '.' if schema else ''}{table}`);"
                " a target has one: have env.py choose it by an option, `-x` or a variable",
            )
            raise self.fault
        if self.called:
            return ()
        self.called = True
        self.version_table, self.version_schema = table, schema
        self.habits["transactional_ddl"] = bool(
            context.impl.transactional_ddl
            and not (self.guarded is not None and commits_by_itself(self.guarded))
        )
        if not self.as_sql:
            self._find_version_table(context)
        return self.steps(heads, context)

    def _find_version_table(self, context: Any) -> None:
        """Learn where the version table is now: env.py may have moved the search path."""
        if self.job.kit.get("default_schema"):
            rows = fetch(context.connection, self.job.kit["default_schema"])
            self.default_schema = rows[0][0] if rows else None
        if not self.job.kit.get("tables"):
            self.table_seen = bool(context._has_version_table())
        self._ask_for_heads(context.dialect)

    def _ask_for_heads(self, dialect: Any) -> None:
        """Write the query for the version table's rows, for a connection of any search path."""
        preparer = dialect.identifier_preparer
        name = preparer.quote(self.version_table)
        schema = self.version_schema or self.default_schema
        if schema:
            name = f"{preparer.quote(schema)}.{name}"
        self.heads_query = f"SELECT version_num FROM {name}"  # noqa: S608 - quoted above

    def visible_heads(self) -> list[str]:
        """Read the version table through our own connection; none where there is no table."""
        if self.job.missing_file() is not None:
            return []
        side = self.job.side
        try:
            rows = side.rows(self.heads_query)
        except Exception:
            side.close_if_dead()
            if not self._has_version_table():
                return []
            # What a driver has prepared fails for good once its result has another type.
            side.close()
            rows = self.job.side.rows(self.heads_query)
        return sorted(row[0] for row in rows)

    def _has_version_table(self) -> bool:
        if not self.job.kit.get("tables"):
            return self.table_seen
        schema = self.version_schema or self.default_schema
        return any(
            name == self.version_table and (not schema or not found or found == schema)
            for found, name in self.job.side.rows(self.job.kit["tables"])
        )


def file_identity(rows: Rows) -> str:
    """Return the one path of an SQLite identity with every link in it resolved."""
    value = rows[0][-1] if rows and rows[0] else ""
    return os.path.realpath(value) if value else ""


def describe(url: Any, identity: Rows) -> str:
    """Return a database for people: its URL without user and password, and what it says it is."""
    host = f"{url.host or ''}{':' + str(url.port) if url.port else ''}"
    place = f"{url.get_backend_name()}://{host}/{url.database or ''}"
    known = ", ".join(str(value) for row in identity for value in row if value is not None)
    if url.get_backend_name() == "sqlite" and not known:
        known = "in memory"
    return f"`{place}`" + (f" ({known})" if known and known not in place else "")


class Probe(EnvRun):
    """A run of env.py that does nothing, to see what it would work on."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.result: Json = {}
        self.seen: Json = {}

    def steps(self, heads: Sequence[str], context: Any) -> Iterable[Any]:
        """Read what only env.py's own run can tell; the revisions are not loaded."""
        dialect = context.dialect
        self.result = {
            "dialect": dialect.name,
            "driver": dialect.driver,
            "asynchronous": bool(getattr(dialect, "is_async", False)),
            "env_heads": sorted(heads),
        }
        if not self.job.kit.get("tables"):
            inspect = importlib.import_module("sqlalchemy").inspect
            names = inspect(context.connection).get_table_names(schema=self.version_schema)
            self.result["names"] = names
        if not self.job.kit.get("server_version"):
            info = getattr(dialect, "server_version_info", None) or ()
            self.result["server_version"] = [[".".join(str(part) for part in info)]]
        return ()

    def probe(self) -> Json:
        """Return what was seen, through env.py and through our own connection."""
        job, kit = self.job, self.job.kit
        missing = job.missing_file()
        sessions: Rows = []
        result: Json = {"identity": job.identity(), "session": None, "server_version": []}
        if missing is None:
            if kit.get("server_version"):
                result["server_version"] = job.side.rows(kit["server_version"])
            if kit.get("session"):
                sessions = result["session"] = job.side.rows(kit["session"])
        elif kit.get("server_version"):
            result["server_version"] = memory_rows(kit["server_version"])
        before = names_in(job.project.directory)
        with job.looking.at(kit, wanted=job.project.fields.get("read_only_probe", True)):
            job.watch.enter("running env.py")
            self.execute()
        folder = os.path.dirname(missing or "")
        if folder and not os.path.isdir(folder):  # not asked before: env.py may make it
            raise Refusal(
                "unreachable", f"unable to open database file: there is no folder {folder}"
            )
        pooled = bool(sessions) and missing is None and self._is_pooled(sessions[0][0])
        if sessions and not pooled and job.side.session() == sessions[0][0]:
            job.side.let_prepare()
        script = job.project.probed
        names = self.result.pop("names", None)
        tables = self._tables(names, missing)
        result.update(self.result)
        result.update(self.habits)
        result.update(
            pooled=pooled,
            unmade=missing is not None,
            heads=self.visible_heads(),
            has_version_table=any(self._is_version_table(row) for row in tables),
            version_table=self.version_table,
            version_table_schema=self.version_schema,
            default_schema=self.default_schema,
            tables=self._others(tables),
            script_location=script.dir,
            version_locations=[str(one) for one in script._version_locations],
            graph_digest=job.files.digest(script),
            made_files=sorted(names_in(job.project.directory) - before),
            unmade_databases=[one for one in job.looking.replaced if one != missing],
        )
        self._compare_views(result)
        self.seen = result
        if job.request.get("sources"):
            files = {*loaded_sources(), *job.project.configuration_files()}
            return {**result, "sources": {one: job.files.sha256(one) for one in sorted(files)}}
        return result

    def _is_pooled(self, first: Any) -> bool:
        """Tell whether our idle connection has given its server session, `first`, to others.

        A pooler tells a number of its own when one connects. Whether it hands sessions out anew for
        each transaction is then tried while another connection of ours holds one.
        """
        job, query = self.job, self.job.kit["session"]
        if str(first) in self.sessions or job.side.rows(query) != [[first]]:
            return True
        told = job.side.session()
        if told is None or told == first or not job.kit.get("read_only"):
            return False
        for _ in range(POOLER_TRIES):
            other = Side(job.project.url, read_only=True)
            try:
                held = other.rows("BEGIN", query)
                if held == [[first]] or job.side.rows(query) != [[first]]:
                    return True
            finally:
                with contextlib.suppress(Exception):
                    other.rows("ROLLBACK")
                other.close()
        return False

    def recall(self, seen: Json) -> Json | None:
        """Look at what another process has seen as `again` does; None where env.py has to be asked.

        That is where a file has changed that env.py was made of, or a revision.
        """
        job = self.job
        files, url = job.files, job.project.url
        if any(files.sha256(path) != digest for path, digest in seen["sources"].items()):
            return None
        directory_class = importlib.import_module("alembic.script").ScriptDirectory
        # Not kept: which version locations env.py leaves, only its own run can tell.
        script = job.project.arranged(directory_class.from_config(job.project.config()))
        if files.digest(script) != seen["graph_digest"]:
            return None
        self.seen = seen
        self.version_table = seen["version_table"]
        self.version_schema = seen["version_table_schema"]
        self.default_schema = seen["default_schema"]
        self._ask_for_heads(url.get_dialect()())
        found = self.again(job, script)
        if found is not None and job.kit.get("server_version"):
            found["server_version"] = job.side.rows(job.kit["server_version"])
        return found

    def again(self, job: Job, script: Any) -> Json | None:
        """Look once more through our own connection alone; None where that is not enough.

        What only env.py can tell is as it was then, and every `run` reads it again.
        """
        self.job = job
        if not job.kit.get("tables") or job.missing_file() is not None:
            return None
        try:
            if comparable(job.identity()) != comparable(self.seen["identity"]):
                return None
            tables = job.side.rows(job.kit["tables"])
        except Exception:
            job.side.close()  # it may only have been idle for too long
            return None
        return {
            **self.seen,
            "unmade": False,
            "heads": self.visible_heads(),
            "has_version_table": any(self._is_version_table(row) for row in tables),
            "tables": self._others(tables),
            "graph_digest": job.files.digest(script),
        }

    def _tables(self, names: list[str] | None, missing: str | None) -> Rows:
        if names is not None:
            return [[None, name] for name in names]
        return [] if missing else self.job.side.rows(self.job.kit["tables"])

    def _others(self, tables: Rows) -> int:
        """Count the tables beside the version table.

        Where env.py names its schema, only that one and the one that it works in by default count:
        a database may hold many tenants.
        """
        here = {None, self.version_schema, self.default_schema} if self.version_schema else None
        return sum(
            not self._is_version_table(row) and (here is None or row[0] in here) for row in tables
        )

    def _is_version_table(self, row: Sequence[Any]) -> bool:
        schema = self.version_schema or self.default_schema
        return row[1] == self.version_table and (not schema or not row[0] or row[0] == schema)

    def _compare_views(self, result: Json) -> None:
        """Refuse a target of which env.py and we see different version rows."""
        seen = result.pop("env_heads")
        if seen != result["heads"]:
            raise Refusal(
                "wrong-database",
                f"env.py's connection finds {', '.join(seen) or 'no revision'} in"
                f" `{self.version_table}`, our own connection to the same database finds"
                f" {', '.join(result['heads']) or 'none'}",
            )


def names_in(folder: str) -> set[str]:
    """Return what lies in a folder, but for what Python itself puts there."""
    try:
        return set(os.listdir(folder)) - {"__pycache__"}
    except OSError:
        return set()


def memory_rows(sql: str) -> Rows:
    """Ask SQLite itself, where there is no file to ask."""
    sqlite3 = importlib.import_module("sqlite3")
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return [list(row) for row in connection.execute(sql).fetchall()]


class Stepper(EnvRun):
    """Runs revisions through env.py, announcing each and believing only what was committed."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        request = job.request
        self.all_steps: list[Json] = request["steps"]
        self.direction: str = request["direction"]
        self.marking = request["do"] == "mark"
        self.stamping = self.direction == "stamp"
        self.mode: str = "session" if self.marking else request["mode"]
        if self.stamping:
            self.mode = "isolated"  # believed when env.py has returned, whatever transaction it has
        self.snapshots = bool(request.get("snapshots"))
        self.measure: Json | None = request.get("measure")
        self.tells_texts = bool(request.get("texts"))
        self.facts: dict[str, Rows] | None = None
        self.following: Json | None = None
        self.todo: list[Json] = []
        self.done = 0
        self.stopped = False
        self.current: Json | None = None
        self.context: Any = None
        self.seeded: set[tuple[Any, Any]] = set()
        self.begun_at: str | None = None
        self.confirmed: list[str] | None = None
        self.after: dict[str, Rows] | None = None
        self.schema = SchemaMemory(job)
        commits = job.kit.get("commits")
        self.commits = re.compile(commits, re.IGNORECASE) if commits else None
        revisions = [part["revision"] for part in self._parts(self.all_steps[-1])]
        self.destination = revisions[-1]
        self._reset()

    def _reset(self) -> None:
        self.bodies = self.versions = 0
        self.versioned: set[str] | None = None
        self.in_body = self.left = False
        self.hidden: BaseException | None = None
        self.before: dict[str, Rows] | None = None
        self.changing: list[str] = []
        self.stayed = 0
        self.texts: list[str] = []
        self.count = 0
        self.sql_seconds = 0.0
        self.failing: str | None = None
        self.measured: list[Json] = []
        self.held: dict[tuple[Any, ...], float] = {}
        self.measuring_seconds = 0.0
        self.asked_about: set[int] = set()
        self.started_at = time.monotonic()

    @staticmethod
    def _parts(step: Json) -> list[Json]:
        return step.get("parts") or [step]

    # The whole of it.

    def run(self) -> Json:
        """Carry out the steps and return what was done."""
        self.job.channel.begin_run()
        self.job.watch.target(self.job.project.url)
        groups = [[one] for one in self.all_steps] if self.mode == "isolated" else [self.all_steps]
        for group in groups:
            self.todo = list(group)
            if self.mode == "isolated":
                self.confirmed = self.after = None  # env.py ran in between
                self.schema.forget()
            self.called = self.stopped and self.called
            self.job.watch.enter("running env.py")
            self._run_group()
            if self.stopped:
                break
        return {"heads": self.visible_heads(), "done": self.done}

    def _run_group(self) -> None:
        self.called = False
        try:
            self.execute()
            if self.current is not None:
                self._settle(self.current)
        except Refusal as refusal:
            if self.current is not None:
                refusal.details = {**self._evidence(), **refusal.details}
            raise
        finally:
            self.job.channel.in_revision = False
            self.context = None

    def _settle(self, step: Json) -> None:
        """Judge a step that was announced and not yet confirmed when env.py returned."""
        if self.bodies == self.versions == len(self._parts(step)) and self.hidden is None:
            self._confirm(step)
            return
        said = f": {first_line(self.hidden)}" if self.hidden is not None else ""
        refusal = Refusal("swallowed", f"env.py hid what ended revision {step['revision']}{said}")
        if self.hidden is not None:
            refusal.trace = trace_of(self.hidden)
            refusal.details["where"] = self.job.watch.where_raised(self.hidden)
            release_frames(self.hidden)
        raise refusal

    def explain(self, error: BaseException) -> Refusal:
        """Return what an exception means: a failed step, if one was under way."""
        if self.current is None:
            return super().explain(error)
        return self._refusal("step-failed", error)

    def _evidence(self) -> Json:
        """Return what can be known of a step that failed, once env.py's connection is gone."""
        heads = snapshot = None
        with contextlib.suppress(Exception):
            heads = self.visible_heads()
        if self.left or (self.current is not None and self._may_stay(self.current)):
            with contextlib.suppress(Exception):
                snapshot = self._limited_snapshot()
        return {
            "step": self.current and self.current["id"],
            "left_transaction": self.left,
            "statements": self.texts,
            "failing": self.failing,
            "sqlstate": None,
            "driver_code": None,
            "heads": heads,
            "snapshot": snapshot,
            "blockers": self.job.watch.blockers,
        }

    # Inside env.py.

    def adjust(self, named: Json) -> None:
        """Force a commit after each revision, unless the project's own transaction is wanted."""
        if self.mode != "native":
            named["transaction_per_migration"] = True

    def configured(self, connection: Any) -> None:
        """Set the session's timeouts; behind a pooler, where it can be, each transaction's."""
        passing = None
        if self.job.pooled:
            passing = self.job.kit.get("passing_timeouts")
            never_prepare(driver_connection(connection))
        if passing:

            def limit(begun: Any) -> None:
                cursor = begun.connection.cursor()
                for statement in passing:
                    cursor.execute(statement)
                cursor.close()

            if transaction_open(connection):
                limit(connection)
            importlib.import_module("sqlalchemy.event").listen(connection, "begin", limit)
        elif self.job.kit.get("timeouts"):
            fetch(connection, *self.job.kit["timeouts"], commit=True)

    def steps(self, heads: Sequence[str], context: Any) -> Iterator[Any]:
        """Yield each step to Alembic. What stands after a `yield` happens after its commit."""
        self.context = context
        self._wrap_context(context)
        self._check_files(context.script)
        first = True
        for step, following in zip(self.todo, [*self.todo[1:], None]):
            self.following = following
            if first:
                self._let_others_read(context.connection)
                self._compare_heads(heads)
            if not self._announce(step):
                self.stopped = True
                return
            if first:
                first = False
                self._prepare(heads, context)
            if self.stamping:
                self._stamp(step, context)
                return
            for part in self._parts(step):
                yield self._alembic_step(context, part)
                self.job.channel.end_child()
                self.job.watch.statement = None
            if self.mode == "session":
                self._confirm(step)

    def _let_others_read(self, connection: Any) -> None:
        """End the transaction of env.py in which it locked an SQLite file without writing.

        One that begins each of them with `BEGIN EXCLUSIVE` has locked us out since it read the
        version table. Who wrote holds a lock that lets others read.
        """
        if self.job.kit.get("lock_kind") != "file" or self.mode == "native":
            return
        if self.habits["external_transaction"] or not transaction_open(connection):
            return
        patience = self.job.side.rows("PRAGMA busy_timeout")[0][0]
        try:
            self.job.side.rows("PRAGMA busy_timeout = 0", "PRAGMA schema_version")
        except Exception:
            transaction = connection.get_transaction()
            (transaction or connection.connection).rollback()
        finally:
            self.job.side.rows(f"PRAGMA busy_timeout = {patience}")

    def _compare_heads(self, heads: Sequence[str]) -> None:
        seen = self.visible_heads()
        if sorted(heads) != seen:
            self.fault = Refusal(
                "wrong-database",
                f"env.py's connection finds {', '.join(sorted(heads)) or 'no revision'} in"
                f" `{self.version_table}`, our own connection to the same database finds"
                f" {', '.join(seen) or 'none'}",
            )
            raise self.fault

    def _may_stay(self, step: Json) -> bool:
        """Tell whether a part of a step may stay when it fails: the schema is then on record."""
        return self.snapshots and not step.get("transactional")

    def _announce(self, step: Json) -> bool:
        """Tell that a step is about to begin, and wait until that is on record."""
        self._reset()
        if self.marking:
            self.current = step
            return True
        # Just read, if a step was confirmed a moment ago: one question a revision is enough.
        heads, self.confirmed = self.confirmed, None
        if heads is None:
            heads = self.visible_heads()
        if self._may_stay(step):
            self.before = self.after or self.schema.read()
        told = self.before is not None and self.before is self.after
        if self.facts is None:
            self.facts = self._read_facts()
        channel = self.job.channel
        snapshot = None if told else self.before
        channel.send("start", step=step["id"], heads=heads, snapshot=snapshot, as_committed=told)
        if channel.gone or not channel.may_begin(
            step["id"], ahead=sorted(heads) == sorted(step.get("from_heads") or ())
        ):
            return False
        channel.in_revision = True
        self.current = step
        self.job.watch.step = step["id"]
        self.started_at = time.monotonic()
        return True

    def _prepare(self, heads: Sequence[str], context: Any) -> None:
        """Do what Alembic does before its first step, and what it would remember from others."""
        if not heads:
            context._ensure_version_table()
            self.table_seen = True
        if self.direction == "upgrade" and self.job.kit.get("enum_types"):
            self._seed_enum_memory(context)

    def _seed_enum_memory(self, context: Any) -> None:
        """Tell SQLAlchemy which enum types exist, as if this run had made them.

        It creates a column's enum type with the table and remembers it for the rest of the run, so
        a chain that uses a type again in a later revision passes in one run and fails in two.
        """
        rows = fetch(context.connection, self.job.kit["enum_types"])
        known = {(schema, name) for schema, name in rows}
        known |= {(None, name) for schema, name in rows if schema == self.default_schema}
        self.seeded = known
        for key in ("_pg_enums", "pg_enum", "pg_ENUM"):  # by version of SQLAlchemy
            context.impl.memo.setdefault(key, set()).update(known)

    def forget_enums(self, statement: str) -> None:
        """Forget seeded types that a statement drops or renames, so that they are made again."""
        gone = {key for key in self.seeded if key[1] in statement}
        self.seeded -= gone
        for key in ("_pg_enums", "pg_enum", "pg_ENUM"):
            self.context.impl.memo.get(key, set()).difference_update(gone)

    def _wrap_context(self, context: Any) -> None:
        original = context.autocommit_block

        @contextlib.contextmanager
        def autocommit_block() -> Iterator[None]:
            self.leaving()
            with original():
                yield

        context.autocommit_block = autocommit_block
        # Added, not replaced: projects pass callbacks of their own.
        context.on_version_apply_callbacks = (*context.on_version_apply_callbacks, self._applied)

    def _applied(self, *, heads: Iterable[str], **_: Any) -> None:
        self.versions += 1
        self.versioned = set(heads)

    def _check_files(self, script: Any) -> None:
        """Refuse revisions that are not there, or not what the plan was made from."""
        refresh_revisions(self.job, script)
        for step in self.all_steps:
            for part in self._parts(step):
                if self.stamping and not part.get("file_sha256"):
                    continue  # the base has no file
                revision = find_revision(self.job, script, part["revision"])
                wanted = part.get("file_sha256")
                path = revision.path
                if wanted and self.job.files.sha256(path) != wanted:
                    self.fault = Refusal(
                        "stale-plan",
                        f"revision {part['revision']} changed since the plan was made: {path}",
                    )
                    raise self.fault

    def _stamp(self, step: Json, context: Any) -> None:
        """Make the version table hold these rows and no others, in one transaction."""
        wanted = sorted(step["to_heads"])
        table = context._version
        with context.begin_transaction(_per_migration=True):
            context.impl._exec(table.delete())
            for revision in wanted:
                context.impl._exec(table.insert().values(version_num=revision))
            info_class = importlib.import_module("alembic.runtime.migration").MigrationInfo
            info = info_class(
                revision_map=context.script.revision_map,
                is_upgrade=True,
                is_stamp=True,
                up_revisions=wanted,
                down_revisions=[],
            )
            for callback in context.on_version_apply_callbacks:
                callback(ctx=context, step=info, heads=set(wanted), run_args={})
        self.bodies = self.versions = len(self._parts(step))

    def _alembic_step(self, context: Any, part: Json) -> Any:
        revision = context.script.get_revision(part["revision"])
        step_class = importlib.import_module("alembic.runtime.migration").MigrationStep
        upgrade = self.direction == "upgrade"
        name = "upgrade" if upgrade else "downgrade"
        if not hasattr(revision.module, name):
            if not self.marking:
                self.fault = Refusal(
                    "step-failed", f"revision {part['revision']} has no function `{name}`"
                )
                raise self.fault
            setattr(revision.module, name, nothing)
        make = step_class.upgrade_from_script if upgrade else step_class.downgrade_from_script
        step = make(context.script.revision_map, revision)
        step.migration_fn = self._body(nothing if self.marking else step.migration_fn)
        step.migration_fn.__name__ = name
        self.job.watch.phase = f"{name} {part['revision']}"
        return step

    def _body(self, body: Callable[..., Any]) -> Callable[..., None]:
        @functools.wraps(body)
        def run(**named: Any) -> None:
            self.in_body = True
            try:
                body(**named)
            except BaseException as error:
                self.job.channel.end_child()
                self.hidden = error
                raise
            finally:
                self.in_body = False
            self.bodies += 1

        return run

    def leaving(self) -> None:
        """Tell that the step leaves its transaction, and wait until that is on record."""
        if self.marking or self.context is None:
            return
        first, self.left = not self.left, True
        if not first or not self.habits.get("transactional_ddl"):
            self.rows_stay()
            return
        before, statements = self.before, self._taken_changes()
        if before is None:
            with contextlib.suppress(Exception):
                before = self._limited_snapshot()
        self.job.channel.send(
            "leaving-transaction",
            step=self.current and self.current["id"],
            snapshot=before,
            statements=statements,
        )
        self.job.channel.may_leave()

    def rows_stay(self) -> None:
        """Tell which statements changed rows that stay from now on, and wait for the record.

        The schema would not show it: begun again, the step would change them twice.
        """
        statements = self._taken_changes()
        if statements and not self.marking:
            step = self.current and self.current["id"]
            self.job.channel.send("rows-stay", step=step, statements=statements)
            self.job.channel.may_leave()

    def _taken_changes(self) -> list[str]:
        # That there are any is what counts: a loop may go through thousands.
        taken = self.changing[: max(CHANGES_TOLD - self.stayed, 0)]
        self.changing = []
        self.stayed += len(taken)
        return taken

    def _limited_snapshot(self) -> dict[str, Rows] | None:
        """Read the schema, but not for ever: the step's own locks may stand in the way."""
        found: list[dict[str, Rows]] = []
        reader = threading.Thread(target=lambda: found.append(self.job.snapshot()), daemon=True)
        reader.start()
        reader.join(SNAPSHOT_SECONDS)
        return found[0] if found else None

    def _confirm(self, step: Json) -> None:
        """Believe a step once our own connection sees the version rows that it left."""
        try:
            heads = self.visible_heads()
        except Exception as error:
            self.fault = Refusal(
                "unreachable",
                f"revision {step['revision']} ran; whether it was committed cannot be read:"
                f" {first_line(error)}",
            )
            raise self.fault from None
        if self.versioned is None or set(heads) != self.versioned:
            wanted = ", ".join(sorted(self.versioned or ())) or "no row"
            self.fault = Refusal(
                "not-committed",
                f"revision {step['revision']} ran, but its commit is not visible:"
                f" `{self.version_table}` should hold {wanted} and holds"
                f" {', '.join(heads) or 'none'}",
                {"where": self.begun_at} if self.begun_at else None,
            )
            raise self.fault
        seconds = time.monotonic() - self.started_at - self.measuring_seconds
        after = None
        if self._may_stay(step) or self.left:
            # What a run leaves at its end is compared with later on, to the letter.
            after = self.schema.read(whole=self.following is None)
        self.confirmed = heads
        self.done += 1
        self.current = None
        self.job.watch.step = None
        if not self.marking:
            # What is announced next is at hand, unless the schema is read first.
            following = self.following
            more = self.mode == "session" and following and not self._may_stay(following)
            send = self.job.channel.send_with_next if more else self.job.channel.send
            send(
                "committed",
                step=step["id"],
                heads=heads,
                seconds=round(seconds, 6),
                statements=self.count,
                sql_seconds=round(self.sql_seconds, 6),
                snapshot=after,
                **self._measurements(seconds),
                **({"texts": self.texts} if self.tells_texts else {}),
            )
        self.after = after
        self.job.channel.in_revision = False

    def _measurements(self, seconds: float) -> Json:
        """Return what was measured of a step, where that was asked for."""
        if self.measure is None:
            return {}
        locks = [[*lock, round(seconds - since, 6)] for lock, since in self.held.items()]
        before, self.facts = self.facts, self._read_facts()
        facts = {"before": before, "after": self.facts}
        return {"measured": self.measured, "locks": locks, "facts": facts}

    def _read_facts(self) -> dict[str, Rows]:
        """Read what is asked for before and after each step; nothing where that cannot be read."""
        queries = (self.measure or {}).get("facts")
        if not queries:
            return {}
        try:
            return self.job.look(queries)
        except Exception:
            return {}

    def _measure(self, text: str, seconds: float, rows: int | None) -> None:
        """Note a statement that has ended, and what env.py's session holds locks on after it."""
        now = time.monotonic()
        began = now - self.started_at - self.measuring_seconds - seconds
        if len(self.measured) < TEXTS_KEPT:
            told = self.job.channel.shown(text)
            self.measured.append(
                {"text": told, "at": round(began, 6), "seconds": round(seconds, 6), "rows": rows}
            )
        query, session = (self.measure or {}).get("locks"), self.job.watch.session
        if query and session and self._may_lock_more(text, now):
            # What cannot be read is not known; the revision goes on.
            with contextlib.suppress(Exception):
                for row in self.job.side.rows(query.replace("{pid}", session)):
                    self.held.setdefault(tuple(row), began)
        self.measuring_seconds += time.monotonic() - now

    def _may_lock_more(self, text: str, now: float) -> bool:
        """Return whether it is worth asking for locks after a statement.

        One that differs in its values alone from one that was asked about takes the same locks,
        nearly always (a row may go to another partition): then only while asking takes little.
        """
        shape = hash(VALUES.sub("?", text))
        new = shape not in self.asked_about
        self.asked_about.add(shape)
        return new or self.measuring_seconds < MEASURING_SHARE * (now - self.started_at)

    # Told by SQLAlchemy's events.

    def transaction_begins(self) -> None:
        """Note where env.py begins a transaction before it calls `configure`."""
        if self.guarded is None:
            self.begun_at = self.job.watch.where(sys._getframe())

    def statement_begins(self, text: str) -> None:
        """Note a statement of a revision that is about to be sent."""
        self.count += 1
        self.failing = None
        self.job.watch.statement = (text, time.monotonic())
        if COMMIT.match(text):
            self.leaving()
        elif self.commits is not None and self.commits.match(text):
            self.rows_stay()
        elif self._stays_at_once(text):
            self.changing.append(self.job.channel.shown(text))
            self.rows_stay()
        elif self.seeded and TYPE_CHANGE.search(text):
            self.forget_enums(text)

    def statement_ends(self, text: str, rows: int | None = None) -> None:
        """Note that a statement is done, and how many rows it touched, where that is known."""
        watch = self.job.watch
        statement, watch.statement = watch.statement, None
        if len(self.texts) < TEXTS_KEPT:
            self.texts.append(self.job.channel.shown(text))
        if rows != 0 and CHANGES_ROWS.match(text) and not self._stays_at_once(text):
            del self.changing[CHANGES_TOLD:]
            self.changing.append(self.job.channel.shown(text))
        if statement is None:
            return
        seconds = time.monotonic() - statement[1]
        self.sql_seconds += seconds
        if self.measure is not None:
            self._measure(text, seconds, rows)
        if seconds > SLOW_SECONDS:
            self.job.channel.send(
                "statement",
                step=self.current and self.current["id"],
                text=self.job.channel.shown(text),
                seconds=round(seconds, 3),
                ended=True,
            )

    def _stays_at_once(self, text: str) -> bool:
        return (
            CHANGES_ROWS.match(text) is not None
            and self.guarded is not None
            and commits_by_itself(self.guarded)
        )

    def statement_fails(self, text: str) -> None:
        """Note the statement that failed."""
        self.failing = self.job.channel.shown(text)
        self.job.watch.statement = None


class SchemaMemory:
    """What a schema holds between the steps of a run, read anew where it may have changed.

    Statements tell which tables that may be, and the server when each was made last: what env.py
    did behind SQLAlchemy's back is found by that. With any doubt everything is read.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._kit: Json | None = job.kit.get("reread")
        self._harmless = re.compile(self._kit["harmless"]) if self._kit else None
        self._tables = re.compile(self._kit["tables"]) if self._kit else None
        self._words: set[str] = set()
        """Of statements that are about tables."""
        self._dates: Json = {}
        self._rows: dict[str, Rows] | None = None

    def note(self, text: str) -> None:
        """Heed a statement that is about to be sent."""
        if self._rows is None or self._harmless is None or self._tables is None:
            return
        if self._tables.match(text):
            self._words.update(WORD.findall(text.lower()))
        elif not self._harmless.match(text):
            self.forget()

    def forget(self) -> None:
        """Have everything read the next time."""
        self._rows = None

    def read(self, *, whole: bool = False) -> dict[str, Rows]:
        """Return the rows that describe the schema now."""
        if self._kit is None or self._job.missing_file() is not None:
            return self._job.snapshot()
        # Before the schema: what changes in between has a later date the next time.
        dates = dict(self._job.look({"dates": self._kit["dates"]})["dates"])
        old = self._rows
        touched = None if whole or old is None else self._touched(self._kit, old, dates)
        if old is None or touched is None:
            self._rows = self._job.snapshot()
        else:
            self._rows = self._merged(self._kit, old, touched, dates)
        self._dates = dates
        self._words = set()
        return self._rows

    def _touched(self, kit: Json, old: dict[str, Rows], dates: Json) -> set[Any] | None:
        """Return the tables that may be others than before; None if that is not known of all."""
        names: set[Any] = {*dates, *self._dates}
        # Some drivers give the catalogue's text as bytes.
        if not all(isinstance(name, str) and WORD.fullmatch(name) for name in names):
            return None
        touched = {
            name
            for name in names
            if dates.get(name) != self._dates.get(name) or name.lower() in self._words
        }
        query, column = kit["references"]
        return touched | {row[0] for row in old[query] if row[column] in touched}

    def _merged(
        self, kit: Json, old: dict[str, Rows], touched: set[Any], dates: Json
    ) -> dict[str, Rows]:
        found: dict[str, Rows] = {}
        there = sorted(touched & set(dates))
        if there:
            tables = ", ".join(f"'{name}'" for name in there)
            texts = {
                name: text.replace("{tables}", tables) for name, text in kit["queries"].items()
            }
            found = self._job.look(texts)
        return {
            name: [*(row for row in rows if row[0] not in touched), *found.get(name, ())]
            if name in kit["queries"]
            else rows
            for name, rows in old.items()
        }


WORD = re.compile(r"[A-Za-z0-9_$]+")
CHANGES_ROWS = re.compile(
    r"\s*(?:/\*.*?\*/\s*)*"
    r"(?:insert|update|delete|replace|merge|truncate|load\s+data|call"
    r"|with\b.*?\b(?:insert|update|delete|merge))\b",
    re.IGNORECASE | re.DOTALL,
)
COMMIT = re.compile(r"\s*(commit|end|rollback)\b(?!\s+to\b)", re.IGNORECASE)
ENDS = re.compile(rb"commit|rollback|['\"]\s*end\b", re.IGNORECASE)
DOWNGRADE = re.compile(rb"^(async )?def downgrade\b", re.MULTILINE)
VALUES = re.compile(r"'(?:[^']|'')*'|\b\d+\b")
TYPE_CHANGE = re.compile(r"\b(drop|alter)\s+(type|schema)\b", re.IGNORECASE)


def nothing(**_: Any) -> None:
    """Do nothing, in place of a revision's body."""


class Events:
    """Listens to statements of all engines and tells the stepper of those in a revision's body."""

    def __init__(self) -> None:
        self.stepper: Stepper | None = None

    def install(self) -> None:
        """Listen to every engine there is or will be."""
        event = importlib.import_module("sqlalchemy.event")
        engine = importlib.import_module("sqlalchemy.engine").Engine
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "handle_error", self._failed)
        event.listen(engine, "commit", self._commits)
        event.listen(engine, "begin", self._begins)

    def _before(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        stepper = self.stepper
        if stepper is None:
            return
        stepper.schema.note(statement)
        if stepper.in_body:
            stepper.statement_begins(statement)

    def _after(self, _connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        stepper = self.stepper
        if stepper is not None and stepper.in_body:
            rows = getattr(cursor, "rowcount", -1)
            stepper.statement_ends(statement, rows if isinstance(rows, int) and rows >= 0 else None)

    def _failed(self, context: Any) -> None:
        stepper = self.stepper
        if stepper is not None and stepper.in_body:
            stepper.statement_fails(context.statement or "")

    def _begins(self, _connection: Any) -> None:
        if self.stepper is not None:
            self.stepper.transaction_begins()

    def _commits(self, connection: Any) -> None:
        stepper = self.stepper
        if stepper is None:
            return
        if stepper.in_body and connection.engine is getattr(stepper.guarded, "engine", None):
            stepper.leaving()
        elif stepper.current is not None:
            # A commit can wait too: for SQLite's readers, for constraints checked at the end.
            stepper.job.watch.statement = ("COMMIT", time.monotonic())


RENDERED_AT_ONCE = 100
"""After so many revisions their SQL is told, where it is wanted soon."""
SHARED_FROM = 400
"""From so many revisions on, a second process renders half of them: Python uses one core."""


def has_cores() -> bool:
    """Tell whether a fork is sound here and has a core of its own."""
    # Elsewhere the system's own libraries may not be used in a fork.
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


class Fork:
    """A copy of this process that makes something out of what is loaded already.

    It has no connection to a database and no way to the orchestrator (`Channel`), and ends with
    its work. What it does not come to, if it dies or takes too long, has to be made here.
    """

    def __init__(self, work: Iterable[Json]) -> None:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Of other threads, which hold nothing that the work needs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if not self._pid:
            with contextlib.suppress(BaseException):
                os.close(reading)
                signal.alarm(LONGEST_FORK)  # nobody may be left to end it
                with os.fdopen(writing, "wb") as answer:
                    for part in work:
                        answer.write(json.dumps(part).encode("utf-8") + b"\n")
                        answer.flush()
            os._exit(0)
        os.close(writing)
        self._made: queue.SimpleQueue[Json] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()

    def _read(self, reading: int) -> None:
        # A line that was cut off is the last one.
        with os.fdopen(reading, "rb") as answer, contextlib.suppress(ValueError):
            for line in answer:
                self._made.put(json.loads(line.decode("utf-8")))

    def made(self) -> Iterator[Json]:
        """Yield what it has made since this was asked last."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._made.get_nowait()

    def rest(self, seconds: float) -> Iterator[Json]:
        """Wait for its end, so long at most; yield what it made until then."""
        self._reader.join(seconds)
        with contextlib.suppress(OSError):
            if self._reader.is_alive():
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._reader.join(seconds)
        yield from self.made()


LONGEST_FORK = 600
"""Seconds after which a fork is ended by the system."""


class Renderer(EnvRun):
    """Runs the bodies of revisions offline, one by one, and keeps the SQL of each."""

    as_sql = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.buffer = io.StringIO()
        self.result: dict[str, Json] = {}
        for step in job.request["steps"] or []:
            self._expect(step["id"])

    def _expect(self, identifier: str) -> None:
        """Keep a place for a step's SQL."""
        empty = {"up": None, "down": None, "up_error": None, "down_error": None}
        self.result.setdefault(identifier, empty)

    def _wanted(self, script: Any) -> Iterator[tuple[str, Any]]:
        """Return each step's name and revision; without steps, all revisions by their names."""
        steps = self.job.request["steps"]
        if steps is None:
            for revision in script.walk_revisions():
                self._expect(revision.revision)
                yield revision.revision, revision
        else:
            for step in steps:
                yield step["id"], find_revision(self.job, script, step["revision"])

    def adjust(self, named: Json) -> None:
        """Have everything written to our buffer, as text."""
        named["output_buffer"] = self.buffer
        named.pop("output_encoding", None)

    def steps(self, heads: Sequence[str], context: Any) -> Iterable[Any]:
        """Call the bodies here rather than let Alembic: it would stop at the first that fails."""
        del heads
        script = context.script
        refresh_revisions(self.job, script)
        with uncollected():
            wanted = list(self._wanted(script))
        if not self.job.request.get("soon"):
            self._render_all(wanted)
            return ()
        if len(wanted) < SHARED_FROM or not has_cores():
            self._render_soon(wanted)
            return ()
        half = len(wanted) // 2
        gc.freeze()  # a collection writes to what it looks at, and a fork would have to copy that
        fork = Fork(self._rendered(wanted[half:]))
        began = time.monotonic()
        for part in self._rendered(wanted[:half]):
            self._tell(part)
            for other in fork.made():
                self._tell(other)
        for other in fork.rest(4 * (time.monotonic() - began) + 5):
            self._tell(other)
        self._render_soon([(name, one) for name, one in wanted[half:] if name in self.result])
        return ()

    def _render_soon(self, wanted: Sequence[tuple[str, Any]]) -> None:
        """Render revisions, telling the SQL of some at a time."""
        for part in self._rendered(wanted):
            self._tell(part)

    def _rendered(self, wanted: Sequence[tuple[str, Any]]) -> Iterator[dict[str, Json]]:
        """Render some revisions at a time."""
        for start in range(0, len(wanted), RENDERED_AT_ONCE):
            yield self._render_all(wanted[start : start + RENDERED_AT_ONCE])

    def _tell(self, part: dict[str, Json]) -> None:
        self.job.channel.send("rendered", sql=part)
        for name in part:
            del self.result[name]

    def _render_all(self, wanted: Sequence[tuple[str, Any]]) -> dict[str, Json]:
        """Render revisions and return their answers."""
        ways = self.job.request.get("ways") or ["up", "down"]
        for name, revision in wanted:
            for key, body in (("up", "upgrade"), ("down", "downgrade")):
                if key in ways:
                    self._render_one(self.result[name], revision, key, body)
        return {name: self.result[name] for name, _ in wanted}

    def _render_one(self, answer: Json, revision: Any, key: str, name: str) -> None:
        """Render one way of one revision, or note why that cannot be done."""
        module = revision.module
        start = self.buffer.tell()
        try:
            body = getattr(module, name, None)
            if body is None:
                answer[f"{key}_error"] = f"there is no function `{name}`"
                return
            if self.job.request.get("only_plain") and not (
                is_plainly_plain(body, module) or is_plain(revision.path, name)
            ):
                answer[f"{key}_error"] = "it does more than call Alembic and SQLAlchemy"
                return
            body()
            self.buffer.seek(start)
            answer[key] = self.job.channel.scrub(self.buffer.read().strip())
        except Exception as error:
            answer[f"{key}_error"] = self.job.channel.scrub(first_line(error))
            release_frames(error)

    def render(self) -> Json:
        """Return each step's SQL. A failure of env.py itself is every step's error."""
        with self.job.looking.at(self.job.kit, wanted=True):
            try:
                self.execute()
            except Refusal as refusal:
                if refusal.kind not in {"env-failed", "env-writes"}:
                    raise
                message = self.job.channel.scrub(f"env.py, offline: {refusal.message}")
                if not self.result:
                    raise
                for answer in self.result.values():
                    for key in ("up", "down"):
                        if answer[key] is None and answer[f"{key}_error"] is None:
                            answer[f"{key}_error"] = message
        return {"sql": self.result}


class Output(io.TextIOBase):
    """What a command prints, sent line by line to whoever typed it."""

    encoding = "utf-8"  # Alembic asks, and writes ASCII without

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._rest = ""

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Send the lines that are complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._channel.send("output", text=self._channel.scrub(line))
        return len(text)

    def end(self) -> None:
        """Send what has no line end."""
        if self._rest:
            self.write("\n")


def parse_arguments(arguments: Sequence[str]) -> Any:
    """Return what this very Alembic understands, or the text it prints for `--help`."""
    line = importlib.import_module("alembic.config").CommandLine(prog="alembic")
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            options = line.parser.parse_args(list(arguments))
            if not hasattr(options, "cmd"):
                line.parser.error("too few arguments")
    except SystemExit as ended:
        text = said.getvalue().strip()
        if ended.code:
            raise Refusal("usage", text.rpartition("error: ")[2]) from None
        return text
    return options


def read_arguments(job: Job) -> Json:
    """Return a command line of Alembic's as values; `config` and `name` only if they were given."""
    options = parse_arguments(job.request["argv"])
    if isinstance(options, str):
        return {"command": None, "text": options, "options": {}}
    values = {key: value for key, value in vars(options).items() if key != "cmd"}
    parser = importlib.import_module("alembic.config").CommandLine().parser
    for key in ("config", "name"):
        if values.get(key) == parser.get_default(key):
            values[key] = None
    return {"command": options.cmd[0].__name__, "text": None, "options": values}


class Command(EnvRun):
    """Runs one of Alembic's own commands on a target that it may only look at.

    Alembic makes the environment of a command itself, so ours is put in its place for that long:
    with the guard, and without what would make the version table.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.called = True  # not every command needs env.py
        self.env_began = False
        self.options = parse_arguments(job.request["argv"])
        self.options.x = [*(job.project.fields.get("x") or []), *(self.options.x or [])] or None
        self.output = Output(job.channel)

    def run(self) -> Json:
        """Run the command; its output goes out as events."""
        job = self.job
        with job.looking.at(job.kit, wanted=job.project.fields.get("read_only_probe", True)):
            self.execute()
        return {}

    def _execute(self) -> None:
        project = self.job.project
        function, positional, named = self.options.cmd
        self.job.watch.enter(f"alembic {function.__name__}")
        hook = project.start_hook()
        config = project.config()
        config.cmd_opts = self.options
        config.stdout = config.output_buffer = self.output
        with contextlib.ExitStack() as stack:
            stack.callback(self.output.end)
            stack.enter_context(contextlib.redirect_stdout(self.output))
            stack.enter_context(project.attribute(config))
            if hook is not None:
                stack.enter_context(hook.around(config, project.spec))
            stack.enter_context(self._in_place_of_alembics())
            function(
                config,
                *[getattr(self.options, name, None) for name in positional],
                **{name: getattr(self.options, name, None) for name in named},
            )

    @contextlib.contextmanager
    def _in_place_of_alembics(self) -> Iterator[None]:
        command: Any = importlib.import_module("alembic.command")
        directory_class, environment_class = command.ScriptDirectory, command.EnvironmentContext
        project = self.job.project

        class Directory(directory_class):  # type: ignore[misc,valid-type]
            @classmethod
            def from_config(cls, config: Any) -> Any:
                return project.arranged(super().from_config(config))

        def environment(config: Any, script: Any, **named: Any) -> Any:
            self.job.watch.add_root(script.dir)
            self.env_began = True
            self.as_sql = bool(named.get("as_sql"))
            made = environment_class(
                config, script, **{**named, "fn": self._seen(named["fn"]), "dont_mutate": True}
            )
            made.configure = self._configure(made)
            return made

        command.ScriptDirectory, command.EnvironmentContext = Directory, environment
        try:
            yield
        finally:
            command.ScriptDirectory, command.EnvironmentContext = directory_class, environment_class

    def _seen(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def work(heads: Sequence[str], context: Any) -> Any:
            self.job.channel.end_child()
            if self.fault is not None:
                raise self.fault
            if not self.as_sql and self.guarded is None:
                self._guard(context.connection)
            return function(heads, context)

        return work

    def explain(self, error: BaseException) -> Refusal:
        """Return what ended the command: mostly a sentence of Alembic's own."""
        found = super().explain(error)
        own = importlib.import_module("alembic.util").CommandError
        if found.kind == "env-failed" and isinstance(error, own):
            return Refusal("alembic-failed", " ".join(str(error).split()))
        if found.kind == "env-failed" and not self.env_began:
            return self._refusal("project-unreadable", error)
        return found


SCRATCH_NAME = re.compile(r"orchestrate_scratch_[0-9a-f]{12}\Z")


def scratch_file(job: Job) -> Json:
    """Return where a scratch database has its file, of which nothing is left afterwards."""
    name = job.request["name"]
    if not SCRATCH_NAME.match(name):
        raise Refusal("agent-failed", f"`{name}` is no name of a scratch database")
    path = os.path.join(os.path.realpath(tempfile.gettempdir()), name)
    for ending in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + ending)
    return {"path": path}


class Models(EnvRun):
    """Compares a target with the models that env.py gives to Alembic, as `check` does."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.found: list[Json] | None = None

    def steps(self, heads: Sequence[str], context: Any) -> Iterable[Any]:
        """Compare; there is nothing to run."""
        del heads
        metadata = context.opts.get("target_metadata")
        if metadata is not None:
            compare = importlib.import_module("alembic.autogenerate").compare_metadata
            differences = compare(context, metadata)
            self.found = [told for one in differences for told in self._told(one)]
        return ()

    def _told(self, difference: Any) -> Iterator[Json]:
        """Yield one of Alembic's differences in words: what the models have is expected."""
        for one in difference if isinstance(difference, list) else [difference]:
            way, _, kind = one[0].partition("_")
            if way == "modify":
                yield self._modified(kind, one)
                continue
            change = {"add": "removed", "remove": "added"}.get(way, "altered")
            thing = one[-1]
            text = self._described(thing)
            name = ".".join(str(part) for part in one[1:-1] if part is not None)
            own = str(getattr(thing, "name", None) or "")
            table = getattr(getattr(thing, "table", None), "name", None)
            prefix = name or (str(table) if table and kind != "table" else "")
            yield {
                "object": {"fk": "foreign key"}.get(kind, kind.replace("_", " ")),
                "name": f"{prefix}.{own}".strip("."),
                "change": change,
                "expected": text if change == "removed" else None,
                "actual": text if change == "added" else None,
            }

    @staticmethod
    def _described(thing: Any) -> str:
        """Return a column's type, the columns of anything that has some, else what Python says."""
        if hasattr(thing, "type"):
            return f"{thing.type}{'' if getattr(thing, 'nullable', True) else ' NOT NULL'}"
        columns = [str(getattr(one, "name", one)) for one in getattr(thing, "columns", ())]
        return f"({', '.join(columns)})" if columns else cut(" ".join(repr(thing).split()))

    @staticmethod
    def _modified(kind: str, one: Any) -> Json:
        """Return `("modify_type", schema, table, column, …, old, new)`; a table has no column."""
        parts = [str(part) for part in one[1:-2] if isinstance(part, str)]
        return {
            "object": f"column {kind}" if len(parts) > 1 else kind.replace("_", " "),
            "name": ".".join(parts),
            "change": "altered",
            "expected": repr(one[-1]),
            "actual": repr(one[-2]),
        }

    def compare(self) -> Json:
        """Return the differences, or null where env.py has no models."""
        job = self.job
        with job.looking.at(
            job.kit, wanted=job.project.fields.get("read_only_probe", True)
        ), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            job.watch.enter("comparing with the models")
            self.execute()
        return {"differences": self.found}


HARMLESS = frozenset(
    [
        "str",
        "int",
        "float",
        "bool",
        "len",
        "range",
        "list",
        "dict",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "zip",
        "enumerate",
        "repr",
        "min",
        "max",
        "isinstance",
        "getattr",
        "hasattr",
    ]
)


def is_plainly_plain(body: Any, module: Any) -> bool:
    """Tell the same of most functions without parsing them: by the names that their code holds.

    Names of attributes are taken for global ones: what it cannot tell is left to `is_plain`.
    """
    known: Json = vars(module)
    if getattr(body, "__globals__", None) is not known or body.__closure__:
        return False
    imports = opcode.opmap["IMPORT_NAME"]
    waiting = [body.__code__]
    while waiting:
        part = waiting.pop()
        if imports in part.co_code[::2]:
            return False
        waiting += [one for one in part.co_consts if isinstance(one, types.CodeType)]
        for name in part.co_names:
            if name in known:
                value = known[name]
                owner = getattr(value, "__module__", None) or getattr(value, "__name__", "")
                if str(owner).split(".")[0] not in {"alembic", "sqlalchemy"}:
                    return False
            elif name in vars(builtins) and name not in HARMLESS:
                return False
    return True


def is_plain(path: str, name: str) -> bool:
    """Tell whether a revision's function calls nothing but Alembic, SQLAlchemy and plain built-ins.

    Only then can it be run once more, offline, without doing again what it does besides.
    """
    try:
        with open(path, "rb") as file:
            tree = parse(file.read())
    except OSError:
        return False
    known = set(HARMLESS)
    for node in tree.body:
        known.update(library_names(node))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return all(is_harmless(part, known) for part in ast.walk(node))
    return False


def library_names(node: ast.stmt) -> Iterator[str]:
    """Yield what an import binds of Alembic and SQLAlchemy."""
    libraries = {"alembic", "sqlalchemy"}
    if isinstance(node, ast.Import):
        for one in node.names:
            if one.name.split(".")[0] in libraries:
                yield one.asname or one.name.split(".")[0]
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in libraries:
        for one in node.names:
            yield one.asname or one.name


def is_harmless(node: ast.AST, known: set[str]) -> bool:
    """Judge one part of a function, learning what it binds to results of known calls."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return False
    if isinstance(node, ast.withitem) and root_name(node.context_expr) in known:
        known.update(one.id for one in ast.walk(node) if isinstance(one, ast.Name))
    if isinstance(node, ast.Assign) and root_name(node.value) in known:
        known.update(one.id for one in node.targets if isinstance(one, ast.Name))
    if isinstance(node, ast.Call):
        root = root_name(node.func)
        return root is None or root in known
    return True


def root_name(node: ast.AST) -> str | None:
    """Return the name that an expression such as `op.get_bind().execute` begins with."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        else:
            return None
    return node.id


# --- The graph ------------------------------------------------------------------------------------


def refresh_revisions(job: Job, script: Any) -> None:
    """Load the revisions again if a file changed since this process loaded them."""
    digest = job.files.digest(script)
    known = script.__dict__.setdefault("_orchestrate_digest", digest)
    if known != digest:
        module = importlib.import_module("alembic.script.revision")
        script.revision_map = module.RevisionMap(script._load_revisions)
        script._orchestrate_digest = digest


def find_revision(job: Job, script: Any, identifier: str) -> Any:
    """Return a revision by its full identifier."""
    try:
        found = script.get_revision(identifier)
    except BaseException as error:
        if type(error).__name__ == "CommandError" and "Can't locate" in str(error):
            raise Refusal("unknown-revision", first_line(error)) from None
        raise unreadable(job, error) from None
    if found is None:
        raise Refusal("unknown-revision", f"there is no revision {identifier}")
    return found


def unreadable(job: Job, error: BaseException) -> Refusal:
    """Return the refusal for revisions that cannot be loaded."""
    refusal = refused_with("project-unreadable", error)
    refusal.details["where"] = job.watch.where_raised(error)
    return refusal


@contextlib.contextmanager
def loading(job: Job) -> Iterator[Any]:
    """Yield the script directory as env.py left it, to load its revisions without writing.

    Ends with a `Refusal` when they cannot be loaded, or one of them is there twice.
    """
    script = job.project.probed
    if script is None:
        Probe(job).probe()
        script = job.project.probed
    elif not job.project.fields.get("hook"):
        with contextlib.suppress(Exception):
            job.project.script(job.project.config())  # for its effect on sys.path
    refresh_revisions(job, script)
    told: list[str] = []
    try:
        with job.looking.at(
            job.kit, wanted=job.project.fields.get("read_only_probe", True)
        ), warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_, **__: told.append(str(message))
            with uncollected():
                yield script
    except Refusal:
        raise
    except BaseException as error:
        refuse_duplicates(told)
        refuse_gaps(told)
        raise unreadable(job, error) from None
    refuse_duplicates(told)


def read_graph(job: Job) -> Json:
    """Return all revisions of the script directory as env.py left it."""
    with loading(job) as script:
        revisions = list(script.walk_revisions())
    folder = os.path.join(os.path.realpath(job.project.directory), "")
    return {
        "digest": job.files.digest(script),
        "revisions": [revision_fields(job, revision, folder) for revision in revisions],
    }


def load_revisions(job: Job) -> Json:
    """Load the revisions while nobody waits; a run that follows loads again what changed since."""
    with loading(job) as script:
        script.get_heads()
    return {}


def refuse_duplicates(told: Iterable[str]) -> None:
    """Refuse two files of one revision: Alembic warns and silently forgets one of them."""
    for text in told:
        if "present more than once" in text:
            raise Refusal("project-unreadable", f"two files have one identifier: {text}")


def refuse_gaps(told: Iterable[str]) -> None:
    """Refuse a revision whose predecessor has no file: Alembic warns, and fails on its name."""
    for text in told:
        if "is not present" in text:
            raise Refusal("project-unreadable", f"a revision's file is missing: {text}")


def as_tuple(value: Any) -> tuple[str, ...]:
    """Return what Alembic keeps as None, one text or several as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def revision_fields(job: Job, revision: Any, folder: str) -> Json:
    """Return one revision as the protocol has it, its file relative to a folder it is in."""
    path = revision.path
    real = os.path.realpath(path)
    shown = real[len(folder) :] if real.startswith(folder) else path
    downgrade, leaves = read_source(path, revision.module)
    title = (revision.doc or "").strip().splitlines()
    return {
        "id": revision.revision,
        "down": list(as_tuple(revision.down_revision)),
        "depends_on": list(as_tuple(revision._resolved_dependencies)),
        "labels": sorted(as_tuple(revision._orig_branch_labels)),
        "title": printable(title[0]) if title else "",
        "file": shown.replace(os.sep, "/").encode("utf-8", "backslashreplace").decode("utf-8"),
        "sha256": job.files.sha256(path),
        "downgrade": downgrade,
        "leaves_transaction": leaves,
    }


def read_source(path: str, module: Any) -> tuple[str, bool]:
    """Return what a revision's text tells: its way back, and whether it leaves its transaction."""
    has_downgrade = callable(getattr(module, "downgrade", None))
    kind = "present" if has_downgrade else "missing"
    if not path.endswith(".py"):
        return kind, False
    with open(path, "rb") as file:
        source = file.read()
    # Parsing is most of what a graph costs: the whole file only if it has a word that matters.
    leaves = ENDS.search(source) is not None and leaves_transaction(parse(source))
    if has_downgrade:
        starts = [match.start() for match in DOWNGRADE.finditer(source)]
        part = source[starts[-1] :] if starts else source
        for node in parse(part).body or parse(source).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                kind = kind_of_body(node.body) if node.name == "downgrade" else kind
    return kind, leaves


def parse(source: bytes) -> ast.Module:
    """Return a text's tree; an empty one for what only other encodings or parsers understand."""
    with contextlib.suppress(SyntaxError, ValueError):
        return ast.parse(source)
    return ast.Module(body=[], type_ignores=[])


def kind_of_body(body: Sequence[ast.stmt]) -> str:
    """Return whether a function's body does something, nothing, or refuses."""
    rest = [
        node
        for node in body
        if not isinstance(node, ast.Pass)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.Return) and is_none(node.value))
    ]
    if not rest:
        return "empty"
    return "raises" if isinstance(rest[0], ast.Raise) else "present"


def is_none(node: ast.expr | None) -> bool:
    """Tell whether an expression is None, or not there."""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def leaves_transaction(tree: ast.Module) -> bool:
    """Tell whether a file mentions what ends a transaction early; imports are not followed."""
    for node in ast.walk(tree):
        name = getattr(node, "attr", None) or getattr(node, "id", None)
        if name == "autocommit_block":
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.strip()
            if text.upper() == "AUTOCOMMIT" or (
                COMMIT.match(text) and len(text) < len("rollback and chain;")
            ):
                return True
    return False


# --- What can be known without running env.py -----------------------------------------------------


def survey(job: Job) -> Json:
    """Look at the project's files and this Python; neither env.py nor a revision is run.

    What is wrong with the project is a field of the answer: whoever asks wants the rest as well.
    """
    project = job.project
    result: Json = {
        "directory": project.directory,
        "trouble": None,
        "sections": {},
        "script_location": None,
        "env": None,
        "version_locations": [],
        "strays": {},
        "folders": {},
    }
    result["drivers"] = {name: has_module(name) for name in job.request.get("modules") or []}
    result["programs"] = {name: program_version(name) for name in job.request.get("programs") or []}
    result["storage"] = storage_of(project.url)
    try:
        config = project.config()
        result["sections"] = {
            name: sorted(set(config.file_config.options(name)) - {"here"})
            for name in config.file_config.sections()
            if config.file_config.has_option(name, "sqlalchemy.url")
            or config.file_config.has_option(name, "script_location")
        }
        script = importlib.import_module("alembic.script").ScriptDirectory.from_config(config)
        result["script_location"] = os.path.abspath(script.dir)
        locations = [os.path.abspath(str(one)) for one in script._version_locations]
        result["version_locations"] = locations
        result["strays"] = stray_revisions(script, locations)
        result["env"] = read_text(os.path.join(script.dir, "env.py"))
    except Refusal as refusal:
        result["trouble"] = refusal.message
    except Exception as error:
        result["trouble"] = first_line(error)
    result["folders"] = folders_near(project.directory, result["script_location"])
    return result


def has_module(name: str) -> bool:
    """Tell whether a module could be imported, without importing it."""
    first, _, rest = name.partition(".")
    try:
        found = importlib.util.find_spec(first)
    except Exception:
        return False
    if found is None or not rest:
        return found is not None
    return any(
        os.path.exists(os.path.join(folder, rest))
        or os.path.exists(os.path.join(folder, rest + ".py"))
        for folder in found.submodule_search_locations or ()
    )


def program_version(name: str) -> str | None:
    """Return the first line that a program on PATH prints about its version."""
    path = shutil.which(name)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return lines[0].strip() if lines else ""


def storage_of(url: Any) -> Json | None:
    """Return what this user may do with an SQLite URL's file and its folder."""
    path = sqlite_path(url)
    if path is None:
        return None
    folder = os.path.dirname(path)
    return {
        "path": path,
        "exists": os.path.exists(path),
        "writable": os.access(path, os.W_OK),
        "folder": folder,
        "folder_writable": os.access(folder, os.W_OK | os.X_OK),
    }


def stray_revisions(script: Any, locations: Sequence[str]) -> dict[str, int]:
    """Return folders with files that look like revisions and are in no version location."""
    found: dict[str, int] = {}
    recursive = getattr(script, "recursive_version_locations", False)
    roots = tuple(one + os.sep for one in locations) if recursive else ()
    for place, folders, names in os.walk(os.path.abspath(script.dir)):
        folders[:] = [one for one in folders if one != "__pycache__"]
        if place in locations or (roots and place.startswith(roots)):
            continue
        for name in names:
            text = (read_text(os.path.join(place, name)) or {}).get("text") or ""
            if name.endswith(".py") and re.search(r"^down_revision\b", text, re.MULTILINE):
                found[place] = found.get(place, 0) + 1
    return found


def read_text(path: str) -> Json | None:
    """Return a source file and where it is; None for none, or one too long to be settings."""
    try:
        if os.path.getsize(path) > SOURCE_LIMIT:
            return None
        with open(path, "rb") as file:
            return {"path": path, "text": file.read().decode("utf-8", "replace")}
    except OSError:
        return None


def folders_near(directory: str, scripts: str | None) -> dict[str, list[str]]:
    """Return what can be imported from folders that projects have on `sys.path`."""
    above = os.path.dirname(directory)
    folders = [directory, above, os.path.dirname(scripts) if scripts else directory]
    folders += [os.path.join(one, name) for one in (directory, above) for name in USUAL_FOLDERS]
    found: dict[str, list[str]] = {}
    for folder in dict.fromkeys(folders):
        names = [
            name[:-3] if name.endswith(".py") else name
            for name in sorted(names_in(folder))[:NAMES_TOLD]
            if name.endswith(".py") or is_package(os.path.join(folder, name))
        ]
        if names:
            found[folder] = names
    return found


def is_package(folder: str) -> bool:
    """Tell whether a folder is a regular package."""
    return os.path.exists(os.path.join(folder, "__init__.py"))


def find_sources(job: Job) -> Json:
    """Return the text of modules by their dotted names, found as files: nothing is imported.

    Importing a package to find what is in it would run it (`importlib.util.find_spec` does).
    """
    roots = [job.project.directory, *job.request.get("folders", [])]
    with contextlib.suppress(Refusal, Exception):
        config = job.project.config()
        script = importlib.import_module("alembic.script").ScriptDirectory.from_config(config)
        roots += [os.path.dirname(script.dir), script.dir]  # `sys.path` has `prepend_sys_path` now
    found: Json = {}
    for name in job.request["modules"]:
        parts = os.path.join(*name.split("."))
        for root in [*sys.path, *roots]:
            path = os.path.join(root, parts)
            package = os.path.join(path, "__init__.py")
            source = read_text(path + ".py") or read_text(package)
            if source is not None:
                found[name] = {**source, "package": source["path"] == package}
                break
    return {"found": found}


# --- The agent ------------------------------------------------------------------------------------


class Lock:
    """The target's own lock, held by this process for a key."""

    def __init__(self, release: Callable[[], None]) -> None:
        self.release = release


class Agent:
    """Takes requests and answers them, one at a time, until there are no more."""

    locked_files: ClassVar[dict[str, int]] = {}

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.watch = Watch(channel)
        self.looking = Looking()
        self.events = Events()
        self.files = Files()
        self._side: Side | None = None
        self._last_probe: Probe | None = None
        self._locks: dict[str, Lock] = {}
        self._import_error: BaseException | None = None
        self._handlers: dict[str, Callable[[Job], Json]] = {
            "probe": self._probe,
            "look": self._look,
            "recall": self._recall,
            "graph": read_graph,
            "load": load_revisions,
            "survey": survey,
            "sources": find_sources,
            "query": self._query,
            "snapshot": lambda job: {"rows": job.snapshot()},
            "lock": self._lock,
            "unlock": self._unlock,
            "run": self._run,
            "mark": self._run,
            "render": lambda job: Renderer(job).render(),
            "attempt": self._attempt,
            "statement": self._statement,
            "count": self._count,
            "scratch-file": scratch_file,
            "models": lambda job: Models(job).compare(),
            "arguments": read_arguments,
            "command": lambda job: Command(job).run(),
        }

    def load(self) -> None:
        """Import Alembic before anything of the project's is on the path to shadow it."""
        try:
            importlib.import_module("sqlalchemy")
            importlib.import_module("alembic.config")
            importlib.import_module("alembic.script")
            importlib.import_module("alembic.runtime.environment")
            self.looking.install()
            self.events.install()
        except BaseException as error:
            self._import_error = error

    def serve(self) -> None:
        """Answer requests until standard input ends or one says `quit`."""
        while True:
            request = self.channel.next()
            if request is None or request.get("do") == "quit":
                return
            if request.get("do") in {"go", "stop"}:
                continue  # an answer to something that is over
            self.channel.request_id = request.get("id")
            self._answer(request)
            with contextlib.suppress(Exception):
                sys.stdout.flush()
            with contextlib.suppress(Exception):
                sys.stderr.flush()

    def _answer(self, request: Json) -> None:
        try:
            result = self._result(request)
        except Refusal as refusal:
            self._send_error(refusal)
        except BaseException as error:
            self.channel.end_child()
            # What a driver says of our own connection, where nobody knew better, is no defect.
            asked = self._side is not None and self._side.is_of_driver(error)
            told = refused_with("unreachable" if asked else "agent-failed", error)
            release_frames(error)
            self._send_error(told)
        else:
            self.channel.end_child()
            self.channel.send("result", result=result)

    def _send_error(self, refusal: Refusal) -> None:
        self.channel.end_child()
        details = refusal.details
        if details.get("where"):
            details["where"] = self.channel.scrub(str(details["where"]))
        self.channel.send(
            "error",
            **{"class": refusal.kind},
            message=self.channel.scrub(refusal.message),
            traceback=self.channel.scrub(refusal.trace),
            details=details,
        )

    def _result(self, request: Json) -> Json:
        name = request.get("do")
        if self._import_error is not None:
            version = ".".join(str(part) for part in sys.version_info[:3])
            raise Refusal(
                "agent-failed",
                f"{sys.executable} (Python {version}) cannot import Alembic:"
                f" {first_line(self._import_error)}",
            )
        if name == "hello":
            return hello()
        handler = self._handlers.get(str(name))
        if handler is None:
            raise Refusal("agent-failed", f"unknown request `{name}`")
        if self._side is not None:
            self._side.rest()
        job = Job(self, request)
        with self.watch.over(request, job.project), job.project.entered():
            url = job.project.url
            # A password that is also the name of something would turn every message to asterisks.
            if url.password and str(url.password) not in {url.username, url.host, url.database}:
                self.channel.keep_secret(str(url.password))
            for name, values in url.normalized_query.items():
                if SECRET_PARAMETER.search(name):
                    for value in values:
                        self.channel.keep_secret(value)
            return handler(job)

    def close(self) -> None:
        """Close our connection, so that SQLite puts its own files away."""
        if self._side is not None:
            self._side.close()

    def side_for(self, url: Any) -> Side:
        """Return the connection that looks at a target, opened at its first use."""
        if self._side is not None and self._side.url == url and self._side.usable():
            return self._side
        if self._side is not None:
            self._side.close()
        side = Side(url, read_only=True)
        side.open_or_refuse()
        self._side = side
        return side

    def pooled(self, job: Job) -> bool:
        """Tell whether the last look found a pooler before the target that a job is about."""
        last = self._last_probe
        return last is not None and last.job.about == job.about and bool(last.seen.get("pooled"))

    def _probe(self, job: Job) -> Json:
        self._last_probe = None
        probe = Probe(job)
        result = probe.probe()
        self._last_probe = probe
        return result

    def _look(self, job: Job) -> Json:
        """Look once more at what was probed last; at anything else as for the first time."""
        last = self._last_probe
        if last is not None and last.job.about == job.about:
            found = last.again(job, job.project.probed)
            if found is not None:
                return found
        return self._probe(job)

    def _recall(self, job: Job) -> Json:
        """Look at what was seen earlier, and read the schema, if env.py need not be asked again.

        What goes wrong on the way is no error: the whole look, which follows, will tell of it.
        """
        try:
            found = Probe(job).recall(job.request["seen"])
            if found is not None:
                rows = digest_of(job.snapshot(), job.request["ordered"])
                return {"found": found, "rows": rows}
        except Exception:
            self.close()
        return {"found": None, "rows": None}

    def _query(self, job: Job) -> Json:
        statements: dict[str, str] = job.request["statements"]
        if job.request.get("optional"):
            try:
                return {"rows": job.look(statements)}
            except Exception:
                return {"rows": None}
        if job.request.get("read_only", True):
            return {"rows": job.look(statements)}
        side = Side(job.project.url, read_only=False)
        try:
            return {"rows": {name: side.rows(text) for name, text in statements.items()}}
        finally:
            side.close()

    def _attempt(self, job: Job) -> Json:
        """Execute statements one by one; what the server refuses is an answer, not an error."""
        side = Side(job.project.url, read_only=False)
        try:
            for statement in job.request["statements"]:
                side.rows(statement)
        except Exception as error:
            return {"problem": first_line(error)}
        finally:
            side.close()
        return {"problem": None}

    def _statement(self, job: Job) -> Json:
        """Execute one statement of the spec's; what the server refuses is an answer, not an error.

        On a connection of its own, so that its time limits are nobody else's.
        """
        read_only = bool(job.request["read_only"])
        side = Side(job.project.url, read_only=read_only)
        side.open_or_refuse()
        limits, prepare = job.kit["timeouts"], job.kit["read_only"]
        begun = False
        try:
            if read_only and prepare:
                # In the transaction, whose end takes the limits back: behind a pooler the next
                # transaction of this session is the application's.
                side.rows(*prepare, "BEGIN", *prepare, *limits)
            elif limits and not job.pooled:
                side.rows(*limits)
            begun = True
            rows, more = side.first_rows(job.request["sql"], FIRST_ROWS)
        except Exception as error:
            state, code = state_of(error)
            return {
                "problem": first_line(error),
                "rows": [],
                "more": False,
                "begun": begun,
                "answered": side.answered(error),
                "sqlstate": state,
                "driver_code": code,
            }
        finally:
            if read_only and prepare:
                with contextlib.suppress(Exception):
                    side.rows("ROLLBACK")
            side.close()
        return {"problem": None, "rows": rows, "more": more}

    def _count(self, job: Job) -> Json:
        """Execute a query that reads whole tables, as they are when `asked` is sent.

        On a connection of its own. What goes wrong, connecting included, is an answer. Who is not
        waited for any more leaves nothing at work in the server.
        """
        side = Side(job.project.url, read_only=True)
        try:
            session = side.rows(job.kit["session"]) if job.kit.get("session") else []
            side.rows(*job.kit["frozen"], *job.kit["timeouts"])
            self.channel.on_leave = lambda: self._cancel(job, side, session)
            self.channel.send("asked")
            return {"problem": None, "rows": side.rows(job.request["sql"])}
        except Exception as error:
            return {"problem": first_line(error), "rows": []}
        finally:
            self.channel.on_leave = None
            with contextlib.suppress(Exception):
                side.rows("ROLLBACK")
            side.close()

    @staticmethod
    def _cancel(job: Job, side: Side, session: Rows) -> None:
        """End the statement that a connection executes; called in another thread."""
        text = job.kit.get("cancel")
        with contextlib.suppress(Exception):
            if text and session:
                other = Side(job.project.url, read_only=True)
                other.rows(text.replace("{pid}", str(session[0][0])))
                other.close()
            else:
                side._connection.interrupt()  # sqlite3's

    def _run(self, job: Job) -> Json:
        if not job.request["steps"]:
            raise Refusal("agent-failed", "a run without a step")
        stepper = Stepper(job)
        self.events.stepper = stepper
        try:
            return stepper.run()
        finally:
            self.events.stepper = None

    # The target's own lock.

    def _lock(self, job: Job) -> Json:
        key = job.request["key"]
        if not re.match(r"[0-9A-Za-z_-]{1,64}\Z", key):
            raise Refusal("agent-failed", "a lock's key is letters and digits")
        if key in self._locks:
            return {"locked": True, "note": None}
        kind = job.kit.get("lock_kind")
        if kind == "file":
            return self._lock_file(job, key)
        if kind != "sql" or not job.kit.get("try_lock"):
            return {"locked": True, "note": "this kind of server has no lock that could be taken"}
        if job.pooled:
            # It would be some server session's, which another may get next or nobody end.
            return {"locked": True, "note": "a connection pooler is between: nothing was locked"}
        side = Side(job.project.url, read_only=False)
        side.open_or_refuse()
        taken = side.rows(job.kit["try_lock"].replace("{key}", key))
        if not taken or taken[0][0] not in (1, True, "1"):
            side.close()
            return {"locked": False, "note": None}
        with contextlib.suppress(Exception):
            side.rows(*job.kit.get("keep_lock") or ())

        def release() -> None:
            with contextlib.suppress(Exception):
                side.rows(job.kit["release_lock"].replace("{key}", key))
            side.close()

        self._locks[key] = Lock(release)
        return {"locked": True, "note": None}

    def _lock_file(self, job: Job, key: str) -> Json:
        """Lock an SQLite file with `flock`, which SQLite itself does not use.

        The descriptor stays open as long as the process lives: closing any descriptor of a file
        drops all POSIX locks that the process has on it, SQLite's among them.
        """
        path = sqlite_path(job.project.url)
        if path is None:
            return {"locked": True, "note": "a database in memory is nobody else's"}
        if sys.platform == "win32":
            return {"locked": True, "note": "this system has no `flock`: nothing was locked"}
        path = os.path.realpath(path)
        if not sys.platform.startswith("linux"):
            # Elsewhere `flock` and SQLite's locks are of one kind and would meet.
            name = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]
            path = os.path.join(tempfile.gettempdir(), f"orchestrate-{name}.lock")
        if path not in Agent.locked_files:
            try:
                Agent.locked_files[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise Refusal("unreachable", first_line(error)) from None
        descriptor = Agent.locked_files[path]
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return {"locked": False, "note": None}
        except OSError as error:
            return {"locked": True, "note": f"the file cannot be locked: {error.strerror}"}
        self._locks[key] = Lock(lambda: fcntl.flock(descriptor, fcntl.LOCK_UN))
        return {"locked": True, "note": None}

    def _unlock(self, job: Job) -> Json:
        lock = self._locks.pop(job.request["key"], None)
        if lock is not None:
            lock.release()
        return {"locked": False, "note": None}


def hello() -> Json:
    """Return who answers."""
    return {
        "protocol": PROTOCOL,
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "executable": sys.executable,
        "alembic": sys.modules["alembic"].__version__,
        "sqlalchemy": sys.modules["sqlalchemy"].__version__,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "directory": os.getcwd(),
    }


def main(requests: Any) -> NoReturn:
    """Serve until the orchestrator is done, then end whatever threads the project left running."""
    channel = Channel(requests)
    # Ctrl-C is the orchestrator's to handle. A function, not SIG_IGN, which programs started by
    # the project would inherit.
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, lambda *_: None)
    channel.start()
    agent = Agent(channel)
    # What is imported here lives as long as the process: no collection need look at it.
    with uncollected():
        agent.load()
        gc.freeze()
    agent.serve()
    agent.close()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main(globals()["requests"])
