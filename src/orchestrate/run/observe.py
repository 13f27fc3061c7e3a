"""Looking at many targets at once, writing to none of them.

Targets of one project that may share an agent stand in one queue. A queue begins with one agent,
because most databases answer in milliseconds and an agent costs an interpreter; when nothing has
come back for a while, another agent joins in, so that one silent host holds up nobody.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from orchestrate.adapters.agent_process import AgentProcess
from orchestrate.domain.observation import Observation, Sight, Unreachable
from orchestrate.domain.revisions import Graph
from orchestrate.domain.snapshot import SchemaRows
from orchestrate.errors import OrchestrateError
from orchestrate.run.access import Access
from orchestrate.run.explaining import explained
from orchestrate.run.memory import Memory
from orchestrate.run.session import Session
from orchestrate.stores.graph_cache import GraphCache
from orchestrate.values import dataclass

_PATIENCE_SECONDS: Final = 1.5
_MOST_AGENTS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of looking at one target; `session` stays open where it was asked for."""

    environment: str
    access: Access | None
    """None where not even the way to it could be worked out."""
    sight: Sight
    graph: Graph | None
    session: Session | None = None
    error: OrchestrateError | None = None
    rows: SchemaRows | None = None
    """What describes the schema, where that was asked for and could be read."""
    rows_error: OrchestrateError | None = None
    """Why it could not be read."""
    rows_digest: str | None = None
    """Digest of what describes the schema, in place of it, where that is as it was left."""

    def load_pending(self) -> None:
        """Have the agent load the revisions if some are pending, while we go on."""
        if self.session is None or self.graph is None or not isinstance(self.sight, Observation):
            return
        if {*self.sight.heads} != self.graph.heads:
            self.session.load_revisions()


def open_session(access: Access) -> Session:
    """Start an agent for the target. Raises `agent-failed`, and what connecting by SSH raises."""
    return session_with(access, start_agent(access))


def session_with(access: Access, agent: AgentProcess) -> Session:
    """Return a session of an agent, the way to the target open. Raises what opening it raises.

    The agent is started first: its interpreter and a tunnel come up side by side.
    """
    if access.tunnel is not None:
        try:
            access.tunnel.open()
        except BaseException:
            agent.kill()
            raise
    return Session(access, agent)


def start_agent(access: Access) -> AgentProcess:
    """Start the agent that the target's runner gives.

    Raises `agent-failed`, and what connecting by SSH raises.
    """
    spare = None
    if access.far is None:
        folder = Path(access.folder)
        spare = access.spare.take(access.command, folder, on_output=access.on_output)
    return spare or AgentProcess.start(
        access.command,
        cwd=access.folder,
        redactor=access.redactor,
        on_output=access.on_output,
        launcher=access.roads.launcher(access.far),
    )


def observe_one(access: Access, cache: GraphCache, *, session: Session | None = None) -> Seen:
    """Look at one target and keep its session open, for a run that may follow.

    With a session that is open already, that one is used. Raises what is wrong instead of putting
    it into a row.
    """
    try:
        session = session or open_session(access)
        observation = session.observe()
        return Seen(
            environment=access.environment,
            access=access,
            sight=observation,
            graph=_graph(session, observation, cache),
            session=session,
        )
    except BaseException as error:
        if session is not None:
            session.kill()
        if isinstance(error, OrchestrateError):
            raise explained(error, access) from error
        raise


def observe_all(
    accesses: Sequence[Access],
    cache: GraphCache,
    *,
    schemas: bool = False,
    memory: Memory | None = None,
) -> Iterator[Seen]:
    """Look at every target, all at the same time; the iterator yields each as it is known.

    The agents are at work when this returns. A target that cannot be looked at is an `Unreachable`
    with its cause, never an exception. With `schemas`, what describes the schema is read as well;
    with a `memory`, neither env.py nor the rows are needed of a target that is as it was left.
    """
    answers: queue.Queue[Seen] = queue.Queue()
    waiting = [
        _Line(group, answers, cache, schemas=schemas, memory=memory) for group in _groups(accesses)
    ]
    agents = 0
    for line in waiting:
        if agents < _MOST_AGENTS:
            line.add_agent()
            agents += 1
    return _answered(len(accesses), answers, waiting, agents)


def _answered(
    count: int, answers: queue.Queue[Seen], waiting: Sequence[_Line], agents: int
) -> Iterator[Seen]:
    for _ in range(count):
        while True:
            try:
                yield answers.get(timeout=_PATIENCE_SECONDS)
                break
            except queue.Empty:
                slow = [line for line in waiting if line.has_waiting]
                if slow and agents < max(_MOST_AGENTS, len(waiting)):
                    # A line that never got an agent comes before one that has a slow one.
                    min(slow, key=lambda line: line.agents).add_agent()
                    agents += 1


def _groups(accesses: Sequence[Access]) -> list[list[Access]]:
    groups: dict[object, list[Access]] = {}
    for number, access in enumerate(accesses):
        key: object = (
            (
                access.command,
                access.far,
                access.folder,
                repr(sorted(access.project.get("environ", {}))),
            )
            if access.shareable
            else number
        )
        groups.setdefault(key, []).append(access)
    return list(groups.values())


class _Line:
    """Targets that wait for the agents of one group."""

    def __init__(
        self,
        accesses: Sequence[Access],
        answers: queue.Queue[Seen],
        cache: GraphCache,
        *,
        schemas: bool,
        memory: Memory | None,
    ) -> None:
        self._waiting: queue.SimpleQueue[Access] = queue.SimpleQueue()
        for access in accesses:
            self._waiting.put(access)
        self._answers = answers
        self._cache = cache
        self._schemas = schemas
        self._memory = memory
        self.agents = 0

    @property
    def has_waiting(self) -> bool:
        return not self._waiting.empty()

    def add_agent(self) -> None:
        self.agents += 1
        threading.Thread(target=self._work, daemon=True, name="observe").start()

    def _work(self) -> None:
        agent: AgentProcess | None = None
        while True:
            try:
                access = self._waiting.get_nowait()
            except queue.Empty:
                break
            agent = self._serve(access, agent)
        if agent is not None:
            agent.close()

    def _serve(self, access: Access, agent: AgentProcess | None) -> AgentProcess | None:
        """Answer for one target; return the agent if it may serve the next one."""
        try:
            agent = agent or start_agent(access)
            session = session_with(access, agent)
            seen = self._as_left(session) or self._looked(session)
            self._answers.put(seen)
            if seen.rows_error is not None:
                agent.kill()
                return None
        except OrchestrateError as error:
            told = explained(error, access)
            self._answers.put(
                Seen(
                    environment=access.environment,
                    access=access,
                    sight=_unreachable(access, told),
                    graph=None,
                    error=told,
                )
            )
            if agent is not None:
                agent.kill()
            return None
        except BaseException as error:  # noqa: BLE001  (a thread's defect must reach the reader)
            wrapped = OrchestrateError("internal", f"{type(error).__name__}: {error}")
            self._answers.put(
                Seen(
                    environment=access.environment,
                    access=access,
                    sight=_unreachable(access, wrapped),
                    graph=None,
                    error=wrapped,
                )
            )
            if agent is not None:
                agent.kill()
            return None
        return agent

    def _as_left(self, session: Session) -> Seen | None:
        """Return the target as it was left, without running env.py; None if anything differs."""
        access, memory = session.access, self._memory
        seen = memory.find(access) if memory else None
        graph = self._cache.find(seen["graph_digest"]) if seen else None
        found = session.recall(seen) if seen and graph else None
        if memory is None or found is None or not memory.is_left(*found):
            return None
        observation, rows = found
        return Seen(
            environment=access.environment,
            access=access,
            sight=observation,
            graph=graph,
            rows_digest=rows,
        )

    def _looked(self, session: Session) -> Seen:
        if self._memory is None:
            observation = session.observe()
        else:
            observation, told = session.observe_for_later()
            self._memory.keep(session.access, told)
        rows, problem = _schema(session) if self._schemas else (None, None)
        return Seen(
            environment=session.access.environment,
            access=session.access,
            sight=observation,
            graph=_graph(session, observation, self._cache),
            rows=rows,
            rows_error=problem,
        )


def _unreachable(access: Access, error: OrchestrateError) -> Unreachable:
    return Unreachable(
        environment=access.environment,
        target=access.target,
        dialect=access.dialect.name,
        code=error.code,
        message=error.message,
        hint=error.hint,
        trouble=error.trouble,
    )


def _schema(session: Session) -> tuple[SchemaRows | None, OrchestrateError | None]:
    """Return what describes the schema, or why it cannot be read: the rest was seen all the same.

    An agent that failed at it is not to be used again.
    """
    try:
        return session.schema_rows(), None
    except OrchestrateError as error:
        return None, explained(error, session.access)


def _graph(session: Session, observation: Observation, cache: GraphCache) -> Graph:
    graph = cache.find(observation.graph_digest)
    if graph is None:
        graph = session.graph()
        cache.keep(graph)
    return graph
