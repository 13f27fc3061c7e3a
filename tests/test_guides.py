"""Tutorial and guides are followed: every command on the page, with what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.databases import NewDatabase
from tests.support.documents import first_missing, follow
from tests.support.projects import Project

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_tutorial_can_be_typed(tmp_path: Path) -> None:
    """From the handbook's procedures to a spec, in a copy of the example."""
    assert follow(DOCS / "tutorial" / "from-handbook-to-spec.md", tmp_path) > 30


def test_tenants_by_schema(tmp_path: Path, new_database: NewDatabase) -> None:
    """Two schemas of one database are two targets; one goes up and the other stays."""
    database = new_database("postgresql")
    database.execute("CREATE SCHEMA alpha")
    database.execute("CREATE SCHEMA beta")
    Project(tmp_path).linear(1)
    environ = {"TENANTS_DATABASE_URL": database.url}
    assert follow(DOCS / "how-to" / "tenants-by-schema.md", tmp_path, environ=environ) == 3


def test_a_line_that_is_not_printed_is_missed() -> None:
    """The follower itself: order and text count, what stands between does not."""
    printed = ["one", "two 3 s", "three"]
    assert first_missing(("one", "two … s"), printed) is None
    assert first_missing(("two … s", "one"), printed) == "one"
    assert first_missing(("two … h",), printed) == "two … h"
