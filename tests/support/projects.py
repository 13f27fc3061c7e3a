"""Small real Alembic projects on disk.

Owns the files of such a project. Must not import Alembic or the project: what runs it is a process
of its own, as at the users'.
"""

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent, indent

from tests.support.env_shapes import SHAPES, Shape

Revisions = str | tuple[str, ...] | None


class Project:
    """An Alembic project in a folder, of the default shape until `env` gives it another.

    Project(tmp_path).configure(url=database.url).linear(3) is a complete one. Methods that write
    return the project, so that they can be chained, and overwrite what they wrote before.
    """

    def __init__(self, folder: Path, *, scripts: str = "migrations") -> None:
        self.folder = folder
        self.scripts = folder / scripts
        self.versions = self.scripts / "versions"
        self.versions.mkdir(parents=True, exist_ok=True)
        self.config = folder / "alembic.ini"
        (self.scripts / "script.py.mako").write_text(_MAKO)
        self.configure()
        self.env("default")

    def configure(
        self,
        *,
        url: str | None = None,
        section: str = "alembic",
        options: Mapping[str, str] | None = None,
        loggers: bool = True,
    ) -> "Project":
        """Write alembic.ini; values are given plain and escaped here."""
        self.config = self.folder / "alembic.ini"
        self._write_ini(section, {**self._location(), **_settings(url, options)}, loggers=loggers)
        return self

    def configure_pyproject(
        self, *, url: str | None = None, options: Mapping[str, str] | None = None
    ) -> "Project":
        """Write pyproject.toml, in place of alembic.ini or, with a URL, beside one that holds it.

        As `alembic init -t pyproject` does, which needs Alembic 1.16.
        """
        ini = self.folder / "alembic.ini"
        ini.unlink(missing_ok=True)
        if url:
            self._write_ini("alembic", _settings(url, None), loggers=True)
        settings = {**self._location(), **(options or {})}
        lines = ["[tool.alembic]", *(f'{key} = "{value}"' for key, value in settings.items())]
        self.config = self.folder / "pyproject.toml"
        self.config.write_text("\n".join(lines) + "\n")
        return self

    def _location(self) -> dict[str, str]:
        return {"script_location": f"%(here)s/{self.scripts.relative_to(self.folder)}"}

    def _write_ini(self, section: str, settings: Mapping[str, str], *, loggers: bool) -> None:
        lines = [f"[{section}]", *(f"{key} = {value}" for key, value in settings.items())]
        text = "\n".join(lines) + "\n" + (_LOGGERS if loggers else "")
        (self.folder / "alembic.ini").write_text(text)

    def env(self, kind: str, **slots: str) -> "Project":
        """Write env.py in one of the shapes of `env_shapes`, with other text in some slots."""
        return self.env_shape(dataclasses.replace(SHAPES[kind], **slots))

    def env_shape(self, shape: Shape) -> "Project":
        """Write env.py in a shape of the test's own."""
        (self.scripts / "env.py").write_text(shape.render())
        return self

    def file(self, path: str, text: str) -> "Project":
        """Write any other file, such as the models."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text))
        return self

    def revision(
        self,
        revision: str,
        *,
        down: Revisions,
        upgrade: str = "pass",
        downgrade: str = "pass",
        depends_on: Revisions = None,
        branch_labels: Revisions = None,
        doc: str = "",
        first: str = "",
    ) -> "Project":
        """Write a revision file; bodies are statements with `op` and `sa` at hand.

        `first` stands at the top of the module, for imports and for what a project does there.
        """
        doc = doc or f"revision {revision}"
        text = _REVISION.format(
            doc=doc,
            first=dedent(first).strip(),
            revision=revision,
            down=down,
            branch_labels=branch_labels,
            depends_on=depends_on,
            upgrade=_body(upgrade),
            downgrade=_body(downgrade),
        )
        self.revision_file(revision, doc=doc).write_text(text)
        return self

    def revision_file(self, revision: str, *, doc: str | None = None) -> Path:
        """Return the file of a revision that exists, or with `doc` the one it would have."""
        if doc is not None:
            slug = re.sub(r"\W+", "_", doc.lower()).strip("_")[:40]
            return self.versions / f"{revision}_{slug}.py"
        (path,) = self.versions.glob(f"{revision}_*.py")
        return path

    def linear(self, n: int, *, start: int = 1) -> "Project":
        """Write the revisions r001 to r`n`: by turns a new table, a column of it, an index."""
        for number in range(start, n + 1):
            down = _name(number - 1) if number > 1 else None
            table = f"t{(number - 1) // 3 + 1}"
            doc, upgrade, downgrade = _ordinary(number, table)
            self.revision(_name(number), down=down, upgrade=upgrade, downgrade=downgrade, doc=doc)
        return self

    def alembic(
        self,
        *arguments: str,
        python: Path | str = sys.executable,
        environ: Mapping[str, str] | None = None,
        check: bool = True,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run the real `alembic` on this project: what users would do by hand."""
        # Alembic finds both files by itself, and with -c pyproject.toml no ini beside it.
        config = ["-c", self.config.name] if self.config.suffix == ".ini" else []
        done = subprocess.run(
            [str(python), "-m", "alembic", *config, *arguments],
            cwd=self.folder,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"alembic ended with {done.returncode}:\n{done.stderr}")
        return done


def _settings(url: str | None, options: Mapping[str, str] | None) -> dict[str, str]:
    """Return the options of an ini file, with what ConfigParser would interpolate escaped."""
    given = {**({"sqlalchemy.url": url} if url else {}), **(options or {})}
    return {key: value.replace("%", "%%") for key, value in given.items()}


def names(numbers: Iterable[int]) -> list[str]:
    """Return the revision identifiers that `Project.linear` gives to these numbers."""
    return [_name(number) for number in numbers]


def _name(number: int) -> str:
    return f"r{number:03}"


def _ordinary(number: int, table: str) -> tuple[str, str, str]:
    """Return doc, upgrade and downgrade of one of the ordinary revisions."""
    match number % 3:
        case 1:
            upgrade = f"""
                op.create_table(
                    "{table}",
                    sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("name", sa.String(50), nullable=False),
                )
            """
            return f"create {table}", upgrade, f'op.drop_table("{table}")'
        case 2:
            return (
                f"add a note to {table}",
                f'op.add_column("{table}", sa.Column("note", sa.String(100)))',
                f'op.drop_column("{table}", "note")',
            )
        case _:
            return (
                f"index names of {table}",
                f'op.create_index("ix_{table}_name", "{table}", ["name"])',
                f'op.drop_index("ix_{table}_name", table_name="{table}")',
            )


def _body(statements: str) -> str:
    return indent(dedent(statements).strip() or "pass", "    ")


_REVISION = '''\
"""{doc}

Revision ID: {revision}
Revises: {down}
"""
from alembic import op
import sqlalchemy as sa
{first}

revision = {revision!r}
down_revision = {down!r}
branch_labels = {branch_labels!r}
depends_on = {depends_on!r}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''

_MAKO = '''\
"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}
"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''

_LOGGERS = """\

[loggers]
keys = root,sqlalchemy,alembic

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console
qualname =

[logger_sqlalchemy]
level = WARNING
handlers =
qualname = sqlalchemy.engine

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
datefmt = %H:%M:%S
"""
