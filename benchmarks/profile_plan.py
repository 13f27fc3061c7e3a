"""Say where the time of `plan` goes, on the example project: `python -m benchmarks.profile_plan`.

The pieces are measured one after another, in one process; `plan` itself does some of them side by
side, so that their sum is more than the whole.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.projects import orchestrate
from demo.walk import copied
from orchestrate.cli.invocation import Invocation
from orchestrate.cli.workbench import Workbench
from orchestrate.planning.chain import Chain
from orchestrate.run.observe import open_session

_ENVIRONMENT: Final = "production"
_ROUNDS: Final = 5
_IMPORT: Final = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)")
_SHOWN: Final = 12


def main() -> int:
    """Print whole, imports and pieces, in milliseconds."""
    with copied() as folder, contextlib.chdir(folder):
        _print("the whole, start to exit", _whole())
        _print("`python -c pass`", _median([sys.executable, "-c", "pass"]))
        print("\nImports of the orchestrator, own time of each package's modules:")
        for package, seconds in _imports():
            _print(f"  {package}", seconds)
        print("\nThe pieces, one after another:")
        for name, seconds in _pieces():
            _print(f"  {name}", seconds)
    return 0


def _print(name: str, seconds: float) -> None:
    print(f"{name:<45} {seconds * 1000:8.1f} ms")


def _whole() -> float:
    subprocess.run(orchestrate("plan", _ENVIRONMENT), check=True, capture_output=True)
    return _median(orchestrate("plan", _ENVIRONMENT))


def _median(command: list[str]) -> float:
    taken = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _imports() -> list[tuple[str, float]]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "orchestrate", "plan", _ENVIRONMENT],
        check=True,
        capture_output=True,
        text=True,
    )
    packages: dict[str, float] = defaultdict(float)
    for line in done.stderr.splitlines():
        found = _IMPORT.match(line)
        if found:
            package = found[2].partition(".")[0]
            known = package not in sys.stdlib_module_names
            packages[package if known else "(standard library)"] += int(found[1]) / 1e6
    return sorted(packages.items(), key=lambda one: -one[1])[:_SHOWN]


def _pieces() -> Iterator[tuple[str, float]]:
    taken: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        taken[name] = time.perf_counter() - began

    with timed("read the spec"):
        bench = Workbench(Invocation())
    with timed("URL, templates, runner"):
        access = bench.access(bench.environment(_ENVIRONMENT))
    with timed("our libraries (imported before: near 0)"):
        bench.load_libraries()
    with timed("open the state store"):
        bench.state.identities()
    with timed("start the agent: Python, SQLAlchemy, Alembic"):
        session = open_session(access)
        session.agent.hello()
    with session:
        with timed("first probe: env.py, connecting"):
            observation = session.observe()
        with timed("another probe"):
            session.observe()
        with timed("graph, by the agent"):
            graph = session.graph()
        with timed("graph, kept on disk"):
            bench.graphs.keep(graph)
            bench.graphs.find(graph.digest)
        with timed("order the revisions"):
            Chain(graph).moves(direction="upgrade", heads=observation.heads, to="heads")
    yield from taken.items()


if __name__ == "__main__":
    sys.exit(main())
