"""What lint says of a plan's revisions, for the very server and tables that they would run on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrate.cli.linting import local_modules, project_folder
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Observation
from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.domain.spec import Environment
from orchestrate.planning.linting import View, lint_revisions
from orchestrate.planning.revision_sources import unseen_source
from orchestrate.run.linting import read_files, render, server_seen
from orchestrate.run.observe import open_session
from orchestrate.run.session import Access


def with_judgements(
    bench: Workbench,
    environment: Environment,
    plan: Plan,
    access: Access,
    observation: Observation,
) -> Plan:
    """Return an upgrade's plan with what its revisions lose, whom they keep out, and how long.

    An agent of its own renders them, because that runs their Python: those that call nothing but
    Alembic and SQLAlchemy, the others are judged by their text. squawk is not asked. Raises what
    reaching the target raises.
    """
    revisions = [one for step in plan.steps if step.kind == "upgrade" for one in _revisions(step)]
    if not revisions:
        return plan
    with open_session(access) as session:
        rendered = render(session, [revision for revision, _ in revisions])
        server = server_seen(access, session, observation)
    folder = project_folder(bench, environment)
    local = local_modules(bench, environment)
    view = View(server=server, rendered=rendered)
    found = {
        revision: lint_revisions([_source(folder, file, revision)], [view], local=local)
        for revision, file in revisions
    }
    return replace(
        plan,
        steps=tuple(
            replace(step, findings=(*step.findings, *_new(step, found)))
            if step.kind == "upgrade"
            else step
            for step in plan.steps
        ),
    )


def _revisions(step: Step) -> list[tuple[str, str]]:
    """Return the revisions of a step with their files."""
    return [(part.revision, part.file) for part in step.parts] or [(step.revision, step.file)]


def _source(folder: Path, file: str, revision: str) -> RevisionSource:
    """Return a revision's text; one that lies elsewhere is judged by its SQL alone."""
    found = read_files([folder / file], folder)
    return found[0] if found else unseen_source(file, revision)


def _new(step: Step, found: dict[str, tuple[Finding, ...]]) -> list[Finding]:
    """Return what the plan does not say already: it looks at the way back itself."""
    known = {one.code for one in step.findings}
    return [
        one for revision, _ in _revisions(step) for one in found[revision] if one.code not in known
    ]
