"""Values for the state store, and its API for child processes.

Run as a program it does one thing to a store, so that tests can race and kill real processes:
`python -m tests.support.states DO NAME…`, with the store's URL on standard input. Each name is a
process; several begin at the same moment. What they say is a line with their name in front.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.domain.leases import Lease, RecordedIdentity
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import StateStore, open_state
from tests.support.databases import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def at(seconds: float = 0) -> datetime:
    """Return a moment so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def event(
    number: int = 1,
    *,
    kind: EventKind = "step.started",
    run: str | None = "run-1",
    step: str | None = "s1",
    **data: object,
) -> NewEvent:
    """Return an event that is told from others by its number, which is its second as well."""
    return NewEvent(kind=kind, at=at(number), run=run, step=step, data={"number": number, **data})


def lease(name: str = "lease-1", *, second: float = 0, lasts: float = 60, **more: Any) -> Lease:
    """Return the lease that a run would want at that second."""
    values: dict[str, Any] = {
        "target_key": "sqlite:/srv/app.db alembic_version",
        "environment": "production",
        "target": "production",
        "run": f"run-of-{name}",
        "holder": "alice@app1",
        "host": "app1",
        "pid": 4711,
        "step": None,
        "acquired_at": at(second),
        "heartbeat_at": at(second),
        "expires_at": at(second + lasts),
    }
    return Lease(id=name, **{**values, **more})


def identity(name: str = "production", *, is_: str = "postgresql 7 app") -> RecordedIdentity:
    """Return a record of which database an environment is."""
    return RecordedIdentity(
        environment=name,
        target=name,
        identity=is_,
        version_table="alembic_version",
        recorded_at=NOON,
    )


def open_store(database: Database, *, query: str = "") -> StateStore:
    """Open the store of a test's database."""
    return open_state(Secret(database.url + query), safe_url=f"the {database.kind} of the test")


class Child:
    """A program that does one thing to a store, in one process or in several that race."""

    def __init__(self, do: str, *names: str, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.states", do, *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(f"{url}\n")
        self.process.stdin.flush()

    def read_line(self) -> str:
        """Return the next line it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> list[str]:
        """Kill it, and return the whole lines that it had said and nobody had read."""
        self.process.kill()
        return self.end()

    def end(self) -> list[str]:
        """Wait for its end, and return the whole lines that nobody had read."""
        # Not `communicate`, which leaves out what a line that was read has buffered behind it.
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.process:
            self.process.stdin.close()
            output = self.process.stdout.read()
        return [line.strip() for line in output.splitlines(keepends=True) if line.endswith("\n")]


def race(do: str, names: Sequence[str], url: str) -> dict[str, list[str]]:
    """Let a process a name begin at the same moment, and return what each of them said."""
    child = Child(do, *names, url=url)
    said: dict[str, list[str]] = {name: [] for name in names}
    for line in child.end():
        name, _, text = line.partition(" ")
        said[name].append(text)
    assert child.process.returncode == 0, said
    return said


def _main(do: str, names: Sequence[str]) -> None:
    url = sys.stdin.readline().strip()
    # Imported before the race begins, so that it is for the database and not for the disk.
    for module in ("alembic.command", "psycopg", "pymysql"):
        importlib.import_module(module)
    # Forked, not spawned: nothing is open yet, and starting Python is what a race waits for most.
    processes = multiprocessing.get_context("fork")
    gate = processes.Barrier(len(names))
    racers = [processes.Process(target=_race, args=(do, name, url, gate.wait)) for name in names]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    sys.exit(max(abs(racer.exitcode or 0) for racer in racers))


def _race(do: str, name: str, url: str, begin: Callable[[], object]) -> None:
    if do == "open":
        begin()
    with open_state(Secret(url), safe_url="the child's store") as state:
        if do == "open":
            _tell(name, f"{state.verify().count}")
            return
        begin()
        if do == "lease":
            _take(state, name)
        elif do == "append":
            _append(state, name, number=40)
        else:
            raise AssertionError(do)


def _append_for_ever() -> None:
    url = sys.stdin.readline().strip()
    with open_state(Secret(url), safe_url="the child's store") as state:
        _append(state, "victim", number=10**9)


def _take(state: StateStore, name: str) -> None:
    try:
        _tell(name, f"won {state.acquire_lease(lease(name, second=100)).id}")
    except OrchestrateError as error:
        _tell(name, f"{error.code} {error.details.get('id')}")


def _append(state: StateStore, name: str, *, number: int) -> None:
    for index in range(number):
        made = state.append(
            [event(index, run=name, filler="x" * (index % 700))],
            snapshots=[f"snapshot {index} of {name}"] if index % 10 == 0 else (),
        )
        _tell(name, f"{made[-1].sequence} {made[-1].hash}")


def _tell(name: str, text: str) -> None:
    # One write, which a pipe keeps whole.
    os.write(1, f"{name} {text}\n".encode())


if __name__ == "__main__":
    if sys.argv[1] == "append-for-ever":
        _append_for_ever()
    else:
        _main(sys.argv[1], sys.argv[2:])
