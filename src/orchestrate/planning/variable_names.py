"""What the names of environment variables say: which hold a database URL, which a part of one."""

from __future__ import annotations

import re
from typing import Final

COMMON_URLS: Final = (
    "DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL", "DB_URL", "DATABASE_URI",
    "DB_URI", "DATABASE_DSN", "DB_DSN", "SQLALCHEMY_URL", "SQLALCHEMY_URI", "POSTGRES_URL",
    "POSTGRES_DSN", "PG_DSN", "MYSQL_URL", "ALEMBIC_DATABASE_URL", "ALEMBIC_URL",
    "ASYNC_DATABASE_URL", "SQLALCHEMY_DATABASE_URI_ASYNC", "DB_CONNECTION_STRING",
    "DATABASE_CONNECTION_STRING", "APP_DATABASE_URL",
)  # fmt: skip
_PARTS: Final = {
    "host": ("HOST", "HOSTNAME", "SERVER", "ADDRESS"),
    "port": ("PORT",),
    "user": ("USER", "USERNAME", "LOGIN"),
    "password": ("PASSWORD", "PASSWD", "PASS", "PWD"),
    "database": ("NAME", "DB", "DATABASE", "DBNAME", "DB_NAME"),
    "driver": ("DRIVER", "DIALECT", "ENGINE", "BACKEND", "SCHEME", "DRIVERNAME", "TYPE"),
}
_ABOUT_DATABASES: Final = re.compile(
    r"DATABASE|SQL|POSTGRES|MARIA|ALEMBIC|(^|_)(DB|PG|RDS|RDBMS)(_|[A-Z]*$)|_DSN$|CONN"
)
_ABOUT_OTHERS: Final = re.compile(
    r"REDIS|BROKER|AMQP|RABBIT|CELERY|SENTRY|MONGO|ELASTIC|OPENSEARCH|KAFKA|S3|SMTP|MAIL|WEBHOOK"
    r"|FRONTEND|CORS|OAUTH|HTTP|PROXY|STRIPE|SLACK|VECTOR|QDRANT|NEO4J|TEST"
)
_URL_NAME: Final = re.compile(
    r"(URL|URI|DSN|CONN|CONNECTION|CONN_STR|CONNECTION_STRING|SQL_ALCHEMY_CONN|DATABASE|DB)"
    r"(_ASYNC|_SYNC)?$"
)


def part_of(name: str) -> str | None:
    """Return which part of a URL a variable holds, by its name: `host`, `password`, …; or None."""
    if _ABOUT_OTHERS.search(name):
        return None
    for part, endings in _PARTS.items():
        for ending in endings:
            prefix = name.removesuffix(ending)
            if prefix == name:
                continue
            family = prefix.rstrip("_")
            if family in {"PG", "MYSQL"} or (
                prefix.endswith("_") and _ABOUT_DATABASES.search(prefix)
            ):
                return part
    return None


def is_url_name(name: str) -> bool:
    """Tell whether a variable of this name probably holds a database URL."""
    return ends_like_url(name) and _ABOUT_DATABASES.search(name) is not None


def ends_like_url(name: str) -> bool:
    """Tell whether a variable of this name may hold some URL, but none known to be another's."""
    return bool(_URL_NAME.search(name) and not _ABOUT_OTHERS.search(name))
