"""The table of recipes as values.

Owns the reading of `recipes.yaml` and what its placeholders stand for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

TABLE: Final = Path(__file__).with_name("recipes.yaml")
HOOKS: Final = Path(__file__).with_name("hooks")
DIALECTS: Final = ("sqlite", "postgresql", "mariadb")

# Quick to install and to drive, and each gets its URL in another way: `make test` has them.
SMALL: Final = ("optuna", "keystone", "airflow")

# The drivers that every environment has, as the first part of a URL.
SCHEMES: Final = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg2",
    "mariadb": "mysql+pymysql",
}


@dataclass(frozen=True)
class Environment:
    """What a virtual environment is made of."""

    name: str
    python: str
    packages: tuple[str, ...]
    without: tuple[str, ...]
    until: str

    @property
    def text(self) -> str:
        """Return all that it is made of as one text."""
        return json.dumps([self.python, self.packages, self.without, self.until])


@dataclass(frozen=True)
class Limit:
    """Why a chain cannot reach head on a dialect, with plain Alembic neither."""

    whose: str
    message: str  # part of what the failing statement or step is told


@dataclass(frozen=True)
class Chain:
    """One chain of revisions and how a user would declare it."""

    name: str
    environment: Environment
    project: Mapping[str, Any]
    dialects: tuple[str, ...]
    limits: Mapping[str, Limit]
    schemes: Mapping[str, str]
    hooks: Mapping[str, str]
    differs: Mapping[str, Sequence[str]]
    notes: str

    def declared(self, dialect: str, *, python: Path, site: Path, scratch: Path) -> dict[str, Any]:
        """Return the `project` of its spec for a dialect, placeholders filled in."""
        places = {
            "PYTHON": str(python),
            "SITE": str(site),
            "HOOKS": str(HOOKS),
            "SCRATCH": str(scratch),
        }
        filled: dict[str, Any] = _filled(dict(self.project), places)
        if dialect in self.hooks:
            hook = _filled(self.hooks[dialect], places)
            filled["inject"] = {**filled.get("inject", {}), "hook": hook}
        return {"runner": {"python": str(python)}, **filled}

    @property
    def all_dialects(self) -> tuple[str, ...]:
        """Return the dialects that it is tried on, also those where it has to fail."""
        return tuple(one for one in DIALECTS if one in self.dialects or one in self.limits)


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return Template(value).substitute(places)
    if isinstance(value, dict):
        return {key: _filled(one, places) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, places) for one in value]
    return value


def environments() -> dict[str, Environment]:
    """Return every environment by its name."""
    table = yaml.safe_load(TABLE.read_text("utf-8"))
    until = str(table["until"])
    return {
        name: Environment(
            name=name,
            python=keys["python"],
            packages=tuple(keys["packages"]),
            without=tuple(keys.get("without", ())),
            until=until,
        )
        for name, keys in table["environments"].items()
    }


def chains() -> dict[str, Chain]:
    """Return every chain by its name."""
    table = yaml.safe_load(TABLE.read_text("utf-8"))
    known = environments()
    return {
        name: Chain(
            name=name,
            environment=known[keys.get("environment", name)],
            project=keys["project"],
            dialects=tuple(keys["dialects"]),
            limits={one: Limit(**limit) for one, limit in keys.get("limits", {}).items()},
            schemes=keys.get("schemes", {}),
            hooks=keys.get("hooks", {}),
            differs=keys.get("differs", {}),
            notes=keys.get("notes", ""),
        )
        for name, keys in table["chains"].items()
    }
