"""Paths as people write them, looked at without raising. Imports nothing that takes time."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: Path | str) -> Path:
    """Return a path with `~` and `~user` replaced; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (pathlib raises for an unknown user)


def is_file(path: Path) -> bool:
    """Tell whether a file is there, as far as we may look and its name can be one."""
    return os.path.isfile(path)  # noqa: PTH113  (pathlib raises for what may not be looked into)
