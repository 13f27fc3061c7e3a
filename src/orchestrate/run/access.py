"""How one target is reached, as a value: what an agent is told of it, and what people are told."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.roads import Roads
from orchestrate.adapters.spare_agent import SpareAgent
from orchestrate.adapters.tunnels import Tunnel
from orchestrate.dialects.interface import Dialect
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.far_hosts import FarPython
from orchestrate.domain.plan import NO_ARGUMENTS, Arguments
from orchestrate.domain.secrets import Secret
from orchestrate.domain.snapshot import SchemaRows
from orchestrate.planning.digests import canonical_json, sha256_text
from orchestrate.planning.troubles import Setting
from orchestrate.values import dataclass

_ORDERED: Final = re.compile(r"\bORDER BY [^()]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one target is reached: everything an agent needs, templates rendered, nothing opened."""

    environment: str
    target: str
    dialect: Dialect
    command: tuple[str, ...]
    folder: str
    project: Mapping[str, Any]
    """The `project` object of the agent's protocol; its values may be secret: never printed."""
    url: Secret
    """As it is written where the project runs."""
    declared_url: Secret
    """As the spec has it: for people, and for programs behind a prefix."""
    command_url: Secret
    """For the spec's commands, which run on this machine."""
    program_url: Secret
    """For the server's own programs on this machine."""
    url_driver: str | None
    """The driver that the URL names."""
    roads: Roads
    """How other hosts are reached."""
    tunnel: Tunnel | None
    """What has to be open before anything on this machine reaches the database."""
    far: FarPython | None
    """Where the project's Python is, if that is behind SSH."""
    shareable: bool
    """Whether an agent that has served another target may serve this one (P4)."""
    lock_timeout: float | None
    statement_timeout: float | None
    agent_timeout: float
    step_timeout: float | None
    redactor: Redactor
    spare: SpareAgent
    origin: str = "the spec"
    """Where the URL comes from, in words."""
    on_output: Callable[[str], None] | None = None
    """Called from another thread with each line that the project prints."""

    @property
    def setting(self) -> Setting:
        """Return what can be told of the target, and is no secret."""
        url = DatabaseUrl.parse(self.declared_url.reveal())
        server = ":".join(str(part) for part in (url.host, url.port) if part)
        database = url.database or ""
        through = f" through {self.tunnel.through}" if self.tunnel and not self.far else ""
        return Setting(
            environment=self.environment,
            place=f"{server}/{database}{through}" if server else database,
            server=f"{server}{through}" if server else self.dialect.title,
            user=url.user,
            origin=self.origin,
            runner=self.redactor.redact(str(self.far or shlex.join(self.command))),
        )

    def given(self, arguments: Arguments) -> Access:
        """Return the same way with what env.py is given beside what the spec fills in."""
        if arguments == NO_ARGUMENTS:
            return self
        more = {"x": [*self.project["x"], *arguments.x], "tag": arguments.tag}
        return replace(self, project={**self.project, **more})

    @property
    def common(self) -> dict[str, Any]:
        """Return the fields that go with every request about the target."""
        kit = self.dialect.kit(
            lock_timeout=self.lock_timeout, statement_timeout=self.statement_timeout
        )
        return {
            "project": dict(self.project),
            "url": self.url.reveal(),
            "dialect": plain_kit(kit),
        }

    def digest_of(self, rows: SchemaRows) -> str:
        """Return the digest of what a schema was read as: equal digests, equal schemas.

        The other way round nothing follows. Order counts where a query asks for one. The agent
        makes the same one in `recall`.
        """
        ordered = self.ordered
        told = {
            name: found if name in ordered else sorted(map(str, found))
            for name, found in rows.items()
        }
        return sha256_text(canonical_json(told))

    @property
    def ordered(self) -> tuple[str, ...]:
        """Return the names of the queries for a schema that ask for an order."""
        kit = self.dialect.kit(lock_timeout=None, statement_timeout=None)
        return tuple(name for name, text in kit.snapshot.items() if _ORDERED.search(text))


def plain_kit(kit: object) -> dict[str, Any]:
    """Return a dialect's kit as the agent's protocol has it."""
    return {
        name: dict(value) if isinstance(value, Mapping) else value
        for name in kit.__slots__  # type: ignore[attr-defined]  # a slotted dataclass
        for value in [getattr(kit, name)]
    }
