"""What people declare: `migrations.yaml` and the environments it includes, as frozen values.

The models are the one list of keys: reading, JSON Schema and reference page follow from them. They
hold sources, never secrets, and reading files is `stores/spec_files.py`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PrivateAttr, Tag

from orchestrate.domain.findings import Finding
from orchestrate.domain.spec_protections import (
    After,
    Approval,
    Backup,
    Check,
    Hooks,
    Policy,
    Targets,
    Tunnel,
    Window,
)
from orchestrate.domain.spec_sources import AnySource, Source, UrlText
from orchestrate.domain.spec_types import (
    AsList,
    Command,
    Count,
    CountOrZero,
    Duration,
    Filled,
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
    describe,
    mistake,
)
from orchestrate.errors import OrchestrateError

FILE_NAME: Final = "migrations.yaml"
DEFAULT_PROJECT: Final = "default"
"""Name of the project where only one is declared, as `project`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is written; lines and columns count from 1."""

    file: str
    """Relative to the folder of `migrations.yaml`, with `/`."""
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


_NOWHERE: Final = Place(file=FILE_NAME, line=1, column=1)


class _Declared(Model):
    """A mapping that knows where it and its keys are written."""

    _source: Place = PrivateAttr(default=_NOWHERE)
    _keys: Mapping[str, Place] = PrivateAttr(default_factory=dict)
    _folder: pathlib.Path = PrivateAttr(default_factory=pathlib.Path)

    def placed(self, source: Place, keys: Mapping[str, Place], folder: pathlib.Path) -> None:
        """Remember where this is written; for the spec's reader alone, once."""
        self._source, self._keys, self._folder = source, keys, folder

    @property
    def source(self) -> Place:
        """Return where this is written: for an environment its `name`."""
        return self._source

    @property
    def folder(self) -> pathlib.Path:
        """Return the folder of `migrations.yaml`, which relative paths are relative to."""
        return self._folder

    def where(self, key: str) -> str:
        """Return `file:line:column` of a key, or of the whole where it is not written."""
        return str(self._keys.get(key, self._source))

    def declares(self, key: str) -> bool:
        """Say whether the key is written, here or in `defaults`."""
        return key in self._keys


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
    if isinstance(value, str):
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


def _text_or_mapping(value: object) -> str | None:
    return {str: "<text>", dict: "<mapping>"}.get(type(value))


def _mapping(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise mistake("wrong-type", f"expected a mapping, found {describe(value)}")


Templates = Annotated[dict[Text, UrlText], BeforeValidator(_mapping)]
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
            | Annotated[dict[Variable, UrlText], BeforeValidator(_mapping), Tag("<mapping>")],
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


class Baseline(Model):
    """What is done with an empty database in place of running every revision."""

    stamp: Revision = Field(description="Revision the database is at afterwards.")
    run: Command | None = Field(default=None, description="Program that builds the schema.")


class Project(_Declared):
    """One Alembic project and how it is reached."""

    config: Path | None = Field(
        default=None,
        description="alembic.ini or pyproject.toml; `alembic.ini` unless `script_location` is given.",
        examples=["alembic.ini"],
    )
    section: Text | None = Field(
        default=None, description="Section of the ini file, where it is not `alembic`."
    )
    directory: Path | None = Field(
        default=None, description="Folder that the project runs in; that of `migrations.yaml`."
    )
    runner: Runner = Field(default="local", description="How the project's own Python is reached.")
    inject: Inject = Field(
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
        description="`plain` looks at a target without a read-only session, for servers that lack it.",
    )
    agent_timeout: PositiveDuration = Field(
        default=60.0,
        description="How long the agent may take to start and to look; 60s unless given.",
        examples=["60s"],
    )
    step_timeout: PositiveDuration | None = Field(
        default=None, description="How long one step may take; no limit unless given."
    )


class _Rules(_Declared):
    """What `defaults` and every environment have in common."""

    project: Name | None = Field(
        default=None, description="Name of the project; needed where several are declared."
    )
    url: Source | None = Field(
        default=None,
        description="The database's URL, without password, or where to read it.",
        examples=["sqlite:///dev.db", {"env": "PROD_DATABASE_URL"}],
    )
    to: Revision = Field(
        default="heads", description="Where `plan` and `apply` go unless told otherwise."
    )
    runner: Runner | None = Field(default=None, description="In place of the project's runner.")
    inject: Inject | None = Field(
        default=None, description="Ways that replace or join those of the project's `inject`."
    )
    tunnel: Annotated[Tunnel | None, Later(Tunnel)] = Field(
        default=None,
        description="SSH tunnel to the database.",
        examples=[{"ssh": "bastion.example.com"}],
    )
    after: Annotated[After | None, Later(After)] = Field(
        default=None,
        description="Promotion: these very revisions succeeded there first.",
        examples=[{"environment": "staging", "soak": "2h"}],
    )
    backup: Annotated[Backup | None, Later(Backup)] = Field(
        default=None, description="A copy made before a run.", examples=[{"strategy": "sqlite"}]
    )
    window: Annotated[Window | None, Later(Window)] = Field(
        default=None,
        description="When changes are allowed.",
        examples=[{"timezone": "Europe/Berlin", "open": ["weekdays 22:00-23:30"]}],
    )
    approval: Annotated[Approval | None, Later(Approval)] = Field(
        default=None, description="Who has to agree to a plan.", examples=[{"required": 1}]
    )
    lock_timeout: PositiveDuration | None = Field(
        default=None, description="How long a statement waits for a lock.", examples=["5s"]
    )
    lock_retries: CountOrZero | None = Field(
        default=None, description="How often a step is tried again after it.", examples=[20]
    )
    statement_timeout: PositiveDuration | None = Field(
        default=None, description="How long one statement may take.", examples=["15m"]
    )
    policy: Annotated[Policy | None, Later(Policy)] = Field(
        default=None,
        description="What a rule's finding means here.",
        examples=[{"destructive": "approve", "long-lock": "block"}],
    )
    verify: Annotated[tuple[Check, ...], Later(Annotated[tuple[Check, ...], AsList])] = Field(
        default=(),
        description="What has to be true after a run.",
        examples=[[{"sql": "select count(*) from orders where total is null", "expect": 0}]],
    )
    hooks: Annotated[Hooks | None, Later(Hooks)] = Field(
        default=None,
        description="What runs around the steps.",
        examples=[{"before": [{"command": ["./drain.sh"]}]}],
    )
    notify: Annotated[tuple[Source, ...], Later(Annotated[tuple[Source, ...], AsList])] = Field(
        default=(),
        description="Who is told: apprise URLs, from the same sources as `url`.",
        examples=[[{"env": "SLACK_URL"}]],
    )
    targets: Annotated[Targets | None, Later(Targets)] = Field(
        default=None,
        description="A fleet; leave out for one database.",
        examples=[{"glob": "data/*.db"}],
    )


class Defaults(_Rules):
    """Values for every environment; a key that an environment gives replaces the default whole."""


class NamedByKey(_Rules):
    """An environment whose name is the key that it stands under."""

    aliases: Annotated[tuple[Name, ...], AsList] = Field(
        default=(), description="Other names for it.", examples=[["prod"]]
    )


class Environment(NamedByKey):
    """A named place with rules: dev, staging, production. The content of a file of its own."""

    name: Name = Field(description="What it is called.", examples=["production"])


def _include(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _version(value: int) -> int:
    if value != 1:
        raise mistake("bad-value", f"expected version 1, found {value}", hint="upgrade orchestrate")
    return value


_ByName = Annotated[dict[Name, NamedByKey], BeforeValidator(_mapping)]


class SpecFile(Model):
    """The declarative specification of `orchestrate`: migrations.yaml."""

    version: Annotated[Count, AfterValidator(_version)] = Field(
        default=1, description="Version of this format.", examples=[1]
    )
    project: Project | None = Field(default=None, description="The Alembic project.")
    projects: Annotated[dict[Name, Project], BeforeValidator(_mapping)] | None = Field(
        default=None, description="Several Alembic projects by name, in place of `project`."
    )
    state: Source = Field(
        default="sqlite:///.orchestrate/state.db",
        description="The state store's URL: journal, leases, identities; sources as for `url`.",
    )
    include: Annotated[tuple[Text, ...], BeforeValidator(_include), AsList, Filled] = Field(
        default=("environments/*.yaml",),
        description="Files that declare one environment each; globs relative to this file.",
        examples=["environments/*.yaml"],
    )
    defaults: Annotated[Defaults | None, Later(Defaults)] = Field(
        default=None,
        description="Values for every environment; a key that it gives itself replaces the default.",
        examples=[{"lock_timeout": "5s"}],
    )
    environments: Annotated[dict[Name, NamedByKey] | None, Later(_ByName)] = Field(
        default=None,
        description="Environments by name, in place of files of their own.",
        examples=[{"dev": {"url": "sqlite:///dev.db"}}],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSpec:
    """A spec without mistakes. Secrets are not in it: URLs are resolved one environment at a time."""

    path: pathlib.Path
    projects: Mapping[str, Project]
    environments: tuple[Environment, ...]
    """In the order of the files; each has `project` filled in."""
    state: AnySource
    findings: tuple[Finding, ...] = ()
    """Warnings."""
    state_place: Place = _NOWHERE
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> pathlib.Path:
        """Return the folder that relative paths are relative to."""
        return self.path.parent

    def environment(self, name: str) -> Environment:
        """Return the environment of this name or alias.

        Raises:
            OrchestrateError: `unknown-environment`, with the nearest name and all of them.
        """
        for environment in self.environments:
            if name == environment.name or name in environment.aliases:
                return environment
        names = [n for e in self.environments for n in (e.name, *e.aliases)]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        known = ", ".join(f"`{environment.name}`" for environment in self.environments)
        hint = f"the spec has {known}" if known else "the spec has no environment"
        if near:
            hint = f"did you mean `{near[0]}`? {hint}"
        raise OrchestrateError(
            "unknown-environment", f"no environment is called `{name}`", hint=hint
        )

    def project_of(self, environment: Environment) -> Project:
        """Return the project whose revisions the environment runs."""
        return self.projects[environment.project or DEFAULT_PROJECT]

    def spec_digest(self, environment: Environment) -> str:
        """Return the digest of what is written for the environment and its project.

        It covers the written values with defaults laid under them, not what this version makes of
        them: a version that adds keys leaves it as it is. Sources are in it, secrets are not.
        """
        return self.digests[environment.name]


def digest_of(environment: object, project: object) -> str:
    """Return the SHA-256 of the canonical JSON of both."""
    value = {"environment": environment, "project": project}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `migrations.yaml`; that of an environment's file is in `$defs`."""
    schema = SpecFile.model_json_schema(by_alias=True)
    environment = Environment.model_json_schema(by_alias=True)
    definitions = {**environment.pop("$defs", {}), **schema.pop("$defs", {})}
    definitions["Environment"] = environment
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "orchestrate: migrations.yaml",
        "$defs": definitions,
    }
