"""Values and errors on their way to a program, without the secrets that a call has met.

The command line redacts the text that it prints; values have to be gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from orchestrate.errors import OrchestrateError

Redact = Callable[[str], str]


def without_secrets(value: Any, redact: Redact) -> Any:
    """Return a value with every text in it redacted; the very same one where nothing changes."""
    match value:
        case str():
            clean: Any = redact(value)
        case Mapping():
            clean = {key: without_secrets(one, redact) for key, one in value.items()}
        case list() | tuple() if type(value) in {list, tuple}:
            clean = type(value)(without_secrets(one, redact) for one in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _fields(value, redact)
        case _:
            return value
    return value if clean == value else clean


def _fields(value: Any, redact: Redact) -> Any:
    changed = {}
    for field in fields(value):
        one = getattr(value, field.name)
        clean = without_secrets(one, redact)
        if clean is not one and field.init:
            changed[field.name] = clean
    return replace(value, **changed) if changed else value


def clean_error(error: OrchestrateError, redact: Redact) -> OrchestrateError:
    """Return an error with its words redacted, and without what it was raised from."""
    clean = OrchestrateError(
        error.code,
        redact(error.message),
        hint=error.hint and redact(error.hint),
        where=error.where and redact(error.where),
        trouble=error.trouble,
        details=without_secrets(dict(error.details), redact),
        findings=without_secrets(error.findings, redact),
    )
    return clean.with_traceback(error.__traceback__)
