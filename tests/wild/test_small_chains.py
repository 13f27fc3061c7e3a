"""Three projects out of the wild, as they are; `make wild` drives all of them, and further."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.databases import NewDatabase
from wild import environments, recipes
from wild.case import Case
from wild.driving import kill_and_resume, plan_from_empty

pytestmark = [pytest.mark.slow, pytest.mark.crash, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("name", "dialect", "revisions"),
    [
        pytest.param("optuna", "postgresql", 10, marks=pytest.mark.servers),  # an option
        pytest.param("keystone", "mariadb", 10, marks=pytest.mark.servers),  # a hook; two heads
        pytest.param("airflow", "sqlite", 124),  # environment variables
    ],
)
def test_from_empty_to_head_with_a_kill_in_the_middle(
    name: str, dialect: str, revisions: int, tmp_path: Path, new_database: NewDatabase
) -> None:
    """Planned whole, killed half way, resumed to the heads that the plan had."""
    chain = recipes.chains()[name]
    case = Case(
        chain=chain,
        dialect=dialect,
        python=environments.ready(chain.environment),
        folder=tmp_path / "case",
        new_database=lambda _: new_database(dialect),
    )
    database = case.new_database("whole")
    steps = plan_from_empty(case, case.desk("whole", database), database)
    assert len(steps) == revisions
    kill_and_resume(case, database)
    assert database.heads() == sorted(steps[-1]["to_heads"])
