"""Measure everything on a private PostgreSQL, print the table, keep it in `RESULTS.md`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.questions import Line, apply_lines, plan_lines
from orchestrate import __version__
from tests.support.postgresql_server import PostgresqlServer

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_LIBRARIES: Final = ("alembic", "sqlalchemy", "psycopg", "click", "pydantic")
_HEADERS: Final = ("what", "Alembic, as today", "orchestrate", "figure", "target", "met")


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 also where a target is missed, which the table says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="for all but 2,000 revisions")
    parser.add_argument("--no-results", action="store_true", help=f"leave {RESULTS.name} alone")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    server = PostgresqlServer()
    try:
        facts = _facts(server, load, rounds=options.rounds)
        lines = _measure(server, rounds=options.rounds)
    finally:
        server.close()
    table = _table(lines)
    print(table)
    if not options.no_results:
        RESULTS.write_text(_document(table, facts), "utf-8")
    return 0


def _measure(server: PostgresqlServer, *, rounds: int) -> list[Line]:
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
        for revisions, times in ((50, rounds), (2000, max(3, rounds // 2))):
            folder = Path(name) / f"plan-{revisions}"
            lines += plan_lines(server, folder, revisions=revisions, rounds=times)
        for revisions in (50, 300):
            folder = Path(name) / f"apply-{revisions}"
            lines += apply_lines(server, folder, revisions=revisions, rounds=rounds)
    return lines


def _facts(server: PostgresqlServer, load: float, *, rounds: int) -> list[str]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    (version,) = server.rows("show server_version")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    facts = (
        f"""{datetime.now(UTC):%Y-%m-%d}, orchestrate {__version__}, Python
        {platform.python_version()}, {versions}""",
        f"""PostgreSQL {str(version).split()[0]} with its default durability, on the loopback
        address, password authentication""",
        f"""{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB; load
        average at the start {load:.1f}""",
        f"""{rounds} rounds ({max(3, rounds // 2)} with 2,000 revisions), all ways in each, after
        one to warm up; times are medians with their range, figures are medians of the ratios in
        each round, memory is the kernel's `VmHWM` of each process""",
    )
    return [" ".join(fact.split()) for fact in facts]


def _table(lines: Sequence[Line]) -> str:
    rows = [
        (
            line.what,
            line.today,
            line.ours,
            line.figure,
            line.target,
            "" if line.met is None else "yes" if line.met else "**no**",
        )
        for line in lines
    ]
    return "\n".join(
        f"| {' | '.join(row)} |" for row in (_HEADERS, ("---",) * len(_HEADERS), *rows)
    )


def _document(table: str, facts: Sequence[str]) -> str:
    return (
        "# What was measured\n\n"
        "Written by `make bench`. Today's way to look is `alembic current` and `alembic heads` for "
        "each of three\nenvironments (six processes); today's way to carry out is `alembic upgrade "
        "head`. Whole processes, start-up\nincluded.\n\n"
        f"{table}\n\n" + "\n".join(f"- {fact}" for fact in facts) + "\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
