"""End a test server and remove its folder, even when pytest itself was killed.

Owns the ending of server processes. Runs as a program of its own that waits for the end of its
standard input: pytest holds the other end, so it closes however pytest ends. Linux only: it reads
/proc. Must not end a process that does not name the server's folder in its arguments.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

PROC = Path("/proc")


def main(folder: Path) -> None:
    """Wait until pytest lets go, then kill the server of `folder` and remove the folder."""
    for interruption in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(interruption, signal.SIG_IGN)
    sys.stdin.buffer.read()
    try:
        pid = int((folder / "server.pid").read_text())
    except (FileNotFoundError, ValueError):
        pid = None
    if pid is not None and _runs_from(pid, folder):
        kill_tree(pid)
    shutil.rmtree(folder, ignore_errors=True)


def kill_tree(pid: int, *, patience: float = 20) -> None:
    """Send SIGKILL to a process and its children, and return when none of them runs.

    PostgreSQL's children leave their parent's process group, so the group is not enough; and while
    one of them lives, a new server refuses the data folder.
    """
    _send(pid, signal.SIGSTOP)  # it starts no more children while they are counted
    kill_all([pid, *descendants(pid)], patience=patience)


def kill_all(family: list[int], *, patience: float = 20) -> None:
    """Send SIGKILL to processes, and return when none of them runs."""
    for process in family:
        _send(process, signal.SIGKILL)
    deadline = time.monotonic() + patience
    while any(_is_running(process) for process in family):
        if time.monotonic() > deadline:
            raise TimeoutError(f"one of the processes {family} outlived SIGKILL")
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """Return the children of a process, and theirs."""
    parents = {child: _status(child)[1] for child in _pids()}
    found = [pid]
    for one in found:  # it grows meanwhile
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _status(pid: int) -> tuple[str, int]:
    """Return state and parent of a process; an ended one has the state X."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    state, parent = text.rpartition(")")[2].split()[:2]  # the name before it may hold blanks
    return state, int(parent)


def _is_running(pid: int) -> bool:
    return _status(pid)[0] not in "XZ"


def _runs_from(pid: int, folder: Path) -> bool:
    try:
        return os.fsencode(folder) in (PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
