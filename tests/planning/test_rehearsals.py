"""Rehearsals: verdicts, locks, what the journal keeps, what a plan is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrate.domain.events import Event
from orchestrate.domain.locks import TableSize, TouchedTable
from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.rehearsals import (
    Clone,
    EmptyTable,
    HeldLock,
    MeasuredStatement,
    Rehearsal,
    RehearsalTrouble,
    RehearsedStep,
)
from orchestrate.planning.estimates import (
    Content,
    Timing,
    rehearsed_in,
    timings_of,
    wants_sizes,
    with_origins,
)
from orchestrate.planning.rehearsals import (
    Lost,
    held_locks,
    judged,
    kept_value,
    lost,
    origin,
    rehearsal_from_value,
    rehearsal_gate,
    rehearsals_of,
    rehearsed_finding,
    rewritten_tables,
    whole_file_lock,
)
from orchestrate.planning.touched_tables import by_name, touched
from orchestrate.reports.rehearsals import rehearsal_text
from tests.support.values import plan

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def statement(text: str, at: float, seconds: float = 0.1) -> MeasuredStatement:
    return MeasuredStatement(text=text, at=at, seconds=seconds, rows=1)


def step(number: int, **keys: Any) -> RehearsedStep:
    told = {
        "step": f"00{number}-r{number}",
        "revision": f"r{number}",
        "title": "",
        "file": f"r{number}.py",
        "file_sha256": f"sha{number}",
        "contents": {f"r{number}": f"sha{number}"},
        "seconds": 6.0,
        "back_seconds": 1.0,
        "locks": (HeldLock(table="orders", mode="ACCESS EXCLUSIVE", seconds=3.1),),
        "rewritten": ("orders",),
        "verdict": "reversible",
    }
    return RehearsedStep(**{**told, **keys})


def rehearsal(*steps: RehearsedStep, **keys: Any) -> Rehearsal:
    clone = Clone(source="backup", copy="night-1", made_at=NOW, bytes=1, seconds=1.0)
    told = {
        "id": "rehearsal-1",
        "environment": "prod",
        "at": NOW - timedelta(hours=2),
        "plan_digest": "sha256:1",
        "from_heads": (),
        "to_heads": ("r2",),
        "dialect": "postgresql",
        "server_version": "PostgreSQL 15",
        "clone": clone,
        "steps": steps,
    }
    return Rehearsal(**{**told, **keys})


def trouble_of(where: str) -> RehearsalTrouble:
    return RehearsalTrouble(step=where, code="step-failed", message="no", hint=None, statement=None)


def plan_of(*numbers: int) -> Plan:
    steps = tuple(
        Step(
            id=f"00{number}-r{number}",
            kind="upgrade",
            target="prod",
            title="",
            revision=f"r{number}",
            from_heads=(),
            to_heads=(f"r{number}",),
            transactional=True,
            file=f"r{number}.py",
            file_sha256=f"sha{number}",
        )
        for number in numbers
    )
    return plan(*steps, environment="prod")


def test_locks_are_the_tables_with_the_longest_first() -> None:
    """The version table's own are no news; the home schema need not be named."""
    rows = [
        ["public", "orders", "ShareRowExclusiveLock", 1.0],
        ["audit", "log", "AccessExclusiveLock", 3.0],
        ["public", "alembic_version", "RowExclusiveLock", 9.0],
    ]
    found = held_locks(rows, version_table="public.alembic_version", home="public")
    assert [(one.table, one.mode, one.seconds) for one in found] == [
        ("audit.log", "ACCESS EXCLUSIVE", 3.0),
        ("orders", "SHARE ROW EXCLUSIVE", 1.0),
    ]


def test_a_file_is_locked_from_the_first_statement_that_writes() -> None:
    """Reading locks nobody out."""
    reading = [statement("SELECT 1", 0.0), statement("  pragma table_info(t)", 0.5)]
    assert whole_file_lock("the whole file", reading, 4.0) == ()
    (found,) = whole_file_lock("the whole file", [*reading, statement("UPDATE t", 1.0)], 4.0)
    assert found.seconds == 3.0


def test_a_table_is_rewritten_when_it_was_there_and_has_another_file() -> None:
    """A new table is not rewritten."""
    before = [["public", "a", 1], ["public", "b", 2], ["x", "c", 3]]
    after = [["public", "a", 1], ["public", "b", 5], ["x", "c", 6], ["public", "new", 7]]
    assert rewritten_tables(before, after, home="public") == ("b", "x.c")


@pytest.mark.parametrize(
    ("downgrade", "found", "already", "verdict", "reasons"),
    [
        ("present", Lost(), Lost(), "reversible", ()),
        ("present", Lost(("index a removed",)), Lost(), "lossy", ("index a removed",)),
        ("present", Lost(("index a removed",)), Lost(("index a removed",)), "reversible", ()),
        ("empty", Lost(), Lost(), "reversible", ()),
        (
            "empty",
            Lost((), ("table t has 0 rows where it had 2",)),
            Lost(),
            "irreversible",
            ("its downgrade is empty", "table t has 0 rows where it had 2"),
        ),
    ],
)
def test_verdicts(
    downgrade: str, found: Lost, already: Lost, verdict: str, reasons: tuple[str, ...]
) -> None:
    """What a later revision lost is no fault of an earlier one."""
    assert judged(downgrade, found, already) == (verdict, reasons)


def test_contents_are_rows_first_and_then_values() -> None:
    """Where rows are missing, every column differs: once is enough. What is gone the schema has."""
    before = {("t", ""): "2", ("t", "a"): "x", ("u", ""): "1", ("u", "b"): "y", ("v", ""): "3"}
    after = {("t", ""): "0", ("t", "a"): "-", ("u", ""): "1", ("u", "b"): "z"}
    assert lost(("table v removed",), before, after) == Lost(
        ("table v removed",),
        ("table t has 0 rows where it had 2", "column u.b holds other values"),
    )
    assert lost((), None, after) == Lost()


def test_the_journal_keeps_the_slowest_statements() -> None:
    """What it kept is read again, of this environment alone."""
    many = tuple(statement(f"S{number}", number, number / 10) for number in range(9))
    whole = rehearsal(step(1, statements=many, statement_count=9), step(2, locks=None))
    value = kept_value(whole)
    event = Event(
        sequence=1,
        kind="rehearsal.finished",
        at=NOW,
        run=None,
        step=None,
        data={**value, "by": "alice", "of_a_later_version": 1},
        previous_hash="",
        hash="",
    )
    (found,) = rehearsals_of([event], "prod")
    assert [one.text for one in found.steps[0].statements] == ["S8", "S7", "S6", "S5", "S4"]
    assert replace(found, steps=()) == replace(whole, steps=())
    assert found.steps[1] == whole.steps[1]
    assert rehearsals_of([event], "dev") == []
    failed = replace(whole, trouble=trouble_of("s"))
    assert rehearsal_from_value(kept_value(failed)).trouble == failed.trouble


def test_generated_rows_are_told_and_are_no_estimate() -> None:
    """The journal keeps how many there were and what was left empty; older entries have neither."""
    clone = Clone(
        source="schema",
        copy=None,
        made_at=NOW,
        bytes=1,
        seconds=1.0,
        generated_rows=1,
        filled_tables=1,
        left_empty=(EmptyTable(table="t", reason="a circle"),),
    )
    found = rehearsal(step(1), clone=clone)
    value = kept_value(found)
    assert rehearsal_from_value(value) == found
    assert origin(clone) == "its schema with 1 generated row in 1 table"
    assert rehearsed_in([found]) == {}
    for name in ("generated_rows", "filled_tables", "left_empty"):
        del value["clone"][name]
    assert origin(rehearsal_from_value(value).clone) == "its schema alone, without rows"
    text = rehearsal_text(replace(found, clone=replace(clone, left_empty=clone.left_empty * 7)))
    assert text.count("t: a circle") == 5
    assert "… 2 more, which `--format json` has" in text


def test_a_plan_is_told_of_the_rehearsal_of_its_very_content() -> None:
    """Part of what was rehearsed is rehearsed; another content is not; a failure hides success."""
    good = rehearsal(step(1), step(2, verdict="lossy"))
    (told,) = rehearsed_finding(plan_of(1, 2), [good], NOW)
    assert told.message == (
        "rehearsed 2 h ago on a copy of backup night-1: 12 s, ACCESS EXCLUSIVE on orders 3.1 s, "
        "r2 is lossy"
    )
    assert rehearsed_finding(plan_of(1, 2, 3), [good], NOW) == ()
    (part,) = rehearsed_finding(plan_of(2), [good], NOW)
    assert ": 6.0 s," in part.message
    trouble = trouble_of("002-r2")
    bad = rehearsal(step(1), step(2, seconds=None), trouble=trouble)
    (told,) = rehearsed_finding(plan_of(1, 2), [good, bad], NOW)
    assert (told.code, told.severity) == ("rehearsal-failed", "warning")
    assert [one.state for one in rehearsal_gate(plan_of(1, 2), [bad, good])] == ["open"]
    assert [one.state for one in rehearsal_gate(plan_of(1, 2), [good, bad])] == ["closed"]
    assert [one.state for one in rehearsal_gate(plan_of(3), [good])] == ["closed"]
    assert rehearsal_gate(plan_of(), []) == ()


MIB = 1024 * 1024
HERE = (
    TableSize(schema="public", table="tiny", bytes=64 * 1024, rows=None, unqualified=True),
    TableSize(schema="public", table="orders", bytes=400 * MIB, rows=None, unqualified=True),
    TableSize(schema="other", table="orders", bytes=8 * MIB, rows=9, unqualified=False),
    TableSize(schema="public", table="small", bytes=1 * MIB, rows=50_000, unqualified=True),
)


def timing(*tables: TouchedTable, **keys: Any) -> Timing:
    told = {"seconds": 3.0, "environment": "staging", "sql_seconds": 2.02, "statements": 2}
    return Timing(**{**told, **keys}, tables=tables)


def sized(table: str, size: int | None, rows: int | None = None) -> TouchedTable:
    return TouchedTable(table=table, bytes=size, rows=rows)


@pytest.mark.parametrize(
    ("known", "seconds", "origin"),
    [
        (timing(sized("orders", 4 * MIB)), 201.0, "ran in staging, scaled 4.0 MiB -> 400.0 MiB"),
        # The sum of both; the other schema's has another size.
        (timing(sized("orders", 199 * MIB), sized("small", 1 * MIB)), 5.01, "ran in staging, scaled 200.0 MiB -> 401.0 MiB"),
        (timing(sized("other.orders", 4 * MIB)), 5.0, "ran in staging, scaled 4.0 MiB -> 8.0 MiB"),
        (timing(sized("small", None, 10_000)), 11.0, "ran in staging, scaled 10000 rows -> 50000 rows"),
        # Smaller here, or nearly the same: it stays.
        (timing(sized("orders", 900 * MIB)), 3.0, "ran in staging"),
        (timing(sized("orders", 390 * MIB)), 3.0, "ran in staging"),
        # What is not known of one of them is known of none.
        (timing(sized("orders", 4 * MIB), sized("gone", 4 * MIB)), 3.0, "ran in staging"),
        (timing(sized("orders", 4 * MIB), sized("small", None, 10_000)), 3.0, "ran in staging"),
        (timing(sized("orders", 4 * MIB), sql_seconds=None), 3.0, "ran in staging"),
        (timing(), 3.0, "ran in staging"),
        (timing(sized("orders", 16384)), 3.0, "ran in staging on 16.0 KiB, here 400.0 MiB: too little there to scale by"),
        (timing(sized("tiny", 8192)), 3.0, "ran in staging"),
        # Statements that were quick are quick everywhere.
        (timing(sized("orders", 4 * MIB), sql_seconds=0.015), 3.0, "ran in staging, scaled 4.0 MiB -> 400.0 MiB"),
    ],
)  # fmt: skip
def test_estimates_grow_with_the_tables(known: Timing, seconds: float, origin: str) -> None:
    """As far as statements took time, by how much larger the tables are here; it never shrinks."""
    (was,) = plan_of(1).steps
    timed = replace(plan_of(1), steps=(replace(was, estimate_seconds=3.0),))
    timings: dict[Content, list[Timing]] = {("upgrade", "sha1"): [known]}
    assert wants_sizes(timed, timings, {}) == bool(known.tables)
    (found,) = with_origins(timed, timings, {}, HERE).steps
    assert found.estimate_origin == origin
    assert found.estimate_seconds == pytest.approx(seconds)
    (found,) = with_origins(timed, {}, {("upgrade", "sha1"): known}, HERE).steps
    assert (found.estimate_origin or "").removeprefix("rehearsed") == origin.removeprefix(
        "ran in staging"
    )
    (found,) = with_origins(timed, timings, {}).steps
    assert (found.estimate_seconds, found.estimate_origin) == (3.0, "ran in staging")


def test_tables_that_statements_name() -> None:
    """By the word before the name, where a table of that name is known."""
    texts = [
        "ALTER TABLE ONLY Orders ADD COLUMN small INTEGER",
        'CREATE UNIQUE INDEX CONCURRENTLY x ON "small" (orders)',
        "DELETE FROM other.orders WHERE id IN (SELECT id FROM unknown)",
        "UPDATE alembic_version SET version_num='r2'",
    ]
    version = TableSize(schema="public", table="alembic_version", bytes=1, rows=1, unqualified=True)
    found = touched(texts, by_name((*HERE, version)), version_table="public.alembic_version")
    assert [(one.table, one.bytes) for one in found] == [
        ("orders", 400 * MIB),
        ("small", MIB),
        ("other.orders", 8 * MIB),
    ]


def test_estimates_are_those_of_rehearsals_first() -> None:
    """Then the latest run of the content anywhere, with the spread of all of them."""
    good = rehearsal(step(1), step(2, seconds=None))
    empty = replace(good, clone=replace(good.clone, source="schema"))
    assert rehearsed_in([empty]) == {}
    ran = [
        Event(
            sequence=number,
            kind="step.finished",
            at=NOW,
            run="run-1",
            step="s",
            data={
                "seconds": seconds,
                "file_sha256": sha256,
                "direction": "upgrade",
                "environment": "staging",
            },
            previous_hash="",
            hash="",
        )
        for number, (sha256, seconds) in enumerate(
            [("sha1", 9.0), ("sha2", 0.8), ("sha2", 12.0), ("sha3", 1.0)]
        )
    ]
    timed = plan_of(1, 2, 3, 4)
    latest = (9.0, 12.0, 1.0, None)
    steps = zip(timed.steps, latest, strict=True)
    timed = replace(
        timed, steps=tuple(replace(one, estimate_seconds=seconds) for one, seconds in steps)
    )
    told = with_origins(timed, timings_of(ran), rehearsed_in([good]))
    assert [(one.estimate_seconds, one.estimate_origin) for one in told.steps] == [
        (6.0, "rehearsed"),
        (12.0, "ran in staging; 0.8 s to 12 s in 2 runs"),
        (1.0, "ran in staging"),
        (None, None),
    ]
