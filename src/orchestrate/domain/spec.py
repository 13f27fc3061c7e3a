"""What people declare: `migrations.yaml` and the environments it includes, as frozen values.

The models of `spec_….py` are the one list of keys: reading, JSON Schema and reference page follow
from them. They hold sources, never secrets, and reading files is `stores/spec_files.py`.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from orchestrate.domain.findings import Finding
from orchestrate.domain.names import nearest
from orchestrate.domain.spec_drift import Drift
from orchestrate.domain.spec_places import FILE_NAME, NOWHERE, Declared, Place
from orchestrate.domain.spec_project import (
    INJECT,
    RUNNER,
    Baseline,
    CommandRunner,
    Inject,
    Project,
    PythonRunner,
    Runner,
    SshPlace,
    SshRunner,
)
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
from orchestrate.domain.spec_runbook import RunbookKey
from orchestrate.domain.spec_sources import SOURCE, AnySource, Source
from orchestrate.domain.spec_types import (
    AsList,
    AsMapping,
    Count,
    CountOrZero,
    Filled,
    Later,
    Model,
    Name,
    PositiveDuration,
    Revision,
    Text,
    mistake,
)
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

__all__ = [
    "DEFAULT_PROJECT",
    "FILE_NAME",
    "Baseline",
    "CommandRunner",
    "Defaults",
    "Environment",
    "Inject",
    "LoadedSpec",
    "Place",
    "Project",
    "PythonRunner",
    "SpecFile",
    "SshPlace",
    "SshRunner",
    "digest_of",
    "json_schema",
]

DEFAULT_PROJECT: Final = "default"
"""Name of the project where only one is declared, as `project`."""


class _Rules(Declared):
    """What `defaults` and every environment have in common."""

    project: Name | None = Field(
        default=None, description="Name of the project; needed where several are declared."
    )
    url: Annotated[Source | None, SOURCE] = Field(
        default=None,
        description="The database's URL, without password, or where to read it.",
        examples=["sqlite:///dev.db", {"env": "PROD_DATABASE_URL"}],
    )
    to: Revision = Field(
        default="heads", description="Where `plan` and `apply` go unless told otherwise."
    )
    runner: Annotated[Runner | None, RUNNER] = Field(
        default=None, description="In place of the project's runner."
    )
    inject: Annotated[Inject | None, INJECT] = Field(
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
    drift: Annotated[Drift | None, Later(Drift)] = Field(
        default=None,
        description="Differences that are known, and no drift.",
        examples=[
            {"ignore": [{"object": "index", "name": "orders.ix_*", "reason": "made by the load"}]}
        ],
    )
    runbook: Annotated[RunbookKey | None, Later(RunbookKey)] = Field(
        default=None,
        description="Whom to call, and templates of your own, for `orchestrate runbook`.",
        examples=[{"contacts": ["on call: +49 30 5550 100"]}],
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


_INCLUDE_SCHEMA: Final = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ]
}


def _version(value: int) -> int:
    if value != 1:
        raise mistake("bad-value", f"expected version 1, found {value}", hint="upgrade orchestrate")
    return value


_Projects = Annotated[dict[Name, Project], AsMapping]
_ByName = Annotated[dict[Name, NamedByKey], AsMapping]


class SpecFile(Model):
    """The declarative specification of `orchestrate`: migrations.yaml."""

    version: Annotated[Count, AfterValidator(_version)] = Field(
        default=1, description="Version of this format.", examples=[1]
    )
    project: Project | None = Field(default=None, description="The Alembic project.")
    projects: Annotated[dict[Name, Project] | None, Later(_Projects)] = Field(
        default=None, description="Several Alembic projects by name, in place of `project`."
    )
    state: Annotated[Source, SOURCE] = Field(
        default="sqlite:///.orchestrate/state.db",
        description="The state store's URL: journal, leases, identities; sources as for `url`.",
    )
    include: Annotated[
        tuple[Text, ...],
        AsList,
        BeforeValidator(_include),
        Filled,
        WithJsonSchema(_INCLUDE_SCHEMA),
    ] = Field(
        default=("environments/*.yaml",),
        description="Files that declare one environment each; globs relative to this file.",
        examples=["environments/*.yaml"],
    )
    defaults: Annotated[Defaults | None, Later(Defaults)] = Field(
        default=None,
        description="Values for every environment; a key given there replaces the default.",
        examples=[{"lock_timeout": "5s"}],
    )
    environments: Annotated[dict[Name, NamedByKey] | None, Later(_ByName)] = Field(
        default=None,
        description="Environments by name, in place of files of their own.",
        examples=[{"dev": {"url": "sqlite:///dev.db"}}],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSpec:
    """A spec without mistakes; it holds no secret: URLs are resolved one at a time."""

    path: pathlib.Path
    projects: Mapping[str, Project]
    environments: tuple[Environment, ...]
    """In the order of the files; each has `project` filled in."""
    state: AnySource
    findings: tuple[Finding, ...] = ()
    """Warnings."""
    state_place: Place = NOWHERE
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
        near = nearest(name, names, cutoff=0.5)
        known = ", ".join(f"`{environment.name}`" for environment in self.environments)
        hint = f"the spec has {known}" if known else "the spec has no environment"
        if near:
            hint = f"did you mean `{near}`? {hint}"
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
    for whole_file in (schema, environment):
        whole_file["patternProperties"] = {"^x-": {"description": "Free, for anchors."}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "orchestrate: migrations.yaml",
        "$defs": definitions,
    }
