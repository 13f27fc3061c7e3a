"""Every dialect there is, by SQLAlchemy's backend name: a new one is one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from orchestrate.dialects.generic import Generic
from orchestrate.dialects.interface import Dialect
from orchestrate.dialects.mysql import MySQL
from orchestrate.dialects.postgresql import PostgreSQL
from orchestrate.dialects.sqlite import SQLite

DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        "sqlite": SQLite(),
        "postgresql": PostgreSQL(),
        "mysql": MySQL(),
        "mariadb": MySQL(),
    }
)


def dialect_for(backend: str) -> Dialect:
    """Return the dialect of a backend: the part of a URL's scheme before `+`, or the whole scheme.

    A backend without a module gets the generic dialect, which says what it cannot do.
    """
    name = backend.partition("+")[0].lower()
    return DIALECTS.get(name) or Generic(name)
