"""Looking at several environments at once, with the libraries loaded meanwhile."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import datetime

from orchestrate.cli.workbench import LOCAL_FOLDER, Workbench
from orchestrate.domain.drift import Against
from orchestrate.domain.events import Event
from orchestrate.domain.observation import Unreachable
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.drift import RECORD_KINDS
from orchestrate.run.access import Access
from orchestrate.run.memory import Memory
from orchestrate.run.observe import Seen, observe_all
from orchestrate.values import dataclass


def look(
    bench: Workbench,
    environments: Sequence[Environment],
    *,
    schemas: bool = False,
    memory: Memory | None = None,
    modules: Sequence[str] = (),
) -> dict[str, Seen]:
    """Return what was seen of each environment; what could not be reached is a row as well.

    With `schemas`, what describes the schemas is read as well, `memory` spares that where nothing
    changed. `modules` are those that what follows needs: they are imported while the agents look.
    """
    accesses: list[Access] = []
    seen: dict[str, Seen] = {}
    for environment in environments:
        try:
            accesses.append(bench.access(environment))
        except OrchestrateError as error:
            seen[environment.name] = without_sight(environment, error, access=None)
    answers = observe_all(accesses, bench.graphs, schemas=schemas, memory=memory)
    bench.load_libraries()
    if memory is not None:
        # Here, and not in the thread that waits for it: two threads that import SQLAlchemy at the
        # same time find it half imported.
        memory.learn(_left_events(bench))
    for module in modules:
        importlib.import_module(module)
    for one in answers:
        seen[one.environment] = one
    return seen


def without_sight(
    environment: Environment, error: OrchestrateError, *, access: Access | None
) -> Seen:
    """Return the row of an environment that nothing can be said of, with the cause."""
    return Seen(
        environment=environment.name,
        access=access,
        sight=Unreachable(
            environment=environment.name,
            target=environment.name,
            dialect=access.dialect.name if access else "unknown",
            code=error.code,
            message=error.message,
            hint=error.hint,
            trouble=error.trouble,
        ),
        graph=None,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSight:
    """What was seen of some environments and their schemas."""

    began: datetime
    """When the looking began: what a run left later was not seen, or not all of it."""
    seen: dict[str, Seen]


def look_for_drift(
    bench: Workbench, environments: Sequence[Environment], against: Against | None
) -> DriftSight:
    """Look at environments with their schemas, importing meanwhile what judging them needs."""
    began = bench.clock.now()
    modules = ("orchestrate.cli.drifting", "orchestrate.reports.drift")
    memory = memory_of(bench) if against in {None, "snapshot"} else None
    seen = look(bench, environments, schemas=True, memory=memory, modules=modules)
    return DriftSight(began=began, seen=seen)


def memory_of(bench: Workbench) -> Memory:
    """Return what is known of targets that nothing has happened to."""
    written = {one.name: bench.spec.spec_digest(one) for one in bench.spec.environments}
    return Memory(bench.spec.folder / LOCAL_FOLDER / "cache", written=written)


def _left_events(bench: Workbench) -> Sequence[Event]:
    try:
        return tuple(bench.state.events(kinds=RECORD_KINDS))
    except OrchestrateError:  # raised again where the report asks
        return ()
