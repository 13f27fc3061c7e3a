"""Looking at several environments at once, with the libraries loaded meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrate.cli.workbench import Workbench
from orchestrate.domain.observation import Unreachable
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.run.observe import Seen, observe_all
from orchestrate.run.session import Access


def look(bench: Workbench, environments: Sequence[Environment]) -> dict[str, Seen]:
    """Return what was seen of each environment; what could not be reached is a row as well."""
    accesses: list[Access] = []
    seen: dict[str, Seen] = {}
    for environment in environments:
        try:
            accesses.append(bench.access(environment))
        except OrchestrateError as error:
            seen[environment.name] = _without_access(environment, error)
    answers = observe_all(accesses, bench.graphs)
    bench.load_libraries()
    for one in answers:
        seen[one.environment] = one
    return seen


def _without_access(environment: Environment, error: OrchestrateError) -> Seen:
    return Seen(
        environment=environment.name,
        access=None,
        sight=Unreachable(
            environment=environment.name,
            target=environment.name,
            dialect="unknown",
            code=error.code,
            message=error.message,
            hint=error.hint,
        ),
        graph=None,
        error=error,
    )
