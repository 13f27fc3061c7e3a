"""The project that is measured: ordinary revisions, three environments, as people have them.

The same folder serves both: plain Alembic by a section of its ini file for each environment,
orchestrate by a spec whose URLs are in environment variables.
"""

from __future__ import annotations

import compileall
import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orchestrate as package
from tests.support.postgresql_server import PostgresqlServer
from tests.support.projects import Project, names

ENVIRONMENTS: Final = ("dev", "staging", "prod")
BEHIND: Final = {"dev": 0, "staging": 5, "prod": 10}
"""How many revisions each environment lacks, when plans are measured."""


def program(name: str) -> str:
    """Return the path of a program that is installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


class Bench:
    """A project of so many revisions in a folder, with a spec for its environments."""

    def __init__(
        self, folder: Path, *, revisions: int, server: PostgresqlServer, full: bool = False
    ) -> None:
        self.folder = folder
        self.revisions = revisions
        self.server = server
        project = Project(folder)
        made = _full(project, revisions) if full else project.linear(revisions)
        self._ini = made.config.read_text()
        lines = ["version: 1", "project: {config: alembic.ini}", "environments:"]
        lines += [f"  {name}: {{url: {{env: {name.upper()}_URL}}}}" for name in ENVIRONMENTS]
        (folder / "migrations.yaml").write_text("\n".join(lines) + "\n")

    def point(self, databases: Mapping[str, str]) -> dict[str, str]:
        """Have environments lead to databases; return the variables that orchestrate reads."""
        urls = {name: self.server.url(database) for name, database in databases.items()}
        sections = [
            f"\n[{name}]\nscript_location = %(here)s/migrations\n"
            f"sqlalchemy.url = {url.replace('%', '%%')}\n"
            for name, url in urls.items()
        ]
        (self.folder / "alembic.ini").write_text(self._ini + "".join(sections))
        return {f"{name.upper()}_URL": url for name, url in urls.items()}


def _full(project: Project, number: int) -> Project:
    """Write revisions that each make a table as applications have them, and its indexes."""
    down = None
    for one in names(range(1, number + 1)):
        project.revision(one, down=down, upgrade=_FULL.format(table=f"table_{one}"))
        down = one
    return project


_FULL: Final = """
op.create_table(
    "{table}",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("email", sa.String(100), unique=True),
    sa.Column("status", sa.String(20), nullable=False, server_default="new"),
    sa.Column("amount", sa.Numeric(12, 2), nullable=False),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("{table}.id")),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
    sa.Column("note", sa.Text),
    sa.CheckConstraint("amount >= 0", name="{table}_amount"),
)
op.create_index("{table}_name", "{table}", ["name"])
op.create_index("{table}_status", "{table}", ["status", "created_at"])
"""


def alembic(environment: str, *arguments: str) -> list[str]:
    """Return the command that people type today."""
    return [program("alembic"), "-n", environment, *arguments]


def orchestrate(*arguments: str) -> list[str]:
    """Return the command that is measured against it."""
    _compile_as_installed()
    return [program("orchestrate"), *arguments]


@functools.cache
def _compile_as_installed() -> None:
    """Compile our modules: pip does that to every package but one that is installed in place."""
    compileall.compile_dir(Path(package.__path__[0]), quiet=2)
