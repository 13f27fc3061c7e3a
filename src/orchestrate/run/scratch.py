"""Scratch databases: an empty one beside a target, for as long as something is tried out in it.

Made by the target's own credential through its agent, and recorded in the journal before it is
made, so that what a killed process left behind is found and dropped the next time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import PurePath

from orchestrate.clock import Clock
from orchestrate.dialects.scratch import PREFIX, Scratch, ScratchFile
from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.domain.plan import Mode, Step
from orchestrate.domain.snapshot import Snapshot
from orchestrate.domain.spec import Baseline
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.plan_maker import replay_steps
from orchestrate.run.access import Access
from orchestrate.run.hooks import run_hook
from orchestrate.run.interruption import Interruption
from orchestrate.run.lease_keeper import is_gone, this_host, this_person
from orchestrate.run.observe import open_session
from orchestrate.run.session import Session
from orchestrate.stores.state import StateStore
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchPlace:
    """Where scratch databases of one target are made, and how one is reached."""

    access: Access
    """Of the target itself."""
    access_to: Callable[[str], Access]
    """The way to another database of the same server, or another file, by its name."""
    state: StateStore
    clock: Clock


@contextmanager
def scratch_database(place: ScratchPlace, token: str) -> Iterator[Access]:
    """Make an empty database beside the target and yield the way to it; drop it in any case.

    `token` are twelve hexadecimal digits. Drops what killed processes left behind, too. Raises
    `scratch-unavailable` with the server's reason.
    """
    kind = place.access.dialect.scratch
    if kind is None:
        title = place.access.dialect.title
        raise OrchestrateError("scratch-unavailable", f"how to make one on {title} is not known")
    with open_session(place.access) as session:
        _drop_leftovers(place, session, kind)
        name = f"{PREFIX}{token}"
        if isinstance(kind, ScratchFile):
            name = session.scratch_file(name)
        _record(place, "scratch.created", name)
        try:
            _create(session, kind, name)
            yield place.access_to(name)
        finally:
            if _dropped(session, kind, name):
                _record(place, "scratch.dropped", name)


def replayed(
    access: Access,
    chain: Chain,
    heads: tuple[str, ...],
    *,
    transactions: Mode,
    baseline: Baseline | None,
) -> Snapshot:
    """Return the schema that the project's own revisions make of an empty database.

    Raises what befalls a revision there, as it would in a run.
    """
    session = open_session(access)
    try:
        observation = session.observe()
        mode, steps = replay_steps(
            observation,
            chain,
            heads,
            transactions=transactions,
            baseline=baseline,
            server_undoes_ddl=access.dialect.transactional_ddl,
        )
        session = carried(session, steps, mode)
        found = session.snapshot()
        session.agent.close()
        return found
    finally:
        session.kill()


def carried(session: Session, steps: Sequence[Step], mode: Mode) -> Session:
    """Carry steps out on a scratch database, recording nothing; return the agent to go on with.

    Raises what befalls a revision there, as it would in a run.
    """
    for kind, block in groupby(steps, key=lambda step: step.kind):
        if kind == "hook":
            session.agent.close()  # the command may replace a file that it has open
            for step in block:
                run_hook(step, session.access, Interruption(), run=f"scratch-{os.getpid()}")
            session = open_session(session.access)
            session.observe()
            continue
        for message in session.run(list(block), mode=mode, snapshots=False):
            if message.event in {"start", "leaving-transaction", "rows-stay"}:
                session.go()
    return session


def obstacle(error: OrchestrateError) -> str:
    """Return in words why a schema could not be made anew."""
    if error.code == "scratch-unavailable":
        return f"no scratch database can be made ({error.message})"
    step = error.details.get("step")
    at = f" at {step}" if step else ""
    return f"the revisions do not run on an empty database{at} ({error.message})"


def _create(session: Session, kind: Scratch, name: str) -> None:
    if isinstance(kind, ScratchFile):
        return  # SQLite makes the file when it is first written
    problem = session.attempt(*kind.create(name, session.query(kind.facts)))
    if problem is not None:
        raise OrchestrateError("scratch-unavailable", problem)


def _dropped(session: Session, kind: Scratch, name: str) -> bool:
    """Drop a scratch database if it is there; tell whether it is gone."""
    with contextlib.suppress(OrchestrateError):
        if isinstance(kind, ScratchFile):
            session.scratch_file(PurePath(name).name)
            return True
        return any(session.attempt(statement) is None for statement in kind.drop(name))
    return False


def _drop_leftovers(place: ScratchPlace, session: Session, kind: Scratch) -> None:
    """Drop what processes of this machine that are gone recorded and did not drop."""
    left: dict[str, Mapping[str, object]] = {}
    for event in place.state.events(kinds=("scratch.created", "scratch.dropped")):
        name = str(event.data["name"])
        if event.data["environment"] != place.access.environment:
            continue
        if event.kind == "scratch.created":
            left[name] = event.data
        else:
            left.pop(name, None)
    for name, data in left.items():
        ours = PurePath(name).name.startswith(PREFIX) and data["host"] == this_host()
        if ours and is_gone(int(str(data["pid"]))) and _dropped(session, kind, name):
            _record(place, "scratch.dropped", name)


def _record(place: ScratchPlace, kind: EventKind, name: str) -> None:
    data = {
        "environment": place.access.environment,
        "name": name,
        "by": this_person(),
        "host": this_host(),
        "pid": os.getpid(),
    }
    now = place.clock.now()
    place.state.append([NewEvent(kind=kind, at=now, run=None, step=None, data=data)])
