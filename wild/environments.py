"""Virtual environments of projects out of the wild, each made once under `.cache/wild`.

Owns what is installed where. An environment is what its recipe says, or it is made anew; nothing of
ours is in it. `python -m wild.environments` makes those that the test suite needs ahead of it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock
from uv import find_uv_bin

from tests.support.interpreters import find_python
from wild.recipes import SMALL, Environment, environments

CACHE: Final = Path(__file__).parents[1] / ".cache" / "wild"
ENVIRONMENTS: Final = CACHE / "environments"


class InstallError(Exception):
    """An environment could not be made; says what the installer said."""


def ready(wanted: Environment) -> Path:
    """Return the Python of an environment, installing it first if it is not as its recipe says."""
    folder = ENVIRONMENTS / wanted.name
    python = folder / "bin" / "python"
    stamp = folder / "made-of"
    digest = hashlib.sha256(wanted.text.encode()).hexdigest()
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with FileLock(ENVIRONMENTS / f"{wanted.name}.lock"):
        if not (stamp.is_file() and stamp.read_text("utf-8") == digest and python.exists()):
            shutil.rmtree(folder, ignore_errors=True)
            _install(wanted, folder)
            stamp.write_text(digest, "utf-8")
    return python


def _install(wanted: Environment, folder: Path) -> None:
    print(f"installing {wanted.name}", file=sys.stderr, flush=True)
    base = find_python((wanted.python,))
    python = folder / "bin" / "python"
    _uv("venv", "--quiet", "--python", str(base), str(folder))
    # A marker that is never true takes a package out of everybody's requirements.
    override = folder / "without.txt"
    override.write_text("".join(f'{name} ; sys_platform == "never"\n' for name in wanted.without))
    _uv(
        *("pip", "install", "--quiet", "--python", str(python)),
        # Compiled once here, or every process of a project compiles it again.
        "--compile-bytecode",
        *("--exclude-newer", f"{wanted.until}T00:00:00Z"),
        *("--override", str(override)),
        *wanted.packages,
    )


def _uv(*arguments: str) -> None:
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "hardlink"}
    done = subprocess.run(
        [find_uv_bin(), *arguments], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise InstallError(f"uv {' '.join(arguments)}\n{done.stderr.strip()}")


def site_packages(python: Path) -> Path:
    """Return the folder that an environment's packages are in."""
    (found,) = (python.parents[1] / "lib").glob("python3.*/site-packages")
    return found


def versions(python: Path, *names: str) -> dict[str, str]:
    """Return the versions of packages in an environment, by name."""
    paths = [str(site_packages(python))]
    found = {
        one.metadata["Name"].lower(): one.version
        for one in importlib.metadata.distributions(path=paths)
    }
    return {name: found[name.lower()] for name in names if name.lower() in found}


if __name__ == "__main__":
    for name in SMALL:
        ready(environments()[name])
