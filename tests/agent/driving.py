"""Driving an agent in tests as the executor does, without the executor.

Owns how a request is put together. Must not look into a database: `tests.support.databases` does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from orchestrate.adapters.agent_process import AgentProcess, Message
from orchestrate.adapters.redaction import Redactor
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.run.access import plain_kit
from tests.support.databases import Database
from tests.support.projects import Project

DEADLINE = 30.0


class Driver:
    """An agent at work on one project and one database; the URL goes in as `sqlalchemy.url`."""

    def __init__(
        self,
        project: Project,
        database: Database,
        *,
        python: Path | str = sys.executable,
        url: str | None = None,
        lock_timeout: float | None = 5.0,
        dialect: str | None = None,
        **fields: Any,
    ) -> None:
        self.project = project
        self.database = database
        self.url = url or url_for(database, python)
        self.dialect = dialect_for(dialect or database.dialect)
        self.kit = self._plain_kit(lock_timeout)
        self.fields: dict[str, Any] = {
            "config": project.config.name,
            "options": {"sqlalchemy.url": self.url},
            **fields,
        }
        redactor = Redactor()
        redactor.add_url(Secret(self.url))
        self.agent = AgentProcess.start([str(python)], cwd=project.folder, redactor=redactor)

    def _plain_kit(self, lock_timeout: float | None) -> dict[str, Any]:
        return plain_kit(self.dialect.kit(lock_timeout=lock_timeout, statement_timeout=None))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.close()

    @property
    def common(self) -> dict[str, Any]:
        return {"project": self.fields, "url": self.url, "dialect": self.kit}

    def ask(
        self, do: str, *, deadline: float | None = DEADLINE, **fields: Any
    ) -> Mapping[str, Any]:
        """Make a request about the target and return its result."""
        return self.agent.call(do, deadline=deadline, **self.common, **fields)

    def revisions(self) -> dict[str, dict[str, Any]]:
        """Return the graph by identifier."""
        return {one["id"]: one for one in self.ask("graph")["revisions"]}

    def steps(self, revisions: Sequence[str]) -> list[dict[str, Any]]:
        """Return steps as a plan would hold them."""
        graph = self.revisions()
        return [
            {"id": f"step-{one}", "revision": one, "file_sha256": graph[one]["sha256"], "parts": []}
            for one in revisions
        ]

    def native_step(self, revisions: Sequence[str]) -> list[dict[str, Any]]:
        """Return the one step that a plan of mode native would hold."""
        parts = self.steps(revisions)
        return [{**parts[-1], "id": "step-all", "parts": parts}]

    def run(
        self,
        revisions: Sequence[str],
        *,
        direction: str = "upgrade",
        mode: str = "session",
        snapshots: bool = False,
        deadline: float | None = DEADLINE,
        steps: Sequence[Mapping[str, Any]] | None = None,
        on_message: Callable[[Message], str | None] = lambda _: None,
    ) -> list[Message]:
        """Carry revisions out and return all that was said.

        Every announcement is answered with `go`, unless `on_message` returns another answer:
        `stop` or `nothing`.
        """
        if steps is None:
            one = mode == "native"
            steps = self.native_step(revisions) if one else self.steps(revisions)
        heard = []
        for message in self.agent.request(
            "run",
            deadline=deadline,
            **self.common,
            steps=steps,
            direction=direction,
            mode=mode,
            snapshots=snapshots,
        ):
            heard.append(message)
            answer = on_message(message) or "go"
            if message.event in {"start", "leaving-transaction"} and answer != "nothing":
                self.agent.go() if answer == "go" else self.agent.stop()
        return heard


def url_for(database: Database, python: Path | str) -> str:
    """Return a URL that the SQLAlchemy of that Python knows: 1.4 has no psycopg 3."""
    old = database.kind == "postgresql" and Path(python).parts[-3] == "oldest"
    return database.url_with("psycopg2") if old else database.url


def events(heard: Sequence[Message]) -> list[tuple[str, str | None]]:
    """Return what was said about steps, without what depends on time."""
    kept = ("start", "committed", "leaving-transaction", "result")
    return [(one.event, one.fields.get("step")) for one in heard if one.event in kept]


def failure(action: Callable[[], object]) -> OrchestrateError:
    """Return the error that an action ends with."""
    try:
        action()
    except OrchestrateError as error:
        return error
    raise AssertionError("no error")
