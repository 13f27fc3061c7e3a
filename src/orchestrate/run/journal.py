"""Questions to the journal that several commands ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.plan import Direction
from orchestrate.domain.rehearsals import Rehearsal
from orchestrate.errors import OrchestrateError
from orchestrate.planning.deeds import KINDS
from orchestrate.planning.plan_maker import Durations
from orchestrate.planning.rehearsals import rehearsals_of
from orchestrate.planning.run_state import RunState, fold
from orchestrate.stores.state import ChainReport, StateStore

_RUN_KINDS: Final[tuple[EventKind, ...]] = (
    "run.started",
    "run.resumed",
    "run.stopped",
    "run.finished",
    "run.aborted",
    "run.schema",
)
_RECENT_EVENTS: Final = 20_000
_RECENT_REHEARSALS: Final = 50
"""Of all environments; each is a large event."""


def all_runs(state: StateStore) -> list[RunState]:
    """Return every run without its steps, oldest first; quick on a long journal."""
    return list(fold(state.events(kinds=_RUN_KINDS)).values())


def run_with_steps(state: StateStore, run: str) -> RunState | None:
    """Return one run as all its events tell it, or None if the journal has no such run."""
    return fold(state.events(run=run)).get(run)


def still_open(state: StateStore, run: str) -> RunState:
    """Return a run as it is now. Raises `run-ended` when nobody can go on with it any more."""
    found = run_with_steps(state, run)
    if found is None or not found.resumable:
        raise _ended(run, found)
    return found


def still_unfinished(state: StateStore, run: str) -> RunState:
    """Return a run as it is now. Raises `run-ended` when it blocks nobody any more."""
    found = run_with_steps(state, run)
    if found is None or not found.unfinished:
        raise _ended(run, found)
    return found


def broken_chain(report: ChainReport) -> OrchestrateError | None:
    """Return where the journal's hash chain breaks, as an error; None if it holds."""
    if report.problem is None:
        return None
    return OrchestrateError(
        "journal-broken",
        f"The journal's hash chain breaks at event {report.sequence}: {report.problem}",
        hint="Someone or something changed the state store; compare it with a backup of it",
    )


def _ended(run: str, found: RunState | None) -> OrchestrateError:
    return OrchestrateError(
        "run-ended",
        f"{run} has ended meanwhile: {found.status if found else 'unknown'}",
        hint=f"`orchestrate show {run}` tells how",
        where=found.environment if found else None,
    )


def unfinished(runs: Iterable[RunState], *, environment: str, target_key: str) -> RunState | None:
    """Return the run that blocks a target, if there is one."""
    for run in runs:
        if run.unfinished and (run.environment == environment or target_key in run.target_keys):
            return run
    return None


def recent(state: StateStore) -> tuple[Event, ...]:
    """Return the latest events that `durations` and `deeds` are made from, in their order."""
    return state.last_events(_RECENT_EVENTS, kinds=KINDS)


def whole(state: StateStore) -> tuple[Event, ...]:
    """Return all events that `deeds` are made from: what a gate asks has no horizon."""
    return tuple(state.events(kinds=KINDS))


def durations(events: Iterable[Event]) -> Durations:
    """Return how long each revision's content took, the latest time it ran anywhere."""
    found: dict[tuple[Direction, str], float] = {}
    for event in events:
        data = cast("dict[str, Any]", event.data)
        if "seconds" in data and "file_sha256" in data:
            found[data["direction"], data["file_sha256"]] = data["seconds"]
    return found


def rehearsals_in(state: StateStore, environment: str) -> list[Rehearsal]:
    """Return the latest rehearsals of an environment, oldest first."""
    events = state.last_events(_RECENT_REHEARSALS, kinds=("rehearsal.finished",))
    return rehearsals_of(events, environment)


def runs_with_steps(state: StateStore) -> list[RunState]:
    """Return every run as all its events tell it, oldest first."""
    return list(fold(state.events()).values())
