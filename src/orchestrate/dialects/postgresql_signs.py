"""PostgreSQL's errors by SQLSTATE, and by words for what has none or shares one.

https://www.postgresql.org/docs/current/errcodes-appendix.html. libpq gives no state for a refused
connection, so that the words have to do there; asyncpg does.
"""

from __future__ import annotations

from typing import Final

from orchestrate.dialects.signs import NETWORK, Signs, driver_signs, sign

_CONNECTING: Final[Signs] = (
    sign(
        "unknown-database",
        r'database "(?P<name>[^"]*)" does not exist',
        "Check the last part of the URL, or `CREATE DATABASE {name}`",
        states=["3D000"],
    ),
    sign(
        "login-refused",
        r"no password supplied",
        "The URL has no password and the server wants one: check where the URL comes from",
    ),
    sign(
        "login-refused",
        r'password authentication failed for user "(?P<user>[^"]*)"',
        "Check user and password where the URL comes from: the server does not tell a wrong "
        "password from an unknown user",
        states=["28P01"],
    ),
    sign(
        "not-let-in",
        r'role "(?P<user>[^"]*)" (does not exist|is not permitted to log in)',
        "`{user}` may not log in to this server: check the user in the URL, or `CREATE ROLE` with "
        "`LOGIN`",
    ),
    sign(
        "tls",
        r"pg_hba\.conf.*no encryption|SSL (connection is )?(off|required)$",
        "The server wants TLS: add `?sslmode=require` to the URL (asyncpg: `?ssl=require`)",
    ),
    sign(
        "not-let-in",
        r"pg_hba\.conf",
        "The server lets nobody in from this address with this user and database: check user, "
        "database and address in its pg_hba.conf",
    ),
    sign(
        "tls",
        r"does not support SSL|rejected SSL upgrade",
        "The URL asks for TLS and the server has none: check host and port, or leave out `sslmode`",
    ),
    sign(
        "unreachable",
        r"invalid response to SSL negotiation|unsupported frontend protocol",
        "What listens there is not PostgreSQL: check host and port",
    ),
    sign(
        "tls",
        r"certificate verify failed|root certificate file|certificate has expired",
        "The server's certificate is not trusted: check `sslrootcert` and the host name in the URL",
    ),
    sign(
        "too-many-connections",
        r"too many (connections|clients)|remaining connection slots",
        "Wait, end idle sessions (`SELECT * FROM pg_stat_activity`), or raise the limit of the "
        "server, the database or the role",
        states=["53300"],
    ),
    sign(
        "not-let-in",
        r"is not currently accepting connections",
        "The database is closed to connections: `ALTER DATABASE … ALLOW_CONNECTIONS true`",
    ),
    sign(
        "not-let-in",
        r'permission denied for database "(?P<name>[^"]*)"',
        "This user may not connect to `{name}`: `GRANT CONNECT ON DATABASE`, or take another user",
    ),
    sign(
        "unreachable",
        r"the database system is (starting up|shutting down|in recovery|not yet accepting)",
        "The server is starting or stopping: try again in a moment",
        states=["57P03"],
    ),
    sign(
        "unreachable",
        r"on socket .* failed: No such file|FileNotFoundError",
        "There is no socket at that path: check the folder in `host=`, and that the server runs on "
        "this machine",
    ),
)

_STATEMENTS: Final[Signs] = (
    # By its number, since a server says the words in its own language.
    sign(
        "connection-lost",
        r"terminating connection",
        "Check that the port belongs to this kind of server, and the server's log",
        states=["57P01", "57P02", "57P05", "08000", "08003", "08006", "08007"],
    ),
    # 55P03 is `lock_timeout` and `NOWAIT`. A deadlock counts too: its victim waited for a lock and
    # lost it, its transaction is rolled back whole, and the cure is the same wait and retry.
    sign(
        "lock-timeout",
        r"canceling statement due to lock timeout|could not obtain lock on|deadlock detected",
        states=["55P03", "40P01"],
    ),
    # Also a cancel by a person, who looks alike; neither is cured by trying again.
    sign("statement-timeout", r"canceling statement due to statement timeout", states=["57014"]),
    sign("enum-exists", r'type "(?P<name>[^"]+)" already exists'),
    sign(
        "already-exists",
        r'(?P<kind>\w+) "(?P<name>[^"]+)"(?: of relation "(?P<of>[^"]+)")?.* already exists',
        states=["42P07", "42701", "42710", "42P06", "42723"],
    ),
    sign(
        "missing-object",
        r'(?P<kind>\w+) "(?P<name>[^"]+)"(?: of relation "(?P<of>[^"]+)")?.* does not exist',
        states=["42P01", "42703", "42704", "3F000", "42883"],
    ),
    sign(
        "rows-in-the-way",
        r"could not create unique index|duplicate key value|contains null values"
        r"|is violated by some row|violates [\w -]+ constraint",
        states=["23505", "23502", "23514", "23503", "23P01"],
    ),
    sign(
        "needs-autocommit",
        r"cannot run inside a transaction block|must be committed before they can be used",
        states=["25001", "55P04"],
    ),
    sign("missing-right", r"permission denied for|must be owner of", states=["42501"]),
)

SIGNS: Final[Signs] = (
    *_CONNECTING,
    *_STATEMENTS,
    *driver_signs("postgresql", sync="psycopg", asynchronous="asyncpg"),
    *NETWORK,
)
