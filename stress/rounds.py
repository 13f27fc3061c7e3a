"""A round: a run that is killed, and gone on with as the program tells a person, to its end."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stress import killing, project
from stress.checks import Reference, check, names_of_databases, reference_of
from stress.desk import ENVIRONMENT, Desk
from stress.killing import Kill
from tests.support.databases import Database
from tests.support.workspace import Result
from wild.databases import Databases

_APPLY: Final = ("apply", ENVIRONMENT, "--yes")
_MOST_COMMANDS: Final = 16
_PATIENCE: Final = 15.0  # an agent that lost its orchestrator ends when its statement has
_NAMED: Final = re.compile(r"\borchestrate ((?:apply|resume)\b[-\w ]*)")
_STEP: Final = re.compile(r"\bstep \d+-(\w+)")
_LEASE_HELD, _IN_DOUBT = 5, 7


@dataclass
class Rounds:
    """The rounds of one dialect. The first is without kills; the others are compared with it."""

    databases: Databases
    dialect: str
    reference: Reference | None = None

    def play(self, seed: int | None) -> Desk:
        """Play the round of a seed, or without one that without kills; return what came of it."""
        name = "without-kills" if seed is None else str(seed)
        folder = Path(tempfile.mkdtemp(prefix=f"orchestrate-stress-{self.dialect}-{name}-"))
        database = self.databases.new(self.dialect, folder, "prod")
        desk = Desk(folder, database)
        try:
            project.fill(database)
            self._play(_Person(desk, database, seed))
        except Exception:  # noqa: BLE001 - the other rounds shall be played all the same
            desk.wrong(traceback.format_exc())
        except BaseException:
            desk.end_processes()
            shutil.rmtree(folder)
            raise
        desk.end_processes()
        if database.server is not None:
            database.server.start()
            database.server.drop(database.name)
        if not desk.findings:
            shutil.rmtree(folder)
        return desk

    def _play(self, person: _Person) -> None:
        databases = names_of_databases(person.database.server)
        began = time.monotonic()
        person.play(self.reference.seconds if self.reference is not None else 0)
        if self.reference is None:
            self.reference = reference_of(person.desk, person.database, time.monotonic() - began)
        check(person.desk, person.database, self.reference, databases)


@dataclass
class _Person:
    """Who types the commands of a round, and does by hand what they ask for."""

    desk: Desk
    database: Database
    seed: int | None

    def __post_init__(self) -> None:
        self._chance = killing.chance(self.database.kind, self.seed, "person")

    def play(self, seconds: float) -> None:
        """Type commands until all is done; `seconds` are what it takes without kills."""
        kills = iter(killing.plan(self.database.kind, self.seed))
        arguments: Sequence[str] = _APPLY
        for _ in range(_MOST_COMMANDS):
            result = self._type(arguments, next(kills, None), seconds)
            if result.status == 0 and self.database.heads() == [project.LAST]:
                return
            arguments = self._next(arguments, result)
        self.desk.wrong(f"not done after {_MOST_COMMANDS} commands")

    def _type(self, arguments: Sequence[str], kill: Kill | None, seconds: float) -> Result:
        server = self.database.server
        command = self.desk.start(*arguments)
        struck = kill is not None and killing.carry_out(kill, command, self.desk, server, seconds)
        result = self.desk.finish(command)
        victim = f"/{kill.victim}" if kill and struck else ""
        self.desk.story.append(f"{arguments[0]}{victim}={result.status}")
        if server is not None and not server.is_running():
            self.desk.run("status", ENVIRONMENT)
            server.start()
        if struck and self._chance.choice([True, False]):
            # Else it is gone on with while an agent may still be at work.
            self.desk.await_end_of_processes(_PATIENCE)
        return result

    def _next(self, arguments: Sequence[str], result: Result) -> Sequence[str]:
        """Return what the program says to type next."""
        if result.status == _LEASE_HELD:
            time.sleep(1)
            return arguments
        if result.status == _IN_DOUBT:
            return self._decide(result.stderr)
        if result.status == 0:  # there was nothing to resume, or a copy was put back
            return _APPLY
        said = result.stderr
        if result.status < 0:
            if self._chance.choice([True, False]):
                return ["resume"]
            said = self.desk.succeed("status", ENVIRONMENT).stdout
        return next(commands_named(said), _APPLY)

    def _decide(self, said: str) -> Sequence[str]:
        """Make one of the choices of a doubt true by hand; return its command."""
        step = _STEP.search(said)
        revision = step[1] if step else "no revision"
        if not project.may_be_in_doubt(self.database.kind, revision):
            self.desk.wrong(f"{revision} is in doubt, though the server undoes a killed step")
        option = project.do_by_hand(self.database, revision, self._chance)
        self.desk.note(f"# done by hand to {revision}: what {option} asks for")
        self.desk.story.append(f"({revision} {option})")
        return next(command for command in commands_named(said) if option in command)


def commands_named(said: str) -> Iterator[Sequence[str]]:
    """Yield the commands that a text names, with the answer that nobody is asked for here."""
    for found in _NAMED.findall(said):
        asks = found.startswith("apply") or "--restore" in found
        yield [*found.split(), *(["--yes"] if asks else [])]
