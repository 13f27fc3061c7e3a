"""What an agent measured of a step on a clone, as the values that a rehearsal is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrate.dialects.measures import Measures
from orchestrate.domain.rehearsals import MeasuredStatement, RehearsedStep
from orchestrate.planning.rehearsals import held_locks, rewritten_tables, whole_file_lock
from orchestrate.planning.touched_tables import SizesByName, touched


def measured(
    step: RehearsedStep,
    done: Mapping[str, Any],
    measures: Measures | None,
    sizes: SizesByName,
    *,
    version_table: str,
) -> RehearsedStep:
    """Return a step with what `committed` tells of it (docs/agent-protocol.md).

    `sizes` are those of the clone's tables before the first step.
    """
    facts = done.get("facts") or {}
    earlier, later = facts.get("before") or {}, facts.get("after") or {}
    statements = tuple(MeasuredStatement(**one) for one in done.get("measured", ()))
    seconds = float(done["seconds"])
    home = version_table.rpartition(".")[0] or None
    locks = None
    if measures and measures.whole_file:
        locks = whole_file_lock(measures.whole_file, statements, seconds)
    elif measures and measures.locks:
        locks = held_locks(done.get("locks", ()), version_table=version_table, home=home)
    rewritten = written = None
    if "files" in earlier and "files" in later:
        rewritten = rewritten_tables(earlier["files"], later["files"], home=home)
    if "written" in earlier and "written" in later:
        written = _number(later["written"]) - _number(earlier["written"])
    return replace(
        step,
        seconds=seconds,
        statements=statements,
        statement_count=int(done["statements"]),
        sql_seconds=float(done["sql_seconds"]),
        tables=touched((one.text for one in statements), sizes, version_table=version_table),
        locks=locks,
        rewritten=rewritten,
        written_bytes=written,
    )


def _number(rows: Sequence[Sequence[object]]) -> int:
    return int(float(str(rows[0][0] or 0)))
