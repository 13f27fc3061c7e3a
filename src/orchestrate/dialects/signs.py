"""By what a driver's or a server's error is known: its state, its number, or else its words.

Words come last because a server may speak another language than English; numbers never do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from orchestrate.domain.troubles import Failure, Recognised
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One way in which a trouble shows.

    Where the failure has a state and the sign has some too, they decide; else numbers do in the
    same way; else the pattern. Its named groups fill the hint's `{…}`.
    """

    trouble: str
    pattern: str
    """A regular expression. Compiled when something has failed: all of them take a while."""
    hint: str | None
    states: frozenset[str]
    codes: frozenset[str]

    def fits(self, failure: Failure) -> bool:
        """Tell whether a failure is this trouble."""
        if self.states and failure.sqlstate:
            return failure.sqlstate in self.states
        if self.codes and failure.driver_code:
            return failure.driver_code in self.codes
        return self.found(failure) is not None

    def found(self, failure: Failure) -> re.Match[str] | None:
        """Return what its pattern finds, in either case, since drivers and servers differ."""
        return re.search(self.pattern, failure.message, re.IGNORECASE)


Signs = Sequence[Sign]
"""The first that fits counts."""


def sign(
    trouble: str,
    pattern: str,
    hint: str | None = None,
    *,
    states: Sequence[str] = (),
    codes: Sequence[int] = (),
) -> Sign:
    """Return a sign."""
    return Sign(
        trouble=trouble,
        pattern=pattern,
        hint=hint,
        states=frozenset(states),
        codes=frozenset(str(code) for code in codes),
    )


def first_fitting(signs: Signs, failure: Failure) -> Recognised | None:
    """Return which trouble a failure is, or None if nobody knows it."""
    missing = _MODULE.search(failure.message)
    if missing:
        return _missing_module(missing["module"])
    for one in (*signs, *_URL):
        if one.fits(failure):
            found = one.found(failure)
            names = {key: value or "?" for key, value in found.groupdict().items()} if found else {}
            hint = None if one.hint is None else one.hint.format_map(_Named(names))
            return Recognised(trouble=one.trouble, hint=hint, names=names)
    return None


class _Named(dict[str, str]):
    """Names that a message in another language does not give."""

    def __missing__(self, key: str) -> str:
        return "?"


_MODULE: Final = re.compile(r"No module named ['\"]?(?P<module>[\w.]+)")

_PACKAGES: Final = {
    "MySQLdb": "mysqlclient",
    "aiomysql": "aiomysql",
    "aiosqlite": "aiosqlite",
    "asyncmy": "asyncmy",
    "asyncpg": "asyncpg",
    "cx_Oracle": "cx_Oracle",
    "mariadb": "mariadb",
    "oracledb": "oracledb",
    "pg8000": "pg8000",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymssql": "pymssql",
    "pymysql": "pymysql",
    "pyodbc": "pyodbc",
}
"""Drivers by the module they are, with the package to install."""


def _missing_module(module: str) -> Recognised:
    """Return the trouble of a module that is not there: a driver, or one of the project's own."""
    root = module.split(".", maxsplit=1)[0]
    if root not in _PACKAGES:
        return Recognised(trouble="module-missing", hint=None, names={"module": module})
    return Recognised(
        trouble="driver-missing",
        hint=f"The project's Python has no module `{root}`: install it there "
        f"(`pip install '{_PACKAGES[root]}'`), or name another driver in the URL or under "
        "`drivers:`",
        names={"module": root},
    )


def driver_signs(backend: str, *, sync: str, asynchronous: str) -> Signs:
    """Return the signs of a driver that is asyncio's where env.py is not, or the reverse."""
    return (
        sign(
            "async-driver",
            r"requires an async driver",
            f"env.py is asynchronous and the URL's driver is not: say `drivers: {{{{{backend}: "
            f"{asynchronous}}}}}` in the project, and have `{asynchronous}` installed where it "
            "runs",
        ),
        sign(
            "async-driver",
            r"greenlet_spawn has not been called",
            f"The URL's driver is asyncio's and env.py is not: say `drivers: {{{{{backend}: "
            f"{sync}}}}}` in the project, and have `{sync}` installed where it runs",
        ),
        sign(
            "driver-missing",
            r"greenlet library is required",
            "An asynchronous env.py needs greenlet: `pip install greenlet` in the project's Python",
        ),
    )


_URL: Final[Signs] = (
    sign(
        "driver-missing",
        r"can't load plugin: sqlalchemy\.dialects:(?P<scheme>[^\s'\")]+)",
        "The project's Python has no SQLAlchemy dialect `{scheme}`: check the URL's scheme, name "
        "another driver under `drivers:`, or install the package that brings it",
    ),
    sign(
        "unreachable",
        r"could not parse sqlalchemy url",
        "The URL cannot be read: it begins with a scheme such as `postgresql://`, and `@`, `/`, "
        "`:` and `%` in user or password are written as `%40`, `%2F`, `%3A` and `%25`",
    ),
)


NETWORK: Final[Signs] = (
    sign(
        "host-unknown",
        r"could not translate host name|failed to resolve host|name or service not known"
        r"|nodename nor servname|temporary failure in name resolution|getaddrinfo failed"
        r"|no address associated|unknown (mysql|mariadb)? ?server host",
        "Check the host name in the URL; one like `db` often resolves only inside its container "
        "network, where `runner` can have the agent run",
    ),
    sign(
        "connection-refused",
        r"connection refused|errno 111\b|\(111\)|connect call failed",
        "Check host and port in the URL, and that the server runs and listens there",
    ),
    sign(
        "no-answer",
        r"timed? ?out|timeout expired|timeouterror",
        "Check host and port, firewall or VPN, or whether a `tunnel` is needed",
    ),
    sign(
        "no-answer",
        r"no route to host|network is unreachable",
        "There is no network path to that host: check the VPN, or whether a `tunnel` is needed",
    ),
    sign(
        "connection-lost",
        r"connection reset by peer|server closed the connection|connection was closed"
        r"|lost connection to|server has gone away|terminating connection",
        "Check that the port belongs to this kind of server, and the server's log",
    ),
)
"""What all servers reached over a network have in common; a dialect's own signs go first."""
