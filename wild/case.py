"""A chain on a dialect: its folder, its databases, and the two programs that are called for it.

Owns how `orchestrate` and plain Alembic are called. What is right or wrong is `driving`'s to say.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.databases import Database
from tests.support.workspace import Result, SpecFolder
from wild import shape
from wild.environments import site_packages
from wild.recipes import SCHEMES, Chain

PLAIN: Final = Path(__file__).with_name("plain.py")
SECONDS: Final = 300.0  # more than any command of any chain takes
ENVIRONMENT: Final = "wild"
# Nobody's program is compiled anew at each start, whatever the caller's own habits are.
USUAL: Final = {"PYTHONDONTWRITEBYTECODE": ""}


class MisbehavedError(Exception):
    """Something was not as it has to be."""


def expect(fact: object, what: str) -> None:
    """Insist on a fact."""
    if not fact:
        raise MisbehavedError(what)


@dataclass
class Case:
    """A chain on a dialect."""

    chain: Chain
    dialect: str
    python: Path
    folder: Path
    new_database: Callable[[str], Database]  # an empty one; for SQLite its file gets the name
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scratch = self.folder / "scratch"  # for what the project itself writes
        shutil.rmtree(self.folder, ignore_errors=True)
        self.scratch.mkdir(parents=True)

    @property
    def name(self) -> str:
        """Return what people call it."""
        return f"{self.chain.name} on {self.dialect}"

    @property
    def declared(self) -> dict[str, Any]:
        """Return the `project` of the spec."""
        site = site_packages(self.python)
        return self.chain.declared(
            self.dialect, python=self.python, site=site, scratch=self.scratch
        )

    def url(self, database: Database, driver: str = "") -> str:
        """Return a database's URL with a driver that the project's environment has."""
        scheme, _, usual = self.chain.schemes.get(self.dialect, SCHEMES[self.dialect]).partition(
            "+"
        )
        name = driver or usual
        _, _, rest = database.url.partition("://")
        return f"{scheme}+{name}://{rest}" if name else f"{scheme}://{rest}"

    def desk(self, name: str, database: Database) -> SpecFolder:
        """Write a spec for a database into a folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        desk = SpecFolder(folder=folder, environ={"WILD_URL": self.url(database), **USUAL})
        return desk.spec(project=self.declared).environment(ENVIRONMENT, url={"env": "WILD_URL"})

    @contextmanager
    def clocked(self, name: str) -> Iterator[None]:
        """Note how long something takes; the best of several times is kept."""
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.seconds[name] = min(seconds, self.seconds.get(name, seconds))

    def plainly(self, database: Database, action: str, revision: str) -> tuple[int, str]:
        """Have plain Alembic do something in a process of its own; its status and what it said."""
        project = self.declared
        baseline = project.get("baseline", {}) if not shape.of(database) else {}
        if "run" in baseline:
            status, said = self._execute(database, baseline["run"])
            if status != 0:
                return status, said
        if "stamp" in baseline:
            status, said = self._script(database, "stamp", baseline["stamp"])
            if status != 0:
                return status, said
        return self._script(database, action, revision)

    def _script(self, database: Database, action: str, revision: str) -> tuple[int, str]:
        request = self.folder / "plain.json"
        url = self._project_url(database)
        value = {"project": self.declared, "url": url, "do": [action, revision]}
        request.write_text(json.dumps(value), "utf-8")
        return self._execute(database, [str(self.python), str(PLAIN), str(request)])

    def _project_url(self, database: Database) -> str:
        """Return the URL with the driver that the project says."""
        backend = "mysql" if self.dialect == "mariadb" else self.dialect
        return self.url(database, self.declared.get("drivers", {}).get(backend, ""))

    def _execute(self, database: Database, command: Sequence[str]) -> tuple[int, str]:
        """Run a program as a user would, with the variables that the project wants."""
        url = self._project_url(database)
        variables = self.declared.get("inject", {}).get("env", {})
        given = {name: text.replace("{{ url }}", url) for name, text in variables.items()}
        folder = self.folder / "plain"
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **USUAL, "ORCHESTRATE_DATABASE_URL": self.url(database), **given},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def call(desk: SpecFolder, *arguments: str, statuses: tuple[int, ...] = (0,)) -> Result:
    """Run `orchestrate`; no exit status but these is right, and there is never a traceback."""
    ended = f"`orchestrate {' '.join(arguments)}` ended"
    try:
        result = desk.call(*arguments, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise MisbehavedError(f"{ended} not within {SECONDS:.0f} s") from None
    said = f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    wanted = " or ".join(map(str, statuses))
    expect(result.status in statuses, f"{ended} with {result.status}, not {wanted}:\n{said}")
    own = any(line.startswith("Traceback") for line in result.stderr.splitlines())
    expect(not own, f"{ended} with a traceback:\n{said}")
    return result
