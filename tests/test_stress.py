"""What `make stress` decides, without its processes and servers."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from stress import killing, project
from stress.rounds import commands_named
from tests.support.databases import KINDS, sqlite_database
from wild import shape


@pytest.mark.parametrize("dialect", KINDS)
def test_a_seed_repeats_its_kills(dialect: str) -> None:
    plans = [killing.plan(dialect, seed) for seed in range(50)]
    assert plans == [killing.plan(dialect, seed) for seed in range(50)]
    assert all(1 <= len(plan) <= 3 for plan in plans)
    victims = {kill.victim for plan in plans for kill in plan}
    assert len(victims) == (4 if dialect == "sqlite" else 5)
    assert killing.plan(dialect, None) == []


@pytest.mark.parametrize("revision", ["r004", "r005", "r007", "r010", "r011", "r012"])
def test_what_is_done_by_hand(tmp_path: Path, revision: str) -> None:
    """However far a step came: completed it is as in the revision, undone as before it."""
    chain = project.chain("sqlite")
    begun = sqlite_database(tmp_path / "begun.db")
    project.fill(begun)
    for earlier, statements in chain.items():
        # r008 takes long, and r009 is Alembic's to carry out; nothing else needs them.
        if project.FIRST < earlier < revision and earlier not in {"r008", "r009"}:
            begun.execute(*(act.statement for act in statements))
    acts = chain[revision]
    for seed, done in itertools.product(range(5), range(len(acts) + 1)):
        database = sqlite_database(tmp_path / f"{seed}-{done}.db")
        shutil.copy(begun.path, database.path)
        database.execute(*(act.statement for act in acts[:done]))
        way = project.do_by_hand(database, revision, killing.chance("sqlite", seed, "person"))
        if way == "--mark-applied":
            assert all(act.is_done(database) for act in acts)
        elif way == "--retry":
            assert shape.of(database) == shape.of(begun)
            assert not any(act.is_done(database) for act in acts)


def test_commands_are_read_in_what_the_program_says() -> None:
    said = """
    hint: when the cause is gone, `orchestrate resume run-1` goes on;
      after a change of the revision, `orchestrate apply prod` plans again
      the backup that the run began with is put back in its place:
        orchestrate resume run-1 --restore
    """
    assert list(commands_named(said)) == [
        ["resume", "run-1"],
        ["apply", "prod", "--yes"],
        ["resume", "run-1", "--restore", "--yes"],
    ]
