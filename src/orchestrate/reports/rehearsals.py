"""A rehearsal for people: text for a terminal, Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Sequence

import click

from orchestrate.domain.durations import duration
from orchestrate.domain.rehearsals import HeldLock, MeasuredStatement, Rehearsal, RehearsedStep
from orchestrate.planning.rehearsals import origin
from orchestrate.planning.staleness import words
from orchestrate.reports.backups import size
from orchestrate.reports.tables import counted, fields, short, stamp, table

_HEADERS = ("#", "REVISION", "TITLE", "TOOK", "STATEMENTS", "ROWS", "WRITTEN", "BACK", "WAY BACK")
_SHOWN = 5
_LONGEST = 100


def rehearsal_text(found: Rehearsal) -> str:
    """Return what was measured, for a person who decides when to run it."""
    head = click.style(found.environment, bold=True)
    lines = [
        f"Rehearsal {found.id} of {head}: {words(found.from_heads)} to {words(found.to_heads)}",
        "",
        fields([("clone", _clone(found)), *_empty(found), *_facts(found)]),
        "",
        table(_HEADERS, [_row(number, one) for number, one in enumerate(found.steps, 1)], indent=2),
    ]
    for step in found.steps:
        details = [*_details(step), *(f"sql    {one}" for one in _slowest(step))]
        if details:
            lines += ["", f"  {short(step.revision)}", *(f"    {one}" for one in details)]
    lines += _trouble(found)
    lines += ["", *(f"  remark: {one}" for one in found.remarks)] if found.remarks else []
    lines += ["", f"{found.environment} was not changed; the clone is dropped"]
    return "\n".join(lines)


def _facts(found: Rehearsal) -> list[tuple[str, str]]:
    took = duration(found.seconds)
    return [
        ("server", found.server_version),
        ("took", f"{took} for {counted(len(found.steps), 'step')}"),
    ]


def _clone(found: Rehearsal) -> str:
    clone = found.clone
    large = f", {size(clone.bytes)}" if clone.bytes is not None else ""
    of = f", as of {stamp(clone.made_at)}" if clone.source != "schema" else ""
    up = (
        f", brought up by {counted(clone.brought_up, 'revision')} first" if clone.brought_up else ""
    )
    return f"{origin(clone)}{of}{large}, made in {duration(clone.seconds)}{up}"


def _empty(found: Rehearsal) -> list[tuple[str, str]]:
    """Return the tables that no rows could be made for, each with the reason."""
    empty = found.clone.left_empty
    told = [("left empty", f"{one.table}: {one.reason}") for one in empty[:_SHOWN]]
    more = len(empty) - len(told)
    return [*told, ("", f"… {more} more, which `--format json` has")] if more > 0 else told


def _row(number: int, step: RehearsedStep) -> Sequence[str]:
    return (
        str(number),
        short(step.revision),
        short(step.title, 36),
        duration(step.seconds),
        str(step.statement_count) if step.seconds is not None else "-",
        _rows(step),
        size(step.written_bytes) if step.written_bytes is not None else "-",
        duration(step.back_seconds),
        _verdict(step),
    )


def _rows(step: RehearsedStep) -> str:
    known = [one.rows for one in step.statements if one.rows is not None]
    return str(sum(known)) if known else "-"


def _verdict(step: RehearsedStep) -> str:
    colours = {"reversible": "green", "lossy": "yellow", "irreversible": "red"}
    return click.style(step.verdict or "-", fg=colours.get(step.verdict or ""))


def _details(step: RehearsedStep) -> list[str]:
    found = [f"back   {one}" for one in step.reasons]
    found += [f"lock   {_lock(one)}" for one in step.locks or ()]
    if step.locks is None and step.seconds is not None:
        found.append("lock   cannot be seen on this server")
    found += [f"rewrote {one}" for one in step.rewritten or ()]
    return found


def _lock(lock: HeldLock) -> str:
    return f"{lock.mode} on {lock.table}, held {duration(lock.seconds)}"


def _slowest(step: RehearsedStep) -> list[str]:
    shown = sorted(step.statements, key=lambda one: -one.seconds)[:_SHOWN]
    lines = [_statement(one) for one in step.statements if one in shown]
    more = step.statement_count - len(lines)
    return [*lines, f"… {more} more, which `--format json` has"] if more > 0 else lines


def _statement(one: MeasuredStatement) -> str:
    rows = f", {counted(one.rows, 'row')}" if one.rows is not None else ""
    return f"{short(' '.join(one.text.split()), _LONGEST)}  ({duration(one.seconds)}{rows})"


def _trouble(found: Rehearsal) -> list[str]:
    if found.trouble is None:
        return []
    head = click.style(f"Step {found.trouble.step} failed on the clone", fg="red", bold=True)
    lines = ["", f"{head}: {found.trouble.message} [{found.trouble.code}]"]
    if found.trouble.statement:
        lines.append(f"  while: {short(' '.join(found.trouble.statement.split()), _LONGEST)}")
    return [*lines, f"  hint: {found.trouble.hint}"] if found.trouble.hint else lines


def rehearsal_markdown(found: Rehearsal) -> str:
    """Return the same as GitHub-flavoured Markdown."""
    way = (
        f"From `{words(found.from_heads)}` to `{words(found.to_heads)}` on {_clone(found)}; "
        f"{found.server_version}."
    )
    lines = [
        f"### Rehearsal of `{found.environment}`",
        "",
        way,
        "",
        *(f"- {name}: {one}" if name else f"- {one}" for name, one in _empty(found)),
        *([""] if found.clone.left_empty else []),
        "| # | Revision | Took | Statements | Rows | Written | Way back |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, step in enumerate(found.steps, 1):
        row = _row(number, step)
        cells = [row[0], f"`{step.revision}`", *row[3:7], step.verdict or "-"]
        lines.append(f"| {' | '.join(cells)} |")
    told = [f"- `{step.revision}`: {one}" for step in found.steps for one in _details(step)]
    lines += ["", *told] if told else []
    lines += [click.unstyle(one) for one in _trouble(found)]
    lines += ["", *(f"- {one}" for one in found.remarks)] if found.remarks else []
    for step in found.steps:
        if step.statements:
            lines += ["", f"<details><summary>SQL of <code>{step.revision}</code></summary>", ""]
            lines += ["````sql", *(one.text for one in step.statements), "````", "", "</details>"]
    return "\n".join([*lines, ""])
