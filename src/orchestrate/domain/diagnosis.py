"""What `doctor` found: facts about one environment, and the checks made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from orchestrate.domain.equipment import Driver
from orchestrate.domain.spec_project import Inject
from orchestrate.values import dataclass

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: what is so, and what to do about it."""

    check: str
    """A word that stays the same: `connection`, `rights`, …"""
    status: Status
    message: str
    hint: str | None = None
    keys: Mapping[str, object] | None = None
    """What to write under `project` in the spec, where that is the remedy."""
    trouble: str | None = None
    """The page that tells more: `orchestrate explain NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that the project runs with."""

    python: str
    executable: str
    alembic: str
    sqlalchemy: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A Python file of the project's."""

    path: str
    text: str
    package: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What this user may do with an SQLite file and its folder."""

    path: str
    exists: bool
    writable: bool
    folder: str
    folder_writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the far end tells without running env.py."""

    directory: str
    trouble: str | None
    """Why the project's script directory cannot be found."""
    sections: Mapping[str, tuple[str, ...]]
    """Sections of the ini file with a URL or a script location, and their keys."""
    script_location: str | None
    version_locations: tuple[str, ...]
    env: Source | None
    strays: Mapping[str, int]
    """Folders with files that look like revisions and are in no version location."""
    folders: Mapping[str, tuple[str, ...]]
    """Folders that projects put on `sys.path`, and what can be imported from them."""
    drivers: tuple[Driver, ...]
    """Those of the URL's backend that are installed."""
    programs: Mapping[str, str | None]
    """First line of `--version` of the programs that were asked for; None: not there."""
    storage: Storage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way for the URL to reach env.py, with what else has to stand in the spec for it."""

    inject: Inject
    driver: str | None = None
    """None: as the URL has it."""
    sys_path: tuple[str, ...] = ()
    script_location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of trying a way; `code` is an error code, empty where it works."""

    code: str
    message: str

    @property
    def works(self) -> bool:
        """Tell whether env.py connected to the target."""
        return not self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A way that was tried."""

    way: Way
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Ways that were tried after the declared one failed, in their order."""

    trials: tuple[Trial, ...] = ()
    found: Way | None = None
    stopped: str | None = None
    """Why not all were tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The git checkout that the spec lies in."""

    branch: str
    commit: str
    changed: int
    """Files that differ from the commit."""


Rows = Mapping[str, list[list[object]]]
