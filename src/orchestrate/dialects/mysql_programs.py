"""MariaDB's and MySQL's client programs: what every call of them has in common."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final

from orchestrate.dialects.copies import Edit, Program, Way, parameters, through_shell
from orchestrate.domain.database_url import DatabaseUrl

TRAILER: Final = b"-- Dump completed"
# A file of somebody's settings must not change what is in a copy. `loose` options are those that
# only MySQL's or only newer programs know: the others pass over them with a warning.
COMMON: Final = (
    "--no-defaults",
    "--default-character-set=utf8mb4",
    # The programs' own limit is lower than what a row may have, twice as long in hexadecimal.
    "--max-allowed-packet=1G",
)
_DUMP: Final = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    # Their definitions are the server's, and need the right PROCESS.
    "--no-tablespaces",
    "--loose-column-statistics=0",  # unknown to MariaDB and to MySQL 5.7
    "--loose-set-gtid-purged=OFF",  # would have to be an administrator's to be put back
    "--loose-dump-history",  # of system-versioned tables, since MariaDB 10.11
)
_TLS: Final = {
    "ssl_ca": "ssl-ca",
    "ssl_capath": "ssl-capath",
    "ssl_cert": "ssl-cert",
    "ssl_key": "ssl-key",
    "ssl_cipher": "ssl-cipher",
    "unix_socket": "socket",
}
# Drivers over the C library, which takes the name `localhost` for a socket; no other one does.
_C_LIBRARY: Final = ("mysqldb", "mariadbconnector")

_NAMELESS: Final = Edit(
    pattern=re.compile(
        rb"\nALTER DATABASE `(?:[^`\n]|``)*` (CHARACTER SET \w+ COLLATE \w+ ;;?)(?=\n|\Z)"
    ),
    replacement=rb"\nALTER DATABASE \1",
    literal=b"\nALTER DATABASE `",
)


def events_made(found: str, instead: str) -> Edit:
    """Return the edit that has a copy's events made in another state than the one it tells.

    `found` is a pattern of that state's words.
    """
    return Edit(
        pattern=re.compile(
            rb"(\n(?:/\*!50106 )?CREATE\b[^\n]*? EVENT `[^\n]*? ON COMPLETION (?:NOT )?PRESERVE)"
            rb" %s\b" % found.encode()
        ),
        replacement=rb"\1 %s" % instead.encode(),
        literal=b" EVENT `",
    )


def dumped(
    url: DatabaseUrl,
    way: Way,
    more: Sequence[str] = (),
    *,
    tables: Sequence[str] = (),
    edits: tuple[Edit, ...] = (),
) -> Program:
    """Return the call of `mariadb-dump`, or of `mysqldump` where there is none.

    `more` options have the last word; only of `tables` and views where some are named.
    """
    options, environ = connection(url)
    words = [*COMMON, *_DUMP, *more, *options, "--", url.database or "", *tables]
    return through_shell(
        "mysqldump",
        either("mariadb-dump", "mysqldump", words),
        prefix=way.prefix,
        environ=environ,
        trailer=TRAILER,
        edits=(_NAMELESS, *edits),
    )


def client(url: DatabaseUrl, way: Way, *, edits: tuple[Edit, ...] = ()) -> Program:
    """Return the call of `mariadb`, or of `mysql` where there is none, that executes its input.

    In binary mode text is taken as it is, and a copy cannot have commands run on this machine.
    """
    options, environ = connection(url)
    command = either("mariadb", "mysql", loading(options, url))
    return through_shell("mysql", command, prefix=way.prefix, environ=environ, edits=edits)


def loading(options: Sequence[str], url: DatabaseUrl) -> list[str]:
    """Return the words of a client that reads a copy."""
    # The program drops comments unless told otherwise, out of the bodies of routines too.
    words = [*COMMON, "--batch", "--binary-mode", "--comments"]
    return [*words, *options, "--", url.database or ""]


def either(first: str, second: str, words: Sequence[str]) -> str:
    """Return the shell's words that become the first program, or the second where it is missing."""
    return f'client={whichever(first, second)}; exec "$client" {shlex.join(words)}'


def whichever(first: str, second: str) -> str:
    """Return the shell's words for the program that is there; the second's absence is told."""
    return f"$(command -v {first} || echo {second})"


def connection(url: DatabaseUrl) -> tuple[list[str], dict[str, str]]:
    """Return options without secrets, and the variables that hold them."""
    given = dict(parameters(url))
    options = [f"--host={url.host}"] if url.host else []
    if url.port is not None:
        options.append(f"--port={url.port}")
    if "unix_socket" not in given and (url.driver or _C_LIBRARY[0]) not in _C_LIBRARY:
        options.append("--protocol=TCP")
    if url.user:
        options.append(f"--user={url.user}")
    options += [f"--{_TLS[name]}={value}" for name, value in given.items() if name in _TLS]
    checked = {"ssl_verify_identity", "ssl_check_hostname", "ssl_verify_cert"} & {
        name for name, value in given.items() if value.lower() in {"true", "1", "yes"}
    }
    # As drivers do it: encrypted where the server offers that, and its certificate is checked where
    # the URL asks for it. MariaDB's programs of 11.4 check it unasked, and refuse servers without.
    options.append(f"--loose-ssl-verify-server-cert={1 if checked else 0}")
    if checked:
        options.append("--loose-ssl-mode=VERIFY_IDENTITY")
    password = url.password.reveal() if url.password is not None else None
    return options, {} if password is None else {"MYSQL_PWD": password}
