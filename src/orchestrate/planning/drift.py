"""What is drift and what is not: identity and revision judged, rules applied, news told. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from orchestrate.domain.drift import DriftDifference, DriftReport, EnvironmentDrift, TargetDrift
from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.observation import Observation
from orchestrate.domain.snapshot import Difference
from orchestrate.domain.spec_drift import KnownDifference
from orchestrate.planning.identities import IdentityVerdict
from orchestrate.planning.staleness import words
from orchestrate.planning.standing import Standing
from orchestrate.values import dataclass

RECORD_KINDS: Final[tuple[EventKind, ...]] = ("run.started", "run.schema")
"""Events that tell what runs left."""


# --- what is recorded -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """The schema that the last run of a target left."""

    run: str
    at: datetime
    heads: tuple[str, ...]
    snapshot: str
    """Its digest in the state store."""
    rows: str | None = None
    """Digest of what it was made of: with the same, there is nothing to compare."""
    last: bool
    """No later run has begun, so that whatever moved since moved without one."""
    same_database: bool
    """It was recorded of this very database; else of one that the environment had before."""


def left_by_runs(events: Iterable[Event], *, target_key: str, environment: str) -> Left | None:
    """Return what the last run of a target left, of this database or else of the environment's."""
    found: dict[bool, Left] = {}
    runs: dict[str, bool] = {}
    for event in events:
        data: Mapping[str, Any] = event.data
        if event.kind == "run.started":
            same = target_key in data["target_keys"]
            if same or data["environment"] == environment:
                runs[event.run or ""] = same
                for key in {same, False} & found.keys():
                    found[key] = replace(found[key], last=False)
        elif event.run in runs and event.kind == "run.schema" and data["when"] == "after":
            same = runs[event.run]
            found[same] = Left(
                run=event.run,
                at=event.at,
                heads=tuple(sorted(data["heads"])),
                snapshot=data["snapshot"],
                rows=data.get("rows"),
                last=True,
                same_database=same,
            )
    return found.get(True) or found.get(False)


# --- identity and revision ------------------------------------------------------------------------


def identity_difference(
    environment: str, verdict: IdentityVerdict, *, recorded: str | None, found: str
) -> DriftDifference | None:
    """Return how a database is not the environment's own, or None."""
    if verdict.kind in {"known", "first-use"}:
        return None
    return DriftDifference(
        kind="identity",
        object="database",
        name=environment,
        change="altered",
        expected=recorded if verdict.kind == "changed" else "a database of its own",
        actual=found,
        detail=verdict.detail,
    )


def revision_difference(
    observation: Observation,
    standing: Standing,
    *,
    wanted: tuple[str, ...],
    left: Left | None,
    unknown: str | None,
) -> DriftDifference | None:
    """Return how the recorded rows are not what they should be, or None; behind is no difference.

    `wanted` are the rows of the destination, `unknown` what is known of rows without a file.
    """
    expected, detail = wanted, unknown
    match standing.state:
        case "unknown-revision":
            pass
        case "ahead":
            detail = f"ahead of its destination {words(wanted)}"
        case "diverged":
            detail = f"neither before nor after {words(wanted)}: it has revisions of another branch"
        case _ if left and left.last and left.same_database and left.heads != observation.heads:
            expected = left.heads
            detail = f"moved without a run: {left.run} left {words(left.heads)}"
        case _:
            return None
    return DriftDifference(
        kind="revision",
        object="revision",
        name=observation.version_table,
        change="altered",
        expected=words(expected),
        actual=words(observation.heads),
        detail=detail,
    )


# --- the schema -----------------------------------------------------------------------------------


def schema_differences(found: Iterable[Difference]) -> tuple[DriftDifference, ...]:
    """Return differences between two schemas as drift."""
    return tuple(
        DriftDifference(
            kind="schema",
            object=one.object,
            name=one.name,
            change=one.change,
            expected=one.expected,
            actual=one.actual,
        )
        for one in found
    )


# --- rules ----------------------------------------------------------------------------------------


def with_rules(
    differences: Iterable[DriftDifference], rules: Sequence[KnownDifference], *, today: date
) -> tuple[tuple[DriftDifference, ...], tuple[str, ...]]:
    """Return the differences, known ones marked, and what is to be said of the rules.

    A rule holds to the end of its last day; one that has ended and would still be used is told.
    """
    marked: list[DriftDifference] = []
    ended: dict[int, list[str]] = {}
    for one in differences:
        fitting = [number for number, rule in enumerate(rules) if _fits(rule, one)]
        holding = [rules[n] for n in fitting if not _is_over(rules[n], today)]
        if holding:
            rule = holding[0]
            marked.append(replace(one, known=True, reason=rule.reason, until=rule.until))
            continue
        for number in fitting[:1]:
            ended.setdefault(number, []).append(f"{one.object} {one.name}")
        marked.append(one)
    remarks = tuple(
        f"the rule `{rules[number].reason}` ended on {rules[number].until}, and "
        f"{names[0]}{_more(len(names) - 1)} still differs"
        for number, names in ended.items()
    )
    return tuple(marked), remarks


def _more(number: int) -> str:
    return f" and {number} more" if number else ""


def _fits(rule: KnownDifference, one: DriftDifference) -> bool:
    return (
        (rule.object is None or rule.object == one.object)
        and fnmatch.fnmatchcase(one.name, rule.name)
        and (rule.change is None or rule.change == one.change)
    )


def _is_over(rule: KnownDifference, today: date) -> bool:
    return rule.until is not None and today > rule.until


# --- news -----------------------------------------------------------------------------------------


def with_news(
    target: TargetDrift, *, last: tuple[str, TargetDrift] | None, failed_before: bool
) -> TargetDrift:
    """Return a target with what is new since the last report that compared it, and what is gone.

    `last` is that report's name and its target. What could not be compared now tells nothing of
    what is gone, and keeps what was known of it for the next report.
    """
    target = replace(target, error_is_new=target.error is not None and not failed_before)
    if last is None:
        return target
    name, before = last
    known = {one.key for one in before.differences}
    here = {one.key for one in target.differences}
    seen = tuple(replace(one, new=one.key not in known) for one in target.differences)
    gone = tuple(
        replace(one, new=False)
        for one in before.differences
        if one.key not in here and (one.kind != "schema" or target.compared_with is not None)
    )
    if target.error is not None or target.at_work is not None:
        gone = ()
    return replace(target, differences=seen, gone=gone, previous=name)


def only_news(report: DriftReport) -> DriftReport:
    """Return what of a report is news: differences, and targets that could be read before."""
    return replace(
        report,
        environments=tuple(
            EnvironmentDrift(name=one.name, targets=tuple(_news_of(two) for two in one.targets))
            for one in report.environments
        ),
    )


def _news_of(target: TargetDrift) -> TargetDrift:
    return replace(
        target,
        differences=target.news,
        error=target.error if target.error_is_new else None,
    )
