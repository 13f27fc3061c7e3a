"""Puts the files of a new spec in place: checked before, never over another file, all or none."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from orchestrate.domain.spec import LoadedSpec
from orchestrate.errors import OrchestrateError
from orchestrate.stores.spec_files import load_spec


def checked_spec(files: Mapping[str, str], *, spec_name: str, folder: Path) -> LoadedSpec:
    """Return the spec that the files would be in a folder; they are read in another one.

    Raises `spec-invalid`.
    """
    with tempfile.TemporaryDirectory(prefix="orchestrate-") as staged:
        _write(files, Path(staged))
        spec = load_spec(Path(staged) / spec_name, start=folder)
    return replace(spec, path=folder / spec_name)


def put_in_place(files: Mapping[str, str], *, spec_name: str, folder: Path) -> list[Path]:
    """Write the files and return their paths; where one cannot be written, none is left.

    The spec itself comes last: whoever finds it finds all of it, even after a power cut. Raises
    `usage`, also for a file that is there by now.
    """
    written: list[Path] = []
    made = not (folder / "environments").exists()
    try:
        for name in sorted(files, key=lambda one: one == spec_name):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(files[name])
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                (folder / "environments").rmdir()
        raise OrchestrateError(
            "usage", f"`{error.filename}` cannot be written: {error.strerror}; nothing was written"
        ) from error
    return written


def _write(files: Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
