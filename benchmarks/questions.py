"""What is measured: plan, status, apply, memory; each a function that returns table lines."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.measuring import Memory, memory, ratio, seconds
from benchmarks.projects import BEHIND, ENVIRONMENTS, Bench, alembic, orchestrate
from benchmarks.table import Line, faster, median, slower
from tests.support.postgresql_server import PostgresqlServer

_PLAN_TARGETS: Final = {50: 2.5, 2000: 5.0}
_APPLY_TARGETS: Final = {50: 2.0, 300: 1.25}
_FULL: Final = ", each a table of nine columns and its indexes"
_ORCHESTRATOR_MB: Final = 120.0
_AGENT_MB: Final = 20.0


def plan_lines(
    server: PostgresqlServer, folder: Path, *, revisions: int, rounds: int
) -> list[Line]:
    """Measure looking at three environments, one up to date and two behind."""
    bench = Bench(folder, revisions=revisions, server=server)
    databases = {name: server.create_database() for name in ENVIRONMENTS}
    environ = bench.point(databases)
    for name, missing in BEHIND.items():
        revision = f"r{revisions - missing:03}"
        seconds([alembic(name, "stamp", revision)], folder=folder, environ=environ)
    ways = {
        "today": [alembic(name, word) for name in ENVIRONMENTS for word in ("current", "heads")],
        "plan": [orchestrate("plan", *ENVIRONMENTS)],
        "apart": [orchestrate("plan", name) for name in ENVIRONMENTS],
        "status": [orchestrate("status")],
    }
    cold = seconds([orchestrate("plan", *ENVIRONMENTS)], folder=folder, environ=environ)
    taken = _interleaved(
        {
            name: partial(seconds, commands, folder=folder, environ=environ)
            for name, commands in ways.items()
        },
        rounds,
    )
    for database in databases.values():
        server.drop(database)
    today = taken["today"]
    goal = _PLAN_TARGETS[revisions]
    what = f"{revisions:,} revisions"

    def line(title: str, way: str, goal: float | None = None) -> Line:
        figure = ratio(today, taken[way])
        return faster(f"{title}, {what}", median(today), median(taken[way]), figure, goal=goal)

    return [
        line("`plan dev staging prod`", "plan", goal),
        line("three times `plan ENV`", "apart"),
        line("`status`", "status"),
        faster(
            f"the first `plan` of all, {what}: state store and graph made",
            median(today),
            f"{cold:.3f} s",
            statistics.median(today) / cold,
        ),
    ]


def apply_lines(
    server: PostgresqlServer, folder: Path, *, revisions: int, rounds: int, full: bool = False
) -> list[Line]:
    """Measure carrying revisions out on a new database each time, then memory on the same.

    `full` revisions make a table and its indexes each; the goals are about the others.
    """
    bench = Bench(folder, revisions=revisions, server=server, full=full)
    what = f"`apply`, {revisions} revisions{_FULL if full else ''}"

    env = next(folder.rglob("env.py"))
    text = env.read_text()

    def by_alembic(options: str = "") -> float:
        database = server.create_database()
        environ = bench.point({"dev": database})
        env.write_text(text.replace("context.configure(", f"context.configure({options}"))
        taken = seconds([alembic("dev", "upgrade", "head")], folder=folder, environ=environ)
        env.write_text(text)
        server.drop(database)
        return taken

    def committing() -> float:
        return by_alembic("transaction_per_migration=True, ")

    def by_orchestrate() -> float:
        database = server.create_database()
        environ = bench.point({"dev": database})
        _accept(folder, environ)
        taken = seconds([orchestrate("apply", "dev", "--yes")], folder=folder, environ=environ)
        server.drop(database)
        return taken

    by_alembic()  # bytecode of the revisions
    ways = {"today": by_alembic, "committing": committing, "apply": by_orchestrate}
    taken = _interleaved(ways, rounds)
    line = slower(
        what,
        median(taken["today"]),
        median(taken["apply"]),
        ratio(taken["apply"], taken["today"]),
        goal=None if full else _APPLY_TARGETS[revisions],
    )
    # As `apply` does, so that what is committed stays; the goal is about one transaction.
    alike = slower(
        f"{what}; today with `transaction_per_migration=True`",
        median(taken["committing"]),
        median(taken["apply"]),
        ratio(taken["apply"], taken["committing"]),
    )
    return [line, alike, *([] if full else _memory_lines(server, bench))]


def _accept(folder: Path, environ: dict[str, str]) -> None:
    """Record the new database as dev's own; not measured, as a database is not new every time."""
    seconds([orchestrate("trust", "dev", "--yes")], folder=folder, environ=environ)


def _memory_lines(server: PostgresqlServer, bench: Bench) -> list[Line]:
    database = server.create_database()
    environ = bench.point({"dev": database})
    plain = memory(alembic("dev", "upgrade", "head"), folder=bench.folder, environ=environ)
    server.drop(database)
    database = server.create_database()
    environ = bench.point({"dev": database})
    _accept(bench.folder, environ)
    ours = memory(orchestrate("apply", "dev", "--yes"), folder=bench.folder, environ=environ)
    server.drop(database)
    return _memory_table(f"`apply`, {bench.revisions} revisions", plain, ours)


def _memory_table(what: str, plain: Memory, ours: Memory) -> list[Line]:
    more = ours.largest_child - plain.own
    return [
        Line(
            what=f"peak memory of the orchestrator, {what}",
            today="-",
            ours=f"{ours.own:.0f} MB",
            figure=f"{ours.own:.0f} MB",
            target=f"under {_ORCHESTRATOR_MB:.0f} MB",
            met=ours.own < _ORCHESTRATOR_MB,
        ),
        Line(
            what=f"peak memory of the agent, {what}",
            today=f"{plain.own:.0f} MB",
            ours=f"{ours.largest_child:.0f} MB",
            figure=f"{more:+.0f} MB",
            target=f"at most +{_AGENT_MB:.0f} MB",
            met=more <= _AGENT_MB,
        ),
    ]


def _interleaved(ways: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure all ways in every round, forwards and backwards by turns, after one warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        names = list(ways) if number % 2 else list(reversed(ways))
        for name in names:
            spent = ways[name]()
            if number:
                taken[name].append(spent)
    return taken
