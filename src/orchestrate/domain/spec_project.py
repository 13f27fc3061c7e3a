"""The project's part of the spec: how it is reached, and how a URL gets to its env.py."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from orchestrate.domain.spec_places import Declared
from orchestrate.domain.spec_sources import UrlText
from orchestrate.domain.spec_types import (
    AsList,
    AsMapping,
    Command,
    Count,
    Host,
    Later,
    Model,
    Name,
    Path,
    PositiveDuration,
    Revision,
    Template,
    Text,
    Variable,
    mistake,
)


class PythonRunner(Model):
    """Another interpreter of this machine."""

    python: Path = Field(
        description="Path of the interpreter, relative to `migrations.yaml`.",
        examples=[".venv/bin/python"],
    )


class CommandRunner(Model):
    """A program that ends in a Python interpreter somewhere else, such as a container."""

    command: Command = Field(
        description="Argument list that starts Python; its standard input must be passed on.",
        examples=[["docker", "compose", "exec", "-T", "api", "python"]],
    )


class SshPlace(Model):
    """A Python interpreter on another machine."""

    host: Host = Field(description="Host; `~/.ssh/config` is understood.", examples=["app1"])
    user: Host | None = Field(default=None, description="User to log in as.", examples=["deploy"])
    port: Count | None = Field(default=None, le=65535, description="Port of the SSH server.")
    python: Text = Field(
        default="python3", description="Interpreter there.", examples=["/srv/app/.venv/bin/python"]
    )
    directory: Text | None = Field(
        default=None, description="Folder to start in, there.", examples=["/srv/app"]
    )


class SshRunner(Model):
    """A Python interpreter that is reached by SSH."""

    ssh: SshPlace = Field(description="Where it is.")


def _kind_of_runner(value: object) -> str | None:
    if value == "local":
        return "<local>"
    if isinstance(value, Model):
        return f"<{next(iter(type(value).model_fields))}>"
    if isinstance(value, dict):
        return next((f"<{kind}>" for kind in ("python", "command", "ssh") if kind in value), None)
    return None


Runner = Annotated[
    Annotated[Literal["local"], Tag("<local>")]
    | Annotated[PythonRunner, Tag("<python>")]
    | Annotated[CommandRunner, Tag("<command>")]
    | Annotated[SshRunner, Tag("<ssh>")],
    Discriminator(
        _kind_of_runner,
        custom_error_type="wrong-kind",
        custom_error_message="`local`, or a mapping with one of `python`, `command`, `ssh`",
    ),
]

RUNNER: Final = Later(Runner)


def _text_or_mapping(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<mapping>" if isinstance(value, dict) else None


Templates = Annotated[dict[Text, UrlText], AsMapping]
_TEXT_OR_MAPPING: Final = Discriminator(
    _text_or_mapping,
    custom_error_type="wrong-kind",
    custom_error_message="a name, or a mapping of names to templates",
)


class Inject(Model):
    """How the target's URL reaches env.py; several ways may be given together."""

    option: (
        Annotated[
            Annotated[Text, Tag("<text>")] | Annotated[Templates, Tag("<mapping>")],
            _TEXT_OR_MAPPING,
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "Main option of Alembic's config that gets the URL, or options and their templates."
            " `sqlalchemy.url` where no way is given."
        ),
        examples=[
            "sqlalchemy.url",
            {"sqlalchemy.url": "{{ url }}", "my.schema": "{{ target.name }}"},
        ],
    )
    env: (
        Annotated[
            Annotated[Variable, Tag("<text>")]
            | Annotated[dict[Variable, UrlText], AsMapping, Tag("<mapping>")],
            _TEXT_OR_MAPPING,
        ]
        | None
    ) = Field(
        default=None,
        description="Environment variable that gets the URL, or variables and their templates.",
        examples=[
            "DATABASE_URL",
            {"DB_HOST": "{{ url.host }}", "DB_PASSWORD": "{{ url.password }}"},
        ],
    )
    x: Templates | None = Field(
        default=None, description="Values of `-x`.", examples=[{"tenant": "{{ target.name }}"}]
    )
    attribute: Literal["connection", "engine"] | None = Field(
        default=None, description='What is put into `config.attributes["connection"]`.'
    )
    hook: Path | None = Field(
        default=None,
        description="A Python file that runs around env.py, beside the project.",
        examples=["conf/orchestrate_hook.py"],
    )
    section: Template | None = Field(
        default=None,
        description="Section of the ini file that env.py reads.",
        examples=["production"],
    )


INJECT: Final = Later(Inject)


class Baseline(Model):
    """What is done with an empty database in place of running every revision."""

    stamp: Revision | None = Field(
        default=None, description="Revision the database is at afterwards; none means the base."
    )
    run: Command | None = Field(
        default=None,
        description=(
            "Program of this machine that builds the schema; it gets ORCHESTRATE_DATABASE_URL."
        ),
    )

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.stamp is None and self.run is None:
            raise mistake("missing-key", "one of `stamp`, `run` is missing")
        return self


class Project(Declared):
    """One Alembic project and how it is reached."""

    config: Path | None = Field(
        default=None,
        description="alembic.ini (used unless `script_location` is given) or pyproject.toml.",
        examples=["alembic.ini"],
    )
    section: Text | None = Field(
        default=None, description="Section of the ini file, where it is not `alembic`."
    )
    directory: Path | None = Field(
        default=None, description="Folder that the project runs in; that of `migrations.yaml`."
    )
    runner: Annotated[Runner, RUNNER] = Field(
        default="local", description="How the project's own Python is reached."
    )
    inject: Annotated[Inject, INJECT] = Field(
        default_factory=Inject, description="How the target's URL reaches env.py."
    )
    options: Templates = Field(
        default_factory=dict,
        description="Further main options of Alembic's config; templates.",
        examples=[{"file_template": "%(rev)s_%(slug)s"}],
    )
    script_location: Path | None = Field(
        default=None, description="Alembic's script directory, where the config does not say it."
    )
    version_locations: Annotated[tuple[Path, ...], AsList] = Field(
        default=(), description="Folders of revision files, where they are not the usual one."
    )
    sys_path: Annotated[tuple[Path, ...], AsList] = Field(
        default=(), description="Folders put first on `sys.path`.", examples=[["src"]]
    )
    drivers: dict[Name, Name] = Field(
        default_factory=dict,
        description="Driver that env.py needs, for each backend.",
        examples=[{"postgresql": "asyncpg"}],
    )
    transactions: Literal["session", "isolated", "native"] = Field(
        default="session",
        description=(
            "`session`: one env.py run, a commit after each revision. `isolated`: an env.py run"
            " a revision. `native`: the project's own transaction, all or nothing."
        ),
    )
    baseline: Annotated[Baseline | None, Later(Baseline)] = Field(
        default=None, description="How an empty database is brought to a revision at once."
    )
    probe: Literal["read-only", "plain"] = Field(
        default="read-only",
        description="`plain` looks without a read-only session, for servers that lack it.",
    )
    agent_timeout: PositiveDuration = Field(
        default=60.0,
        description="How long the agent may take to start and to look; 60s unless given.",
        examples=["60s"],
    )
    step_timeout: PositiveDuration | None = Field(
        default=None, description="How long one step may take; no limit unless given."
    )
