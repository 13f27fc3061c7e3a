"""Where the spec is: found by its name, without reading it. Imports nothing that takes time."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from orchestrate.errors import OrchestrateError
from orchestrate.paths import expanded, is_file

FILE_NAME: Final = "migrations.yaml"


def spec_path(path: Path | None, *, start: Path) -> Path:
    """Return the absolute path of the spec that is named, or of the nearest one from `start` up.

    Raises `spec-not-found`.
    """
    if path is not None:
        file = (start / expanded(path)).absolute()
        if not is_file(file):
            raise OrchestrateError(
                "spec-not-found",
                f"there is no file {file}",
                hint="give the spec with `--spec FILE`",
            )
        return file
    folder = start.absolute()
    for candidate in (folder, *folder.parents):
        file = candidate / FILE_NAME
        if is_file(file):
            return file
    raise OrchestrateError(
        "spec-not-found",
        f"there is no `{FILE_NAME}` in {folder} or above",
        hint="`orchestrate init` writes one for the Alembic project here; `--spec FILE` names "
        "another place",
    )
