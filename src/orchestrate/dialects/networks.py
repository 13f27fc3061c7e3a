"""How servers are reached when the way to them leads through a forwarded port. Texts only.

A URL is written anew for the port of this machine. Where it asks for the server's name to be
checked (TLS), the name has to stay in it beside the new address; not every driver can be told both.
"""

from __future__ import annotations

from typing import Final, Protocol

from orchestrate.domain.database_url import DatabaseUrl

HERE: Final = "127.0.0.1"
_TRUE: Final = frozenset({"1", "on", "true", "yes"})


class Network(Protocol):
    """How a dialect's servers are reached over TCP."""

    port: int | None
    """Where a URL names none; None where that is not known."""

    def obstacle(self, url: DatabaseUrl, *, driver: str | None) -> str | None:
        """Return why such a URL cannot be led through another port, after `the URL`."""

    def forwarded(self, url: DatabaseUrl, port: int, *, driver: str | None) -> DatabaseUrl:
        """Return the URL for that port of this machine, as the driver understands it."""

    def forwarded_for_programs(self, url: DatabaseUrl, port: int) -> DatabaseUrl:
        """Return the same as the server's own programs understand it."""


class PlainNetwork:
    """Of servers whose drivers connect to the host that the URL names."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port

    def obstacle(self, url: DatabaseUrl, *, driver: str | None) -> str | None:
        """Say so where there is not one host and port."""
        del driver
        return _without_host(url, elsewhere=()) or _without_port(url, self.port)

    def forwarded(self, url: DatabaseUrl, port: int, *, driver: str | None) -> DatabaseUrl:
        """Put the address in the place of the host."""
        del driver
        return url.at(HERE, port)

    def forwarded_for_programs(self, url: DatabaseUrl, port: int) -> DatabaseUrl:
        """Do the same."""
        return url.at(HERE, port)


class MySQLNetwork(PlainNetwork):
    """MariaDB's and MySQL's: no driver takes an address beside the name that it checks."""

    def __init__(self) -> None:
        super().__init__(3306)

    def obstacle(self, url: DatabaseUrl, *, driver: str | None) -> str | None:
        """Say so also where the server's name is to be checked."""
        del driver
        given = {name.lower(): value for name, value in url.parameters}
        checks = next(
            (
                name
                for name in ("ssl_verify_identity", "ssl_check_hostname")
                if given.get(name, "").lower() in _TRUE
            ),
            None,
        )
        if given.get("ssl_mode", "").upper() == "VERIFY_IDENTITY":
            checks = "ssl_mode=VERIFY_IDENTITY"
        if checks:
            return (
                f"asks with `{checks}` for the server's name to be checked, and its driver cannot "
                "be told a name beside the address of the tunnel"
            )
        return _without_host(url, elsewhere=("unix_socket", "read_default_file"))


class PostgreSQLNetwork(PlainNetwork):
    """PostgreSQL's: its library takes `hostaddr`, the address, beside `host`, the name."""

    _LIBRARY: Final = frozenset({None, "psycopg", "psycopg_async", "psycopg2", "psycopg2cffi"})

    def __init__(self) -> None:
        super().__init__(5432)

    def obstacle(self, url: DatabaseUrl, *, driver: str | None) -> str | None:
        """Say so also where the server's name is to be checked by a driver with its own ways."""
        if _checks_name(url) and driver not in self._LIBRARY:
            return (
                f"asks for the server's name to be checked, and the driver `{driver}` cannot be "
                "told a name beside the address of the tunnel: psycopg and psycopg2 can"
            )
        return _without_host(url, elsewhere=("host", "hostaddr", "service", "unix_sock"))

    def forwarded(self, url: DatabaseUrl, port: int, *, driver: str | None) -> DatabaseUrl:
        """Keep the name where it is needed: for TLS, and to look a password up in `.pgpass`.

        Elsewhere the address takes its place: an env.py may hand the URL's parts on to whatever.
        """
        if driver in self._LIBRARY and (_checks_name(url) or url.password is None):
            return self.forwarded_for_programs(url, port)
        return url.at(HERE, port)

    def forwarded_for_programs(self, url: DatabaseUrl, port: int) -> DatabaseUrl:
        """Keep the name beside the address."""
        return url.at(_host(url), port).given("hostaddr", HERE)


def as_declared(rows: list[list[object]], url: DatabaseUrl) -> list[list[object]]:
    """Return rows of host, port and database with the host and port of the URL that is declared.

    What a server that cannot be asked is known by: the port of this machine is another one each
    time.
    """
    return [[url.host, url.port, *row[2:]] for row in rows]


def _host(url: DatabaseUrl) -> str:
    host = url.host or ""
    return f"[{host}]" if ":" in host else host


def _checks_name(url: DatabaseUrl) -> bool:
    given = dict(url.parameters)
    return "verify-full" in {given.get("sslmode"), given.get("ssl")}


def _without_host(url: DatabaseUrl, *, elsewhere: tuple[str, ...]) -> str | None:
    named = [name for name, _ in url.parameters if name in elsewhere]
    if named:
        return f"says with `{named[0]}` where the server is: a tunnel leads to its one host"
    if not url.host:
        return "names no host"
    return None


def _without_port(url: DatabaseUrl, otherwise: int | None) -> str | None:
    return "names no port" if url.port is None and otherwise is None else None
