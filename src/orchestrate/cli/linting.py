"""Lint of a whole project: for each kind of server that its environments have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrate.cli.kept_sql import cache_for, keep_sql, with_kept
from orchestrate.cli.lint_parts import Asked, Linted, Reading, done_there, in_range, ordered
from orchestrate.cli.linting_environment import lint_environment, project_folder
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.findings import Finding
from orchestrate.domain.spec import Environment
from orchestrate.domain.spec_sources import CommandSource
from orchestrate.errors import OrchestrateError
from orchestrate.planning.linting import Rendered, View, lint_revisions
from orchestrate.planning.revision_rules import (
    journal_findings,
    listed_sources,
    project_findings,
)
from orchestrate.planning.statements import read_statements
from orchestrate.run.access import Access
from orchestrate.run.linting import (
    Checkout,
    local_locations,
    read_checkout,
    render_soon,
    server_unseen,
    survey_files,
)
from orchestrate.run.observe import open_session

__all__ = ["Asked", "Linted", "lint_spec"]


def lint_spec(bench: Workbench, asked: Asked) -> Linted:
    """Judge what was asked for. Raises what looking at an environment raises."""
    if asked.environment is not None:
        return lint_environment(bench, asked.environment, asked)
    linted = Linted()
    found: list[Finding] = []
    for environments in _by_project(bench).values():
        found += _lint_project(bench, environments, asked, linted)
    linted.findings = ordered(found)
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
        with Reading(bench, server_unseen(access), asked, linted) as reading:
            try:
                checkout = _looked(bench, environments[0], access, checkout, reading)
            except _NotRenderedError as error:
                checkout = error.checkout
                reading.forget()
                linted.notes.append(f"No SQL as for {access.dialect.title}: {error}")
            views.append(reading.view())
    if checkout is None:
        raise AssertionError("there is always an access")
    chosen = in_range(checkout.sources, asked.range)
    linted.revisions += len(chosen)
    listed = listed_sources(checkout.sources)
    done = done_there(bench, environments, listed, linted)
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


class _NotRenderedError(Exception):
    """The files were read, and their SQL is not to be had."""

    def __init__(self, checkout: Checkout, why: str) -> None:
        super().__init__(why)
        self.checkout = checkout


def _looked(
    bench: Workbench,
    environment: Environment,
    access: Access,
    checkout: Checkout | None,
    reading: Reading,
) -> Checkout:
    """Read the project's files, and their SQL as for the server of one of its environments."""
    with open_session(access) as session:
        try:
            survey = survey_files(session)
            cache = cache_for(bench, session, survey, access)
            kept = cache.load()
            rendering = None if kept else render_soon(session)
            places = local_locations(survey, project_folder(bench, environment))
            checkout = checkout or read_checkout(places, survey, bench.spec.folder)
            # The library is imported while the agent is at work.
            read_statements("", "")
            _refuse_elsewhere(checkout, places, access)
            reading.choose(checkout.sources)
            if rendering is None:
                reading.take(with_kept(cache, kept, checkout.sources, session))
                return checkout
            rendered: dict[str, Rendered] = {}
            for some in rendering:
                reading.take(some)
                rendered.update(some)
            keep_sql(cache, checkout.sources, rendered)
        except OrchestrateError as error:
            session.kill()
            if checkout is None or error.code in {"usage", "unknown-revision", "command-failed"}:
                raise
            raise _NotRenderedError(checkout, error.message) from error
    return checkout


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
