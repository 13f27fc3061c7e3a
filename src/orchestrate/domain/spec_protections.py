"""The keys of an environment that protect it: promotion, backup, window, approval, policy, fleet.

They are validated in full when the spec is read. What this version does not enforce yet is refused
by `planning/spec_checks.py`, never passed over.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from orchestrate.domain.spec_calendar import FreezeText, OpeningText, TimeZone
from orchestrate.domain.spec_sources import SOURCE, Source
from orchestrate.domain.spec_types import (
    AsList,
    Command,
    Count,
    CountOrAge,
    Duration,
    Email,
    Filled,
    Flag,
    Host,
    Model,
    Name,
    Path,
    PositiveDuration,
    Scalar,
    Share,
    ShareOrRest,
    Text,
    mistake,
)

Action = Literal["allow", "warn", "approve", "block"]


class Tunnel(Model):
    """An SSH tunnel to the database, whose URL is written as the far host reaches it."""

    ssh: Host = Field(
        description="Host to go through; `~/.ssh/config` is understood and host keys are strict.",
        examples=["bastion.example.com"],
    )
    user: Host | None = Field(default=None, description="User to log in as.")
    port: Count | None = Field(default=None, le=65535, description="Port of the SSH server.")


class After(Model):
    """Promotion: these very revisions succeeded elsewhere first."""

    environment: Name = Field(
        description="Name or alias of the environment that comes first.", examples=["staging"]
    )
    soak: Duration | None = Field(
        default=None, description="How long ago that must have been.", examples=["2h"]
    )


class Backup(Model):
    """A copy made before a run changes anything."""

    strategy: Literal["sqlite", "pg_dump", "mysqldump", "command", "none"] = Field(
        description="How the copy is made; `none` says that none is wanted."
    )
    format: Literal["custom", "plain", "directory"] | None = Field(
        default=None, description="Format of `pg_dump`; `custom` unless given."
    )
    jobs: Count | None = Field(
        default=None, description="Connections at the same time, for the format `directory`."
    )
    destination: Text = Field(
        default="backups/",
        description="Folder or fsspec URL for the copies; credentials come from the environment.",
        examples=["backups/", "s3://bucket/backups"],
    )
    keep: CountOrAge | None = Field(
        default=None,
        description="How many copies are kept, or how old they become; never the last good one.",
        examples=[14, "30d"],
    )
    verify: Literal["list", "restore"] | None = Field(
        default=None,
        description="How a copy is proven: `list` reads it to its end, `restore` puts it back into "
        "a scratch database and compares.",
    )
    prefix: Command | None = Field(
        default=None,
        description="What stands before the client programs, to run them where the database is.",
        examples=[["docker", "compose", "exec", "-T", "db"]],
    )
    command: Command | None = Field(
        default=None,
        description="Program that makes the copy, its last line of output being the copy's name; "
        "strategy `command` alone.",
    )
    restore: Command | None = Field(
        default=None, description="Program that puts a copy back; strategy `command` alone."
    )

    @model_validator(mode="after")
    def _fits_strategy(self) -> Self:
        if self.strategy == "command" and self.command is None:
            raise mistake("missing-key", "`command` is missing: strategy `command` runs it")
        if self.strategy != "command" and (self.command or self.restore):
            raise mistake("bad-value", "`command` and `restore` go with strategy `command` alone")
        if self.format is not None and self.strategy != "pg_dump":
            raise mistake("bad-value", "`format` goes with strategy `pg_dump` alone")
        if self.jobs is not None and self.format != "directory":
            raise mistake("bad-value", "`jobs` goes with `format: directory` alone")
        if self.format == "directory" and self.prefix is not None:
            raise mistake(
                "bad-value", "`format: directory` writes where `pg_dump` runs, so without `prefix`"
            )
        if self.prefix is not None and self.strategy == "command":
            raise mistake("bad-value", "`prefix` goes before client programs; put it in `command`")
        if re.search(r"://[^/@]*:[^/@]*@", self.destination):
            raise mistake(
                "bad-value",
                "`destination` holds a password",
                hint="fsspec takes credentials from the environment or its own configuration",
            )
        return self


class Window(Model):
    """When changes are allowed."""

    timezone: TimeZone = Field(description="An IANA time zone.", examples=["Europe/Berlin"])
    open: Annotated[tuple[OpeningText, ...], AsList, Filled] = Field(
        description="Days and hours: `mon` to `sun`, `mon-thu`, `weekdays`, `weekends`, `daily`.",
        examples=[["sat,sun 01:00-05:00", "weekdays 22:00-23:30"]],
    )
    freeze: Annotated[tuple[FreezeText, ...], AsList] = Field(
        default=(),
        description="Days without changes, first and last included.",
        examples=[["2026-12-20/2027-01-05"]],
    )


class Approval(Model):
    """Who has to agree to a plan before it is carried out."""

    required: Count = Field(description="How many approvals a plan needs.", examples=[2])
    approvers: Annotated[tuple[Email, ...], AsList] = Field(
        default=(),
        description="Who may approve; anybody who can reach the state store unless given.",
        examples=[["alice@example.com", "bob@example.com"]],
    )
    expires: PositiveDuration | None = Field(
        default=None, description="How long an approval holds.", examples=["24h"]
    )
    exclude_author: Flag = Field(
        default=False, description="The plan's author does not count as an approver."
    )
    signed: Flag = Field(default=False, description="Approvals carry an SSH signature.")
    allowed_signers: Path | None = Field(
        default=None,
        description="OpenSSH's file of allowed signers, relative to `migrations.yaml`.",
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        people = {person.casefold() for person in self.approvers}
        if len(people) != len(self.approvers):
            raise mistake("bad-value", "an approver is listed twice in `approvers`")
        if people and self.required > len(people):
            text = f"`required` is {self.required} and `approvers` lists {len(people)}"
            raise mistake("bad-value", f"{text}: no plan could ever be approved")
        if self.signed and self.allowed_signers is None:
            raise mistake("missing-key", "`allowed_signers` is missing: `signed` is checked by it")
        return self


class Policy(Model):
    """What a finding of a rule means here."""

    destructive: Action | None = Field(default=None, description="Steps that lose data.")
    long_lock: Action | None = Field(
        default=None, alias="long-lock", description="Steps that lock a large table for long."
    )
    missing_downgrade: Action | None = Field(
        default=None, alias="missing-downgrade", description="Revisions without a way back."
    )
    edited_revision: Action | None = Field(
        default=None,
        alias="edited-revision",
        description="Revisions changed after they ran elsewhere.",
    )
    multiple_heads: Action | None = Field(
        default=None, alias="multiple-heads", description="A project with several heads."
    )
    outside_transaction: Action | None = Field(
        default=None,
        alias="outside-transaction",
        description="Steps that the server does not undo when they fail.",
    )
    not_rendered: Action | None = Field(
        default=None,
        alias="not-rendered",
        description="Revisions whose SQL cannot be looked at beforehand: their Python alone was.",
    )
    rehearsed: Literal["required"] | None = Field(
        default=None,
        description="Nothing is applied that was not rehearsed here, as it is now, and went well.",
    )


_QUOTED: Final = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL
)


def _one_statement(text: str) -> str:
    # A second one could follow the end of the transaction that keeps the first from writing.
    if ";" in _QUOTED.sub("", text).rstrip("; \t\r\n"):
        raise mistake(
            "bad-value", "several statements stand in `sql`", hint="write a check for each"
        )
    return text


class SqlCheck(Model):
    """A query whose one value has to be as expected."""

    sql: Annotated[Text, AfterValidator(_one_statement)] = Field(
        description="A query that only reads.",
        examples=["select count(*) from orders where total is null"],
    )
    expect: Scalar = Field(description="The value it has to give.", examples=[0])
    timeout: PositiveDuration | None = Field(
        default=None, description="How long it may take; 10m unless given."
    )


class CommandCheck(Model):
    """A program that has to exit with 0."""

    command: Command = Field(
        description="Program and arguments; no shell. Runs in the folder of `migrations.yaml`.",
        examples=[["./smoke.sh"]],
    )
    timeout: PositiveDuration | None = Field(
        default=None, description="How long it may take; 10m unless given."
    )
    url: Flag = Field(
        default=False,
        description="Give it the database's URL, password included, in ORCHESTRATE_DATABASE_URL.",
    )


_DIRECTIONS: Final = "Of which runs it is a part: `upgrade`, `downgrade`, `restore`"
Directions = Annotated[tuple[Literal["upgrade", "downgrade", "restore"], ...], AsList]


class CommandHook(CommandCheck):
    """A program run before or after."""

    directions: Directions = Field(
        default=(), description=f"{_DIRECTIONS}; all unless given.", examples=[["upgrade"]]
    )


class SqlHook(Model):
    """A statement run before or after."""

    sql: Text = Field(description="A statement.", examples=["refresh materialized view totals"])
    timeout: PositiveDuration | None = Field(
        default=None, description="How long it may take; 10m unless given."
    )
    directions: Directions = Field(
        default=(), description=f"{_DIRECTIONS}; `upgrade` unless given.", examples=[["upgrade"]]
    )


def _sql_or_command(value: object) -> str | None:
    if isinstance(value, Model):
        return "<sql>" if "sql" in type(value).model_fields else "<command>"
    if isinstance(value, dict):
        return next((f"<{kind}>" for kind in ("sql", "command") if kind in value), None)
    return None


_SQL_OR_COMMAND: Final = Discriminator(
    _sql_or_command,
    custom_error_type="wrong-kind",
    custom_error_message="a mapping with `sql` or `command`",
)
Check = Annotated[
    Annotated[SqlCheck, Tag("<sql>")] | Annotated[CommandCheck, Tag("<command>")], _SQL_OR_COMMAND
]
Hook = Annotated[
    Annotated[SqlHook, Tag("<sql>")] | Annotated[CommandHook, Tag("<command>")], _SQL_OR_COMMAND
]


class Hooks(Model):
    """What runs around the steps of a run."""

    before: Annotated[tuple[Hook, ...], AsList] = Field(
        default=(), description="Before the first step.", examples=[[{"command": ["./drain.sh"]}]]
    )
    after: Annotated[tuple[Hook, ...], AsList] = Field(
        default=(), description="After the last step succeeded."
    )
    on_failure: Annotated[tuple[Hook, ...], AsList] = Field(
        default=(), description="After a step failed."
    )


class TargetQuery(Model):
    """Names of targets, read from a database."""

    url: Annotated[Source, SOURCE] = Field(
        description="The database to ask.", examples=[{"env": "CATALOG_URL"}]
    )
    sql: Text = Field(
        description="A query whose first column is the target's name.",
        examples=["select name from tenants where active"],
    )


class Wave(Model):
    """Targets that go together, and how long to wait before the next wave."""

    size: ShareOrRest = Field(
        description="A number of targets, a share of them, or `rest`.", examples=["5%"]
    )
    soak: Duration | None = Field(
        default=None, description="How long to wait afterwards.", examples=["10m"]
    )


class StopAfter(Model):
    """When a fleet's run stops by itself."""

    failures: Share = Field(
        description="So many failed targets, or such a share of them.", examples=["1%"]
    )


class Targets(Model):
    """A fleet: many databases of one environment."""

    query: TargetQuery | None = Field(default=None, description="Names read from a database.")
    names: Annotated[tuple[Name, ...], AsList, Filled] | None = Field(
        default=None, alias="list", description="Names written out.", examples=[["north", "south"]]
    )
    glob: Text | None = Field(
        default=None, description="SQLite files, by their path.", examples=["data/*.db"]
    )
    command: Command | None = Field(
        default=None, description="Program that prints one name a line.", examples=[["./tenants"]]
    )
    url: Annotated[Source | None, SOURCE] = Field(
        default=None,
        description="URL of a target; `{{ target.name }}` is its name. Not with `glob`.",
        examples=["postgresql+psycopg://app@db/{{ target.name }}"],
    )
    waves: Annotated[tuple[Wave, ...], AsList, Filled] | None = Field(
        default=None, description="Groups that go one after another."
    )
    parallel: Count = Field(default=1, description="How many targets at the same time.")
    stop_after: StopAfter | None = Field(default=None, description="When to stop by itself.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [key for key in ("query", "names", "glob", "command") if getattr(self, key)]
        if not ways:
            raise mistake("missing-key", "one of `query`, `list`, `glob`, `command` is missing")
        if len(ways) > 1:
            words = " and ".join(f"`{way}`" for way in ways).replace("`names`", "`list`")
            raise mistake(
                "bad-value", f"{words} are given together: one way to the targets is taken"
            )
        if self.names and len(set(self.names)) != len(self.names):
            raise mistake("bad-value", "a target is listed twice in `list`")
        if self.glob and self.url:
            raise mistake("bad-value", "`url` does not go with `glob`: the files are the databases")
        return self

    @model_validator(mode="after")
    def _rest_is_last(self) -> Self:
        sizes = [wave.size for wave in self.waves or ()]
        if "rest" in sizes[:-1]:
            raise mistake("bad-value", "a wave stands after the one of size `rest`")
        if sizes and sizes[-1] != "rest" and sizes[-1] != "100%":
            hint = "end with `- {size: rest}`"
            raise mistake("bad-value", "the last wave has to be `rest`", hint=hint)
        return self
