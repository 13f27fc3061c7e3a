"""Where a database URL comes from, as it is declared: the shapes behind `url`, `state`, `notify`.

These are references, never values: a URL written out may not hold a password. Reading a source is
`adapters/url_sources.py`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Discriminator, Field, Tag

from orchestrate.domain.spec_types import (
    AsMapping,
    Command,
    Later,
    Model,
    Path,
    PositiveDuration,
    Template,
    Text,
    Variable,
    mistake,
)

_EXPRESSION: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_USERINFO: Final = re.compile(r"^[\w+.\-\s]*://(?P<user>[^:/@]*):(?P<password>.*)@", re.DOTALL)
_QUERY_SECRET: Final = re.compile(
    r"[?&](?:[\w.\-]*(?:pass|pwd|secret|token)[\w.\-]*)=[^&]+", re.IGNORECASE
)
_SECRET_NAME: Final = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_REFERENCE_HINT: Final = (
    "take it from a source: `{env: …}`, `{file: …}`, `{command: […]}`, or put"
    " `{{ env.NAME }}` in its place"
)


def holds_expression(text: str) -> bool:
    """Say whether a text is a template that something is filled into."""
    # One that is not closed counts, so that it is found to be wrong.
    return any(mark in text for mark in ("{{", "{%", "{#"))


def holds_password(text: str) -> bool:
    """Say whether a URL or template has a password written out, in place of a reference."""
    plain = _EXPRESSION.sub("", text)
    userinfo = _USERINFO.match(plain)
    if userinfo and userinfo["password"].strip():
        return True
    return bool(_QUERY_SECRET.search(plain))


def _without_password(text: str) -> str:
    if holds_password(text):
        raise mistake("password-in-spec", "a password is written in the spec", hint=_REFERENCE_HINT)
    return text


def _no_secret_values(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if isinstance(value, str) and _SECRET_NAME.search(name) and "{{" not in value:
            text = f"the value of `{name}` is written in the spec"
            raise mistake("password-in-spec", text, hint=_REFERENCE_HINT)
    return values


UrlText = Annotated[Template, AfterValidator(_without_password)]


class _Source(Model):
    template: UrlText | None = Field(
        default=None,
        description="A Jinja2 template that makes the URL; what was read is `{{ value }}`.",
        examples=["postgresql+psycopg://app:{{ value }}@db/shop"],
    )


class EnvSource(_Source):
    """An environment variable of the process that runs `orchestrate`."""

    env: Variable = Field(
        description="Name of an environment variable.", examples=["PROD_DATABASE_URL"]
    )


class DotenvSource(_Source):
    """A variable of a `.env` file; the process's own environment is not looked at."""

    dotenv: Path = Field(description="Path of the `.env` file.", examples=[".env"])
    key: Variable = Field(description="Name of the variable.", examples=["DATABASE_URL"])


class FileSource(_Source):
    """A file that holds nothing but the value, as container secrets do."""

    file: Path = Field(description="Path of the file.", examples=["/run/secrets/database_url"])


class CommandSource(_Source):
    """A program that prints the value on standard output, as its last line that is not empty."""

    command: Command = Field(
        description="Program and arguments; no shell. Runs in the folder of `migrations.yaml`.",
        examples=[["vault", "kv", "get", "-field=url", "secret/shop"]],
    )
    timeout: PositiveDuration | None = Field(
        default=None, description="How long the program may take; 30s unless given."
    )


class IniSource(_Source):
    """A value of an ini file, interpolated as Alembic does it (`%(here)s`, `%%`)."""

    ini: Path = Field(description="Path of the ini file.", examples=["alembic.ini"])
    section: Text = Field(default="alembic", description="Name of the section.")
    key: Text = Field(default="sqlalchemy.url", description="Name of the option.")


class KeyringEntry(Model):
    """What names one entry of the system's keyring."""

    service: Text = Field(description="Name of the service.", examples=["orchestrate"])
    user: Text = Field(description="Name of the user or entry.", examples=["production"])


class KeyringSource(_Source):
    """An entry of the system's keyring; needs `orchestrate[keyring]`."""

    keyring: KeyringEntry = Field(description="Service and user of the entry.")


def _kind_of_source(kinds: tuple[str, ...]) -> Any:
    def kind(value: object) -> str | None:
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return "<text>"
        if isinstance(value, Model):
            return next((f"<{k}>" for k in kinds if k in type(value).model_fields), None)
        if isinstance(value, dict):
            return next((f"<{k}>" for k in kinds if k in value), None)
        return None

    return kind


_KINDS: Final = ("env", "dotenv", "file", "command", "ini", "keyring")
_EXPECTED: Final = (
    "a URL, or a mapping with one of `env`, `dotenv`, `file`, `command`, `ini`, `keyring`"
)

_Plain = (
    Annotated[EnvSource, Tag("<env>")]
    | Annotated[DotenvSource, Tag("<dotenv>")]
    | Annotated[FileSource, Tag("<file>")]
    | Annotated[CommandSource, Tag("<command>")]
    | Annotated[IniSource, Tag("<ini>")]
    | Annotated[KeyringSource, Tag("<keyring>")]
)

ValueSource = Annotated[
    Annotated[Template, Tag("<text>")] | _Plain,
    Discriminator(
        _kind_of_source(_KINDS),
        custom_error_type="wrong-kind",
        custom_error_message=_EXPECTED.replace("a URL", "a text"),
    ),
]


class TemplateSource(Model):
    """A URL put together from several values."""

    template: UrlText = Field(
        description=(
            "A Jinja2 template over `values`, `env.NAME` and `environment.name`. In the place of"
            " user and password values are encoded by themselves."
        ),
        examples=["postgresql+psycopg://{{ user }}:{{ password }}@db/{{ name }}"],
    )
    values: Annotated[dict[Text, ValueSource], AsMapping, AfterValidator(_no_secret_values)] = (
        Field(
            default_factory=dict,
            description="Names that the template uses: a text, or a source as for `url`.",
            examples=[{"user": {"env": "DB_USER"}, "password": {"file": "/run/secrets/db"}}],
        )
    )


PlainSource = (
    str | EnvSource | DotenvSource | FileSource | CommandSource | IniSource | KeyringSource
)
AnySource = PlainSource | TemplateSource

Source = Annotated[
    Annotated[UrlText, Tag("<text>")] | _Plain | Annotated[TemplateSource, Tag("<template>")],
    Discriminator(
        _kind_of_source((*_KINDS, "template")),
        custom_error_type="wrong-kind",
        custom_error_message=f"{_EXPECTED}, `template`",
    ),
]
"""A URL without password, or where to read it."""
SOURCE: Final = Later(Source)
