"""Looking at one target as `doctor` does: everything that can be known without writing.

Where env.py does not connect to the target, other ways of handing it the URL are tried, each in an
agent of its own: what a variable says is read once, at import. The probe is read-only whatever the
spec says, and the guard in `configure()` stops an env.py that went elsewhere.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from orchestrate.adapters.agent_process import AgentProcess
from orchestrate.domain.diagnosis import (
    Interpreter,
    Outcome,
    Rows,
    Search,
    Source,
    Survey,
    Trial,
    Way,
)
from orchestrate.domain.observation import Observation
from orchestrate.domain.revisions import Graph
from orchestrate.errors import OrchestrateError
from orchestrate.planning.env_reading import Reading, joined, read_source
from orchestrate.planning.injections import Clues, search, worth_searching
from orchestrate.planning.ways import plainly
from orchestrate.run.access import Access
from orchestrate.run.explaining import explained
from orchestrate.run.observe import open_session, session_with, start_agent
from orchestrate.run.session import Session
from orchestrate.run.survey import read_interpreter, read_sources, read_survey
from orchestrate.stores.graph_cache import GraphCache
from orchestrate.values import dataclass

_UNREAD: Final = Reading()
_NO_SEARCH: Final = Search()
_WORKS: Final = Outcome(code="", message="")
_SEARCH_SECONDS: Final = 180.0
_MOST_MODULES: Final = 60
_ROUNDS: Final = 3
_SETTINGS: Final = re.compile(r"conf|sett|env|database|db|engine|session|const", re.IGNORECASE)

AccessBy = Callable[[Way], Access]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found at the far end; None where it did not come so far."""

    access: Access
    way: Way
    """The declared one."""
    interpreter: Interpreter | None = None
    survey: Survey | None = None
    reading: Reading = _UNREAD
    """What env.py's own text says."""
    error: OrchestrateError | None = None
    """What the declared way came to; None where it works."""
    first: Outcome = _WORKS
    """The same in the agent's own words, which tell more of what to try."""
    search: Search = _NO_SEARCH
    sight: Observation | None = None
    """By the declared way, or by the one that was found."""
    graph: Graph | None = None
    graph_error: OrchestrateError | None = None
    rights: Rows | None = None
    rights_error: OrchestrateError | None = None


def examine(
    way: Way, access_by: AccessBy, graphs: GraphCache, *, tell: Callable[[Way], None]
) -> Examination:
    """Look at a target by the declared way, and look for another where that does not work.

    Nothing is written to the target. `tell` is called before each way that is tried.
    """
    access = access_by(way)
    found = Examination(access=access, way=way)
    try:
        session = open_session(access)
    except OrchestrateError as error:
        return replace(found, error=explained(error, access), first=_outcome(error))
    try:
        found = replace(found, interpreter=read_interpreter(session))
        survey = read_survey(session)
        reading = read_source(survey.env.text) if survey.env else Reading()
        found = replace(found, survey=survey, reading=reading)
        found = _looked(found, session, graphs)
    except OrchestrateError as error:
        session.kill()
        found = replace(found, error=explained(error, access), first=_outcome(error))
    else:
        session.agent.close()
        return found
    if found.survey is None or not worth_searching(found.first):
        return found
    return _searched(found, access_by, graphs, tell)


def _looked(found: Examination, session: Session, graphs: GraphCache) -> Examination:
    """Add what the probe tells; raises what the probe raises, and tells what comes after it."""
    sight = session.observe()
    found = replace(found, sight=sight)
    try:
        # Not kept in the cache: not even a file of ours is written.
        graph = graphs.find(sight.graph_digest) or session.graph()
        found = replace(found, graph=graph)
    except OrchestrateError as error:
        return replace(found, graph_error=error)
    rights = found.access.dialect.rights
    if rights is None:
        return found
    try:
        return replace(found, rights=session.query(rights.queries) if rights.queries else {})
    except OrchestrateError as error:
        return replace(found, rights_error=error)


def _searched(
    found: Examination,
    access_by: AccessBy,
    graphs: GraphCache,
    tell: Callable[[Way], None],
) -> Examination:
    """Try other ways until one works."""
    survey = found.survey
    assert survey is not None  # noqa: S101 - asked before
    imported, agent = _imported(found)
    clues = Clues(
        declared=plainly(found.way),
        first=found.first,
        env=found.reading,
        imported=imported,
        survey=survey,
        driver=found.access.url_driver,
        drivers=found.access.dialect.drivers,
    )
    trials: list[Trial] = []
    seen: dict[str, Examination] = {}
    ends_at = time.monotonic() + _SEARCH_SECONDS
    ways = search(clues)
    stopped = None
    try:
        way = next(ways)
        while True:
            if time.monotonic() > ends_at:
                stopped = f"no more were tried after {_SEARCH_SECONDS:g} s"
                break
            tell(way)
            looked, outcome = _tried(found, access_by(way), graphs, agent)
            agent = None
            seen[repr(way)] = looked
            trials.append(Trial(way=way, outcome=outcome))
            if outcome.code in {"unreachable", "agent-stalled", "agent-failed"}:
                stopped = outcome.message
                break
            way = ways.send(outcome)
    except StopIteration as end:
        if end.value is not None:
            best = seen[repr(end.value)]
            return replace(
                best,
                access=found.access,
                way=found.way,
                error=found.error,
                first=found.first,
                search=Search(trials=tuple(trials), found=end.value),
            )
    if agent is not None:
        agent.close()
    return replace(found, search=Search(trials=tuple(trials), stopped=stopped))


def _tried(
    found: Examination, access: Access, graphs: GraphCache, agent: AgentProcess | None
) -> tuple[Examination, Outcome]:
    """Look by another way, with an agent that has not run env.py; return what came of it."""
    access = replace(access, project={**access.project, "read_only_probe": True})
    session: Session | None = None
    try:
        session = session_with(access, agent or start_agent(access))
        looked = _looked(found, session, graphs)
    except OrchestrateError as error:
        if session is not None:
            session.kill()
        return found, _outcome(error)
    session.agent.close()
    return looked, _WORKS


def _outcome(error: OrchestrateError) -> Outcome:
    return Outcome(code=error.code, message=error.message)


def _imported(found: Examination) -> tuple[Reading, AgentProcess | None]:
    """Read the modules that env.py imports, and those that they import, as far as it seems wise.

    The agent that found them has run nothing of the project's, and may serve for the first trial.
    """
    readings: list[Reading] = []
    known: set[str] = set()
    wanted = _ordered(found.reading.modules, known)
    folders = list(found.survey.folders) if found.survey else []
    session: Session | None = None
    try:
        session = open_session(found.access)
        for _ in range(_ROUNDS):
            if not wanted:
                break
            known |= set(wanted)
            sources = read_sources(session, wanted, folders=folders)
            new = [_read(name, source) for name, source in sources.items()]
            readings += new
            wanted = _ordered((name for one in new for name in one.modules), known)
    except OrchestrateError:
        if session is not None:
            session.kill()
        return joined(readings), None
    return joined(readings), session.agent


def _read(name: str, source: Source) -> Reading:
    return read_source(source.text, module=name, package=source.package)


def _ordered(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return modules to read next: those first that are called like settings."""
    skipped = {"alembic", "sqlalchemy", *sys.stdlib_module_names}
    left = [
        name
        for name in dict.fromkeys(names)
        if name not in known and name.partition(".")[0] not in skipped
    ]
    left.sort(key=lambda name: not _SETTINGS.search(name.rpartition(".")[2]))
    return left[:_MOST_MODULES]
