"""Following a guide as its reader would: typing its commands, writing its files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

_BLOCK = re.compile(r"```(console|yaml)\n(.*?)```", re.DOTALL)
_STATUS = "[exit status "


def follow(guide: Path, folder: Path, environ: Mapping[str, str]) -> int:
    """Carry out a guide's blocks in a folder; return how many commands it has.

    Every command has to end as shown, and to print every line that is shown, in that order. `…`
    stands for anything; a block of YAML is the file that its first line names.
    """
    commands = 0
    for what, lines in _steps(guide):
        if not what.startswith("$ "):
            (folder / what).write_text(lines[0])
            continue
        status = 0
        if lines and lines[-1].startswith(_STATUS):
            status = int(lines.pop()[len(_STATUS) : -1])
        done = subprocess.run(
            ["bash", "-c", what[2:]],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=90,
        )
        commands += 1
        assert done.returncode == status, f"{what}\n{done.stdout}"
        shown = ".*?".join(re.escape(line).replace("…", ".*?") for line in lines)
        assert re.search(shown, done.stdout, re.DOTALL), f"{what}\n{done.stdout}"
    return commands


def _steps(guide: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each command with the lines that are shown of its output, and each file to write."""
    for kind, text in _BLOCK.findall(guide.read_text("utf-8")):
        if kind == "yaml":
            name, _, rest = text.partition("\n")
            yield name.removeprefix("# "), [rest]
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield f"$ {command}", [line for line in lines if line.strip()]
