"""The first spec of a project: decided from what lies around and what a person answered.

Pure. Sources are references throughout; a URL with a password is refused before it gets anywhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from orchestrate.domain.diagnosis import Way
from orchestrate.domain.spec_project import Inject
from orchestrate.domain.spec_sources import holds_password
from orchestrate.domain.surroundings import Config, RunnerChoice, Service, Surroundings
from orchestrate.errors import OrchestrateError
from orchestrate.planning.env_reading import Reading, joined, read_source
from orchestrate.planning.variable_names import is_url_name, part_of
from orchestrate.planning.ways import named
from orchestrate.values import dataclass

_ENOUGH_PARTS: Final = 3
_MAIN: Final = "alembic"
_SOURCES: Final = (
    "`env:VARIABLE`, `dotenv:.env#KEY`, `ini:alembic.ini#SECTION`, `file:PATH`, "
    "`command:PROGRAM ARGUMENTS`, `keyring:SERVICE/USER`, or a URL without a password"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEnvironment:
    """An environment to be declared."""

    name: str
    url: object
    """As it stands in the spec."""
    project: str | None = None
    section: str | None = None
    """Section of the ini file that env.py is to read for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """A project to be declared; values as they stand in the spec."""

    name: str
    config: str
    directory: str | None
    section: str | None
    runner: object | None
    inject: Mapping[str, object]
    guessed: str | None
    """Why `inject` is what it is, where it was read out of env.py."""
    asynchronous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """An environment that seems to exist: what its URL would come from, and a name for it."""

    name: str
    source: str
    """As `--environment` takes it."""
    certain: bool
    """The name is the project's own word, not ours."""


# --- What was typed -------------------------------------------------------------------------------


def source_from(text: str) -> object:
    """Return what stands at `url` for a text such as `env:PROD_DATABASE_URL`.

    Raises `usage`; the message never shows what may hold a password.
    """
    kind, colon, rest = text.partition(":")
    rest = rest.strip()
    match kind if colon and rest and not rest.startswith("//") else "":
        case "env":
            return {"env": rest}
        case "dotenv":
            file, mark, key = rest.rpartition("#")
            if mark and file and key:
                return {"dotenv": file, "key": key}
        case "ini":
            file, _, section = rest.partition("#")
            return {"ini": file, **({"section": section} if section else {})}
        case "file":
            return {"file": rest}
        case "command":
            return {"command": _split(rest)}
        case "keyring":
            service, slash, user = rest.rpartition("/")
            if slash and service and user:
                return {"keyring": {"service": service, "user": user}}
        case _:
            if "://" in text:
                return _literal(text)
    raise OrchestrateError("usage", f"A source of a URL is not understood; it is one of {_SOURCES}")


def _literal(text: str) -> str:
    if holds_password(text):
        raise OrchestrateError(
            "usage",
            "A URL with a password was given; a spec holds none",
            hint="Put it into a variable, say `--environment NAME=env:VARIABLE`, or write "
            "`{{ env.VARIABLE }}` in the password's place",
        )
    return text


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise OrchestrateError("usage", f"A command's quotes do not end: {error}") from None


def environment_from(text: str, projects: Sequence[str]) -> NewEnvironment:
    """Return the environment of `NAME=SOURCE`, or `PROJECT/NAME=SOURCE` where there are several."""
    name, equals, source = text.partition("=")
    project, slash, own = name.rpartition("/")
    if not equals or not own.strip() or "://" in name:
        raise OrchestrateError(
            "usage",
            "`--environment` takes NAME=SOURCE, such as `prod=env:PROD_DATABASE_URL`",
            hint=f"A source is {_SOURCES}",
        )
    if len(projects) > 1 and project not in projects:
        known = ", ".join(f"`{one}/{own}`" for one in projects)
        raise OrchestrateError(
            "usage", f"`{own}` does not say of which project it is", hint=f"One of {known}"
        )
    if slash and len(projects) == 1:
        raise OrchestrateError("usage", f"There is one project, and `{name}` names another")
    return NewEnvironment(
        name=own.strip(), url=source_from(source), project=project if slash else None
    )


def runner_from(text: str) -> object:
    """Return what stands at `runner` for `local`, a path of a Python, or a command line."""
    words = _split(text)
    if words == ["local"]:
        return "local"
    if len(words) == 1 and "/" in words[0]:
        return {"python": words[0]}
    if not words:
        raise OrchestrateError(
            "usage",
            "`--runner` takes `local`, the path of a Python, or a command that ends in one",
        )
    return {"command": words}


def inject_from(texts: Sequence[str]) -> dict[str, object]:
    """Return what stands at `inject` for texts such as `env:DATABASE_URL` or `attribute:engine`."""
    found: dict[str, object] = {}
    for text in texts:
        kind, colon, rest = text.partition(":")
        if not colon or not rest or kind not in Inject.model_fields:
            kinds = ", ".join(f"`{name}:…`" for name in Inject.model_fields)
            raise OrchestrateError("usage", f"`--inject {text}` is not one of {kinds}")
        names = rest.split(",")
        if kind == "x" or (kind in {"env", "option"} and len(names) > 1):
            found[kind] = {
                name: template or "{{ url }}"
                for name, _, template in (one.partition("=") for one in names)
            }
        else:
            found[kind] = rest
    return found


# --- What can be told from what lies around -------------------------------------------------------


def readings(config: Config) -> tuple[Reading, Reading]:
    """Return what env.py says, and what the modules say that it imports."""
    own = read_source(config.env.text) if config.env else Reading()
    imported = joined(
        read_source(source.text, module=name, package=source.package)
        for name, source in config.imported
    )
    return own, imported


def likely_inject(config: Config) -> tuple[dict[str, object], str | None]:
    """Return the way by which env.py seems to take its URL, and what tells so.

    Nothing for the option `sqlalchemy.url`, which is meant where the spec says nothing.
    """
    own, imported = readings(config)
    declared = Way(inject=Inject())
    x_names = [name for name in own.x_names if "url" in name.lower() or "dsn" in name.lower()]
    sure = [name for name in own.variables if is_url_name(name)]
    more = [name for name in imported.variables if is_url_name(name)]
    parts = tuple(name for name in own.variables if part_of(name))
    if own.reads_x and x_names:
        way = named("x", declared, (x_names[0],), driver="")
        return _dumped(way), f"env.py asks `-x` for `{x_names[0]}`"
    if sure:
        way = named("env", declared, (sure[0],), driver="")
        return _dumped(way), f"env.py reads `{sure[0]}`"
    if len(parts) >= _ENOUGH_PARTS:
        way = named("parts", declared, parts, driver="driver")
        return _dumped(way), "env.py reads the parts of its URL from these"
    if more and (own.overwrites_url or "sqlalchemy.url" not in own.options):
        way = named("env", declared, (more[0],), driver="")
        return _dumped(way), f"what env.py imports seems to read `{more[0]}`"
    return {}, None


def _dumped(way: Way) -> dict[str, object]:
    return way.inject.model_dump(exclude_none=True)


def project_for(
    config: Config,
    name: str,
    *,
    runner: object | None,
    inject: Mapping[str, object],
    directory: str | None,
) -> NewProject:
    """Return the project of a config; `inject` and `directory` as they were typed, if they were."""
    guessed, reason = ({}, None) if inject else likely_inject(config)
    folder = directory or (config.directory if config.directory != "." else None)
    path = config.name if directory is None else config.path.removeprefix(f"{directory}/")
    sections = [one.name for one in config.sections if one.script_location]
    return NewProject(
        name=name,
        config=path,
        directory=folder,
        section=None if _MAIN in sections or not sections else sections[0],
        runner=runner,
        inject=inject or guessed,
        guessed=reason,
        asynchronous=readings(config)[0].asynchronous,
    )


def project_names(configs: Sequence[Config]) -> list[str]:
    """Return a name for each: its folder's, or its file's where several share a folder."""
    folders = [one.path.rpartition("/")[0].rpartition("/")[2] or "main" for one in configs]
    files = [one.path.rpartition("/")[2].partition(".")[0] for one in configs]
    if len(set(folders)) == len(folders):
        return folders
    if len(set(files)) == len(files):
        return files
    return [one.path.replace("/", "-").rpartition(".")[0] for one in configs]


def suggestions(around: Surroundings, configs: Sequence[Config]) -> list[Suggestion]:
    """Return the environments that ini sections and `.env` files speak of."""
    found = []
    for config in configs:
        for section in config.sections:
            if section.scheme is not None and config.path.endswith(".ini"):
                main = section.name == _MAIN
                source = f"ini:{config.path}" + ("" if main else f"#{section.name}")
                found.append(
                    Suggestion(
                        name="dev" if main else section.name, source=source, certain=not main
                    )
                )
    for one in around.dotenv:
        if is_url_name(one.key):
            ending = one.file.rpartition(".env")[2].strip(".-")
            source = f"dotenv:{one.file}#{one.key}"
            found.append(Suggestion(name=ending or "dev", source=source, certain=bool(ending)))
    return found


def section_of(environment: NewEnvironment, configs: Sequence[Config]) -> str | None:
    """Return the section that env.py is to read, where the URL comes from one with scripts."""
    url = environment.url
    if not isinstance(url, dict) or "ini" not in url or url.get("section", _MAIN) == _MAIN:
        return None
    for config in configs:
        if config.path == url["ini"]:
            for section in config.sections:
                if section.name == url["section"] and section.script_location:
                    return section.name
    return None


def best_runner(around: Surroundings) -> RunnerChoice | None:
    """Return the runner to take where nobody says another; None for the Python we run in."""
    likely = [one for one in around.runners if one.has_alembic is not False]
    return min(likely, key=lambda one: not one.has_alembic, default=None)


def compose_runner(service: Service) -> dict[str, object]:
    """Return the runner that reaches the Python in a service's container."""
    place = [] if "/" not in service.file else ["-f", service.file]
    return {"command": ["docker", "compose", *place, "exec", "-T", service.name, "python"]}


def applications(around: Surroundings) -> list[Service]:
    """Return the services that may hold the project: those that are built here."""
    return [one for one in around.services if one.builds]
