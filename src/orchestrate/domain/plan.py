"""A plan: ordered steps, the basis they were made from, and a digest. Data, never code.

Field names are those of the plan file (design, section 5), which is this value as JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from orchestrate.domain.actions import Action
from orchestrate.domain.backups import BackupOrder
from orchestrate.domain.findings import Finding
from orchestrate.values import dataclass

FORMAT: Final = "orchestrate.plan/1"

Direction = Literal["upgrade", "downgrade", "stamp", "restore"]
Mode = Literal["session", "isolated", "native"]
StepKind = Literal["upgrade", "downgrade", "stamp", "hook", "backup", "restore", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What was true of one target when the plan was made; `apply` compares it before it acts."""

    target: str
    dialect: str
    identity: str
    heads: tuple[str, ...]
    version_table: str
    server_version: str
    """For people; a minor upgrade of the server does not make a plan stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One revision inside a step that carries several."""

    revision: str
    from_heads: tuple[str, ...]
    to_heads: tuple[str, ...]
    file: str
    file_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaCheck:
    """What a `verify` step compares the schema with."""

    snapshot: str | None
    """Digest of the schema in the state store; None: the project's revisions make it anew."""
    source: str
    """Where it comes from, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done to one target; carries all that is needed to run, check and resume it."""

    id: str
    kind: StepKind
    target: str
    title: str
    revision: str
    from_heads: tuple[str, ...]
    to_heads: tuple[str, ...]
    transactional: bool
    """Whether the server undoes all of it when it fails. Read from the file: not in the digest."""
    file: str
    file_sha256: str
    parts: tuple[Part, ...] = ()
    """The revisions of a `native` step, in order; of a `stamp` step those that are recorded."""
    command: tuple[str, ...] = ()
    """Argument list of the `hook` step that builds a baseline. What is secret reaches it by
    variables, never by this."""
    action: Action | None = None
    """What another `hook` step does, or a `verify` step that checks what the spec says."""
    backup: BackupOrder | None = None
    """How the copy of a `backup` step is made."""
    copy: str | None = None
    """The backup that a `restore` step puts back."""
    exchange: bool = False
    """Whether that is loaded beside what is there and then changes places with it, so that a
    cut-off leaves either the old or the new."""
    check: SchemaCheck | None = None
    """What the schema has to be after a `verify` step that compares it."""
    sql: str | None = None
    """What Alembic renders offline, when it was asked for; for reading, never executed."""
    sql_back: str | None = None
    """The same of the way back."""
    sql_error: str | None = None
    """Why this revision cannot be rendered offline."""
    estimate_seconds: float | None = None
    """How long the same content took on a clone, or elsewhere; a window that ends earlier does not
    let it begin."""
    estimate_origin: str | None = None
    """Where that comes from, and how far it spreads, for people; not in the digest."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What env.py is given beside what the spec fills in; kept with the plan, so never a secret."""

    x: tuple[str, ...] = ()
    """Further values of Alembic's `-x`."""
    tag: str | None = None
    """Alembic's `--tag`."""


NO_ARGUMENTS: Final = Arguments()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A condition that has to hold; `state` is as it was when the plan was made.

    An overridden one did not hold, and a person said why that is to be so: `detail` has both.
    """

    kind: str
    state: Literal["open", "closed", "overridden"]
    detail: str
    code: str | None = None
    """The error code that it is closed with, where that is not one for the kind."""
    hint: str | None = None
    """What has to be mended first, where more is wrong than that it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps of one run. `digest` covers what will happen, not when or by whom it was made."""

    id: str
    digest: str
    created_at: datetime
    environment: str
    direction: Direction
    to: str
    """The destination as the user gave it: `heads`, `+1`, a revision, a label."""
    mode: Mode
    spec_digest: str
    basis: tuple[Basis, ...]
    steps: tuple[Step, ...]
    gates: tuple[Gate, ...]
    findings: tuple[Finding, ...]
    tool_version: str
    arguments: Arguments = NO_ARGUMENTS
    author: str | None = None
    """Who saved it, where it needs approvals; not in the digest, and never believed against the
    journal."""
    on_failure: tuple[Action, ...] = ()
    """What is run when a step failed or is in doubt; no steps, since they lead nowhere."""
    format: str = FORMAT
