"""Fills in what the spec declares for one target: the agent's `project` object, the runner.

The result holds passwords and goes nowhere but to the agent's standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Self, assert_never

from orchestrate.adapters.rendering import TemplateMistakeError, render
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.far_hosts import FarHost, FarPython
from orchestrate.domain.findings import Finding
from orchestrate.domain.spec import (
    CommandRunner,
    Environment,
    Inject,
    LoadedSpec,
    PythonRunner,
    SshRunner,
)
from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded

DEFAULT_OPTION = "sqlalchemy.url"
_WHOLE_URL = "{{ url }}"
_PROBLEM_URL = DatabaseUrl.parse("postgresql://user:password@host:5432/database")


class _UrlText(str):  # noqa: SLOT000 - a handful of them a command
    """The URL as a template sees it: itself a text, with its parts as attributes.

    `address` stands in the place of the host where that is but a name for it, in a tunnel's URL.
    """

    backend: str
    driver: str | None
    host: str | None
    port: int | None
    user: str | None
    password: str | None
    database: str | None

    def __new__(cls, url: DatabaseUrl, address: str | None) -> Self:
        """Return the URL's full text with its parts."""
        self = super().__new__(cls, url.secret.reveal())
        self.backend, self.driver = url.backend, url.driver
        self.host, self.port, self.user = address or url.host, url.port, url.user
        self.database = url.database
        self.password = url.password.reveal() if url.password else None
        return self

    def __repr__(self) -> str:
        return "url"


def injection(
    spec: LoadedSpec,
    environment: Environment,
    url: DatabaseUrl,
    *,
    target_name: str,
    address: str | None = None,
) -> dict[str, Any]:
    """Return the `project` object of the agent's protocol, templates filled in.

    `address` is what templates see as the URL's host, if not that.

    Paths stay relative: the agent's process starts in the spec's folder, or where its runner
    starts it.

    Raises:
        OrchestrateError: `spec-invalid` for a template that cannot be filled in or a hook file
            that cannot be read.
    """
    project = spec.project_of(environment)
    ways = injected_ways(spec, environment)
    driver = project.drivers.get(url.backend)
    values = {
        "url": _UrlText(url.with_driver(driver) if driver else url, address),
        "target": {"name": target_name},
        "environment": {"name": environment.name},
    }
    where = (environment if environment.inject else project).where("inject")

    def filled(template: str) -> str:
        if template == _WHOLE_URL:
            # The usual case is spared the import of Jinja2.
            return str(values["url"])
        try:
            return render(template, values)
        except TemplateMistakeError as error:
            text = f"environment `{environment.name}`: {error}"
            raise OrchestrateError("spec-invalid", text, where=where) from None

    def all_filled(templates: Mapping[str, str]) -> dict[str, str]:
        return {name: filled(template) for name, template in templates.items()}

    config = project.config or (None if project.script_location else "alembic.ini")
    section = ways.section or project.section
    return {
        "config": config,
        "section": filled(section) if section else None,
        "directory": project.directory,
        "options": all_filled({**project.options, **_by_name(_option(ways))}),
        "script_location": project.script_location,
        "version_locations": list(project.version_locations),
        "sys_path": list(project.sys_path),
        "x": [f"{name}={value}" for name, value in all_filled(ways.x or {}).items()],
        "attribute": ways.attribute,
        "environ": all_filled(_by_name(ways.env)),
        "hook": _hook(spec, ways, where) if ways.hook else None,
        "read_only_probe": project.probe == "read-only",
    }


def injected_ways(spec: LoadedSpec, environment: Environment) -> Inject:
    """Return how the URL reaches env.py: the project's ways with the environment's laid over."""
    project = spec.project_of(environment)
    if environment.inject is None:
        return project.inject
    own = {key: getattr(environment.inject, key) for key in environment.inject.model_fields_set}
    return project.inject.model_copy(update=own)


def shareable(spec: LoadedSpec, environment: Environment) -> bool:
    """Say whether a warm agent may serve several targets of the project.

    Variables are read once at import, and a hook's file may keep what it likes: only ways that
    Alembic itself hands over anew for each run are safe.
    """
    ways = injected_ways(spec, environment)
    return ways.env is None and ways.hook is None


def runner_command(spec: LoadedSpec, environment: Environment) -> list[str]:
    """Return the argument list that starts the project's Python, without what Python runs.

    For SSH it is that of the far end (`far_python`).
    """
    runner = environment.runner or spec.project_of(environment).runner
    match runner:
        case "local":
            return [sys.executable]
        case PythonRunner():
            # Not resolved: a virtual environment is found by the link's own place.
            return [str(spec.folder / expanded(runner.python))]
        case CommandRunner():
            return list(runner.command)
        case SshRunner():
            return [runner.ssh.python]
        case _:
            assert_never(runner)


def far_python(spec: LoadedSpec, environment: Environment) -> FarPython | None:
    """Return where the project's Python is, if that is behind SSH."""
    runner = environment.runner or spec.project_of(environment).runner
    if not isinstance(runner, SshRunner):
        return None
    place = runner.ssh
    return FarPython(
        host=FarHost(host=place.host, user=place.user, port=place.port),
        python=place.python,
        directory=place.directory,
    )


def check_templates(spec: LoadedSpec) -> tuple[Finding, ...]:
    """Return a finding for each environment whose templates could not be filled in."""
    found = []
    for environment in spec.environments:
        try:
            injection(spec, environment, _PROBLEM_URL, target_name=environment.name)
        except OrchestrateError as error:
            found.append(
                Finding(
                    code="bad-template",
                    severity="error",
                    message=error.message,
                    hint=error.hint,
                    where=error.where,
                )
            )
    return tuple(found)


def _option(ways: Inject) -> str | Mapping[str, str] | None:
    carries = any((ways.env, ways.x, ways.attribute, ways.hook))
    return ways.option or (None if carries else DEFAULT_OPTION)


def _by_name(way: str | Mapping[str, str] | None) -> dict[str, str]:
    if way is None:
        return {}
    return {way: _WHOLE_URL} if isinstance(way, str) else dict(way)


def _hook(spec: LoadedSpec, ways: Inject, where: str) -> dict[str, str]:
    name = ways.hook or ""
    path = spec.folder / expanded(name)
    try:
        return {"name": name, "source": path.read_text(encoding="utf-8")}
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not UTF-8").lower()
        text = f"the hook `{name}` cannot be read: {reason}"
        raise OrchestrateError("spec-invalid", text, where=where) from None
