"""A state store of each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrate.stores.state import StateStore
from tests.support.databases import Database
from tests.support.states import open_store


@pytest.fixture
def state(database: Database) -> Iterator[StateStore]:
    """Open a new state store, once for each kind of database."""
    with open_store(database) as opened:
        yield opened
