"""A runbook as Markdown or HTML: its template filled with its values, in a sandbox.

Templates may be the user's own. A mistake in one is an error with file and line, and a template can
reach nothing but the values that it is given and the templates beside it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestrate.domain.runbook import Runbook, Template
from orchestrate.errors import OrchestrateError
from orchestrate.reports.tables import stamp

if TYPE_CHECKING:
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

TEMPLATES: Final[Mapping[str, str]] = {
    "markdown": "runbook.md.j2",
    "html": "runbook.html.j2",
}
"""By format, the template that is filled."""
_MARKS: Final = re.compile(r"([\\`*_\[\]<>|~])")


def runbook_text(runbook: Runbook, format_: str, templates: Mapping[str, Template]) -> str:
    """Return the runbook in one of the formats of `TEMPLATES`, by these templates.

    Raises `template-invalid`, naming file and line.
    """
    return _checked(
        templates,
        lambda environment: environment.get_template(TEMPLATES[format_]).render(runbook=runbook),
        escapes=format_ == "html",
    )


def check_template(name: str, templates: Mapping[str, Template]) -> None:
    """Raise `template-invalid` for a template that can be filled with no runbook at all."""

    def compiled(environment: jinja2.Environment) -> str:
        environment.get_template(name)
        return ""

    _checked(templates, compiled)


def _checked(
    templates: Mapping[str, Template],
    action: Callable[[SandboxedEnvironment], str],
    *,
    escapes: bool = False,
) -> str:
    import jinja2  # noqa: PLC0415  (only a runbook pays for it)

    try:
        return action(_environment(templates, escapes=escapes))
    except jinja2.TemplateSyntaxError as error:
        raise _mistake(f"{error.filename or error.name}:{error.lineno}", error.message) from error
    except jinja2.TemplateNotFound as error:
        where = _line(error, templates)
        raise _mistake(where, f"there is no template `{error.name}` beside it") from error
    except Exception as error:  # a template can call anything that its values have
        where = _line(error, templates)
        if not where:
            raise
        raise _mistake(where, str(error) or type(error).__name__) from error


def _mistake(where: str, message: str | None) -> OrchestrateError:
    return OrchestrateError(
        "template-invalid",
        f"The template is wrong: {' '.join((message or 'it cannot be filled').split())}",
        where=where,
        hint="docs/how-to/runbooks.md has the names that a template can use; "
        "`orchestrate runbook --eject FOLDER` writes the original ones",
    )


def _line(error: Exception, templates: Mapping[str, Template]) -> str:
    """Return file and line of the innermost place in a template, if it was one that failed."""
    files = {one.file for one in templates.values()}
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _environment(templates: Mapping[str, Template], *, escapes: bool) -> SandboxedEnvironment:
    from jinja2 import FunctionLoader, StrictUndefined  # noqa: PLC0415  (as above)
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        found = templates.get(name)
        return (found.text, found.file, lambda: True) if found else None

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        # By what is written, not by names: a page may include a template of any name.
        autoescape=escapes,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["stamp"] = _moment
    environment.filters["line"] = _one_line
    environment.filters["plain"] = _plain
    environment.filters["fenced"] = _fenced
    environment.filters["capitalize_first"] = lambda value: str(value)[:1].upper() + str(value)[1:]
    return environment


def _moment(value: datetime | None) -> str:
    return stamp(value) if value is not None else "-"


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def _plain(value: object) -> str:
    """Return a text on one line in which Markdown sees nothing but words; backticks stay."""
    parts = re.split(r"(`[^`]*`)", _one_line(value))
    return "".join(part if part.startswith("`") else _MARKS.sub(r"\\\1", part) for part in parts)


def _fenced(value: object, language: str = "") -> str:
    """Return a text as a fenced block of Markdown, whatever backticks it has itself."""
    text = str(value).strip("\n")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def runbook_json(runbook: Runbook) -> dict[str, Any]:
    """Return the values that templates are filled with, as plain ones."""
    return {key: _plain_value(value) for key, value in asdict(runbook).items()}


def _plain_value(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {key: _plain_value(one) for key, one in value.items()}
        case tuple() | list():
            return [_plain_value(one) for one in value]
        case _:
            return value
