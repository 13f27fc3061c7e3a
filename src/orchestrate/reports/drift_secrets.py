"""A report of drift without secrets, before it is laid out.

A finished page or table has lost them: a definition is taken apart where it differs, a sentence is
broken into lines, a long one is cut. And what is a number there, a password of digits must not
mask. Names of environments, revisions and what else decides how something is shown stay for who
lays it out: it redacts them where it writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from orchestrate.domain.drift import DriftDifference, DriftReport, TargetDrift

Redact = Callable[[str], str]


def redacted_report(report: DriftReport, redact: Redact) -> DriftReport:
    """Return the report with the texts redacted that come from databases, projects and the spec."""
    return replace(
        report,
        environments=tuple(
            replace(one, targets=tuple(_target(target, redact) for target in one.targets))
            for one in report.environments
        ),
    )


def redacted_difference(one: DriftDifference, redact: Redact) -> DriftDifference:
    """Return a difference with its texts redacted."""
    return replace(
        one,
        name=redact(one.name),
        expected=_maybe(one.expected, redact),
        actual=_maybe(one.actual, redact),
        detail=_maybe(one.detail, redact),
        reason=_maybe(one.reason, redact),
        rename_of=_maybe(one.rename_of, redact),
        renamed_to=_maybe(one.renamed_to, redact),
        also=tuple(map(redact, one.also)),
        remedy=_maybe(one.remedy, redact),
    )


def _target(target: TargetDrift, redact: Redact) -> TargetDrift:
    error = target.error
    return replace(
        target,
        identity=_maybe(target.identity, redact),
        server_version=_maybe(target.server_version, redact),
        basis=_maybe(target.basis, redact),
        differences=tuple(redacted_difference(one, redact) for one in target.differences),
        gone=tuple(redacted_difference(one, redact) for one in target.gone),
        not_compared=tuple(map(redact, target.not_compared)),
        error=error
        and replace(error, message=redact(error.message), hint=_maybe(error.hint, redact)),
        remarks=tuple(map(redact, target.remarks)),
    )


def _maybe(text: str | None, redact: Redact) -> str | None:
    return None if text is None else redact(text)
