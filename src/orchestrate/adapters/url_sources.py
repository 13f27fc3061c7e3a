"""Resolves database URLs: from what the spec declares to a URL with its password.

One environment at a time, so that a variable that only production needs is not asked for in
development. Messages name the source, never what it gave.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from orchestrate.adapters.notifications import Receiver, can_notify
from orchestrate.adapters.rendering import (
    TemplateMistakeError,
    Variables,
    render_url,
)
from orchestrate.adapters.source_values import SourceProblemError, SourceReader, source_name
from orchestrate.domain.database_url import DatabaseUrl, MalformedUrlError
from orchestrate.domain.findings import Finding
from orchestrate.domain.secrets import Secret
from orchestrate.domain.spec import Environment, LoadedSpec
from orchestrate.domain.spec_sources import AnySource, TemplateSource
from orchestrate.errors import OrchestrateError

__all__ = [
    "DatabaseUrl",
    "check_sources",
    "origin_of",
    "resolve_receivers",
    "resolve_state_url",
    "resolve_url",
]


def resolve_url(
    spec: LoadedSpec, environment: Environment, *, environ: Mapping[str, str] | None = None
) -> DatabaseUrl:
    """Return the environment's database URL. May run the command that the source names.

    Raises:
        OrchestrateError: `url-unavailable`, with what is missing or wrong and where it is written.
    """
    where = environment.where("url")
    if environment.url is None:
        text = f"environment `{environment.name}` declares no `url`"
        raise OrchestrateError("url-unavailable", text, where=where)
    reader = SourceReader(folder=spec.folder, environ=os.environ if environ is None else environ)
    try:
        return _resolved(environment.url, reader, environment.name)
    except SourceProblemError as problem:
        text = f"environment `{environment.name}`: {problem.message}"
        raise OrchestrateError("url-unavailable", text, hint=problem.hint, where=where) from None


def origin_of(spec: LoadedSpec, environment: Environment) -> str:
    """Return where an environment's URL comes from: the source and its place in the spec."""
    if environment.url is None:
        return "nowhere"
    where = (environment.where("url") or "").rsplit(":", 1)[0]  # without the column
    place = where.removeprefix(f"{spec.folder}{os.sep}")
    name = "the spec" if isinstance(environment.url, str) else source_name(environment.url)
    return f"{name} ({place})" if place else name


def resolve_state_url(spec: LoadedSpec, *, environ: Mapping[str, str] | None = None) -> DatabaseUrl:
    """Return the state store's URL; a relative SQLite path is made absolute.

    Raises:
        OrchestrateError: `url-unavailable`.
    """
    reader = SourceReader(folder=spec.folder, environ=os.environ if environ is None else environ)
    try:
        url = _resolved(spec.state, reader, None)
    except SourceProblemError as problem:
        text = f"`state`: {problem.message}"
        where = str(spec.state_place)
        raise OrchestrateError("url-unavailable", text, hint=problem.hint, where=where) from None
    if not url.is_sqlite_file or (url.database or "").startswith("file:"):
        return url
    scheme, _, rest = url.secret.reveal().partition("://")
    _, mark, query = rest.partition("?")
    # `sqlite:///a.db` is relative, `sqlite:////a.db` absolute: the first slash ends the host.
    path = (spec.folder / (url.database or "")).as_posix()
    # The project's folder may have any name: `job@2`, `50%`.
    return DatabaseUrl.parse(f"{scheme}:///{quote(path, safe='/:')}{mark}{query}")


def resolve_receivers(
    spec: LoadedSpec, environment: Environment, *, environ: Mapping[str, str] | None = None
) -> tuple[Receiver, ...]:
    """Return who is told of an environment's runs; one whose source gives nothing has a problem."""
    reader = SourceReader(folder=spec.folder, environ=os.environ if environ is None else environ)
    found = []
    for number, source in enumerate(environment.notify):
        name = f"notify[{number}]"
        try:
            text = _text(source, reader, environment.name).strip()
        except SourceProblemError as problem:
            found.append(Receiver(name=name, url=None, problem=problem.message))
            continue
        kind = re.match(r"[A-Za-z0-9]+(?=://)", text)
        told = f"{name} ({kind[0]})" if kind else name
        found.append(Receiver(name=told, url=Secret(text)))
    return tuple(found)


def check_sources(
    spec: LoadedSpec, *, environ: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Return a finding for every source that gives nothing, of all environments at once.

    Runs no command and reaches no database: what a command would give is taken on trust.
    """
    reader = SourceReader(
        folder=spec.folder,
        environ=os.environ if environ is None else environ,
        runs_commands=False,
    )
    found = _checked(spec.state, reader, None, where=str(spec.state_place), what="`state`")
    for environment in spec.environments:
        what = f"environment `{environment.name}`"
        sources = [("url", environment.url)]
        if environment.targets and environment.targets.query:
            sources.append(("targets.query.url", environment.targets.query.url))
        for key, source in sources:
            if source is not None:
                where = environment.where(key.partition("[")[0])
                told = what if key == "url" else f"{what}, `{key}`"
                found += _checked(source, reader, environment.name, where=where, what=told)
        found += _checked_receivers(environment, reader)
    return tuple(found)


def _checked_receivers(environment: Environment, reader: SourceReader) -> list[Finding]:
    """Return what is wrong with `notify`, whose URLs are apprise's and no database's."""
    found: list[Finding] = []
    where = environment.where("notify")
    if environment.notify and not can_notify():
        text = "`notify` is declared and the library `apprise` is not installed"
        hint = "install `orchestrate[notify]`"
        found.append(
            Finding(code="missing-library", severity="error", message=text, hint=hint, where=where)
        )
    for number, source in enumerate(environment.notify):
        what = f"environment `{environment.name}`, `notify[{number}]`"
        found += _checked(source, reader, environment.name, where=where, what=what, read=_text)
    return found


def _checked(
    source: AnySource,
    reader: SourceReader,
    environment: str | None,
    *,
    where: str,
    what: str,
    read: Callable[[AnySource, SourceReader, str | None], object] | None = None,
) -> list[Finding]:
    found = []
    try:
        (read or _resolved)(source, reader, environment)
    except SourceProblemError as problem:
        if problem.code != "not-run":
            found.append(
                Finding(
                    code=problem.code,
                    severity="error",
                    message=f"{what}: {problem.message}",
                    hint=problem.hint,
                    where=where,
                )
            )
    found += [
        Finding(code="world-readable", severity="warning", message=f"{what}: {text}", where=where)
        for text in reader.take_warnings()
    ]
    return found


def _resolved(source: AnySource, reader: SourceReader, environment: str | None) -> DatabaseUrl:
    text = _text(source, reader, environment)
    try:
        return DatabaseUrl.parse(text.strip())
    except MalformedUrlError as error:
        message = f"{source_name(source)} gave no database URL: {error.message}"
        raise SourceProblemError("malformed-url", message, error.hint) from None


def _text(source: AnySource, reader: SourceReader, environment: str | None) -> str:
    values: dict[str, object] = {
        "env": Variables(reader.environ),
        "environment": {"name": environment or ""},
    }
    if isinstance(source, str):
        template = source
    elif isinstance(source, TemplateSource):
        template = source.template
        for name, value in source.values.items():
            values[name] = value if isinstance(value, str) else _text(value, reader, environment)
    else:
        text = reader.read(source)
        if source.template is None:
            return text
        template = source.template
        values["value"] = text
    try:
        return render_url(template, values)
    except TemplateMistakeError as error:
        unset = str(error).endswith("is not set")
        code = "unset-variable" if unset else "bad-template"
        raise SourceProblemError(code, str(error)) from None
