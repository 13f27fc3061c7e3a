"""Making ways for a URL to reach env.py, each laid over the one that the spec declares."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from orchestrate.domain.diagnosis import Way
from orchestrate.domain.spec_project import Inject
from orchestrate.planning.variable_names import part_of

WHOLE: Final = "{{ url }}"
DEFAULT_OPTION: Final = "sqlalchemy.url"

ByName = Literal["x", "env", "parts"]
"""Ways by name: `-x NAME=URL`, a variable with the URL, variables with its parts."""


def plainly(way: Way) -> Way:
    """Return the way with what is meant where the spec says nothing."""
    inject = way.inject
    if any((inject.option, inject.env, inject.x, inject.attribute, inject.hook)):
        return way
    return replace(way, inject=inject.model_copy(update={"option": DEFAULT_OPTION}))


def named(kind: ByName, declared: Way, names: tuple[str, ...], *, driver: str | None) -> Way:
    """Return the way by which these names carry the URL; `driver` is the one the URL names."""
    match kind:
        case "x":
            return laid_over(declared, x=dict.fromkeys(names, WHOLE))
        case "env":
            return laid_over(
                declared, env=names[0] if len(names) == 1 else dict.fromkeys(names, WHOLE)
            )
        case "parts":
            return laid_over(declared, env={name: _template(name, driver) for name in names})


def _template(name: str, driver: str | None) -> str:
    part = part_of(name)
    if part == "driver":
        return "{{ url.backend }}" + ("+{{ url.driver }}" if driver else "")
    return f"{{{{ url.{part} }}}}"


def laid_over(declared: Way, **ways: object) -> Way:
    """Return the declared way with its URL going another way; what else it carries stays."""
    inject = declared.inject
    kept: dict[str, object] = {"hook": inject.hook, "section": inject.section, **ways}
    for name in ("option", "env", "x"):
        given = getattr(inject, name)
        others = (
            {key: text for key, text in given.items() if "url" not in text}
            if isinstance(given, dict)
            else {}
        )
        own = ways.get(name)
        if isinstance(own, str) and others:
            own = {own: WHOLE}
        kept[name] = {**others, **own} if isinstance(own, dict) else own or others
    given_ways = {key: value for key, value in kept.items() if value}
    return replace(declared, inject=Inject.model_validate(given_ways))
