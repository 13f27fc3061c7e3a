"""Whom to kill and when: planned from a seed, carried out on a command at work."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from typing import Final, Literal

from stress.desk import LOOK_SECONDS, Command, Desk
from tests.support import reaper
from tests.support.servers import Server

Victim = Literal["orchestrator", "agent", "both", "server", "program"]

_VICTIMS: Final[tuple[Victim, ...]] = ("orchestrator", "agent", "both", "program")
_STEPS: Final = 10  # of an uninterrupted run
# A client of the server's, or the Python that makes SQLite's own online backup.
_COPIER: Final = re.compile(
    r"^(?:\S*perl )?\S*\b(?:pg_dump|pg_restore|psql|mariadb-dump|mysqldump|mariadb|mysql) "
    r"|\bsource\.backup\("
)


@dataclass(frozen=True)
class Kill:
    """One kill of a round."""

    victim: Victim
    after: int  # so many steps, or so many programs that were let be
    share: float  # and then this part of the time that a run without kills takes
    back: float | None  # seconds until a server is there again; None: when the command has ended


def chance(dialect: str, seed: int | None, what: str) -> random.Random:
    """Return the source of a round's decisions of one kind."""
    return random.Random(f"{dialect} {seed} {what}")  # noqa: S311 - repeatable, not secret


def plan(dialect: str, seed: int | None) -> list[Kill]:
    """Return the kills of a round, one for each of its first commands; without a seed none."""
    source = chance(dialect, seed, "kills")
    number = source.randint(1, 3) if seed is not None else 0
    return [_kill(source, dialect, is_first=one == 0) for one in range(number)]


def _kill(source: random.Random, dialect: str, *, is_first: bool) -> Kill:
    victim = source.choice(_VICTIMS if dialect == "sqlite" else (*_VICTIMS, "server"))
    back = source.uniform(0, 0.5) if source.choice([True, False]) else None
    if victim == "program":
        return Kill(victim, source.randrange(4), source.uniform(0, 0.03), back)
    # What is gone on with has fewer steps left. Without a step, the share covers the whole run.
    after = source.randrange(_STEPS if is_first else 3) if source.choice([True, True, False]) else 0
    longest = 0.25 if after else 1.0 if is_first else 0.5
    return Kill(victim, after, source.uniform(0, longest), back)


def carry_out(
    kill: Kill, command: Command, desk: Desk, server: Server | None, seconds: float
) -> bool:
    """Wait for a kill's moment and kill; tell whether the command had not ended by then.

    `seconds` are what a run without kills takes.
    """
    desk.note(f"# {kill}")
    copiers: list[int] = []  # in the order in which they were seen

    def is_near() -> bool:
        if kill.victim != "program":
            return command.steps_done() >= kill.after
        for pid, arguments in desk.processes().items():
            if pid not in copiers and _COPIER.search(arguments) and "--version" not in arguments:
                copiers.append(pid)
        return len(copiers) > kill.after

    while command.is_running and not is_near():
        time.sleep(LOOK_SECONDS)
    moment = time.monotonic() + kill.share * seconds
    while command.is_running and time.monotonic() < moment:
        time.sleep(LOOK_SECONDS)
    if not command.is_running:
        desk.note("# it had ended before")
        return False
    if kill.victim == "server":
        _kill_server(kill, server)
        return True
    found = desk.processes()
    own = command.process.pid
    command.killed = kill.victim in {"orchestrator", "both"}
    chosen = {"orchestrator": {own}, "agent": {*found} - {own}, "both": {*found}}
    victims = chosen.get(kill.victim, copiers[kill.after : kill.after + 1])
    desk.note(f"# killed: {[found.get(pid, 'what had just ended')[:100] for pid in victims]}")
    reaper.kill_all(list(victims))
    return True


def _kill_server(kill: Kill, server: Server | None) -> None:
    if server is None:
        raise AssertionError("there is no server to kill")
    server.kill()
    if kill.back is not None:
        time.sleep(kill.back)
        server.start()
