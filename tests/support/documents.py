"""Documents that are followed to the letter: their files are written, their commands typed.

In a document, in its order:

- A fenced block of `yaml`, `ini`, `python` or `text` whose first line is a comment with a path,
  `# environments/dev.yaml`, is a file; it is written there, in place of what was there.
- A block of `console` is typed: a line that begins with `$ ` is a command of bash, and the lines
  under it stand in what it prints, in that order, with anything between them left out; `…` stands
  for any text. A command ends with status 0 unless `[exit status N]` is the last line under it.
- A block under a comment `<!-- not run: WHY -->` is left alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(
    r"(?P<left><!-- not run: [^>]+ -->\n+)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_PATH = re.compile(r"# ((?:[\w.-]+/)*[\w.-]+\.\w+)\b")
_STATUS = re.compile(r"\[exit status (\d+)\]")
_FILES = {"yaml", "ini", "python", "text", "toml"}


@dataclass(frozen=True)
class Typed:
    """A command and what the document says of it."""

    command: str
    status: int
    printed: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """A file that the reader is told to write."""

    path: str
    text: str


def actions(document: Path) -> Iterator[Typed | Written]:
    """Return what the reader of a document does, in its order."""
    for block in _BLOCK.finditer(document.read_text("utf-8")):
        if block["left"]:
            continue
        if block["kind"] == "console":
            yield from _typed(block["body"])
        elif block["kind"] in _FILES:
            path = _PATH.match(block["body"])
            if path:
                yield Written(path=path[1], text=block["body"])


def _typed(body: str) -> Iterator[Typed]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, *lines = [line for line in part.splitlines() if line.strip()]
        status = _STATUS.fullmatch(lines[-1]) if lines else None
        yield Typed(
            command=command,
            status=int(status[1]) if status else 0,
            printed=tuple(lines[:-1] if status else lines),
        )


def follow(document: Path, folder: Path, *, environ: Mapping[str, str] | None = None) -> int:
    """Do all that a document says in a folder; return how many commands were typed.

    Raises AssertionError at the first thing that is not as the document says.
    """
    bin_folder = str(Path(sys.executable).parent)
    variables = {
        **os.environ,
        **(environ or {}),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "ORCHESTRATE": str(ROOT),
    }
    count = 0
    for action in actions(document):
        if isinstance(action, Written):
            path = folder / action.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(action.text, "utf-8")
            continue
        count += 1
        done = subprocess.run(
            ["bash", "-c", action.command],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        told = f"{document.name}: $ {action.command}\n{done.stdout}"
        assert done.returncode == action.status, f"ended with {done.returncode}: {told}"
        missing = first_missing(action.printed, done.stdout.splitlines())
        assert missing is None, f"`{missing}` is not what is printed: {told}"
    return count


def first_missing(wanted: tuple[str, ...], lines: list[str]) -> str | None:
    """Return the first of the wanted lines that does not follow the ones before it."""
    left = iter(lines)
    for one in wanted:
        pattern = re.compile(".*".join(re.escape(part) for part in one.strip().split("…")))
        if not any(pattern.search(line) for line in left):
            return one
    return None
