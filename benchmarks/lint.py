"""Lint of many revisions, against what Alembic needs to load them and what squawk takes by itself.

`python -m benchmarks.lint [REVISIONS]`: prints ratios; 2,000 revisions unless told. No server.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from benchmarks.measuring import ratio, seconds
from benchmarks.projects import orchestrate, program
from tests.support.projects import Project

ROUNDS: Final = 5
_URL: Final = "postgresql+psycopg://lint@localhost/lint"
_GOAL: Final = 1.5


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a line for the first lint and one for the next."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lint", description=__doc__)
    parser.add_argument("revisions", type=int, nargs="?", default=2000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
        folder = Path(name) / "work"
        Project(folder).linear(options.revisions)
        spec = {
            "version": 1,
            "project": {"config": "alembic.ini"},
            "environments": {"prod": {"url": _URL}},
        }
        (folder / "migrations.yaml").write_text(yaml.safe_dump(spec))
        taken = _measured(folder, Path(name) / "sql")
    for way in ("first", "next"):
        ours = [a - b for a, b in zip(taken[way], taken["squawk"], strict=True)]
        times = ratio(ours, taken["load"])
        print(
            f"{way} lint of {options.revisions:,} revisions: {times:.2f} times `alembic heads`, "
            f"squawk's own time left out (goal: under {_GOAL}); "
            f"{statistics.median(taken[way]):.2f} s, of them squawk "
            f"{statistics.median(taken['squawk']):.2f} s, `alembic heads` "
            f"{statistics.median(taken['load']):.2f} s",
            flush=True,
        )
    return 0


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
