"""The way back from literals: what is compared, what closes it, which copy would do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrate.domain.backups import Backup
from orchestrate.planning.digests import plan_digest
from orchestrate.planning.resume import Carry, decide
from orchestrate.planning.rollback import (
    changes_schema,
    copy_to_restore,
    obstacles,
    schema_check,
    verify_step,
)
from tests.planning.test_undoing import planned
from tests.support.values import NOON, STARTED, chain, events, line, revision

KEY: str = STARTED["target_keys"][0]


def schema(when: str, heads: list[str], digest: str) -> tuple[Any, None, dict[str, Any]]:
    return ("run.schema", None, {"when": when, "heads": heads, "snapshot": digest})


def test_the_last_schema_of_these_rows_is_compared_with() -> None:
    """Of this very target, whichever run recorded it, at its ends or before a step."""
    told = [
        *events([("run.started", None, STARTED), schema("before", ["r1"], "old")], run="run-1"),
        *events(
            [
                ("run.started", None, STARTED),
                schema("before", ["r1"], "new"),
                ("step.started", "1", {"heads": ["r1"], "snapshot": "first", "revision": "r2"}),
                ("step.started", "1", {"heads": ["r1"], "snapshot": "again", "revision": "r2"}),
                schema("after", ["r2"], "r2-schema"),
            ],
            run="run-2",
        ),
        *events(
            [
                ("run.started", None, {**STARTED, "target_keys": ["another"]}),
                schema("before", ["r1"], "foreign"),
            ],
            run="run-3",
        ),
    ]
    found = schema_check(told, target_key=KEY, heads=("r1",))
    assert (found.snapshot, found.source) == (
        "first",
        "that of r1, recorded before step 1 of run-2",
    )
    found = schema_check(told, target_key=KEY, heads=("r2",))
    assert (found.snapshot, found.source) == ("r2-schema", "that of r2, recorded after run-2")
    found = schema_check(told, target_key=KEY, heads=())
    assert found.snapshot is None
    assert found.source == "that of base, made anew in a scratch database"


def test_a_comparison_is_part_of_the_plan() -> None:
    """Last of all, covered by the digest, and simply done again when it was cut short."""
    check = schema_check([], target_key=KEY, heads=("r1",))
    plan = planned(line(3), "r3", direction="downgrade", to="r1", check=check)
    last = plan.steps[-1]
    assert (last.id, last.kind, last.from_heads, last.to_heads) == (
        "003-verify",
        "verify",
        ("r1",),
        ("r1",),
    )
    assert isinstance(decide(last, None, ("r1",), changed=()), Carry)
    other = replace(last, check=replace(check, snapshot="digest"))
    digests = {
        plan_digest(
            environment="dev",
            direction="downgrade",
            mode="session",
            spec_digest="spec",
            basis=plan.basis,
            steps=(step,),
            arguments=plan.arguments,
        )
        for step in (last, other)
    }
    assert len(digests) == 2
    again = verify_step(check, number=3, target="dev", heads=("r1",))
    assert again == last


def test_what_closes_the_way() -> None:
    """No downgrade, one that refuses, an empty one where the schema was changed."""
    of = chain(
        revision("a"),
        revision("b", "a", downgrade="missing"),
        revision("c", "b", downgrade="raises"),
        revision("d", "c", downgrade="empty"),
        revision("e", "d", downgrade="empty"),
        revision("f", "e", downgrade="empty"),
    )
    moves = of.moves(direction="downgrade", heads=("f",), to="a")
    sql = {
        "d": "-- a comment\nCREATE TABLE x (id INT)",
        "e": "UPDATE x SET y = 'create'",
        "f": None,
    }
    found = obstacles(moves, sql)
    assert [(one.revision, one.certain) for one in found] == [
        ("d", False),
        ("c", True),
        ("b", True),
    ]


@pytest.mark.parametrize(
    ("sql", "changes"),
    [
        ("ALTER TABLE t ADD c INT", True),
        ("UPDATE t SET a = 1;\n\ndrop index i;", True),
        ("INSERT INTO t VALUES (1)", False),
        ("-- drop table t", False),
        ("", False),
    ],
)
def test_what_changes_a_schema(sql: str, changes: bool) -> None:
    """Rows alone do not."""
    assert changes_schema(sql) is changes


def copy(name: str, *heads: str, age: int = 0, **more: Any) -> Backup:
    given: dict[str, Any] = {
        "environment": "dev",
        "target": "dev",
        "strategy": "pg_dump",
        "format": "custom",
        "destination": "x",
        "location": "x",
        "file": "x",
        "bytes": 1,
        "sha256": "x",
        "identity": "x",
        "dialect": "postgresql",
        "server_version": "15",
        "version_table": "alembic_version",
        "snapshot": None,
    }
    return Backup(id=name, created_at=NOON - timedelta(days=age), heads=heads, **{**given, **more})


def test_the_copy_that_would_do() -> None:
    """The run's own; else the newest good one of these rows or of any before them."""
    copies = [
        copy("old", "r1", age=3),
        copy("fits", "r2", age=2),
        copy("later", "r3", age=1),
        copy("gone", "x9"),
        copy("broken", "r2", broken="it is"),
        copy("elsewhere", "r2", environment="prod"),
        copy("own", "r3", run="run-1", age=4),
    ]

    def chosen(*heads: str, run: str | None = None) -> str | None:
        found = copy_to_restore(copies, line(3), environment="dev", heads=heads, run=run)
        return found.id if found else None

    assert chosen("r2") == "fits"
    assert chosen("r1") == "old"
    assert chosen("r3") == "later"
    assert chosen("r1", run="run-1") == "own"
    assert chosen() is None
