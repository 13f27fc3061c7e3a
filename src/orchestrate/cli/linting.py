"""Lint, put together: which revisions, for which servers, with what the journal knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from orchestrate import __version__
from orchestrate.adapters.squawk import squawk_program
from orchestrate.adapters.url_sources import resolve_state_url
from orchestrate.cli.workbench import LOCAL_FOLDER, Workbench
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.domain.revisions import Graph, Revision
from orchestrate.domain.spec import Environment
from orchestrate.domain.spec_sources import CommandSource
from orchestrate.errors import OrchestrateError
from orchestrate.planning.deeds import Deeds, deeds
from orchestrate.planning.linting import Rendered, View, lint_revisions
from orchestrate.planning.revision_rules import (
    Listed,
    ancestry,
    journal_findings,
    leans_on_libraries,
    listed_graph,
    listed_sources,
    project_findings,
)
from orchestrate.planning.revision_sources import unseen_source
from orchestrate.planning.statement_rules import Server
from orchestrate.planning.statements import read_statements
from orchestrate.run.linting import (
    Checkout,
    local_locations,
    read_checkout,
    read_files,
    render,
    render_soon,
    server_seen,
    server_unseen,
    squawked,
    survey_files,
)
from orchestrate.run.observe import observe_one, open_session
from orchestrate.run.session import Access, Session
from orchestrate.stores.sql_cache import SqlCache

_ORDER: Final = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants to have judged."""

    environment: Environment | None = None
    range: str | None = None
    dialect: str | None = None
    squawk: bool = True


@dataclass(slots=True, kw_only=True)
class Linted:
    """What came of it."""

    findings: tuple[Finding, ...] = ()
    revisions: int = 0
    notes: list[str] = field(default_factory=list)
    """What could not be looked at, and why."""


def lint_spec(bench: Workbench, asked: Asked) -> Linted:
    """Judge what was asked for. Raises what looking at an environment raises."""
    if asked.environment is not None:
        return _lint_environment(bench, asked.environment, asked)
    linted = Linted()
    found: list[Finding] = []
    for environments in _by_project(bench).values():
        found += _lint_project(bench, environments, asked, linted)
    linted.findings = _ordered(found)
    return linted


def _by_project(bench: Workbench) -> Mapping[str | None, list[Environment]]:
    found: dict[str | None, list[Environment]] = {}
    for one in bench.spec.environments:
        found.setdefault(one.project, []).append(one)
    if not found:
        raise OrchestrateError(
            "usage",
            "The spec declares no environment, so that there is nothing to judge SQL for",
            where=str(bench.spec.path),
        )
    return found


def _done(
    bench: Workbench,
    environments: Sequence[Environment],
    listed: Sequence[Listed],
    linted: Linted,
) -> Deeds:
    """Return what the journal says was done there; without a journal there is less to say."""
    try:
        if not _has_journal(bench):
            return {}
        from orchestrate.run.journal import recent  # noqa: PLC0415  (imports SQLAlchemy)

        found = deeds(recent(bench.state), ancestry(listed))
    except OrchestrateError as error:
        linted.notes.append(f"The journal was not looked at: {error.message}")
        return {}
    return {one.name: found[one.name] for one in environments if one.name in found}


def _has_journal(bench: Workbench) -> bool:
    """Return whether there may be runs: a state store that is not there yet is not made for us."""
    url = resolve_state_url(bench.spec)
    return not url.is_sqlite_file or Path(url.database or "").exists()


# --- A whole project ------------------------------------------------------------------------------


def _lint_project(
    bench: Workbench,
    environments: Sequence[Environment],
    asked: Asked,
    linted: Linted,
) -> list[Finding]:
    accesses = _accesses(bench, environments, asked.dialect, linted)
    checkout: Checkout | None = None
    views: list[View] = []
    for access in accesses:
        checkout, rendered = _looked(bench, environments[0], access, checkout, linted)
        server = server_unseen(access)
        views.append(_view(bench, checkout.sources, server, rendered, asked=asked, linted=linted))
    if checkout is None:
        raise AssertionError("there is always an access")
    chosen = _in_range(checkout.sources, asked.range)
    linted.revisions += len(chosen)
    listed = listed_sources(checkout.sources)
    done = _done(bench, environments, listed, linted)
    complete = all(one.revision is not None for one in checkout.sources)
    names = {one.file for one in chosen}
    return [
        *lint_revisions(chosen, views, local=checkout.local, everywhere=asked.dialect is None),
        *project_findings(listed),
        *(
            one
            for one in journal_findings(listed, done, complete=complete)
            if one.code == "deleted-revision" or asked.range is None or one.where in names
        ),
    ]


def _accesses(
    bench: Workbench,
    environments: Sequence[Environment],
    dialect: str | None,
    linted: Linted,
) -> list[Access]:
    """Return a way into the project for each kind of server that its environments have.

    A command that gives a URL is not run, unless there is no other way.
    """
    if dialect is not None:
        return [_made_up(bench, environments[0], dialect)]
    found: dict[str, Access] = {}
    ordered = sorted(environments, key=lambda one: isinstance(one.url, CommandSource))
    for environment in ordered:
        if found and isinstance(environment.url, CommandSource):
            continue
        try:
            access = bench.access(environment)
        except OrchestrateError as error:
            if error.code != "url-unavailable":
                raise
            linted.notes.append(
                f"No SQL as for {environment.name}: {error.message} (`--dialect` needs no URL)"
            )
            continue
        found.setdefault(access.dialect.name, access)
    return list(found.values()) or [_made_up(bench, environments[0], "sqlite")]


def _made_up(bench: Workbench, environment: Environment, dialect: str) -> Access:
    """Return a way to a database that is nowhere, for a project's SQL in some dialect."""
    text = "sqlite://" if dialect == "sqlite" else f"{dialect}://lint@localhost/lint"
    try:
        url = DatabaseUrl.parse(text)
    except ValueError as error:
        raise OrchestrateError(
            "usage", f"`--dialect {dialect}` is no name of a server as URLs have it"
        ) from error
    return bench.access_to(url, bench.spec, environment)


def _looked(
    bench: Workbench,
    environment: Environment,
    access: Access,
    checkout: Checkout | None,
    linted: Linted,
) -> tuple[Checkout, Mapping[str, Rendered]]:
    """Return the project's files, and their SQL as for the server of one of its environments."""
    with open_session(access) as session:
        try:
            survey = survey_files(session)
            cache = _cache(bench, session, survey, access)
            kept = cache.load()
            rendering = None if kept else render_soon(session)
            places = local_locations(survey, project_folder(bench, environment))
            checkout = checkout or read_checkout(places, survey, bench.spec.folder)
            # The library is imported while the agent is at work.
            read_statements("", "")
            _refuse_elsewhere(checkout, places, access)
            if rendering is not None:
                return checkout, _keep(cache, checkout.sources, rendering())
            return checkout, _with_kept(cache, kept, checkout.sources, session)
        except OrchestrateError as error:
            session.kill()
            if checkout is None or error.code == "usage":
                raise
            linted.notes.append(f"No SQL as for {access.dialect.title}: {error.message}")
            return checkout, {}


def _cache(
    bench: Workbench, session: Session, survey: Mapping[str, Any], access: Access
) -> SqlCache:
    """Return where SQL is kept that was rendered with the same env.py and libraries."""
    hello = session.agent.hello(deadline=access.agent_timeout)
    facts = [str(hello[name]) for name in ("python", "alembic", "sqlalchemy")]
    env = (survey["env"] or {}).get("text", "")
    facts += [__version__, access.environment, access.dialect.name, str(access.url_driver), env]
    return SqlCache(bench.spec.folder / LOCAL_FOLDER / "cache", facts)


def _with_kept(
    cache: SqlCache,
    kept: Mapping[str, Rendered],
    sources: Sequence[RevisionSource],
    session: Session,
) -> Mapping[str, Rendered]:
    """Return the SQL of all revisions, rendering those alone that were not rendered before."""
    known = {
        one.revision: kept[one.sha256] for one in sources if one.revision and one.sha256 in kept
    }
    missing = [one.revision for one in sources if one.revision and one.revision not in known]
    if not missing:
        return known
    return _keep(cache, sources, {**known, **render(session, missing)})


def _keep(
    cache: SqlCache, sources: Sequence[RevisionSource], rendered: Mapping[str, Rendered]
) -> Mapping[str, Rendered]:
    cache.keep(
        {
            one.sha256: rendered[one.revision]
            for one in sources
            if one.revision and one.revision in rendered and leans_on_libraries(one)
        }
    )
    return rendered


def _refuse_elsewhere(checkout: Checkout, places: Iterable[Path], access: Access) -> None:
    if checkout.sources or any(one.is_dir() for one in places):
        return
    raise OrchestrateError(
        "project-unreadable",
        f"The revisions that {access.environment} runs are not on this machine: "
        f"{', '.join(str(one) for one in places) or 'there is no version location'}",
        hint="Lint reads their text: run it where they are checked out",
        where=access.environment,
    )


def _view(
    bench: Workbench,
    sources: Sequence[RevisionSource],
    server: Server,
    rendered: Mapping[str, Rendered],
    *,
    asked: Asked,
    linted: Linted,
) -> View:
    found = None
    if server.grammar == _SQUAWKS and asked.squawk and rendered:
        program = squawk_program()
        if program is None:
            linted.notes.append(
                "squawk is not installed, so that its rules for PostgreSQL are left out: "
                "`pip install 'orchestrate[lint]'`, or `--no-squawk` to have it said no more"
            )
        else:
            chosen = _in_range(sources, asked.range)
            found = squawked(program, chosen, rendered, server, bench.spec.folder)
    return View(server=server, rendered=rendered, squawked=found)


_SQUAWKS: Final = "postgres"
"""squawk knows PostgreSQL's grammar and no other."""


def _in_range(sources: Sequence[RevisionSource], wanted: str | None) -> Sequence[RevisionSource]:
    """Return the revisions that an upgrade from A to B would run. Raises `unknown-revision`."""
    if wanted is None:
        return sources
    from orchestrate.planning.chain import Chain  # noqa: PLC0415  (imports Alembic)

    start, colon, end = wanted.partition(":")
    if not colon:
        raise OrchestrateError("usage", f"`--range {wanted}`: write it as A:B, A: or :B")
    chain = Chain(
        Graph(
            digest="",
            revisions=tuple(_revision(one) for one in sources if one.revision is not None),
        )
    )
    heads = chain.resolve(start) if start else ()
    moves = chain.moves(direction="upgrade", heads=heads, to=end or "heads")
    order = [move.revision.id for move in moves]
    by_revision = {one.revision: one for one in sources}
    return [by_revision[one] for one in order]


def _revision(source: RevisionSource) -> Revision:
    return Revision(
        id=source.revision or "",
        down=source.down,
        depends_on=source.depends_on,
        labels=source.labels,
        title=source.title,
        file=source.file,
        sha256=source.sha256,
        downgrade=source.downgrade,
        leaves_transaction=any(one.autocommit for one in source.calls),
    )


# --- One environment ------------------------------------------------------------------------------


def _lint_environment(bench: Workbench, environment: Environment, asked: Asked) -> Linted:
    """Judge what is pending in an environment, for its very server and its tables."""
    linted = Linted()
    access = bench.access(environment)
    bench.load_libraries_meanwhile()
    seen = observe_one(access, bench.graphs)
    if seen.session is None or seen.graph is None or not isinstance(seen.sight, Observation):
        raise AssertionError("one that could not be looked at raises")
    with seen.session as session:
        observation = seen.sight
        pending = _pending(bench, environment, observation, seen.graph, asked.range)
        sources = _sources(bench, environment, pending)
        rendered = render(session, [one.id for one in pending]) if pending else {}
        server = server_seen(access, session, observation)
    view = _view(bench, sources, server, rendered, asked=Asked(squawk=asked.squawk), linted=linted)
    linted.revisions = len(pending)
    listed = _shown(bench, environment, listed_graph(seen.graph))
    local = local_modules(bench, environment)
    linted.findings = _ordered(
        (
            *lint_revisions(sources, [view], local=local, everywhere=False),
            *project_findings(listed),
            *journal_findings(listed, _done(bench, [environment], listed, linted)),
        )
    )
    return linted


def findings_by_revision(
    bench: Workbench, environment: Environment, access: Access, revisions: Sequence[Revision]
) -> Mapping[str, tuple[Finding, ...]]:
    """Return what our own rules say of revisions, for this very server and its tables.

    By an agent of its own, because a revision that is rendered may do anything. A revision that
    lies elsewhere is judged by its SQL alone. Raises what looking at the environment raises.
    """
    folder = project_folder(bench, environment)
    sources = [_source(folder, one) for one in revisions]
    with open_session(access) as session:
        observation = session.observe()
        rendered = render(session, [one.id for one in revisions])
        server = server_seen(access, session, observation)
    view = View(server=server, rendered=rendered)
    local = local_modules(bench, environment)
    return {
        revision.id: lint_revisions([source], [view], local=local)
        for revision, source in zip(revisions, sources, strict=True)
    }


def _pending(
    bench: Workbench,
    environment: Environment,
    observation: Observation,
    graph: Graph,
    wanted: str | None,
) -> list[Revision]:
    from orchestrate.cli.gating import refuse_unknown  # noqa: PLC0415  (heavy)

    chain = bench.chain(graph)
    heads, to = observation.heads, environment.to
    if wanted is not None:
        start, _, end = wanted.partition(":")
        heads = chain.resolve(start) if start else ()
        to = end or "heads"
    else:
        refuse_unknown(bench, environment, observation, chain)
    return [one.revision for one in chain.moves(direction="upgrade", heads=heads, to=to)]


def _source(folder: Path, revision: Revision) -> RevisionSource:
    found = read_files([folder / revision.file], folder)
    return found[0] if found else unseen_source(revision.file, revision.id)


def _sources(
    bench: Workbench, environment: Environment, revisions: Sequence[Revision]
) -> tuple[RevisionSource, ...]:
    folder = project_folder(bench, environment)
    paths = [folder / one.file for one in revisions]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise OrchestrateError(
            "project-unreadable",
            f"The revisions that {environment.name} runs are not on this machine: {missing[0]}",
            hint="Lint reads their text: run it where they are checked out",
            where=environment.name,
        )
    return read_files(paths, bench.spec.folder)


def project_folder(bench: Workbench, environment: Environment) -> Path:
    """Return the folder that the files of revisions are relative to."""
    return bench.spec.folder / (bench.spec.project_of(environment).directory or ".")


def _shown(
    bench: Workbench, environment: Environment, listed: Sequence[Listed]
) -> tuple[Listed, ...]:
    """Return revisions with their files relative to the spec's folder, as lint shows them."""
    directory = bench.spec.project_of(environment).directory
    if directory in {None, "", "."}:
        return tuple(listed)
    return tuple(_moved(one, f"{directory}".strip("/")) for one in listed)


def _moved(listed: Listed, directory: str) -> Listed:
    if listed.file.startswith("/"):
        return listed
    return replace(listed, file=f"{directory}/{listed.file}")


def local_modules(bench: Workbench, environment: Environment) -> frozenset[str]:
    """Return what can be imported from the project's folder and from those the spec names."""
    folder = project_folder(bench, environment)
    names = set()
    for one in (folder, *(folder / path for path in bench.spec.project_of(environment).sys_path)):
        names |= {path.stem for path in one.glob("*.py")}
        names |= {path.parent.name for path in one.glob("*/__init__.py")}
    return frozenset(names)


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by file and line, so that two calls say the same in the same order."""
    return tuple(sorted(dict.fromkeys(findings), key=_place))


def _place(finding: Finding) -> tuple[str, int, int, str]:
    file, _, line = (finding.where or "").rpartition(":")
    number = int(line) if line.isdigit() else 0
    return (file if number else finding.where or "", number, _ORDER[finding.severity], finding.code)
