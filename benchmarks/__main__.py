"""Measure everything on private servers, print tables, keep them in `RESULTS.md`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.backups import backup_lines
from benchmarks.drift import drift_lines
from benchmarks.lint import lint_lines
from benchmarks.questions import apply_lines, plan_lines
from benchmarks.rehearsal import rehearsal_lines
from benchmarks.table import Line, table
from orchestrate import __version__
from tests.support.postgresql_server import PostgresqlServer

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_LIBRARIES: Final = ("alembic", "sqlalchemy", "psycopg", "click", "pydantic")
_ROUNDS: Final = 7
_INTRODUCTION: Final = """\
# What was measured

Written by `make bench`; one section alone by `python -m benchmarks SECTION`. Today's way to look
is `alembic current` and `alembic heads` for each of three environments (six processes); today's way
to carry out is `alembic upgrade head`. Whole processes, start-up included; servers with their
default durability, on the loopback address, with passwords. All ways are measured in each round,
after one to warm up; times are medians with their range, figures are medians of the ratios in each
round, memory is the kernel's `VmHWM` of each process.
"""


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 also where a target is missed, which the table says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(_SECTIONS))
    parser.add_argument("--no-results", action="store_true", help=f"leave {RESULTS.name} alone")
    options = parser.parse_args(arguments)
    if unknown := sorted({*options.sections} - {*_SECTIONS}):
        parser.error(f"no such section: {', '.join(unknown)}")
    kept = _sections(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for title in options.sections or _SECTIONS:
        load = os.getloadavg()[0]
        found = table(_SECTIONS[title]())
        print(f"## {title}\n\n{found}\n", flush=True)
        kept[title] = f"{found}\n\n{_fact(load)}"
        if not options.no_results:
            RESULTS.write_text(_document(kept), "utf-8")
    return 0


def _plan() -> Iterator[Line]:
    with _server() as (server, folder):
        for revisions, rounds in ((50, _ROUNDS), (2000, _ROUNDS // 2)):
            place = folder / f"plan-{revisions}"
            yield from plan_lines(server, place, revisions=revisions, rounds=rounds)


def _apply() -> Iterator[Line]:
    with _server() as (server, folder):
        for revisions in (50, 300):
            place = folder / f"apply-{revisions}"
            yield from apply_lines(server, place, revisions=revisions, rounds=_ROUNDS)
        place = folder / "apply-full"
        yield from apply_lines(server, place, revisions=300, rounds=_ROUNDS, full=True)


@contextmanager
def _server() -> Iterator[tuple[PostgresqlServer, Path]]:
    server = PostgresqlServer()
    try:
        with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
            yield server, Path(name)
    finally:
        server.close()


_SECTIONS: Final[dict[str, Callable[[], Iterator[Line]]]] = {
    "plan": _plan,
    "apply": _apply,
    "drift": drift_lines,
    "lint": lint_lines,
    "backup": backup_lines,
    "rehearsal": rehearsal_lines,
}


def _fact(load: float) -> str:
    """Return when and with what a section was measured."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, orchestrate {__version__}, Python "
        f"{platform.python_version()}, {versions}; {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, {memory:.0f} GB, load average at the start {load:.1f}."
    )


def _sections(text: str) -> dict[str, str]:
    """Return what the file has of each section."""
    parts = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        title: body.strip()
        for title, body in zip(parts[::2], parts[1::2], strict=True)
        if title in _SECTIONS
    }


def _document(kept: Mapping[str, str]) -> str:
    return _INTRODUCTION + "".join(
        f"\n## {title}\n\n{kept[title]}\n" for title in _SECTIONS if title in kept
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
