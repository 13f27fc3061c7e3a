"""Drive projects out of the wild: `python -m wild [NAME…] [--dialect D]`.

Owns the order: installations two at a time, chains as soon as their environment is there, and
the measuring at the end, when nothing else is at work.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wild import report, results
from wild.case import Case, MisbehavedError
from wild.databases import Databases
from wild.driving import MISSED, drive, drive_to_limit, measure
from wild.environments import CACHE, InstallError, ready, versions
from wild.recipes import DIALECTS, Chain, chains
from wild.results import Entry


def main(arguments: Sequence[str]) -> int:
    """Drive what is asked for; return 1 if anything misbehaves."""
    known = chains()
    parser = argparse.ArgumentParser(prog="python -m wild", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--dialect", action="append", choices=DIALECTS)
    parser.add_argument("--jobs", type=int, default=2, help="chains at the same time")
    parser.add_argument("--no-measure", action="store_true", help="leave the seconds as they were")
    parser.add_argument("--only-measure", action="store_true", help="what behaved the last time")
    parser.add_argument("--no-results", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(f"no such chain: {', '.join(unknown)}")
    chosen = [known[name] for name in options.names] or list(known.values())
    wanted = [
        (chain, dialect)
        for chain in chosen
        for dialect in chain.all_dialects
        if not options.dialect or dialect in options.dialect
    ]
    databases = Databases()
    whole = Whole(
        databases,
        writes=not options.no_results,
        drives=not options.only_measure,
        measures=not options.no_measure,
    )
    try:
        entries = whole.run(wanted, jobs=options.jobs)
    finally:
        databases.close()
    bad = [entry for entry in entries if entry.verdict == "misbehaves"]
    print(f"{len(entries) - len(bad)} of {len(entries)} behave")
    return 1 if bad else 0


@dataclass(frozen=True)
class Whole:
    """A run of many chains; each result is kept as soon as it is known."""

    databases: Databases
    writes: bool
    drives: bool
    measures: bool
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, wanted: Sequence[tuple[Chain, str]], *, jobs: int) -> list[Entry]:
        """Install, drive, and at last measure, each chain on each dialect."""
        environments = {chain.environment.name: chain.environment for chain, _ in wanted}
        with ThreadPoolExecutor(2) as installers, ThreadPoolExecutor(jobs) as drivers:
            pythons = {name: installers.submit(ready, one) for name, one in environments.items()}
            tasks = [
                drivers.submit(self._drive, chain, dialect, pythons[chain.environment.name])
                for chain, dialect in wanted
            ]
            driven = [task.result() for task in tasks]
        return [self._finish(case, problem) for case, problem in driven]

    def _drive(self, chain: Chain, dialect: str, installed: Future[Path]) -> tuple[Case, str]:
        began = time.monotonic()
        python, problem = Path(), ""
        try:
            python = installed.result()
        except InstallError as error:
            problem = f"not installed: {error}"
        folder = CACHE / "runs" / f"{chain.name}-{dialect}"
        case = Case(
            chain=chain,
            dialect=dialect,
            python=python,
            folder=folder,
            new_database=partial(self.databases.new, dialect, folder),
        )
        if not problem and not self.drives:
            return self._as_last_time(case)
        if not problem:
            problem = _attempt(case, drive if dialect in chain.dialects else drive_to_limit)
        verdict = f"MISBEHAVES\n{problem}" if problem else "; ".join(case.checks)
        print(f"{case.name}: {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
        self._keep(case, problem)
        return case, problem

    @staticmethod
    def _as_last_time(case: Case) -> tuple[Case, str]:
        """Return a case with what the last run found out."""
        entry = results.read().get(f"{case.chain.name} {case.dialect}")
        if entry is None:
            return case, "it was never driven"
        case.facts.update(entry.facts)
        case.checks.extend(entry.checks)
        return case, "" if entry.problem.startswith(MISSED) else entry.problem

    def _finish(self, case: Case, problem: str) -> Entry:
        """Measure a chain that behaves so far; nothing else is at work any more."""
        if not problem and self.measures and case.dialect in case.chain.dialects:
            problem = _attempt(case, measure)
            told = ", ".join(f"{name} {one:.1f} s" for name, one in case.seconds.items())
            print(f"{case.name}: {told}{' MISSED' if problem else ''}", flush=True)
        return self._keep(case, problem)

    def _keep(self, case: Case, problem: str) -> Entry:
        server = self.databases.version(case.dialect)
        with self.lock:
            everything = results.read()
            old = everything.get(f"{case.chain.name} {case.dialect}")
            seconds = case.seconds or (old.seconds if old else {})
            entry = _entry(case, problem, seconds, server)
            if self.writes:
                everything[entry.key] = entry
                results.keep(everything)
                report.DOCUMENT.write_text(report.render(chains(), everything), "utf-8")
        return entry


def _attempt(case: Case, act: Callable[[Case], None]) -> str:
    """Return what is wrong, or nothing."""
    try:
        act(case)
    except MisbehavedError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - the others shall be driven all the same
        return traceback.format_exc()
    return ""


def _entry(case: Case, problem: str, seconds: Mapping[str, float], server: str) -> Entry:
    works = case.dialect in case.chain.dialects
    package = case.chain.environment.packages[0].split("==", maxsplit=1)[0].split("[")[0]
    wanted = (package, "alembic", "sqlalchemy")
    installed = versions(case.python, *wanted) if case.python.name else {}
    return Entry(
        chain=case.chain.name,
        dialect=case.dialect,
        verdict="misbehaves" if problem else "works" if works else "limit",
        date=datetime.now(UTC).date().isoformat(),
        versions={
            **installed,
            "Python": case.chain.environment.python,
            **({"server": server} if server else {}),
        },
        facts=case.facts,
        checks=tuple(case.checks),
        seconds={name: round(one, 1) for name, one in seconds.items()},
        problem=problem.partition("\n")[0],  # the rest was printed
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
