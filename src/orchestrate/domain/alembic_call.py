"""A command line of Alembic's, as the project's own Alembic understands it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AlembicCall:
    """What was typed behind `alembic ENV --`."""

    command: str | None
    """Name of the command; None where only help was asked for."""
    options: Mapping[str, Any]
    """By Alembic's own names; `config` and `name` only where they were given."""
    help_text: str | None = None
