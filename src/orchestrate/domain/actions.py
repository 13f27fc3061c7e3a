"""Actions: what the spec has run around the steps of a run, and checked after them."""

from __future__ import annotations

from typing import Final, Literal

from orchestrate.values import dataclass

Moment = Literal["before", "after", "on_failure", "verify"]
Expected = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One hook or check: a statement for the target, or a command on this machine."""

    moment: Moment
    seconds: float
    """How long it may take; then it is ended."""
    sql: str | None = None
    command: tuple[str, ...] = ()
    """Argument list, without a shell; empty where there is `sql`."""
    expect: Expected | None = None
    """The one value that the query of a check has to give."""
    directions: tuple[str, ...] = ()
    """Of which runs it is a part; a check is one of upgrades."""
    url: bool = False
    """Whether the command is given the database's URL, password included, in a variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """All actions of an environment."""

    before: tuple[Action, ...] = ()
    after: tuple[Action, ...] = ()
    on_failure: tuple[Action, ...] = ()
    checks: tuple[Action, ...] = ()


NOTHING_AROUND: Final = Around()
