"""Templates of the spec: sandboxed Jinja2 in which an unknown name is a mistake.

Messages never show a value: what a template is filled with may be secret. Jinja2 is imported at the
first template that has an expression.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from orchestrate.domain.spec_sources import holds_expression

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_TOKEN: Final = re.compile("\ue000(\\d+)\ue001")


class TemplateMistakeError(ValueError):
    """A template cannot be filled; the message has no value in it."""


class Variables:
    """Environment variables as `env.NAME`; remembers the last name that was not there."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.missing: str | None = None

    def __getitem__(self, name: str) -> str:
        if name not in self._environ:
            self.missing = name
        return self._environ[name]


class _Encoded(str):
    """A text that is written into a URL as it is."""

    __slots__ = ()


def render(template: str, values: Mapping[str, object]) -> str:
    """Return the template filled in.

    Raises:
        TemplateMistakeError: naming what is wrong with the template, never a value.
    """
    if not holds_expression(template):
        return template
    return _render(template, values, lambda value: "" if value is None else value)


def render_url(template: str, values: Mapping[str, object]) -> str:
    """Return a URL filled in; values in the place of user or password are encoded by themselves.

    So are those of a query's parameters. `| urlencode` and `| safe` give a text that is left as it
    is, and everywhere else values are: a whole URL may be one.

    Raises:
        TemplateMistakeError: naming what is wrong with the template, never a value.
    """
    if not holds_expression(template):
        return template
    kept: list[str] = []

    def keep(value: object) -> str:
        if isinstance(value, _Encoded):
            return str(value)
        kept.append("" if value is None else str(value))
        return f"\ue000{len(kept) - 1}\ue001"

    text = _render(template, values, keep)
    start = text.find("://") + 3
    authority = re.split(r"[/?#]", text[start:], maxsplit=1)[0] if start > 2 else ""  # noqa: PLR2004
    userinfo_end = start + authority.rfind("@")
    query_start = text.find("?", start)

    def fill(token: re.Match[str]) -> str:
        value, position = kept[int(token[1])], token.start()
        in_userinfo = start <= position < userinfo_end
        in_query = 0 <= query_start < position and text[position - 1] == "="
        return quote(value, safe="") if in_userinfo or in_query else value

    return _TOKEN.sub(fill, text)


def _render(template: str, values: Mapping[str, object], finalize: Any) -> str:
    import jinja2  # noqa: PLC0415  (see the module)

    environment = _environment(finalize)
    try:
        return environment.from_string(template).render(values)
    except jinja2.UndefinedError as error:
        variables = values.get("env")
        if isinstance(variables, Variables) and variables.missing:
            raise TemplateMistakeError(
                f"the environment variable `{variables.missing}` is not set"
            ) from None
        raise TemplateMistakeError(f"the template: {_words(error)}") from None
    except jinja2.TemplateSyntaxError as error:
        raise TemplateMistakeError(f"the template is wrong: {_words(error)}") from None
    except Exception as error:  # noqa: BLE001 - a filter's message may hold the value it was given
        raise TemplateMistakeError(f"the template fails with {type(error).__name__}") from None


def _words(error: Any) -> str:
    return str(error.message or "it cannot be filled").replace("'", "`")


def _environment(finalize: Any) -> SandboxedEnvironment:
    from jinja2 import StrictUndefined  # noqa: PLC0415  (see the module)
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    # HTML is not what is written here: nothing is escaped as if it were.
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        finalize=finalize,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters["urlencode"] = lambda value: _Encoded(quote(str(value), safe=""))
    environment.filters["safe"] = _Encoded
    environment.filters["from_json"] = json.loads
    return environment
