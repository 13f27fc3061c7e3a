"""A database URL that never shows its password.

Takes URLs apart as SQLAlchemy does, without importing it: `make_url` costs more than reading the
whole spec. A test holds the two together.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl, quote_plus, unquote

from orchestrate.domain.secrets import MASK, Secret
from orchestrate.values import dataclass

_URL: Final = re.compile(
    r"(?P<scheme>[\w+]+)://"
    r"(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?:(?:\[(?P<host6>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>[^/?]*))?)?"
    r"(?:/(?P<database>[^?]*))?"
    r"(?:\?(?P<query>.*))?",
    re.ASCII,
)
_SECRET_PARAMETER: Final = re.compile(
    r"(?P<name>(?:^|(?<=&))[^=&]*(?:pass|pwd|secret|token|credential|odbc_connect)[^=&]*)=[^&]*",
    re.IGNORECASE,
)
_SQLITE_MEMORY: Final = frozenset({"", ":memory:"})
_ENCODE: Final = "in a URL `@` is written `%40`, `/` `%2F`, `:` `%3A`, `#` `%23`, `%` `%25`"
_HIGHEST_PORT: Final = 65535


class MalformedUrlError(ValueError):
    """A text is not a database URL; the message says why without showing any of it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, kw_only=True)
class DatabaseUrl:
    """A URL taken apart. Only `secret` and `password` hold what must not be shown."""

    secret: Secret
    """The full text."""
    safe: str
    """The text with every password masked."""
    backend: str
    """`postgresql`, `mysql`, `mariadb`, `sqlite`, …"""
    driver: str | None
    """As written: nothing is assumed where the URL names none."""
    host: str | None
    port: int | None
    user: str | None
    password: Secret | None
    database: str | None

    @classmethod
    def parse(cls, text: str) -> DatabaseUrl:
        """Return the URL of a text.

        Raises:
            MalformedUrlError: what is wrong, without the text.
        """
        # Providers of databases hand out this spelling; SQLAlchemy knows the long one alone.
        text = re.sub(r"^postgres(?=://|\+)", "postgresql", text)
        found = _checked(text)
        backend, _, driver = found["scheme"].partition("+")
        password = found["password"]
        return cls(
            secret=Secret(text),
            safe=_masked(found, text),
            backend=backend,
            driver=driver or None,
            host=found["host"] or found["host6"],
            port=int(found["port"]) if found["port"] else None,
            user=unquote(found["user"]) if found["user"] is not None else None,
            password=Secret(unquote(password)) if password is not None else None,
            database=unquote(found["database"]) if found["database"] is not None else None,
        )

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        """Return every text of the URL that must not be shown, as written and decoded."""
        found = _URL.match(self.secret.reveal())
        texts = {found["password"] or "", unquote(found["password"] or "")} if found else set()
        for name, value in parse_qsl((found["query"] if found else None) or ""):
            if _SECRET_PARAMETER.match(f"{name}=x"):
                texts.add(value)
        return tuple(Secret(text) for text in sorted(texts - {""}))

    @property
    def is_sqlite_file(self) -> bool:
        """Say whether this is a database in a file of this machine's."""
        return self.backend == "sqlite" and (self.database or "") not in _SQLITE_MEMORY

    def with_driver(self, name: str) -> DatabaseUrl:
        """Return the same URL for another driver; everything else stays as it is written."""
        rest = self.secret.reveal().partition("://")[2]
        return DatabaseUrl.parse(f"{self.backend}+{name}://{rest}")

    def with_database(self, name: str) -> DatabaseUrl:
        """Return the same URL for another database of the same server, or another file."""
        text = self.secret.reveal()
        found = _URL.match(text)
        if found is None:
            raise AssertionError("a URL that was taken apart is one")
        if found["database"] is not None:
            before, after = text[: found.start("database")], text[found.end("database") :]
        else:
            server, mark, query = text.partition("?")
            before, after = f"{server}/", f"{mark}{query}"
        return DatabaseUrl.parse(f"{before}{name}{after}")

    def at(self, host: str, port: int) -> DatabaseUrl:
        """Return the same URL for another host and port; one that names no host has no other."""
        text = self.secret.reveal()
        found = _URL.match(text)
        name = "host6" if found and found["host6"] else "host"
        if found is None or found[name] is None:
            raise AssertionError("a URL with a host is asked for")
        bracket = 1 if name == "host6" else 0
        begin, end = found.start(name) - bracket, found.end(name) + bracket
        if found["port"] is not None:
            end = found.end("port")
        return DatabaseUrl.parse(f"{text[:begin]}{host}:{port}{text[end:]}")

    def given(self, name: str, value: str) -> DatabaseUrl:
        """Return the same URL with one more parameter."""
        text = self.secret.reveal()
        mark = "&" if "?" in text else "?"
        return DatabaseUrl.parse(f"{text}{mark}{name}={quote_plus(value)}")

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Return what stands behind the question mark, decoded. It may hold secrets."""
        query = self.secret.reveal().partition("?")[2]
        return tuple(parse_qsl(query, keep_blank_values=True))

    def __str__(self) -> str:
        return self.safe

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.safe!r})"


def _checked(text: str) -> re.Match[str]:
    """Return the parts of a text that SQLAlchemy reads as a person reads it, or raise."""
    if not text:
        raise MalformedUrlError("it is empty")
    if any(ord(sign) < ord(" ") or sign == "\x7f" for sign in text):
        raise MalformedUrlError("it has a line break or another control character")
    if "://" not in text:
        hint = "a URL looks like `postgresql+psycopg://user@host/database`"
        raise MalformedUrlError("it has no `://`", hint)
    found = _URL.match(text)
    if not found:
        hint = "a URL begins like `postgresql://` or `postgresql+psycopg://`"
        raise MalformedUrlError("its beginning is not a backend, or backend and driver", hint)
    if "@" in (found["host"] or "") or found.end() != len(text):
        raise MalformedUrlError("user or password have a character that has to be encoded", _ENCODE)
    port = found["port"]
    if port and not (port.isascii() and port.isdigit() and int(port[:6]) <= _HIGHEST_PORT):
        raise MalformedUrlError("its port is not a number from 0 to 65535", _ENCODE)
    # SQLAlchemy reads `user:pa/ss@host` as it is meant, but `us/er:pass@host` as a path.
    if found["password"] is None and re.search(r"[:/][^/?]*@", found["database"] or ""):
        raise MalformedUrlError("user or password have a character that has to be encoded", _ENCODE)
    backend, plus, driver = found["scheme"].partition("+")
    if not backend or (plus and not driver):
        raise MalformedUrlError("its beginning is not a backend, or backend and driver")
    return found


def _masked(found: re.Match[str], text: str) -> str:
    if found["query"]:
        query = _SECRET_PARAMETER.sub(lambda one: f"{one['name']}={MASK}", found["query"])
        text = text[: found.start("query")] + query
    if found["password"] is not None:
        text = text[: found.start("password")] + MASK + text[found.end("password") :]
    return text
