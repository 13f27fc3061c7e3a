"""Starting an agent's process. Imports little: it happens before all else (ADR 7)."""

from __future__ import annotations

import contextlib
import shlex
import sys
import threading
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final, NamedTuple

from orchestrate import agent
from orchestrate.adapters.processes import HERE, Launcher, Process
from orchestrate.errors import OrchestrateError

_SHELLS: Final = frozenset({"ssh", "autossh", "plink"})
"""Programs that join their last arguments to one line for a shell."""
_REQUESTS: Final = 64 * 1024
"""Room for the first requests, which must not wait either where nobody reads them."""


class Started(NamedTuple):
    """A process that is being given the agent's source."""

    process: Process
    handing_over: threading.Thread | None
    """Nothing else may be written to the process until this thread has ended."""


class SparePlace(NamedTuple):
    """An agent of our own interpreter that was started before it was known whether it fits."""

    started: Started
    folder: Path


def start_process(command: Sequence[str], *, cwd: Path | str, launcher: Launcher = HERE) -> Started:
    """Start an agent behind `command`, which ends in a Python interpreter; return at once.

    The environment is inherited. Raises `agent-failed` when there is no such program, and what
    connecting to another host raises.
    """
    boot = shlex.quote(agent.BOOT) if _read_by_a_shell(command) else agent.BOOT
    try:
        process = launcher.start([*command, "-c", boot], cwd=cwd)
    except OSError as error:
        raise _not_started(command, cwd, error) from error
    source = agent.payload()
    if _holds(process, len(source)):
        _hand_over(process, source)
        return Started(process=process, handing_over=None)
    # A program that never reads must not stop the user's thread.
    thread = threading.Thread(
        target=_hand_over, args=[process, source], daemon=True, name="agent-source"
    )
    thread.start()
    return Started(process=process, handing_over=thread)


def _holds(process: Process, size: int) -> bool:
    """Make room for so many bytes in the pipe to a process; tell whether there is so much.

    Then they are written at once, and not by a thread that waits for its turn again and again while
    this one imports. Only Linux has such pipes (fcntl(2), `F_SETPIPE_SZ`).
    """
    try:
        import fcntl  # noqa: PLC0415  (Windows has no such module)

        room: int = fcntl.fcntl(process.stdin.fileno(), fcntl.F_SETPIPE_SZ, size + _REQUESTS)
    except (ImportError, AttributeError, OSError, ValueError):
        return False
    return room >= size + _REQUESTS


def _read_by_a_shell(command: Sequence[str]) -> bool:
    """Tell whether a shell at the far end reads the arguments once more, as SSH has it do."""
    return any(PurePath(word).name in _SHELLS for word in command[:-1])


def start_spare(folder: Path) -> SparePlace:
    """Start an agent of our own interpreter in a folder. Raises `agent-failed`."""
    return SparePlace(started=start_process([sys.executable], cwd=folder), folder=folder)


def _hand_over(process: Process, source: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # it has ended: reading it tells why
        process.stdin.write(source)
        process.stdin.flush()


def _not_started(command: Sequence[str], cwd: Path | str, error: OSError) -> OrchestrateError:
    if not Path(cwd).is_dir():
        return OrchestrateError("agent-failed", f"there is no folder {cwd} to start the agent in")
    reason = "no such program" if isinstance(error, FileNotFoundError) else error.strerror
    return OrchestrateError(
        "agent-failed",
        f"cannot start `{command[0]}`: {reason}",
        hint="`runner` says how the project's own Python is reached",
    )
