"""Rehearsals as far as they are decided: locks, verdicts, values, what they say of a plan. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrate.domain.durations import duration
from orchestrate.domain.events import Event
from orchestrate.domain.findings import Finding
from orchestrate.domain.locks import TouchedTable
from orchestrate.domain.plan import Gate, Plan, Step
from orchestrate.domain.rehearsals import (
    Clone,
    Contents,
    EmptyTable,
    HeldLock,
    MeasuredStatement,
    Rehearsal,
    RehearsalTrouble,
    RehearsedStep,
    Verdict,
)
from orchestrate.values import dataclass

FORMAT: Final = "orchestrate.rehearsal/1"
_KEPT_STATEMENTS: Final = 5
"""Of each step, in the journal: the slowest. The report has all of them."""
_READING: Final = re.compile(r"\s*(select|pragma|explain|values)\b", re.IGNORECASE)
_SHOWN: Final = 3


# --- locks ----------------------------------------------------------------------------------------


def held_locks(
    rows: Sequence[Sequence[Any]], *, version_table: str, home: str | None
) -> tuple[HeldLock, ...]:
    """Return the locks that an agent saw, longest first.

    `home` is the schema that need not be named. The version table's own are left out.
    """
    found = []
    for schema, table, mode, seconds in rows:
        name = table if schema in {None, home} else f"{schema}.{table}"
        if table != version_table.rpartition(".")[2]:
            found.append(HeldLock(table=name, mode=lock_mode(mode), seconds=seconds))
    return tuple(sorted(found, key=lambda one: (-one.seconds, one.table, one.mode)))


def whole_file_lock(
    name: str, statements: Sequence[MeasuredStatement], seconds: float
) -> tuple[HeldLock, ...]:
    """Return the lock of a database that has but one: from the first statement that writes."""
    writing = [one.at for one in statements if not _READING.match(one.text)]
    if not writing:
        return ()
    held = max(0.0, round(seconds - writing[0], 6))
    return (HeldLock(table=name, mode="EXCLUSIVE", seconds=held),)


def rewritten_tables(
    before: Iterable[Sequence[object]], after: Iterable[Sequence[object]], *, home: str | None
) -> tuple[str, ...]:
    """Return the tables that were there before and have another file now."""
    earlier = {(one[0], one[1]): one[2] for one in before}
    return tuple(
        str(table) if schema in {None, home} else f"{schema}.{table}"
        for schema, table, file in after
        if earlier.get((schema, table), file) != file
    )


# --- the way back ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lost:
    """What a state lacks of an earlier one, a sentence each, in a fixed order."""

    schema: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()

    @property
    def everything(self) -> tuple[str, ...]:
        """Return schema and contents."""
        return (*self.schema, *self.contents)


def lost(differences: Sequence[str], before: Contents | None, after: Contents | None) -> Lost:
    """Return what did not come back: objects of the schema, rows, values of columns.

    `differences` are those of the schemas, in words; contents that could not be read say nothing.
    """
    if before is None or after is None:
        return Lost(tuple(differences))
    sentences = []
    for (table, column), was in sorted(before.items()):
        now = after.get((table, column))
        if now is None or now == was:
            continue  # a table or column that is not there is told by the schema
        if not column:
            sentences.append(f"table {table} has {now} rows where it had {was}")
        elif before.get((table, "")) == after.get((table, "")):
            sentences.append(f"column {table}.{column} holds other values")
    return Lost(tuple(differences), tuple(sentences))


def judged(downgrade: str, found: Lost, already: Lost) -> tuple[Verdict, tuple[str, ...]]:
    """Return what a way back is worth, and why.

    `downgrade` is what the revision has for one, `found` what is lost once it was run, `already`
    what was lost on the way from the end to where this step begins: that is no fault of this one.
    """
    own = tuple(one for one in found.everything if one not in already.everything)
    if not own:
        return "reversible", ()
    if downgrade == "empty":
        return "irreversible", ("its downgrade is empty", *own)
    return "lossy", own


def lock_mode(name: str) -> str:
    """Return `ACCESS EXCLUSIVE` for PostgreSQL's `AccessExclusiveLock`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Lock")).upper()


def backwards(step: Step) -> Step:
    """Return the step that undoes an upgrade."""
    return replace(
        step,
        kind="downgrade",
        from_heads=step.to_heads,
        to_heads=step.from_heads,
        parts=tuple(
            replace(part, from_heads=part.to_heads, to_heads=part.from_heads)
            for part in reversed(step.parts)
        ),
    )


def contents_of(step: Step) -> dict[str, str]:
    """Return the SHA-256 of the files that a step runs, by revision."""
    if step.parts:
        return {part.revision: part.file_sha256 for part in step.parts}
    return {step.revision: step.file_sha256}


# --- values ---------------------------------------------------------------------------------------


def rehearsal_value(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal as plain JSON, the whole of it."""
    value = asdict(rehearsal)
    value["at"] = rehearsal.at.isoformat()
    value["clone"]["made_at"] = rehearsal.clone.made_at.isoformat()
    summary = {"succeeded": rehearsal.succeeded, "seconds": rehearsal.seconds}
    return {"format": FORMAT, **value, **summary}


def kept_value(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return what the journal keeps of a rehearsal: of each step the slowest statements alone."""
    steps = tuple(
        replace(
            step,
            statements=tuple(
                sorted(step.statements, key=lambda one: -one.seconds)[:_KEPT_STATEMENTS]
            ),
        )
        for step in rehearsal.steps
    )
    return rehearsal_value(replace(rehearsal, steps=steps))


def rehearsal_from_value(value: Mapping[str, Any]) -> Rehearsal:
    """Return the rehearsal that the journal has kept."""
    trouble = value["trouble"]
    fields: dict[str, Any] = _known(Rehearsal, value)
    return Rehearsal(
        **{
            **fields,
            "at": datetime.fromisoformat(value["at"]),
            "from_heads": tuple(value["from_heads"]),
            "to_heads": tuple(value["to_heads"]),
            "clone": _clone(value["clone"]),
            "steps": tuple(_step(one) for one in value["steps"]),
            "trouble": RehearsalTrouble(**_known(RehearsalTrouble, trouble)) if trouble else None,
            "remarks": tuple(value["remarks"]),
        }
    )


def _known(kind: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that this version knows: a later one may have written more."""
    return {key: one for key, one in value.items() if key in kind.__dataclass_fields__}


def _clone(value: Mapping[str, Any]) -> Clone:
    made_at = datetime.fromisoformat(value["made_at"])
    return Clone(
        **{
            **_known(Clone, value),
            "made_at": made_at,
            "passed_over": tuple(value["passed_over"]),
            "left_empty": tuple(
                EmptyTable(**_known(EmptyTable, one)) for one in value.get("left_empty", ())
            ),
        }
    )


def _step(value: Mapping[str, Any]) -> RehearsedStep:
    locks, rewritten = value["locks"], value["rewritten"]
    told = {
        **_known(RehearsedStep, value),
        "statements": tuple(
            MeasuredStatement(**_known(MeasuredStatement, one)) for one in value["statements"]
        ),
        "locks": None if locks is None else tuple(HeldLock(**one) for one in locks),
        "rewritten": None if rewritten is None else tuple(rewritten),
        "reasons": tuple(value["reasons"]),
        "tables": tuple(
            TouchedTable(**_known(TouchedTable, one)) for one in value.get("tables", ())
        ),
    }
    return RehearsedStep(**told)


# --- what rehearsals say of a plan ----------------------------------------------------------------


def rehearsals_of(events: Iterable[Event], environment: str) -> list[Rehearsal]:
    """Return an environment's rehearsals, oldest first."""
    return [
        rehearsal_from_value(event.data)
        for event in events
        if event.kind == "rehearsal.finished" and event.data["environment"] == environment
    ]


def covering(plan: Plan, rehearsals: Sequence[Rehearsal]) -> Rehearsal | None:
    """Return the latest rehearsal in which every revision of a plan ran with this very content.

    It counts as it ended: one that failed is no proof, and hides those before it.
    """
    wanted = _contents(plan)
    for rehearsal in reversed(rehearsals):
        done = {item for step in rehearsal.steps for item in step.contents.items()}
        if wanted and wanted <= done:
            return rehearsal
    return None


def _contents(plan: Plan) -> set[tuple[str, str]]:
    return {
        item for step in plan.steps if step.kind == "upgrade" for item in contents_of(step).items()
    }


def origin(clone: Clone) -> str:
    """Return what a clone was, in words: `a copy of backup by-hand-…`."""
    if clone.source == "backup":
        return f"a copy of backup {clone.copy}"
    if clone.source == "live":
        return "a copy of the live database"
    if not clone.generated_rows:
        return "its schema alone, without rows"
    rows = "row" if clone.generated_rows == 1 else "rows"
    tables = "table" if clone.filled_tables == 1 else "tables"
    return (
        f"its schema with {clone.generated_rows} generated {rows} in {clone.filled_tables} {tables}"
    )


def doubt_of(environment: str) -> str:
    """Return what a failure on generated rows is worth, and what to type for more."""
    return (
        f"the rows are generated: the schema allows them, and {environment} may have none like "
        "them. Try `--from live`, or `--rows 0` for none"
    )


def rehearsed_finding(
    plan: Plan, rehearsals: Sequence[Rehearsal], now: datetime
) -> tuple[Finding, ...]:
    """Return what the latest rehearsal says of a plan; nothing where there is none."""
    found = covering(plan, rehearsals)
    if found is None:
        return ()
    ago = duration(max(0, round((now - found.at) / timedelta(seconds=1))))
    head = f"rehearsed {ago} ago on {origin(found.clone)}"
    if found.trouble is not None:
        return (
            Finding(
                code="rehearsal-failed",
                severity="warning",
                message=f"{head}: step {found.trouble.step} failed: {found.trouble.message}",
                where=plan.environment,
            ),
        )
    steps = [one for one in found.steps if set(one.contents.items()) <= _contents(plan)]
    parts = [duration(sum(one.seconds or 0.0 for one in steps)), *_longest_locks(steps)]
    worst = [f"{one.revision} is {_WORDS[one.verdict]}" for one in steps if one.verdict in _WORDS]
    return (
        Finding(
            code="rehearsed",
            severity="info",
            message=f"{head}: {', '.join([*parts, *worst])}",
            where=plan.environment,
        ),
    )


_WORDS: Final[Mapping[Verdict | None, str]] = {"lossy": "lossy", "irreversible": "irreversible"}


def _longest_locks(steps: Iterable[RehearsedStep]) -> list[str]:
    """Return the longest locks that keep readers or writers out, one a table."""
    found: dict[str, HeldLock] = {}
    for step in steps:
        for lock in step.locks or ():
            strong = "EXCLUSIVE" in lock.mode and not lock.mode.startswith(("ROW", "SHARE UPDATE"))
            known = found.get(lock.table)
            if strong and (known is None or known.seconds < lock.seconds):
                found[lock.table] = lock
    longest = sorted(found.values(), key=lambda one: -one.seconds)[:_SHOWN]
    return [f"{one.mode} on {one.table} {duration(one.seconds)}" for one in longest]


def rehearsal_gate(plan: Plan, rehearsals: Sequence[Rehearsal]) -> tuple[Gate, ...]:
    """Return the gate of `policy: {rehearsed: required}`; none where no revision is run."""
    if not _contents(plan):
        return ()
    found = covering(plan, rehearsals)
    if found is None:
        detail = "these revisions, as they are now, were not rehearsed"
        return (Gate(kind="rehearsal", state="closed", detail=detail),)
    if found.trouble is not None:
        detail = f"the last rehearsal failed at step {found.trouble.step}"
        return (Gate(kind="rehearsal", state="closed", detail=detail),)
    detail = f"rehearsed as {found.id} on {origin(found.clone)}"
    return (Gate(kind="rehearsal", state="open", detail=detail),)
