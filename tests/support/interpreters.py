"""Environments of Python, Alembic and SQLAlchemy at both ends of what we support.

Owns their making, once for each checkout, under `.cache/`; `python -m tests.support.interpreters`
makes them ahead of the tests. The agent runs in them as in a project's own environment, so nothing
of ours is installed there.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

CACHE = Path(__file__).parents[2] / ".cache" / "interpreters"
DRIVERS = ("psycopg2-binary", "psycopg[binary]", "pymysql", "asyncpg", "aiosqlite", "greenlet")


@dataclass(frozen=True)
class Interpreter:
    """What an environment is made of."""

    pythons: tuple[str, ...]  # the first that runs is taken
    packages: tuple[str, ...]


NEWEST = Interpreter(
    pythons=("3.14", "3.13", "3.12", "3.11"), packages=("alembic", "sqlalchemy", *DRIVERS)
)
OLDEST = Interpreter(
    pythons=("3.8", "3.9", "3.10", "3.11"),
    packages=("alembic==1.8.0", "sqlalchemy>=1.4,<1.5", *DRIVERS),
)
INTERPRETERS = {"oldest": OLDEST, "newest": NEWEST}


def interpreter(name: str) -> Path:
    """Return the Python of `oldest` or `newest`, making its environment if it is not there."""
    wanted = INTERPRETERS[name]
    folder = CACHE / name
    python = folder / "bin" / "python"
    stamp = folder / "made-of"
    digest = hashlib.sha256(json.dumps(asdict(wanted)).encode()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if not (stamp.is_file() and stamp.read_text() == digest and python.exists()):
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, wanted)
            stamp.write_text(digest)
    return python


def find_python(versions: tuple[str, ...]) -> Path:
    """Return the first version that runs, on PATH or among pyenv's; else the one we run in."""
    for version in versions:
        pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        on_path = shutil.which(f"python{version}")
        for candidate in (*([Path(on_path)] if on_path else []), *pyenv):
            if _runs(candidate):
                return candidate
    return Path(sys.executable)


def _runs(python: Path) -> bool:
    """Tell whether it makes environments; a shim on PATH may stand for nothing."""
    command = [str(python), "-c", "import ensurepip, venv"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _make(folder: Path, wanted: Interpreter) -> None:
    python = find_python(wanted.pythons)
    print(f"making {folder.name} with {python}", file=sys.stderr)
    subprocess.run([str(python), "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "--prefer-binary", *wanted.packages], check=True)


if __name__ == "__main__":
    for each in INTERPRETERS:
        interpreter(each)
