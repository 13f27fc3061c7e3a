"""Checks made of facts that are rare, or dear to bring about for real."""

from __future__ import annotations

import pytest

from orchestrate.dialects.interface import VersionTable
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.diagnosis import Check, Interpreter
from orchestrate.domain.revisions import Graph
from orchestrate.planning.chain import Chain
from orchestrate.planning.diagnosis import (
    check_heads_by_dialect,
    check_interpreter,
    check_programs,
    check_revisions,
    check_version_table,
)
from tests.support.values import observation


def test_too_old() -> None:
    """A Python, an Alembic or a SQLAlchemy below what the agent understands is a problem each."""
    old = Interpreter(
        python="3.7.9", executable="/py", alembic="1.7.7", sqlalchemy="1.3.24", host="app1"
    )
    found = list(check_interpreter(old, here="laptop"))
    assert [one.status for one in found] == ["problem"] * 3
    assert found[0].message.startswith("Python 3.7.9 at /py on app1 is older than 3.8")
    assert found[1].hint == "`pip install 'alembic>=1.8'` there"


@pytest.mark.parametrize(
    ("kind", "versions", "server", "statuses"),
    [
        (
            "postgresql",
            {
                "pg_dump": "pg_dump (PostgreSQL) 14.9 (Debian 14.9-1)",
                "pg_restore": "pg_restore (PostgreSQL) 16.1",
                "psql": None,
            },
            "PostgreSQL 15.18",
            {"warning: older": 1, "warning: There is no psql": 1, "ok: pg_restore 16.1": 1},
        ),
        (
            "mysql",
            {
                "mariadb-dump": None,
                "mysqldump": "mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian",
                "mariadb": "mariadb from 11.4.2-MariaDB, client 15.2 for Linux",
            },
            "MariaDB 10.11.19",
            {"ok: mysqldump 10.11.19, mariadb 11.4.2": 1},
        ),
        (
            "mysql",
            {"mysqldump": "mysqldump  Ver 8.0.36 for Linux on x86_64", "mysql": None},
            "MySQL 8.4.0",
            {"warning: older": 1, "warning: There is no mariadb": 1},
        ),
    ],
)
def test_programs(
    kind: str, versions: dict[str, str | None], server: str, statuses: dict[str, int]
) -> None:
    """Client programs are compared with the server as far as their maker minds."""
    found = list(check_programs(dialect_for(kind).programs, versions, server))
    told = [f"{one.status}: {one.message}" for one in found]
    assert len(told) == len(statuses)
    for words in statuses:
        status, _, text = words.partition(": ")
        assert any(one.startswith(status) and text in one for one in told), told


def test_heads_that_hang_on_the_server() -> None:
    """One project with other revisions on another server: a fleet-wide revision fits nobody."""
    heads = {"dev": ("sqlite", ("a1",)), "prod": ("postgresql", ("b2",)), "ci": ("sqlite", ("a1",))}
    found = check_heads_by_dialect(heads, "dev")
    assert found is not None
    assert found.message == "The chain ends at a1 on sqlite, and at b2 on postgresql"
    assert check_heads_by_dialect({"dev": heads["dev"], "ci": heads["ci"]}, "dev") is None


def test_no_revision_and_a_version_table_alone() -> None:
    """An empty chain, and a database that says more than it has."""
    chain = Chain(Graph(digest="0", revisions=()))
    sight = observation("r1", has_version_table=True)
    (found,) = check_revisions(chain, sight, environment="dev")
    assert (found.status, "version_locations" in (found.hint or "")) == ("problem", True)
    table = check_version_table(sight, "dev")
    assert (table.status, table.trouble) == ("problem", "tables-missing")


GRANTS = {
    "own": ([r"GRANT ALL PRIVILEGES ON `shop\_a`.* TO `app`@`%`"], ["ok"]),
    "pattern": (["GRANT ALL PRIVILEGES ON `shop%`.* TO `app`@`%`"], ["ok"]),
    "another": ([r"GRANT ALL PRIVILEGES ON `shop\_b`.* TO `app`@`%`"], ["problem"]),
    "role": (["GRANT `migrator` TO `app`@`%`", "GRANT USAGE ON *.* TO `app`@`%`"], ["warning"]),
    "some": (["GRANT SELECT ON `shop_a`.`t` TO `app`@`%`"], ["warning"]),
}


@pytest.mark.parametrize("case", GRANTS)
def test_grants(case: str) -> None:
    """MariaDB's grants: names with wildcards, roles, single tables."""
    grants, statuses = GRANTS[case]
    rights = dialect_for("mariadb").rights
    assert rights is not None
    found: tuple[Check, ...] = rights.checks(
        {"account": [["app@%", "shop_a", 0]], "grants": [[line] for line in grants]},
        version_table=VersionTable(schema=None, name="alembic_version", exists=True),
        storage=None,
    )
    assert [one.status for one in found] == statuses
