"""Looks around for Alembic projects and what goes with them. Reads files, and writes none.

Values of URLs are looked at for their scheme alone and are not kept.
"""

from __future__ import annotations

import configparser
import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from orchestrate.domain.diagnosis import Source
from orchestrate.domain.surroundings import (
    Config,
    DotenvKey,
    RunnerChoice,
    Section,
    Service,
    Surroundings,
)
from orchestrate.planning.env_reading import read_source

_SKIPPED: Final = frozenset(
    {"node_modules", "venv", "env", "site-packages", "__pycache__", "build", "dist", "target"}
)
_DEEPEST: Final = 6
_LARGEST: Final = 512 * 1024
_MOST_SOURCES: Final = 60
_COMPOSE: Final = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
)
_SCHEME: Final = re.compile(
    r"\s*['\"]?(?P<scheme>(?:postgres(?:ql)?|mysql|mariadb|sqlite|oracle|mssql)(?:\+\w+)?)://"
)
_PLACEHOLDER: Final = "driver"
"""The scheme of the URL that `alembic init` writes."""


def look_around(root: Path) -> Surroundings:
    """Return what is found in a folder and below it."""
    configs = tuple(_configs(root))
    folders = list(dict.fromkeys([".", *(one.directory for one in configs)]))
    gitignore = _text(root / ".gitignore") or ""
    return Surroundings(
        configs=configs,
        runners=tuple(_runners(root, folders)),
        services=tuple(_services(root, folders)),
        dotenv=tuple(_dotenv(root, folders)),
        existing=tuple(_existing(root)),
        ignores_state=re.search(r"^/?\.orchestrate/?\s*$", gitignore, re.MULTILINE) is not None,
    )


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return None


def _existing(root: Path) -> Iterator[str]:
    if (root / "migrations.yaml").exists():
        yield "migrations.yaml"
    for path in sorted((root / "environments").glob("*.yaml")):
        yield path.relative_to(root).as_posix()


# --- Alembic's files ------------------------------------------------------------------------------


def _configs(root: Path) -> Iterator[Config]:
    """Yield every ini file and pyproject.toml that says where scripts are, the nearest first."""
    for folder, names in _folders(root):
        for name in names:
            path = folder / name
            if name.endswith(".ini"):
                sections = _ini_sections(path)
            elif name == "pyproject.toml":
                sections = _toml_sections(path)
            else:
                continue
            if any(one.script_location for one in sections):
                yield _config(root, path, sections)


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    for place, folders, names in os.walk(root):
        path = Path(place)
        depth = len(path.relative_to(root).parts)
        folders[:] = sorted(
            name
            for name in folders
            if depth < _DEEPEST and name not in _SKIPPED and not name.startswith(".")
        )
        yield path, sorted(names)


def _ini_sections(path: Path) -> list[Section]:
    text = _text(path)
    parser = configparser.ConfigParser({"here": path.parent.as_posix()}, interpolation=None)
    try:
        parser.read_string(text or "")
    except configparser.Error:
        return []
    return [
        Section(name=name, script_location=location, scheme=_scheme(url))
        for name in parser.sections()
        for location, url in [
            (
                parser.get(name, "script_location", fallback=None),
                parser.get(name, "sqlalchemy.url", fallback=None),
            )
        ]
        if location or url
    ]


def _toml_sections(path: Path) -> list[Section]:
    try:
        value = tomllib.loads(_text(path) or "")
    except tomllib.TOMLDecodeError:
        return []
    tool = value.get("tool", {})
    alembic = tool.get("alembic") if isinstance(tool, dict) else None
    location = alembic.get("script_location") if isinstance(alembic, dict) else None
    if not isinstance(location, str):
        return []
    # Beside it, an alembic.ini may hold the URL.
    scheme = next(
        (one.scheme for one in _ini_sections(path.parent / "alembic.ini") if one.name == "alembic"),
        None,
    )
    return [Section(name="alembic", script_location=location, scheme=scheme)]


def _scheme(text: str | None) -> str | None:
    found = _SCHEME.match(text or "")
    return found["scheme"] if found and found["scheme"] != _PLACEHOLDER else None


def _config(root: Path, path: Path, sections: Sequence[Section]) -> Config:
    folder = path.parent
    location = next(one.script_location for one in sections if one.script_location)
    directory, env = folder, None
    # `script_location` is relative to where `alembic` is called, mostly beside its ini file.
    for base in dict.fromkeys((folder, root)):
        found = _script_folder(base, folder, location or "") / "env.py"
        text = _text(found)
        if text is not None:
            directory, env = base, Source(path=found.as_posix(), text=text)
            break
    return Config(
        path=path.relative_to(root).as_posix(),
        directory=directory.relative_to(root).as_posix(),
        sections=tuple(sections),
        env=env,
        imported=tuple(_imported(env, [directory, directory / "src", root, root / "src"])),
    )


def _script_folder(base: Path, ini_folder: Path, location: str) -> Path:
    location = location.replace("%(here)s", ini_folder.as_posix()).replace("%%", "%")
    if ":" in location and not Path(location).is_absolute():
        package, _, rest = location.partition(":")
        return base / package.replace(".", "/") / rest
    return base / location


def _imported(env: Source | None, roots: Sequence[Path]) -> Iterator[tuple[str, Source]]:
    """Yield the project's own modules that env.py imports, and what those import."""
    if env is None:
        return
    known: set[str] = set()
    wanted = list(read_source(env.text).modules)
    while wanted and len(known) < _MOST_SOURCES:
        name = wanted.pop(0)
        if name in known:
            continue
        known.add(name)
        source = _module(name, roots)
        if source is not None:
            yield name, source
            wanted += read_source(source.text, module=name, package=source.package).modules


def _module(name: str, roots: Sequence[Path]) -> Source | None:
    parts = name.split(".")
    for root in roots:
        for path in (
            root.joinpath(*parts).with_suffix(".py"),
            root.joinpath(*parts, "__init__.py"),
        ):
            text = _text(path)
            if text is not None:
                return Source(path=path.as_posix(), text=text, package=path.name == "__init__.py")
    return None


# --- What goes with them --------------------------------------------------------------------------


def _runners(root: Path, folders: Sequence[str]) -> Iterator[RunnerChoice]:
    """Yield ways to a Python, the surest first."""
    for folder in reversed(folders):  # the project's own before the top one's
        for name in (".venv", "venv"):
            python = Path(folder, name, "bin", "python")
            if (root / python).exists():
                seen = list((root / folder / name).glob("lib/python*/site-packages/alembic"))
                yield RunnerChoice(
                    value={"python": python.as_posix()},
                    reason=_place(name, folder),
                    has_alembic=bool(seen),
                )
    for folder in reversed(folders):
        for lock, command in (("uv.lock", "uv"), ("poetry.lock", "poetry")):
            if (root / folder / lock).is_file():
                # Not `--directory`: the folder would be changed twice.
                place = [] if folder == "." else ["--project", folder]
                value = {"command": [command, *place, "run", "python"]}
                yield RunnerChoice(value=value, reason=_place(lock, folder))
    if (root / "Pipfile").is_file():
        yield RunnerChoice(value={"command": ["pipenv", "run", "python"]}, reason="Pipfile")


def _place(name: str, folder: str) -> str:
    return name if folder == "." else f"{name} in {folder}"


def _services(root: Path, folders: Sequence[str]) -> Iterator[Service]:
    for folder in folders:
        for name in _COMPOSE:
            text = _text(root / folder / name)
            if text is None:
                continue
            file = Path(folder, name).as_posix()
            yield from _services_of(text, file)
            break  # as Compose itself: the first of them


def _services_of(text: str, file: str) -> Iterator[Service]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    services: Any = value.get("services") if isinstance(value, dict) else None
    for name, one in services.items() if isinstance(services, dict) else ():
        if isinstance(one, dict):
            image = one.get("image")
            yield Service(
                name=str(name),
                file=file,
                builds="build" in one,
                image=image if isinstance(image, str) else None,
            )


def _dotenv(root: Path, folders: Sequence[str]) -> Iterator[DotenvKey]:
    for folder in folders:
        for path in sorted((root / folder).glob(".env*")):
            if path.name.endswith((".example", ".sample", ".template", ".dist", "rc")):
                continue
            file = path.relative_to(root).as_posix()
            for line in (_text(path) or "").splitlines():
                key, equals, value = line.strip().removeprefix("export ").partition("=")
                scheme = _scheme(value)
                if equals and scheme and re.fullmatch(r"\w+", key.strip()):
                    yield DotenvKey(file=file, key=key.strip(), scheme=scheme)
