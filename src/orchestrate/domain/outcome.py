"""How a run ended, for now."""

from __future__ import annotations

from typing import Literal

from orchestrate.domain.backups import Backup
from orchestrate.domain.snapshot import Difference
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one process's work on a run. `code` is an error code unless it succeeded."""

    status: Literal["succeeded", "failed", "stopped", "in-doubt"]
    code: str | None = None
    message: str = ""
    step: str | None = None
    where: str | None = None
    """File and line of the project's, where an exception came from one."""
    differences: tuple[Difference, ...] = ()
    """What the step in doubt did change, by comparison with the schema before it."""
    committed: tuple[str, ...] = ()
    """Statements of the step in doubt that changed rows and are committed."""
    compared: bool = False
    """That it was compared, so that no difference means none."""
    statements: tuple[str, ...] = ()
    """Those that ran before the failing one, where the agent could tell."""
    shown: tuple[str, ...] = ()
    """Statements of the step in doubt, as rendered offline, whose effect is in the schema."""
    not_shown: tuple[str, ...] = ()
    """Those of it whose effect is not in the schema."""
    untold: tuple[str, ...] = ()
    """Those of it that change rows alone, which the schema does not show."""
    unusable: tuple[str, ...] = ()
    """Indexes and constraints that the step in doubt left and the server will not use."""
    failing: str | None = None
    trouble: str | None = None
    """The known trouble that it was, by its page's name."""
    advice: str | None = None
    """What mends the cause."""
    cause: OrchestrateError | None = None
    """What the agent told, for whoever wants the traceback."""
    remedies: tuple[str, ...] = ()
    """Statements that take away, or finish, what is not usable."""
    blockers: tuple[str, ...] = ()
    """Sessions that held the lock which was waited for, one line each."""
    copy: Backup | None = None
    """The backup that would bring the target back, after a rollback that did not succeed."""
