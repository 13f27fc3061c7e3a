"""One target through one agent: what is asked of it, in our words.

Owns the translation between the agent's messages and our values, and nothing that decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

from orchestrate.adapters.agent_process import AgentProcess, Message
from orchestrate.dialects.networks import as_declared
from orchestrate.domain.alembic_call import AlembicCall
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.diagnosis import Rows
from orchestrate.domain.observation import Habits, Observation
from orchestrate.domain.plan import Mode, Step
from orchestrate.domain.revisions import Graph, Revision
from orchestrate.domain.snapshot import Difference, SchemaRows, Snapshot
from orchestrate.run.access import Access, plain_kit

_SCHEMA_SECONDS: Final = 10.0
_SERVER_FIRST_SECONDS: Final = 1.0
"""How much longer than the server we wait: its own time limit leaves the agent usable."""


class Session:
    """A target with an agent at work on it. Close it, or kill it after any failure."""

    def __init__(self, access: Access, agent: AgentProcess) -> None:
        self.access = access
        self.agent = agent
        self.observation: Observation | None = None
        self._described: tuple[object, Snapshot] | None = None
        """The rows that were described last: around a step they are asked about more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.agent.close()

    def ask(self, request: str, **more: Any) -> Mapping[str, Any]:
        """Make a request about the target and return its result."""
        return self.agent.call(
            request, deadline=self.access.agent_timeout, **self.access.common, **more
        )

    def observe(self) -> Observation:
        """Read where the target stands, through env.py and a connection of our own; read-only."""
        return self._observed(self.ask("probe"))

    def observe_for_later(self) -> tuple[Observation, Mapping[str, Any]]:
        """Do the same; return beside it what `recall` needs at another time."""
        seen = self.ask("probe", sources=True)
        return self._observed(seen), seen

    def recall(self, seen: Mapping[str, Any]) -> tuple[Observation, str] | None:
        """Read where the target stands without running env.py, and the digest of its schema.

        `seen` is what `observe_for_later` returned. None where env.py has to be asked: it, a file
        that it leans on, the revisions or the database are not the same any more.
        """
        told = self.ask("recall", seen=seen, ordered=self.access.ordered)
        return None if told["found"] is None else (self._observed(told["found"]), told["rows"])

    def observe_again(self) -> Observation:
        """Read what may have moved since this session observed the target; env.py does not run."""
        return self._observed(self.ask("look"))

    def _observed(self, found: Mapping[str, Any]) -> Observation:
        dialect = self.access.dialect
        self._described = None
        schema = found["version_table_schema"] or found.get("default_schema")
        table = found["version_table"]
        self.observation = Observation(
            environment=self.access.environment,
            target=self.access.target,
            dialect=dialect.name,
            server_version=dialect.server_version(found["server_version"]),
            identity=dialect.identity(self._identity_rows(found["identity"])),
            version_table=f"{schema}.{table}" if schema else table,
            has_version_table=found["has_version_table"],
            heads=tuple(sorted(found["heads"])),
            tables=found["tables"],
            habits=Habits(
                external_transaction=found["external_transaction"],
                transaction_per_migration=found["transaction_per_migration"],
                transactional_ddl=found["transactional_ddl"],
                asynchronous=found["asynchronous"],
            ),
            graph_digest=found["graph_digest"],
            pooled=found["pooled"],
            unmade=found["unmade"],
            driver=found["driver"],
            version_locations=tuple(found["version_locations"]),
            made_files=tuple(found["made_files"]),
            unmade_databases=tuple(found["unmade_databases"]),
        )
        return self.observation

    def _identity_rows(self, rows: list[list[object]]) -> list[list[object]]:
        """Return what proves which database it is; of an unknown server, what its URL says.

        Which port of this machine leads to it proves nothing.
        """
        kit = self.access.dialect.kit(lock_timeout=None, statement_timeout=None)
        if kit.identity is not None or self.access.tunnel is None:
            return rows
        return as_declared(rows, DatabaseUrl.parse(self.access.declared_url.reveal()))

    def query(self, statements: Mapping[str, str]) -> Rows:
        """Ask the server, in a transaction that only reads and is rolled back."""
        rows: Rows = self.ask("query", statements=dict(statements))["rows"]
        return rows

    def query_if_possible(self, statements: Mapping[str, str]) -> Rows | None:
        """Do the same; None where the server does not answer one of them."""
        rows: Rows | None = self.ask("query", statements=dict(statements), optional=True)["rows"]
        return rows

    def graph(self) -> Graph:
        """Read the project's revisions as env.py arranged them for this target."""
        found = self.ask("graph")
        return Graph(
            digest=found["digest"],
            revisions=tuple(revision_from(one) for one in found["revisions"]),
        )

    def load_revisions(self) -> None:
        """Have the agent load the revisions that a run will need, while we go on."""
        self.agent.tell("load", **self.access.common)

    def snapshot_of(self, rows: Mapping[str, list[list[object]]]) -> Snapshot:
        """Return the schema that snapshot rows describe, without the version table."""
        if self._described is None or self._described[0] is not rows:
            table = self.observation.version_table if self.observation else "alembic_version"
            self._described = rows, self.access.dialect.snapshot(rows, version_table=table)
        return self._described[1]

    def snapshot(self) -> Snapshot:
        """Read the target's schema as it is now; read-only."""
        return self.snapshot_of(self.schema_rows())

    def schema_rows(self) -> SchemaRows:
        """Read what describes the target's schema, before it is made canonical; read-only."""
        rows: SchemaRows = self.ask("snapshot")["rows"]
        return rows

    def schema_soon(self) -> Callable[[], SchemaRows]:
        """Have the agent read the same while we go on; make no other request before its answer.

        Not for ever: somebody's lock on a table may stand in the way.
        """
        limit = min(_SCHEMA_SECONDS, self.access.agent_timeout)
        answer = self.agent.later("snapshot", deadline=limit, **self.access.common)

        def rows() -> SchemaRows:
            found: SchemaRows = answer()["rows"]
            return found

        return rows

    def lock(self, target_key: str) -> bool:
        """Try to take the target's own lock; never waits. It is held until the agent ends."""
        key = hashlib.sha256(target_key.encode()).hexdigest()[:16]
        return bool(self.ask("lock", key=key)["locked"])

    def render(self, steps: Sequence[Step], *, at_most: float | None = None) -> Mapping[str, Any]:
        """Render each step's SQL offline, up and down, one revision at a time.

        Rendering runs the revision's Python. With `at_most` seconds, after which the agent is lost,
        only what calls nothing but Alembic and SQLAlchemy is rendered.
        """
        wanted = [
            {"id": f"{step.id}/{number}", "revision": revision}
            for step in steps
            for number, revision in enumerate(
                [part.revision for part in step.parts] or [step.revision]
            )
        ]
        limit = self.access.agent_timeout
        deadline = limit if at_most is None else min(at_most, limit)
        found = self.agent.call(
            "render",
            deadline=deadline,
            **self.access.common,
            steps=wanted,
            only_plain=at_most is not None,
        )
        rendered: Mapping[str, Any] = found["sql"]
        return rendered

    def render_upgrades(self, revisions: Sequence[str] | None) -> Mapping[str, Any]:
        """Render what revisions do, offline; None stands for all of them.

        Only of those that call nothing but Alembic and SQLAlchemy: rendering runs their Python.
        Nothing is asked of the database.
        """
        steps = None if revisions is None else [{"id": one, "revision": one} for one in revisions]
        found = self.ask("render", steps=steps, only_plain=True, ways=["up"])
        rendered: Mapping[str, Any] = found["sql"]
        return rendered

    def run(
        self,
        steps: Sequence[Step],
        *,
        mode: Mode,
        snapshots: bool,
        measure: Mapping[str, str | Mapping[str, str] | None] | None = None,
        texts: bool = False,
    ) -> Iterator[Message]:
        """Carry steps of one kind out, yielding what happens; each `start` waits for an answer.

        With `texts`, `committed` has the first statements of the step, without parameters.
        With `measure`, `committed` tells of every statement, of locks by the query `locks`, and
        what the queries of `facts` say before and after the step.
        """
        messages = self.agent.request(
            "run",
            deadline=self.access.step_timeout,
            **self.access.common,
            direction=steps[0].kind,
            mode=mode,
            snapshots=snapshots,
            steps=[_step_fields(step) for step in steps],
            **({} if measure is None else {"measure": dict(measure)}),
            **({"texts": True} if texts else {}),
        )
        left: object = None
        for message in messages:
            if message.event == "committed":
                left = message.fields.get("snapshot")
            elif message.event == "start" and message.fields.get("as_committed"):
                # It does not say twice what the last step left.
                yield replace(message, fields={**message.fields, "snapshot": left})
                continue
            yield message

    def mark(self, step: Step) -> tuple[str, ...]:
        """Move the version table's rows as the step would, without its body; return them."""
        found = self.ask("mark", steps=[_step_fields(step)], direction=step.kind)
        return tuple(sorted(found["heads"]))

    def attempt(self, *statements: str) -> str | None:
        """Execute statements that change the server, each by itself; return what it refused."""
        problem: str | None = self.ask("attempt", statements=list(statements))["problem"]
        return problem

    def statement(self, sql: str, *, read_only: bool, seconds: float) -> Mapping[str, Any]:
        """Execute a statement of the spec's; return `problem`, `rows` and `more`.

        Raises `agent-stalled` where the server does not end it in time, which costs the agent.
        """
        return self.agent.call("statement", **self._apart(seconds), sql=sql, read_only=read_only)

    def count(self, query: str, *, seconds: float, asked: Callable[[], None]) -> Mapping[str, Any]:
        """Execute a query that reads whole tables; return `problem` and `rows`.

        It sees the data as they are when `asked` is called. It goes over a connection of its own,
        and what goes wrong there costs nobody the agent. Raises `agent-stalled` where the server
        does not end it in time.
        """
        for message in self.agent.request("count", **self._apart(seconds), sql=query):
            if message.event == "asked":
                asked()
            elif message.event == "result":
                found: Mapping[str, Any] = message.fields["result"]
                return found
        raise AssertionError("a request ends with a result or raises")

    def _apart(self, seconds: float) -> dict[str, Any]:
        """Return the fields of a request with time limits of its own."""
        kit = self.access.dialect.kit(
            lock_timeout=self.access.lock_timeout, statement_timeout=seconds
        )
        limit = seconds + _SERVER_FIRST_SECONDS
        return {**self.access.common, "deadline": limit, "dialect": plain_kit(kit)}

    @property
    def usable(self) -> bool:
        """Tell whether the agent can be asked anything."""
        return self.agent.usable

    def scratch_file(self, name: str) -> str:
        """Return the path of a scratch database's file; what is there of it is removed."""
        return str(self.ask("scratch-file", name=name)["path"])

    def differences_to_models(self) -> tuple[Difference, ...] | None:
        """Return what differs from the project's models; None where env.py has none."""
        found = self.ask("models")["differences"]
        return None if found is None else tuple(Difference(**one) for one in found)

    def alembic_arguments(self, arguments: Sequence[str]) -> AlembicCall:
        """Return how the project's own Alembic understands a command line. Raises `usage`."""
        found = self.ask("arguments", argv=list(arguments))
        return AlembicCall(
            command=found["command"], options=found["options"], help_text=found["text"]
        )

    def alembic(self, arguments: Sequence[str]) -> Iterator[str]:
        """Run a command of Alembic's that only looks; yield the lines that it prints.

        Raises `alembic-failed` with Alembic's own words. It may take as long as it likes.
        """
        for message in self.agent.request(
            "command", deadline=None, **self.access.common, argv=list(arguments)
        ):
            if message.event == "output":
                yield str(message.fields["text"])

    def go(self, *, ahead: Step | None = None) -> None:
        """Let the agent begin what it announced; or, `ahead` of its announcement, a step.

        What is granted ahead begins only if the version table is then as the step expects it.
        """
        self.agent.go(ahead=ahead.id if ahead else None)

    def stop(self) -> None:
        """Have the agent end the run before what it announced."""
        self.agent.stop()

    def stop_from_signal(self) -> None:
        """Have the agent end the run before its next step; for a signal's handler."""
        self.agent.stop_from_signal()

    def kill(self) -> None:
        """End the agent at once, in the middle of whatever it does."""
        self.agent.kill()

    def shoot(self) -> None:
        """End the agent's process and leave its pipes to whoever reads them.

        For a signal's handler, which may have interrupted that very reading.
        """
        self.agent.shoot()


SessionOpener = Callable[[], Session]


def revision_from(found: Mapping[str, Any]) -> Revision:
    """Return the revision that an agent's `graph` answer, or its cached copy, describes."""
    return Revision(
        id=found["id"],
        down=tuple(found["down"]),
        depends_on=tuple(found["depends_on"]),
        labels=tuple(found["labels"]),
        title=found["title"],
        file=found["file"],
        sha256=found["sha256"],
        downgrade=found["downgrade"],
        leaves_transaction=found["leaves_transaction"],
    )


def _step_fields(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "revision": step.revision,
        "from_heads": list(step.from_heads),
        "to_heads": list(step.to_heads),
        "file_sha256": step.file_sha256,
        "transactional": step.transactional,
        "parts": [
            {
                "revision": part.revision,
                "from_heads": list(part.from_heads),
                "to_heads": list(part.to_heads),
                "file_sha256": part.file_sha256,
            }
            for part in step.parts
        ],
    }
