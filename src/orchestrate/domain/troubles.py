"""What a server, a driver or Alembic said, and which known trouble that is.

A trouble's name is also the name of its page: `docs/troubles/NAME.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as the agent tells it; `message` is one line and holds no secret."""

    message: str
    sqlstate: str | None = None
    driver_code: str | None = None
    """The driver's own number, as text: MySQL's `1050`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A failure that is known."""

    trouble: str
    hint: str | None
    """What to check or do about it on this kind of server; None where that depends on more."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the message names: `kind`, `name`, `user`, `module`, …"""
