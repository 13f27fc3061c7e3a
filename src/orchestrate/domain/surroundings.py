"""What lies around: the Alembic projects below a folder, and what goes with them."""

from __future__ import annotations

from orchestrate.domain.diagnosis import Source
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of an ini file that has to do with Alembic. Holds no value that may be secret."""

    name: str
    script_location: str | None
    scheme: str | None
    """`postgresql+psycopg` of its `sqlalchemy.url`; None for none, or that of a new project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """An ini file or pyproject.toml that says where Alembic's scripts are."""

    path: str
    """Relative to the folder that was searched, with `/`."""
    directory: str
    """The folder in which the project runs, likewise; `.` for that folder itself."""
    sections: tuple[Section, ...]
    env: Source | None
    """Its env.py, where it was found."""
    imported: tuple[tuple[str, Source], ...] = ()
    """Modules of the project's own that env.py imports, by their dotted names."""

    @property
    def name(self) -> str:
        """Return its path as seen from the project's directory."""
        prefix = "" if self.directory == "." else f"{self.directory}/"
        return self.path.removeprefix(prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of a compose file."""

    name: str
    file: str
    builds: bool
    """It is built here, as an application is."""
    image: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerChoice:
    """A way to the project's Python that was found."""

    value: object
    """What stands at `runner` in the spec."""
    reason: str
    """Why it was thought of: `poetry.lock`."""
    has_alembic: bool | None = None
    """Whether Alembic was seen in it; None where that cannot be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DotenvKey:
    """A variable of a `.env` file that holds a database URL, by its name and its value's scheme."""

    file: str
    key: str
    scheme: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All that was found. Paths are relative to the folder that was searched."""

    configs: tuple[Config, ...]
    runners: tuple[RunnerChoice, ...]
    services: tuple[Service, ...]
    dotenv: tuple[DotenvKey, ...]
    existing: tuple[str, ...]
    """Files that would be overwritten."""
    ignores_state: bool
    """.gitignore has `.orchestrate`."""
