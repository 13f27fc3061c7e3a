"""Whether these very revisions succeeded elsewhere first, and long enough ago. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrate.domain.durations import duration
from orchestrate.domain.plan import Gate, Step
from orchestrate.planning.deeds import Deed

_NAMED: Final = 3
"""So many revisions are named; the others are counted."""


def promoted_contents(steps: Iterable[Step]) -> tuple[tuple[str, str], ...]:
    """Return revision and file hash of all that a plan's steps apply, in order."""
    return tuple(
        pair
        for step in steps
        if step.kind == "upgrade"
        for pair in (
            [(part.revision, part.file_sha256) for part in step.parts]
            or [(step.revision, step.file_sha256)]
        )
    )


def promotion_gate(
    source: str,
    soak: float | None,
    wanted: Sequence[tuple[str, str]],
    deeds: Mapping[str, Deed],
    now: datetime,
) -> Gate:
    """Return the gate that opens when everything wanted succeeded in `source`, `soak` seconds ago.

    `wanted` are pairs of revision and file hash, `deeds` what was done in `source`, by revision.
    """
    reasons: dict[str, list[str]] = {}
    proven: list[datetime] = []
    for revision, sha256 in wanted:
        deed = deeds.get(revision)
        why = _why_not(deed, sha256, source)
        if why is not None:
            reasons.setdefault(why, []).append(revision)
        elif deed is not None and deed.proven_at is not None:
            proven.append(deed.proven_at)
    if reasons:
        return _closed("; ".join(f"{_named(found)} {why}" for why, found in reasons.items()))
    if not proven:
        return _open("no revision is applied")
    opens = max(proven) + timedelta(seconds=soak or 0)
    if opens > now:
        return _closed(
            f"opens {opens:%a %Y-%m-%d %H:%M} UTC, in {duration((opens - now).total_seconds())}: "
            f"all succeeded in {source}, the last {duration((now - max(proven)).total_seconds())} "
            f"ago of {duration(soak)}"
        )
    many = "the revision" if len(proven) == 1 else f"all {len(proven)} revisions"
    ago = duration((now - max(proven)).total_seconds())
    return _open(f"{many} succeeded in {source}, {ago} ago")


def _why_not(deed: Deed | None, sha256: str, source: str) -> str | None:
    if deed is None:
        return f"did not run in {source}"
    if not deed.applied:
        return f"was undone in {source}"
    if deed.sha256 != sha256:
        return f"was edited since it ran in {source}"
    if deed.proven_at is None:
        return f"ran in {source} in {deed.run}, which has not succeeded"
    return None


def _named(revisions: Sequence[str]) -> str:
    more = len(revisions) - _NAMED
    return ", ".join(revisions[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _open(detail: str) -> Gate:
    return Gate(kind="promotion", state="open", detail=detail)


def _closed(detail: str) -> Gate:
    return Gate(kind="promotion", state="closed", detail=detail)
