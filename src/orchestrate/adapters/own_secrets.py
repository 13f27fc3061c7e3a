"""Secrets that variables hold for this program itself: what it starts does not get them.

Imports little: it is used before all else (ADR 7).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from orchestrate.domain.secrets import Secret

PASSPHRASE: Final = "ORCHESTRATE_SSH_PASSPHRASE"  # noqa: S105  (a variable's name)
"""Opens the encrypted keys that are used without a person."""


def passphrase() -> Secret | None:
    """Return the passphrase of the SSH keys, where it is set."""
    text = os.environ.get(PASSPHRASE)
    return None if text is None else Secret(text)


def own_secrets() -> tuple[Secret, ...]:
    """Return all of them, to be kept out of whatever is printed."""
    found = passphrase()
    return () if found is None else (found,)


def child_environ(
    more: Mapping[str, str] | None = None, *, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables that a program which we start gets: ours, without these secrets.

    `more` is added to them; `base` stands in for ours.
    """
    inherited = os.environ if base is None else base
    return {**{key: text for key, text in inherited.items() if key != PASSPHRASE}, **(more or {})}
