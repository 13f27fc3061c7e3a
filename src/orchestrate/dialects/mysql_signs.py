"""MariaDB's and MySQL's errors by their numbers, and by words for those that come from a driver.

https://mariadb.com/kb/en/mariadb-error-code-reference/,
https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html. The SQLSTATE tells
little: most errors are `HY000`.
"""

from __future__ import annotations

from typing import Final

from orchestrate.dialects.signs import NETWORK, Signs, driver_signs, sign

_CONNECTING: Final[Signs] = (
    sign(
        "unknown-database",
        r"Unknown database '(?P<name>[^']*)'",
        "Check the last part of the URL, or `CREATE DATABASE {name}`",
        codes=[1049],
    ),
    sign(
        "not-let-in",
        r"Access denied for user '(?P<user>[^']*)'@'[^']*' to database '(?P<name>[^']*)'",
        "`{user}` may not use the database `{name}`, or there is none: check the last part of the "
        "URL, or `GRANT` it",
        codes=[1044],
    ),
    sign(
        "login-refused",
        r"Access denied for user '(?P<user>[^']*)'@'(?P<host>[^']*)' \(using password: NO\)",
        "The URL has no password and `{user}`, coming from `{host}`, needs one: check where the "
        "URL comes from",
    ),
    sign(
        "login-refused",
        r"Access denied for user '(?P<user>[^']*)'@'(?P<host>[^']*)'",
        "Check user and password where the URL comes from, that `{user}` may come from `{host}`, "
        "and whether it must use TLS (`?ssl_ca=…`): the server says the same to all three",
        codes=[1045, 1698],
    ),
    sign(
        "not-let-in",
        r"Host '(?P<host>[^']*)' is (not allowed|blocked)",
        "The server lets nobody in from `{host}`: check the users' hosts, or `FLUSH HOSTS`",
        codes=[1130, 1129],
    ),
    sign(
        "tls",
        r"SSL is required but the server doesn't support it",
        "The URL asks for TLS and the server has none: check host and port, or leave it out",
    ),
    sign(
        "tls",
        r"require_secure_transport|insecure transport",
        "The server wants TLS: add the driver's option to the URL (PyMySQL: `?ssl_ca=…`)",
        codes=[3159],
    ),
    sign(
        "tls",
        r"certificate verify failed|certificate has expired",
        "The server's certificate is not trusted: check `ssl_ca` and the host name in the URL",
    ),
    sign(
        "driver-missing",
        r"'cryptography' package is required",
        "The user's password plugin needs it: `pip install cryptography` in the project's Python",
    ),
    sign(
        "too-many-connections",
        r"Too many connections|max_user_connections",
        "Wait, end idle sessions (`SHOW PROCESSLIST`), or raise the limit of the server or the "
        "user",
        codes=[1040, 1203, 1226],
    ),
    sign(
        "unreachable",
        r"Server shutdown in progress",
        "The server is stopping: try again in a moment",
        codes=[1053],
    ),
    sign(
        "unreachable",
        r"\[Errno 2\]|through socket",
        "There is no socket or certificate file at that path: check `unix_socket` and `ssl_…` in "
        "the URL, and that the server runs on this machine",
    ),
)

_STATEMENTS: Final[Signs] = (
    sign(
        "connection-lost",
        r"connection was killed",
        "Check that the port belongs to this kind of server, and the server's log",
        codes=[1927],
    ),
    # 1205 is a wait that ended (`lock_wait_timeout`, `innodb_lock_wait_timeout`), 3572 MySQL's
    # `NOWAIT`, 1213 a deadlock, whose victim lost its lock and is rolled back: waiting and trying
    # again is the cure for all three.
    sign(
        "lock-timeout",
        r"(?:\(|\A|\s)(1205|1213|3572)\b|lock wait timeout exceeded|deadlock found",
        codes=[1205, 1213, 3572],
    ),
    sign("statement-timeout", r"max_(statement|execution)_time exceeded", codes=[1969, 3024]),
    sign(
        "already-exists",
        r"(?P<kind>Table|Duplicate column name|Duplicate key name|constraint)"
        r" ['`](?:[^'`.]+\.)?(?P<name>[^'`]+)['`]",
        codes=[1050, 1060, 1061, 1826, 3822],
    ),
    sign(
        "missing-object",
        r"(?P<kind>Table|column|DROP \w+) ['`](?:[^'`.]+\.)?(?P<name>[^'`]+)['`]",
        codes=[1146, 1051, 1054, 1091, 1176],
    ),
    sign(
        "rows-in-the-way",
        r"Duplicate entry|a foreign key constraint fails|Invalid use of NULL value|Data truncated",
        codes=[1062, 1451, 1452, 1138, 1265, 4025, 3819],
    ),
    sign("missing-right", r"command denied to user", codes=[1142, 1143, 1227, 1370]),
)

SIGNS: Final[Signs] = (
    *_STATEMENTS,
    *_CONNECTING,
    *driver_signs("mysql", sync="pymysql", asynchronous="asyncmy"),
    *NETWORK,
)
