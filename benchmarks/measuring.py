"""Measuring processes: wall time, and the peak of memory of each process that takes part.

Time and memory are measured in separate rounds, because looking at memory costs time. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 0.002


@dataclass(frozen=True)
class Memory:
    """Peaks of resident memory in MB of 1,000,000 bytes: of a process, and of its children."""

    own: float
    largest_child: float


def seconds(
    commands: Sequence[Sequence[str]], *, folder: Path, environ: Mapping[str, str], rest: int = 0
) -> float:
    """Return how long commands take one after another; raises when one does not end with `rest`."""
    began = time.perf_counter()
    for command in commands:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != rest:
            output = (done.stdout + done.stderr).decode(errors="replace")
            raise RuntimeError(f"{command} ended with {done.returncode}:\n{output}")
    return time.perf_counter() - began


def memory(command: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> Memory:
    """Run a command and return the peaks of it and its children, as the kernel keeps them.

    `VmHWM` only grows, so the last look at a process counts; `ru_maxrss` would not do, since it
    mixes a process with the one that started it and with its own children.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    own = child = 0.0
    while process.poll() is None:
        own = max(own, _peak(process.pid))
        child = max([child, *(_peak(one) for one in _children(process.pid))])
        time.sleep(_LOOK_SECONDS)
    if process.returncode != 0:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return Memory(own=own, largest_child=child)


def _peak(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(one) for one in path.read_text().split()]
    return found


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the ratios, taken round by round: a busy moment then hits both."""
    return statistics.median(n / d for n, d in zip(numerators, denominators, strict=True))
