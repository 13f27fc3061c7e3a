"""The guide to one's own project, command by command, as its reader would type it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.env_shapes import Shape
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/own-project.md"
BLOCK = re.compile(r"```(console|yaml)\n(.*?)```", re.DOTALL)
SHAPE = Shape(
    first="from shop.settings import settings",
    setup='config.set_main_option("sqlalchemy.url", settings.database_url)',
)
SETTINGS = """
    import os

    class BaseSettings:
        '''Stands for pydantic's, which need not be installed here.'''

    class Settings(BaseSettings):
        database_url: str = os.environ.get("DATABASE_URL", "sqlite:///default.db")

    settings = Settings()
"""


def steps() -> Iterator[tuple[str, list[str]]]:
    """Yield each command with the lines that are shown of its output, and each file to write."""
    for kind, text in BLOCK.findall(GUIDE.read_text("utf-8")):
        if kind == "yaml":
            name, _, rest = text.partition("\n")
            yield name.removeprefix("# "), [rest]
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield f"$ {command}", [line for line in lines if line.strip()]


def test_guide(tmp_path: Path) -> None:
    """Every command ends as shown, and every line that is shown is printed, in that order."""
    folder = tmp_path / "work"
    project = Project(folder).env_shape(SHAPE).linear(3)
    project.file("src/shop/__init__.py", "").file("src/shop/settings.py", SETTINGS)
    environ = Workspace(folder=folder, project=project).environment_variables()
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    commands = 0
    for what, lines in steps():
        if not what.startswith("$ "):
            (folder / what).write_text(lines[0])
            continue
        status = 0
        if lines and lines[-1].startswith("[exit status "):
            status = int(lines.pop()[len("[exit status ") : -1])
        done = subprocess.run(
            ["bash", "-c", what[2:]],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        commands += 1
        assert done.returncode == status, f"{what}\n{done.stdout}\n{done.stderr}"
        shown = ".*?".join(re.escape(line).replace("…", ".*?") for line in lines)
        assert re.search(shown, done.stdout, re.DOTALL), f"{what}\n{done.stdout}\n{done.stderr}"
    assert commands == 6
    assert not (folder / "default.db").exists()
