"""Checks of a spec across its parts, and what this version cannot keep of what it declares.

Pure: decides from values alone. A protection that is declared and not enforced closes the gate, so
that nobody relies on what is only written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.names import did_you_mean
from orchestrate.domain.spec import Environment, LoadedSpec
from orchestrate.values import dataclass

_PROTECTIONS: Final = {
    "targets": "a fleet would not be walked",
}


def not_enforced(spec: LoadedSpec, environment: Environment) -> tuple[Finding, ...]:
    """Return a finding for each declared key that this version does not enforce."""
    del spec
    return tuple(
        _not_enforced(key, consequence, environment.where(key))
        for key, consequence in _PROTECTIONS.items()
        if environment.declares(key)
    )


def _not_enforced(key: str, consequence: str, where: str) -> Finding:
    return Finding(
        code="not-enforced-yet",
        severity="error",
        message=f"`{key}` is declared and this version does not enforce it: {consequence}",
        hint=f"take `{key}` out of the spec and see to it by hand, or wait for a version that does",
        where=where,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What the checks need of an environment, as far as it can be read.

    Taken from what is written rather than from a valid `Environment`, so that a mistake in one key
    neither hides another nor makes an environment unknown.
    """

    name: str
    aliases: tuple[str, ...]
    project: str | None
    has_url: bool
    """There is a `url` or `targets`, right or wrong."""
    literal_url: str | None
    """A URL without anything to be filled in."""
    after: str | None
    places: Mapping[str, str]
    """By key: `name`, `aliases`, `project`, `url`, `after`."""


def cross_findings(projects: Sequence[str], environments: Sequence[Outline]) -> tuple[Finding, ...]:
    """Return the mistakes that show only when all files are seen together."""
    return (
        *_duplicate_names(environments),
        *_project_references(projects, environments),
        *_ways_to_a_url(environments),
        *_promotions(environments),
        *_same_urls(environments),
    )


def _error(code: str, message: str, where: str, hint: str | None = None) -> Finding:
    return Finding(code=code, severity="error", message=message, hint=hint, where=where)


def _duplicate_names(environments: Sequence[Outline]) -> list[Finding]:
    found = []
    seen: dict[str, Outline] = {}
    for environment in environments:
        own = [("name", environment.name), *(("aliases", name) for name in environment.aliases)]
        told = set()
        for key, name in own:
            first = seen.setdefault(name, environment)
            if first is not environment:
                text = f"`{name}` is the name or an alias of two environments"
                hint = f"the other one is at {first.places['name']}"
                found.append(_error("duplicate-name", text, environment.places[key], hint))
            elif name in told:
                text = f"`{name}` is given twice to the same environment"
                found.append(_error("duplicate-name", text, environment.places[key]))
            told.add(name)
    return found


def _project_references(projects: Sequence[str], environments: Sequence[Outline]) -> list[Finding]:
    found = []
    listed = ", ".join(f"`{name}`" for name in projects)
    for environment in environments:
        name = environment.project
        if name is None and len(projects) > 1:
            text = f"`project` is missing: the spec declares several, {listed}"
            found.append(_error("missing-key", text, environment.places["name"]))
        elif name is not None and name not in projects:
            text = f"no project is called `{name}`"
            hint = did_you_mean(name, projects)
            found.append(_error("unknown-project", text, environment.places["project"], hint))
    return found


def _ways_to_a_url(environments: Sequence[Outline]) -> list[Finding]:
    text = "`url` is missing: where the database is"
    hint = "write `url: {env: NAME}`, or a URL without password"
    return [
        _error("missing-key", text, environment.places["name"], hint)
        for environment in environments
        if not environment.has_url
    ]


def _promotions(environments: Sequence[Outline]) -> list[Finding]:
    by_name: dict[str, str] = {}
    for environment in environments:
        for name in (environment.name, *environment.aliases):
            by_name.setdefault(name, environment.name)
    found = []
    next_of: dict[str, str] = {}
    for environment in environments:
        if environment.after is None:
            continue
        if environment.after in by_name:
            next_of[environment.name] = by_name[environment.after]
        else:
            text = f"`after`: no environment is called `{environment.after}`"
            others = [name for name, owner in by_name.items() if owner != environment.name]
            hint = did_you_mean(environment.after, others, cutoff=0.5)
            found.append(_error("unknown-environment", text, environment.places["after"], hint))
    return [*found, *_cycles(environments, next_of)]


def _cycles(environments: Sequence[Outline], next_of: Mapping[str, str]) -> list[Finding]:
    """Return one finding a cycle, at the environment of it that comes first in the spec."""
    found = []
    told: set[str] = set()
    for environment in environments:
        walk = [environment.name]
        while walk[-1] in next_of and next_of[walk[-1]] not in walk:
            walk.append(next_of[walk[-1]])
        closes = next_of.get(walk[-1]) == environment.name
        if closes and environment.name not in told:
            told.update(walk)
            path = " after ".join(f"`{name}`" for name in (*walk, environment.name))
            text = f"`after` goes round in a circle: {path}"
            found.append(_error("cycle", text, environment.places["after"]))
    return found


def _same_urls(environments: Sequence[Outline]) -> list[Finding]:
    found = []
    seen: dict[tuple[str | None, str], Outline] = {}
    for environment in environments:
        if environment.literal_url is None:
            continue
        first = seen.setdefault((environment.project, environment.literal_url), environment)
        if first is not environment:
            text = f"`{environment.name}` and `{first.name}` have the same `url`"
            hint = "two environments are two databases; a second name for one is an `aliases` entry"
            found.append(_error("same-url", text, environment.places["url"], hint))
    return found
