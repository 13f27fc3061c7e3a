"""Where env.py connected, and what to write into the spec for it to connect to the target.

Pure; its input is what trying came to (`run/examine.py`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Final

from orchestrate.domain.diagnosis import Check, Outcome, Search, Trial, Way
from orchestrate.planning.injections import missing_variable
from orchestrate.planning.ways import plainly
from orchestrate.values import dataclass

_NO_SEARCH: Final = Search()
_NAMES_TOLD: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """What came of handing env.py its URL."""

    url: str
    """Without its password."""
    way: Way
    code: str | None
    """The error of the declared way, or None."""
    message: str = ""
    hint: str | None = None
    trouble: str | None = None
    first: Outcome
    """The same error in the agent's own words."""
    search: Search = _NO_SEARCH
    backend: str
    directory: str
    """Where the project runs; paths in the spec are relative to it."""
    config: str | None
    """The ini file or pyproject.toml that the project declares."""
    place: str
    """Where in the spec the way is declared, for people."""


def check_connection(found: Connecting) -> Check:
    """Say where env.py connected, and what to write for it to connect to the target (P1)."""
    asked = f"asked for `{found.url}`"
    if found.code is None:
        text = f"env.py connected to the database {asked}, by {words(found.way)}"
        return Check(check="connection", status="ok", message=text)
    if found.search.found is not None:
        return Check(
            check="connection",
            status="problem",
            message=f"By {words(found.way)}: {found.message} [{found.code}]. "
            f"By {words(found.search.found)} it connects",
            hint=f"Write {found.place}:",
            trouble=found.trouble,
            keys=spec_keys(found, found.search.found),
        )
    return Check(
        check="connection",
        status="problem",
        message=f"{found.message} [{found.code}] ({asked}, by {words(found.way)})",
        hint=_without_success(found),
        trouble=found.trouble,
    )


def _without_success(found: Connecting) -> str | None:
    """Return what was tried, and what is left to do."""
    trials = found.search.trials
    outcomes = [found.first, *(one.outcome for one in trials)]
    needs = dict.fromkeys(name for one in outcomes if (name := missing_variable(one)))
    parts = []
    if trials:
        parts.append(f"Tried without success: {_tried(trials, found)}")
    if found.search.stopped:
        parts.append(f"Stopped: {found.search.stopped}")
    if needs:
        names = ", ".join(f"`{name}`" for name in needs)
        parts.append(f"env.py wants {names} as well: set it where orchestrate runs, and look again")
    if not parts:
        return found.hint
    if trials:
        parts.append(
            "A `hook` under `inject` is a Python file that puts the URL wherever env.py takes it "
            "from: `def around(config, spec): …` with the URL in `spec['url']`"
        )
    return ". ".join(parts)


def _tried(trials: Sequence[Trial], found: Connecting) -> str:
    """Return the ways that were tried, each with what came of it where that is new."""
    told = {found.first.message}
    parts = []
    for one in trials:
        text = words(one.way)
        if one.outcome.message not in told:
            told.add(one.outcome.message)
            text += f" ({one.outcome.message})"
        parts.append(text)
    return "; ".join(parts)


def words(way: Way) -> str:
    """Return a way for people: `env DATABASE_URL with the driver asyncpg`."""
    parts = []
    inject = way.inject
    for kind, value in (("option", inject.option), ("env", inject.env), ("-x", inject.x)):
        if value:
            names = [value] if isinstance(value, str) else list(value)
            shown = ", ".join(names[:_NAMES_TOLD]) + (", …" if names[_NAMES_TOLD:] else "")
            parts.append(f"{kind} {shown}")
    if inject.attribute:
        parts.append(f"attribute {inject.attribute}")
    if inject.hook:
        parts.append(f"hook {inject.hook}")
    if not parts:
        parts.append("option sqlalchemy.url")
    if inject.section:
        parts.append(f"section {inject.section}")
    text = " and ".join(parts)
    if way.driver:
        text += f" with the driver {way.driver}"
    if way.sys_path:
        text += f" with {', '.join(way.sys_path)} on sys.path"
    return text


def spec_keys(found: Connecting, way: Way) -> Mapping[str, object]:
    """Return what has to stand in the spec for a way: what differs from the declared one."""
    declared = plainly(found.way)
    keys: dict[str, object] = {}
    if way.inject != declared.inject:
        keys["inject"] = way.inject.model_dump(exclude_none=True)
    if way.driver and way.driver != declared.driver:
        keys["drivers"] = {found.backend: way.driver}
    if way.sys_path != declared.sys_path:
        keys["sys_path"] = [_relative(one, found.directory) for one in way.sys_path]
    if way.script_location and way.script_location != declared.script_location:
        keys["config"] = found.config or "alembic.ini"
        keys["script_location"] = _relative(way.script_location, found.directory)
    return keys


def _relative(path: str, folder: str) -> str:
    return posixpath.relpath(path, folder) if path.startswith("/") else path
