"""Lint of many revisions, against what Alembic needs to load them and what squawk takes by itself.

`python -m benchmarks.lint [REVISIONS]`: 2,000 revisions unless told. No server.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import yaml

from benchmarks.measuring import ratio, seconds
from benchmarks.projects import orchestrate, program
from benchmarks.table import Line, median, slower, table
from tests.support.projects import Project

ROUNDS: Final = 5
_REVISIONS: Final = 2000
_URL: Final = "postgresql+psycopg://lint@localhost/lint"
_GOAL: Final = 1.5


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the table: a line for the first lint and one for the next."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lint", description=__doc__)
    parser.add_argument("revisions", type=int, nargs="?", default=_REVISIONS)
    options = parser.parse_args(arguments)
    print(table(lint_lines(options.revisions)))
    return 0


def lint_lines(revisions: int = _REVISIONS) -> Iterator[Line]:
    """Measure so many revisions; squawk's own time is taken off ours, and told."""
    with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
        folder = Path(name) / "work"
        Project(folder).linear(revisions)
        spec = {
            "version": 1,
            "project": {"config": "alembic.ini"},
            "environments": {"prod": {"url": _URL}},
        }
        (folder / "migrations.yaml").write_text(yaml.safe_dump(spec))
        taken = _measured(folder, Path(name) / "sql")
    squawk = statistics.median(taken["squawk"])
    for way in ("first", "next"):
        ours = [a - b for a, b in zip(taken[way], taken["squawk"], strict=True)]
        yield slower(
            f"the {way} `lint`, {revisions:,} revisions, without squawk's own {squawk:.2f} s; "
            "today `alembic heads`, which loads them",
            median(taken["load"]),
            median(ours),
            ratio(ours, taken["load"]),
            goal=_GOAL,
        )


def _measured(folder: Path, texts: Path) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {"load": [], "first": [], "next": [], "squawk": []}
    lint = orchestrate("--quiet", "lint")
    for number in range(ROUNDS + 1):
        shutil.rmtree(folder / ".orchestrate", ignore_errors=True)
        spent = {
            "load": seconds([[program("alembic"), "heads"]], folder=folder, environ={}),
            "first": seconds([lint], folder=folder, environ={}),
            "next": seconds([lint], folder=folder, environ={}),
        }
        command = _squawk(folder, texts)
        spent["squawk"] = seconds([command], folder=folder, environ={}, rest=1)
        if number:  # the first round warms up
            for way, one in spent.items():
                taken[way].append(one)
    return taken


def _squawk(folder: Path, texts: Path) -> list[str]:
    """Write the SQL that lint had rendered, a file a revision; return squawk's own call."""
    if not texts.is_dir():
        texts.mkdir()
        (kept,) = (folder / ".orchestrate" / "cache").glob("sql-*.json")
        for number, (sql, _) in enumerate(json.loads(kept.read_text())["sql"].values()):
            (texts / f"{number}.sql").write_text(sql)
    paths = sorted(str(path) for path in texts.glob("*.sql"))
    return [program("squawk"), "--reporter", "json", "--assume-in-transaction", *paths]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
