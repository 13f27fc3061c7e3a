"""Files that somebody asked for: written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from orchestrate.errors import OrchestrateError


def write_file(path: Path, text: str) -> None:
    """Write a file under another name and rename it, so that no reader sees half of it.

    What is no file (a pipe, `/dev/stdout`) is written to; a link stays one. Raises `usage` when the
    folder does not exist or cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as file:
                file.write(text)
            return
        path = path.resolve()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files for the owner alone; a plan has no secret and is there to be read.
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OrchestrateError(
            "usage",
            f"`{path}` cannot be written: {error.strerror}",
            hint="Name a file in a folder that exists and is yours",
        ) from error


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
