"""A folder as a user has it: a spec, its environments, an Alembic project; and the real program.

Owns how tests call `orchestrate`: always as a process of its own, as people do, most often forked
from one that has imported it already (`forking`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from tests.support import forking
from tests.support.databases import Database
from tests.support.projects import Project


@dataclass(frozen=True)
class Result:
    """What a call of the program gave."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Return standard output as one JSON value."""
        return json.loads(self.stdout)

    def events(self) -> list[dict[str, Any]]:
        """Return standard output as JSON lines."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.strip()]

    def error(self) -> dict[str, Any]:
        """Return the error that a call with `--format json` ended with."""
        value: dict[str, Any] = json.loads(self.stderr.splitlines()[-1])["error"]
        return value


@dataclass(kw_only=True)
class SpecFolder:
    """A folder with a spec in it, in which the program is called."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def spec(self, **keys: Any) -> Self:
        """Write migrations.yaml; keys are added to, or replace, `version` and `project`.

        A key of None is left out.
        """
        given = {"version": 1, "project": {"config": "alembic.ini"}, **keys}
        value = {key: one for key, one in given.items() if one is not None}
        (self.folder / "migrations.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
        return self

    def environment(self, name: str, database: Database | None = None, **keys: Any) -> Self:
        """Write an environment whose URL comes from the variable `NAME_URL`, as users keep it."""
        variable = f"{name.upper().replace('-', '_')}_URL"
        if database is not None:
            self.environ[variable] = database.url
        folder = self.folder / "environments"
        folder.mkdir(exist_ok=True)
        value = {"name": name, **({"url": {"env": variable}} if database else {}), **keys}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
        return self

    def call(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float = 90,
        program: Sequence[str] = (sys.executable, "-m", "orchestrate"),
    ) -> Result:
        """Run `orchestrate ARGUMENTS`, or another program, in the folder and wait for its end."""
        variables = self.environment_variables(environ)
        if tuple(program[:2]) == (sys.executable, "-m"):
            status, stdout, stderr = forking.run(
                program[2],
                [*program[3:], *arguments],
                cwd=self.folder,
                env=variables,
                stdin=stdin,
                timeout=timeout,
            )
            return Result(status=status, stdout=stdout, stderr=stderr)
        done = subprocess.run(
            [*program, *arguments],
            cwd=self.folder,
            env=variables,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def ok(self, *arguments: str, **more: Any) -> Result:
        """Run it and insist on exit status 0."""
        result = self.call(*arguments, **more)
        assert result.status == 0, f"{arguments}: {result.status}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stderr
        return result

    def start(
        self, *arguments: str, environ: Mapping[str, str] | None = None, **more: Any
    ) -> subprocess.Popen[str]:
        """Start `orchestrate ARGUMENTS` and return at once; its output can be read line by line."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrate", *arguments],
            cwd=self.folder,
            env=self.environment_variables(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def environment_variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables that a call gets."""
        root = str(Path(__file__).parents[2])
        return {
            **os.environ,
            "NO_COLOR": "1",
            "PYTHONPATH": root,  # for the crash child
            **self.environ,
            **(more or {}),
        }

    def state(self, environment: str) -> dict[str, Any]:
        """Return the row of an environment's target in `status --format json`."""
        value = self.ok("status", environment, "--format", "json").json()
        target: dict[str, Any] = value["environments"][0]["targets"][0]
        return target

    def written(self) -> dict[Path, bytes]:
        """Return every file of the folder that the program may have written, with its bytes."""
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@dataclass(kw_only=True)
class Workspace(SpecFolder):
    """A spec and a project in one folder."""

    project: Project


def part_way(
    folder: Path, database: Database, *, name: str = "prod", revisions: int = 4, to: str = "r002"
) -> Workspace:
    """Return a workspace with an environment whose target has the first of its revisions."""
    project = Project(folder).linear(revisions)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    space.environment(name, database)
    space.ok("apply", name, "--to", to, "--yes")
    return space


def kill_group(process: subprocess.Popen[str]) -> None:
    """End a process at once, as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
