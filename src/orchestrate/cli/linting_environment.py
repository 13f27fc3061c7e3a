"""Lint for one environment: what is pending there, for its very server and tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrate.cli.lint_parts import Asked, Linted, Reading, done_there, ordered
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.domain.revisions import Graph, Revision
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.linting import View, lint_revisions, sql_remarks
from orchestrate.planning.revision_rules import (
    Listed,
    journal_findings,
    listed_graph,
    project_findings,
)
from orchestrate.planning.revision_sources import unseen_source
from orchestrate.run.access import Access
from orchestrate.run.linting import (
    read_files,
    render,
    server_seen,
)
from orchestrate.run.observe import observe_one, open_session


def lint_environment(bench: Workbench, environment: Environment, asked: Asked) -> Linted:
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
    # What is pending is already what was asked for.
    with Reading(bench, server, replace(asked, range=None), linted) as reading:
        reading.choose(sources)
        reading.take(rendered)
        view = reading.view()
    linted.revisions = len(pending)
    listed = _shown(bench, environment, listed_graph(seen.graph))
    local = local_modules(bench, environment)
    linted.findings = ordered(
        (
            *lint_revisions(sources, [view], local=local, everywhere=False),
            *project_findings(listed),
            *journal_findings(listed, done_there(bench, [environment], listed, linted)),
        )
    )
    return linted


def findings_by_revision(
    bench: Workbench,
    environment: Environment,
    access: Access,
    revisions: Sequence[Revision],
    *,
    binding: bool,
) -> Mapping[str, tuple[Finding, ...]]:
    """Return what our own rules say of revisions, for this very server and its tables.

    By an agent of its own, because a revision that is rendered may do anything. A revision that
    lies elsewhere is judged by its SQL alone, unless what is said is `binding`: then that raises
    `project-unreadable`, and so does a file here that is not the one which runs. Raises what
    looking at the environment raises, too.
    """
    folder = project_folder(bench, environment)
    if binding:
        refuse_unlike(environment.name, folder, revisions)
    sources = [_source(folder, one) for one in revisions]
    with open_session(access) as session:
        observation = session.observe()
        rendered = render(session, [one.id for one in revisions])
        server = server_seen(access, session, observation)
    remarks = sql_remarks(sources, rendered, server)
    view = View(server=server, rendered=rendered, remarks=remarks)
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


def refuse_unlike(environment: str, folder: Path, revisions: Iterable[Revision]) -> None:
    """Raise `project-unreadable` unless each file here is the one that runs."""
    for one in revisions:
        path = folder / one.file
        here = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if here != one.sha256:
            what = "is not on this machine" if here is None else "is another file on this machine"
            raise OrchestrateError(
                "project-unreadable",
                f"{one.file}, which {environment} runs, {what}, and the policy asks what it does",
                hint="Run it where the revisions are checked out as they are deployed, or take "
                "`destructive` and `long-lock` out of `policy`",
                where=environment,
            )


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
