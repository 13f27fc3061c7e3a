"""The real program in a process of its own, without importing it anew each time.

A process imports `orchestrate` once and forks for each call. What is called is what `python -m
MODULE` runs, with its own arguments, folder, variables and descriptors; only the second that every
start needs for imports is saved. Owns nothing of what tests look at.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

_ROOT: Final = Path(__file__).parents[2]
_LENGTH: Final = 8
_WARM: Final = (
    "orchestrate.cli.entry",
    "orchestrate.cli.main",
    "orchestrate.cli.applying",
    "orchestrate.cli.approving",
    "orchestrate.cli.backing_up",
    "orchestrate.cli.diagnosing",
    "orchestrate.cli.looking",
    "orchestrate.cli.plan",
    "orchestrate.cli.restoring",
    "orchestrate.cli.resuming",
    "orchestrate.cli.rolling_back",
    "orchestrate.cli.stamping",
    "orchestrate.cli.status",
    "orchestrate.reports.standings",
    "orchestrate.reports.runs",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
)


def run(
    module: str,
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: str | None,
    timeout: float,
) -> tuple[int, str, str]:
    """Run `python -m MODULE ARGUMENTS`; return its status, negative for a signal, and both outputs.

    Raises `subprocess.TimeoutExpired`, having killed it.
    """
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
        socket.socket(socket.AF_UNIX) as line,
    ):
        given.write((stdin or "").encode())
        given.seek(0)
        line.connect(_mother())
        request = {
            "module": module,
            "arguments": list(arguments),
            "cwd": str(cwd),
            "env": dict(env),
        }
        text = json.dumps(request).encode()
        descriptors = array.array("i", [given.fileno(), out.fileno(), errors.fileno()])
        line.sendmsg(
            [len(text).to_bytes(_LENGTH, "big")],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)],
        )
        line.sendall(text)
        line.settimeout(timeout)
        pid = int(_line(line))
        try:
            status = int(_line(line))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout) from None
        out.seek(0)
        errors.seek(0)
        return status, out.read().decode(), errors.read().decode()


def _line(connection: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            raise EOFError("the process that forks is gone")
        text += piece
    return text.decode()


@cache
def _mother() -> str:
    """Return the address of the process that forks, started at the first call."""
    folder = tempfile.TemporaryDirectory(prefix="orchestrate-forking-")
    address = str(Path(folder.name) / "socket")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forking", address],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if process.stdout is None or process.stdin is None:
        raise AssertionError
    process.stdout.readline()

    def end() -> None:
        process.kill()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return address


# --- the process that forks -----------------------------------------------------------------------


def main(address: str) -> NoReturn:
    """Import the program, then fork for every connection."""
    import gc
    import importlib

    gc.disable()
    for module in _WARM:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Standard input ends with the process that started this one, however that ends.
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _serve(connection)
        connection.close()
    os._exit(0)


def _serve(connection: socket.socket) -> NoReturn:
    """Fork the program, tell its process and then its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, ancillary, _, _ = connection.recvmsg(_LENGTH, socket.CMSG_SPACE(3 * 4))
    descriptors = array.array("i", ancillary[0][2])
    text = b""
    while len(text) < int.from_bytes(length, "big"):
        text += connection.recv(1 << 16)
    request = json.loads(text)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(request, descriptors)
    connection.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any], descriptors: Sequence[int]) -> NoReturn:
    import runpy

    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = [request["module"], *request["arguments"]]
    status: object = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:  # noqa: BLE001  (as the interpreter does with what nobody caught)
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1)


if __name__ == "__main__":
    main(sys.argv[1])
