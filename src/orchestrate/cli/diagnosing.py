"""Puts the checks of `doctor` together: what was found of each environment, and around it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from orchestrate.adapters.checkout import read_checkout
from orchestrate.adapters.templates import injected_ways
from orchestrate.adapters.url_sources import DatabaseUrl, resolve_state_url, resolve_url
from orchestrate.cli.workbench import Workbench
from orchestrate.dialects.interface import VersionTable
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.diagnosis import Check, Way
from orchestrate.domain.observation import Observation
from orchestrate.domain.revisions import Graph
from orchestrate.domain.spec import DEFAULT_PROJECT, Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning import connection_check, diagnosis
from orchestrate.planning.spec_checks import not_enforced
from orchestrate.planning.trouble_pages import page_of
from orchestrate.planning.unknown_rows import unknown_rows
from orchestrate.run.access import Access
from orchestrate.run.examine import Examination, examine
from orchestrate.run.explaining import ON_THE_ROAD
from orchestrate.values import dataclass

_AT_ONCE: Final = 4

Tell = Callable[[str, Way], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patient:
    """One environment with what was found of it."""

    environment: Environment
    url: DatabaseUrl | None
    found: Examination | None
    error: OrchestrateError | None = None
    """Why nothing could be looked at."""


def diagnose(
    bench: Workbench, environments: Sequence[Environment], tell: Tell
) -> dict[str, list[Check]]:
    """Return the checks of each environment, some of which are looked at at the same time."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        patients = list(pool.map(lambda one: _examined(bench, one, tell), environments))
    around = _around(bench)
    return {one.environment.name: [*_checks(bench, one, patients), *around] for one in patients}


def _examined(bench: Workbench, environment: Environment, tell: Tell) -> _Patient:
    url = None
    try:
        url = resolve_url(bench.spec, environment)
        bench.learn(url)
        target = url

        def access_by(way: Way) -> Access:
            return _access(bench, environment, target, way)

        found = examine(
            _declared(bench, environment, url),
            access_by,
            bench.graphs,
            tell=lambda way: tell(environment.name, way),
        )
    except OrchestrateError as error:
        return _Patient(environment=environment, url=url, found=None, error=error)
    return _Patient(environment=environment, url=url, found=found)


def _declared(bench: Workbench, environment: Environment, url: DatabaseUrl) -> Way:
    project = bench.spec.project_of(environment)
    return Way(
        inject=injected_ways(bench.spec, environment),
        driver=project.drivers.get(url.backend),
        sys_path=project.sys_path,
        script_location=project.script_location,
    )


def _access(bench: Workbench, environment: Environment, url: DatabaseUrl, way: Way) -> Access:
    """Return how the database is reached if the spec said `way`."""
    project = bench.spec.project_of(environment)
    update: dict[str, object] = {"inject": way.inject, "sys_path": way.sys_path}
    if way.driver:
        update["drivers"] = {**project.drivers, url.backend: way.driver}
    if way.script_location != project.script_location:
        update |= {
            "script_location": way.script_location,
            "config": project.config or "alembic.ini",
        }
    name = environment.project or DEFAULT_PROJECT
    spec = replace(
        bench.spec, projects={**bench.spec.projects, name: project.model_copy(update=update)}
    )
    return bench.access_to(url, spec, environment.model_copy(update={"inject": None}))


# --- Checks of one environment --------------------------------------------------------------------


def _checks(bench: Workbench, patient: _Patient, patients: Sequence[_Patient]) -> Iterator[Check]:
    environment, found, error = patient.environment, patient.found, patient.error
    if error is not None:
        check = "url" if error.code == "url-unavailable" else "spec"
        yield _problem(check, error)
    elif patient.url is not None:
        yield Check(check="url", status="ok", message=f"`{patient.url.safe}`")
    yield from _protections(bench, environment)
    if found is None or patient.url is None:
        return
    yield from _road(found)
    if found.interpreter is not None:
        yield from diagnosis.check_interpreter(found.interpreter, here=socket.gethostname())
    elif found.error is not None:
        yield _problem("ssh" if found.error.code in ON_THE_ROAD else "interpreter", found.error)
        return
    if found.survey is not None:
        yield from diagnosis.check_project(found.survey, found.sight)
    yield connection_check.check_connection(_connecting(bench, environment, patient.url, found))
    if found.sight is None:
        return
    yield from _sight(bench, environment, found, found.sight)
    heads = {
        one.environment.name: (ends[0], ends[1])
        for one in patients
        if one.environment.project == environment.project
        and (ends := _heads(bench, one)) is not None
    }
    if environment.name in heads:
        check_heads = diagnosis.check_heads_by_dialect(heads, environment.name)
        if check_heads is not None:
            yield check_heads


def _road(found: Examination) -> Iterator[Check]:
    """Say which ways by SSH were open."""
    if found.interpreter is None:
        return
    if found.access.far is not None:
        message = f"`{found.access.far}` answers, and its host key is known"
        yield Check(check="ssh", status="ok", message=message)
    if found.access.tunnel is not None and found.access.tunnel.trouble is None:
        message = f"`{found.access.tunnel}`, whose host key is known"
        yield Check(check="tunnel", status="ok", message=message)


def _heads(bench: Workbench, patient: _Patient) -> tuple[str, tuple[str, ...]] | None:
    found = patient.found
    if found is None or found.graph is None or found.sight is None:
        return None
    try:
        return found.sight.dialect, bench.chain(found.graph).heads
    except OrchestrateError:
        return None


def _connecting(
    bench: Workbench, environment: Environment, url: DatabaseUrl, found: Examination
) -> connection_check.Connecting:
    error = found.error
    name = environment.project or DEFAULT_PROJECT
    place = (
        "under `project` in the spec"
        if name == DEFAULT_PROJECT
        else f"under `projects: {name}` in the spec"
    )
    if environment.inject is not None:
        place = f"in place of `inject` at {environment.where('inject')}"
    return connection_check.Connecting(
        url=url.safe,
        way=found.way,
        code=error.code if error else None,
        message=error.message if error else "",
        hint=error.hint if error else None,
        trouble=page_of(error.trouble, error.code) if error else None,
        first=found.first,
        search=found.search,
        backend=url.backend,
        directory=found.survey.directory if found.survey else "",
        config=bench.spec.project_of(environment).config,
        place=place,
    )


def _sight(
    bench: Workbench, environment: Environment, found: Examination, sight: Observation
) -> Iterator[Check]:
    """Say what the look through env.py told, by the declared way or the one that was found."""
    project = bench.spec.project_of(environment)
    yield from diagnosis.check_database(sight)
    yield diagnosis.check_version_table(sight, environment.name)
    yield diagnosis.check_transactions(sight, found.reading, project.transactions)
    yield diagnosis.check_engine(sight)
    if found.graph_error is not None:
        yield _problem("revisions", found.graph_error)
    elif found.graph is not None:
        yield from _revisions(bench, environment, sight, found.graph)
    yield from diagnosis.check_traces(sight)
    yield from _rights(found, sight)
    if found.survey is not None:
        programs = dialect_for(sight.dialect).programs
        yield from diagnosis.check_programs(programs, found.survey.programs, sight.server_version)


def _revisions(
    bench: Workbench, environment: Environment, sight: Observation, graph: Graph
) -> Iterator[Check]:
    try:
        chain = bench.chain(graph)
        unknown = chain.unknown(sight.heads)
    except OrchestrateError as error:
        yield _problem("revisions", error)
        return
    if unknown:
        seen = bench.sightings(environment, unknown, graph)
        yield _problem("revisions", unknown_rows(environment.name, unknown, seen))
    yield from diagnosis.check_revisions(chain, sight, environment=environment.name)


def _rights(found: Examination, sight: Observation) -> Iterator[Check]:
    rights = found.access.dialect.rights
    if found.rights_error is not None:
        yield replace(_problem("rights", found.rights_error), status="warning")
    elif rights is None or found.rights is None:
        if not found.graph_error:
            yield Check(
                check="rights",
                status="warning",
                message=f"What the credential may do in {found.access.dialect.title} is not known",
            )
    else:
        schema, _, name = sight.version_table.rpartition(".")
        table = VersionTable(schema=schema or None, name=name, exists=sight.has_version_table)
        storage = found.survey.storage if found.survey else None
        yield from rights.checks(found.rights, version_table=table, storage=storage)


def _protections(bench: Workbench, environment: Environment) -> Iterator[Check]:
    found = not_enforced(bench.spec, environment)
    if found:
        keys = ", ".join(finding.message for finding in found)
        yield Check(
            check="protections",
            status="warning",
            message=f"Declared and not enforced by this version: {keys}",
            hint="`plan` and `apply` refuse this environment until the key is taken out",
        )


# --- What environments share ----------------------------------------------------------------------


def _around(bench: Workbench) -> list[Check]:
    return [_state(bench), _checkout(bench)]


def _state(bench: Workbench) -> Check:
    from orchestrate.stores.state import examine_state  # noqa: PLC0415  (see the workbench)

    try:
        url = resolve_state_url(bench.spec)
        bench.learn(url)
        text = examine_state(url.secret, safe_url=url.safe)
    except OrchestrateError as error:
        return _problem("state", error)
    return Check(check="state", status="ok", message=text)


def _checkout(bench: Workbench) -> Check:
    found = read_checkout(bench.spec.folder)
    if found is None:
        return Check(
            check="git",
            status="warning",
            message=f"{bench.spec.folder} is no git checkout, or git is not installed",
            hint="Runs then do not say of which commit they were, and a revision that is missing "
            "here cannot be looked for in the history",
        )
    changed = f", {found.changed} files changed" if found.changed else ""
    return Check(check="git", status="ok", message=f"{found.branch} at {found.commit}{changed}")


def _problem(check: str, error: OrchestrateError) -> Check:
    where = f"{error.where}: " if error.where and ":" in error.where else ""
    return Check(
        check=check,
        status="problem",
        message=f"{where}{error.message} [{error.code}]",
        hint=error.hint,
        trouble=page_of(error.trouble, error.code),
    )
