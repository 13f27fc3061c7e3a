"""What a rule, a check or the spec's reader has to say about something a person wrote."""

from __future__ import annotations

from typing import Literal

from orchestrate.values import dataclass

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark: `where` is a place (`file:line:column`, a revision, a target)."""

    code: str
    severity: Severity
    message: str
    hint: str | None = None
    where: str | None = None
