"""Templates of runbooks: those of the package, and a folder of the user's laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.names import did_you_mean
from orchestrate.domain.runbook import Template
from orchestrate.domain.spec import Environment, LoadedSpec
from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded
from orchestrate.stores.written_files import write_file

ORIGINAL: Final = "original/"
"""Before the name of a shipped template, which one of the user's own may extend."""
SUFFIX: Final = ".j2"
_NAMES: Final = ("runbook.md.j2", "runbook.html.j2")


def shipped() -> dict[str, Template]:
    """Return each template of the package, by name."""
    folder = resources.files("orchestrate") / "reports" / "templates"
    return {name: Template(text=(folder / name).read_text("utf-8"), file=name) for name in _NAMES}


def templates_for(spec: LoadedSpec, environment: Environment) -> Mapping[str, Template]:
    """Return each template by name: the package's, and the user's over them.

    Raises `template-invalid` where the folder or a file of it cannot be read.
    """
    original = shipped()
    found = {**original, **{ORIGINAL + name: one for name, one in original.items()}}
    if environment.runbook is None or environment.runbook.templates is None:
        return found
    folder = spec.folder / expanded(environment.runbook.templates)
    where = environment.where("runbook")
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix == SUFFIX and path.is_file():
                text = path.read_text("utf-8")
                found[path.name] = Template(text=text, file=_shown(path, spec))
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "a file in it is not UTF-8").lower()
        raise OrchestrateError(
            "template-invalid",
            f"The templates in `{environment.runbook.templates}` cannot be read: {reason}",
            hint=f"`orchestrate runbook --eject {environment.runbook.templates}` writes some",
            where=where,
        ) from error
    return found


def _shown(path: Path, spec: LoadedSpec) -> str:
    """Return a file as messages name it: relative to the spec where it lies below it."""
    return (
        path.relative_to(spec.folder).as_posix() if path.is_relative_to(spec.folder) else str(path)
    )


def misnamed(spec: LoadedSpec, environment: Environment) -> tuple[Finding, ...]:
    """Return a finding for a folder of templates that replaces none of the package's."""
    own = set(templates_for(spec, environment)) - {*_NAMES, *(ORIGINAL + one for one in _NAMES)}
    replaced = {
        name
        for name, one in templates_for(spec, environment).items()
        if name in _NAMES and one.file != name
    }
    if replaced or environment.runbook is None or environment.runbook.templates is None:
        return ()
    near = [did_you_mean(name, _NAMES) for name in sorted(own)]
    return (
        Finding(
            code="missing-file",
            severity="error",
            message=f"`{environment.runbook.templates}` has no template that a runbook is made of",
            hint=next(filter(None, near), None) or f"they are called {' and '.join(_NAMES)}",
            where=environment.where("runbook"),
        ),
    )


def eject(folder: Path) -> list[Path]:
    """Write the package's templates into a folder, made if need be; return the files.

    Raises `usage` rather than write over a file, and where the folder cannot be made.
    """
    files = {folder / name: one.text for name, one in shipped().items()}
    there = [str(path) for path in files if path.exists()]
    if there:
        raise OrchestrateError(
            "usage",
            f"`{there[0]}` is there already; nothing was written",
            hint="Name another folder, or move it away",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OrchestrateError(
            "usage", f"The folder `{folder}` cannot be made: {error.strerror}"
        ) from error
    for path, text in files.items():
        write_file(path, text)
    return list(files)
