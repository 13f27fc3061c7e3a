"""Values for the state store, and its API for child processes.

Run as a program it does one thing to a store, so that tests can race and kill real processes:
`python -m tests.support.states DO NAME`, with the store's URL in the first line of standard input.
A second line starts it, which lets a test start several at the same moment.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
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
    """A process that does one thing to a store."""

    def __init__(self, do: str, name: str, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.states", do, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._say(url)

    def ready(self) -> None:
        """Return when the child waits for its start."""
        line = self.read_line()
        assert line == "ready", line

    def start(self) -> None:
        """Let it begin."""
        self._say("go")

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
        output, _ = self.process.communicate()
        return [line.strip() for line in output.splitlines(keepends=True) if line.endswith("\n")]

    def _say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()


def race(do: str, names: Sequence[str], url: str) -> dict[str, list[str]]:
    """Start one process a name, let them begin at once, and return what each of them said."""
    children = {name: Child(do, name, url) for name in names}
    for child in children.values():
        child.ready()
    for child in children.values():
        child.start()
    return {name: child.end() for name, child in children.items()}


def _main(do: str, name: str) -> None:
    url = sys.stdin.readline().strip()
    if do == "open":
        import alembic.command  # noqa: F401  (so that the race is for the lock, not for the disk)

        _ready()
        with _opened(url) as state:
            _tell(str(state.verify().count))
        return
    with _opened(url) as state:
        _ready()
        if do == "lease":
            _take(state, name)
        elif do == "append":
            _append(state, name, number=40)
        elif do == "append-for-ever":
            _append(state, name, number=10**9)
        else:
            raise AssertionError(do)


def _opened(url: str) -> StateStore:
    return open_state(Secret(url), safe_url="the child's store")


def _take(state: StateStore, name: str) -> None:
    try:
        _tell(f"won {state.acquire_lease(lease(name, second=100)).id}")
    except OrchestrateError as error:
        _tell(f"{error.code} {error.details.get('id')}")


def _append(state: StateStore, name: str, *, number: int) -> None:
    for index in range(number):
        made = state.append(
            [event(index, run=name, filler="x" * (index % 700))],
            snapshots=[f"snapshot {index} of {name}"] if index % 10 == 0 else (),
        )
        _tell(f"{made[-1].sequence} {made[-1].hash}")


def _ready() -> None:
    _tell("ready")
    sys.stdin.readline()


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
