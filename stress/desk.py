"""Where the commands of a round are typed: a folder, a log of all that was said, what went wrong.

Owns how `orchestrate` is started and its processes are found: by a variable that each inherits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stress import project
from tests.support import reaper
from tests.support.databases import Database
from tests.support.workspace import Result, SpecFolder
from wild.databases import PASSWORD

ENVIRONMENT: Final = "prod"
LOOK_SECONDS: Final = 0.005  # the programs that make a copy are gone after a few hundredths
_LONGEST: Final = 180.0  # no command of a round takes a tenth of it
_STRATEGIES: Final = {"sqlite": "sqlite", "postgresql": "pg_dump", "mariadb": "mysqldump"}
_STATUSES: Final = frozenset({0, 1, 4, 5, 6, 7})  # neither wrong usage nor an interruption
_VARIABLE: Final = "ORCHESTRATE_STRESS_ROUND"


@dataclass
class Command:
    """A call of `orchestrate` that is at work."""

    arguments: Sequence[str]
    process: subprocess.Popen[bytes]
    output: Path
    errors: Path
    killed: bool = False

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self.process.poll() is None

    def steps_done(self) -> int:
        """Return how many steps it has reported as done."""
        return self.errors.read_text().count(", done in ")


class Desk:
    """A folder with the project and its spec, from which the program is called."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.log = folder / "log"
        self.story: list[str] = []
        self.findings: list[str] = []
        self._commands = 0
        for name in ("work", "said", "temporary", "home"):
            (folder / name).mkdir()
        project.write(self.work, database.kind)
        variables = {
            _VARIABLE: str(folder),
            "TMPDIR": str(folder / "temporary"),
            "HOME": str(folder / "home"),
            "PYTHONPATH": "",
            # Python itself leaves a part of such a file when it is killed.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        backup = {
            "strategy": _STRATEGIES[database.kind],
            "destination": "backups/",
            "verify": "restore",
        }
        self._spec = SpecFolder(folder=self.work, environ=variables)
        self._spec.spec(include="environments/*.yaml")
        url = {"dotenv": ".env", "key": "PROD_URL"}
        self._spec.environment(ENVIRONMENT, url=url, backup=backup)
        (self.work / ".env").write_text(f"PROD_URL={database.url}\n")

    def note(self, text: str) -> None:
        """Write something into the log."""
        with self.log.open("a") as log:
            log.write(text + "\n")

    def wrong(self, what: str) -> None:
        """Note once that something is not as it has to be."""
        if what not in self.findings:
            self.findings.append(what)
            self.note(f"WRONG: {what}")

    def start(self, *arguments: str) -> Command:
        """Start `orchestrate ARGUMENTS`; what it says can be read meanwhile."""
        self._commands += 1
        output, errors = (
            self.folder / "said" / f"{self._commands}.{name}" for name in ("out", "err")
        )
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "orchestrate", *arguments],
                cwd=self.work,
                env=self._spec.environment_variables(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.note(f"$ orchestrate {' '.join(arguments)}")
        return Command(arguments, process, output, errors)

    def finish(self, command: Command) -> Result:
        """Wait for a command's end, and look at what no command may ever do."""
        called = f"`orchestrate {' '.join(command.arguments)}`"
        deadline = time.monotonic() + _LONGEST
        while command.is_running:
            if time.monotonic() > deadline:
                self.wrong(f"{called} has not ended after {_LONGEST:.0f} s: {self.processes()}")
                self.end_processes()
            time.sleep(LOOK_SECONDS * 4)
            self.processes()
        status = command.process.wait()
        result = Result(status, command.output.read_text(), command.errors.read_text())
        self.note(f"{result.stdout}--- standard error\n{result.stderr}--- exit status {status}\n")
        said = result.stdout + result.stderr
        if status not in _STATUSES and not (command.killed and status == -signal.SIGKILL):
            self.wrong(f"{called} ended with {status}")
        if "Traceback" in said or "error[internal]" in said:
            self.wrong(f"{called} met a defect")
        if PASSWORD in said:
            self.wrong(f"{called} shows the password")
        return result

    def run(self, *arguments: str) -> Result:
        """Run `orchestrate ARGUMENTS` to its end."""
        return self.finish(self.start(*arguments))

    def succeed(self, *arguments: str) -> Result:
        """Run it; another exit status than 0 is wrong."""
        result = self.run(*arguments)
        if result.status != 0:
            self.wrong(f"`orchestrate {' '.join(arguments)}` ended with {result.status}, not 0")
        return result

    def processes(self) -> dict[int, str]:
        """Return the arguments of every process of this round; no password may be among them."""
        found: dict[int, str] = {}
        mark = os.fsencode(f"{_VARIABLE}={self.folder}\0")
        for entry in reaper.PROC.iterdir():
            # It may end meanwhile, or belong to somebody else.
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    text = (entry / "cmdline").read_text(errors="replace")
                    found[int(entry.name)] = text.replace("\0", " ").strip()
        for arguments in found.values():
            if PASSWORD in arguments:
                self.wrong(f"the password is among arguments: {arguments}")
        return found

    def await_end_of_processes(self, seconds: float) -> None:
        """Wait until no process is left; one that stays is wrong."""
        deadline = time.monotonic() + seconds
        while left := self.processes():
            if time.monotonic() > deadline:
                self.wrong(f"processes that are left: {left}")
                return
            time.sleep(LOOK_SECONDS * 4)

    def end_processes(self) -> None:
        """Kill whatever is left of the round."""
        while left := self.processes():
            reaper.kill_all(list(left))
