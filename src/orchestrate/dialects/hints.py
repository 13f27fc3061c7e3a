"""What to check when a database cannot be reached, found by a driver's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

Hints = Sequence[tuple[re.Pattern[str], str]]
"""Patterns and hints, the first match counts; `{…}` in a hint is a named group of its pattern."""

_MODULE: Final = re.compile(r"No module named ['\"]?(?P<module>[\w.]+)")

_PACKAGES: Final = {
    "MySQLdb": "mysqlclient",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "pymysql",
}
"""Drivers whose package has another name than the module, or is better taken with an extra."""


def hint(pattern: str, sentence: str) -> tuple[re.Pattern[str], str]:
    """Return an entry of `Hints`; patterns disregard case, since drivers and servers differ."""
    return re.compile(pattern, re.IGNORECASE), sentence


_URL: Final[Hints] = (
    hint(
        r"can't load plugin: sqlalchemy\.dialects:(?P<scheme>\S+)",
        "The project's Python has no SQLAlchemy dialect `{scheme}`: check the URL's scheme, or "
        "install the package that brings it",
    ),
    hint(
        r"could not parse sqlalchemy url",
        "The URL cannot be read: it begins with a scheme such as `postgresql://`, and `@`, `/`, "
        "`:` and `%` in user or password are written as `%40`, `%2F`, `%3A` and `%25`",
    ),
)


def first_match(hints: Hints, message: str) -> str | None:
    """Return the hint for a message, or None if nobody knows it."""
    missing = _MODULE.search(message)
    if missing:
        module = missing["module"].split(".")[0]
        package = _PACKAGES.get(module, module)
        return (
            f"The project's Python has no module `{module}`: install it there "
            f"(`pip install '{package}'`), or name another driver in the URL or under `drivers:`"
        )
    for pattern, sentence in (*hints, *_URL):
        found = pattern.search(message)
        if found:
            return sentence.format_map(
                {key: value or "?" for key, value in found.groupdict().items()}
            )
    return None


NETWORK: Final[Hints] = (
    hint(
        r"could not translate host name|failed to resolve host|name or service not known"
        r"|nodename nor servname|temporary failure in name resolution|getaddrinfo failed"
        r"|no address associated|unknown (mysql|mariadb)? ?server host",
        "Check the host name in the URL: it does not resolve where the agent runs (one like `db` "
        "often resolves only inside its container network; see `runner`)",
    ),
    hint(
        r"connection refused|errno 111\b|\(111\)|connect call failed",
        "Nothing listens at that host and port: check both in the URL, and that the server runs",
    ),
    hint(
        r"timed? ?out|timeout expired|timeouterror",
        "No answer in time: check host and port, firewall or VPN, or whether a `tunnel` is needed",
    ),
    hint(
        r"no route to host|network is unreachable",
        "There is no network path to that host: check the VPN, or whether a `tunnel` is needed",
    ),
    hint(
        r"connection reset by peer|server closed the connection|connection was closed"
        r"|lost connection to|server has gone away",
        "The server closed the connection: check that the port belongs to this kind of server and "
        "the server's log",
    ),
)
"""What all servers reached over a network have in common; a dialect's own hints go first."""
