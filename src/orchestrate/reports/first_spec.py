"""The files of a first spec: commented YAML, with the protections that can be declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from orchestrate.planning.first_spec import NewEnvironment, NewProject

_WIDTH: Final = 10_000
_UNSAFE: Final = '/\\:*?"<>| '

# Each line is a key that can be taken into use by taking its `#` away; a test does so.
_PROTECTIONS: Final = """\
# Protections: take the `#` away from what this environment needs. docs/spec.md has every key.
# lock_timeout: 5s                # a statement waits this long for a lock, then its step is undone
# lock_retries: 20                # and tried again so often
# statement_timeout: 15m          # no single statement may take longer
# The next ones this version knows and does not enforce yet: it refuses to plan or apply where one
# is declared, rather than leave the environment unprotected.
{after}# approval: {{required: 1, approvers: [alice@example.com], exclude_author: true}}
# window: {{timezone: Europe/Berlin, open: ["weekdays 22:00-23:30"]}}
# backup: {{strategy: {strategy}, destination: backups/, keep: 14}}
# policy: {{destructive: approve, edited-revision: block}}
# verify: [{{sql: "select count(*) from alembic_version", expect: 1}}]
"""
_AFTER: Final = (
    "# after: {{environment: {name}, soak: 2h}}   # these revisions succeeded there first\n"
)


def first_spec_files(
    projects: Sequence[NewProject],
    environments: Sequence[NewEnvironment],
    *,
    alternatives: Sequence[str] = (),
    spec_name: str = "migrations.yaml",
) -> dict[str, str]:
    """Return the text of each file by its path; `alternatives` are further lines on `runner`."""
    files = {spec_name: _spec(projects, alternatives)}
    for index, environment in enumerate(environments):
        before = environments[index - 1].name if index else None
        files[f"environments/{file_name(environment.name)}.yaml"] = _environment(
            environment, before
        )
    return files


def file_name(name: str) -> str:
    """Return an environment's name as one of a file."""
    return "".join("-" if sign in _UNSAFE else sign for sign in name)


def _spec(projects: Sequence[NewProject], alternatives: Sequence[str]) -> str:
    lines = [
        "# What is migrated. `orchestrate validate` checks this file and those it includes;",
        "# `orchestrate doctor` checks everything around them.",
        "version: 1",
        "",
    ]
    if len(projects) == 1:
        lines += ["project:", *_project(projects[0], alternatives, "  ")]
    else:
        lines.append("projects:")
        for one in projects:
            lines += [f"  {_flow(one.name)}:", *_project(one, alternatives, "    ")]
    lines += [
        "",
        "# One file for each environment.",
        "include: environments/*.yaml",
        "",
        "# The journal of runs; a team shares one on PostgreSQL or MySQL, from the same sources as",
        "# a `url`: state: {env: ORCHESTRATE_STATE_URL}",
        "state: sqlite:///.orchestrate/state.db",
    ]
    return "\n".join(lines) + "\n"


def _project(project: NewProject, alternatives: Sequence[str], margin: str) -> list[str]:
    lines = []
    if project.directory is not None:
        lines.append(f"directory: {_flow(project.directory)}   # the project runs in this folder")
    lines.append(f"config: {_flow(project.config)}")
    if project.section is not None:
        lines.append(f"section: {_flow(project.section)}")
    if project.runner is None:
        lines.append("# runner: {python: .venv/bin/python}   # where Alembic and the models are")
    else:
        lines.append(f"runner: {_flow(project.runner)}")
    lines += [f"# runner: {one}" for one in alternatives]
    if project.inject:
        reason = f"   # {project.guessed}" if project.guessed else ""
        lines.append(f"inject: {_flow(project.inject)}{reason}")
    else:
        lines.append(
            "# The URL reaches env.py as the option sqlalchemy.url. Where it looks elsewhere:"
        )
        lines.append("# inject: {env: DATABASE_URL}   # `orchestrate doctor` finds out")
    if project.asynchronous:
        lines.append(
            "# env.py is asynchronous: URLs name such a driver (`postgresql+asyncpg://`), or"
        )
        lines.append("# drivers: {postgresql: asyncpg, sqlite: aiosqlite}")
    return [margin + line for line in lines]


def _environment(environment: NewEnvironment, before: str | None) -> str:
    lines = [
        f"# `orchestrate plan {environment.name}` shows what would be done there.",
        f"name: {_flow(environment.name)}",
    ]
    if environment.project is not None:
        lines.append(f"project: {_flow(environment.project)}")
    lines.append(
        "# No password is written here: the URL, or its password, comes from somewhere else."
    )
    lines.append(f"url: {_flow(environment.url)}")
    if environment.section is not None:
        lines.append(f"inject: {_flow({'section': environment.section})}   # what env.py reads")
    after = _AFTER.format(name=_flow(before)) if before is not None else ""
    protections = _PROTECTIONS.format(after=after, strategy=_strategy(environment.url))
    return "\n".join([*lines, "", protections])


def _strategy(url: object) -> str:
    """Return the strategy of backups that goes with a URL, where that tells."""
    scheme = url.partition(":")[0] if isinstance(url, str) else ""
    backend = scheme.partition("+")[0]
    return {"sqlite": "sqlite", "mysql": "mysqldump", "mariadb": "mysqldump"}.get(
        backend, "pg_dump"
    )


def _flow(value: object) -> str:
    text = yaml.safe_dump(_plain(value), default_flow_style=True, sort_keys=False, width=_WIDTH)
    return text.strip().removesuffix("...").strip()


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
