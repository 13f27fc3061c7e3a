"""Two environments' schemas side by side: text, JSON and Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from orchestrate.domain.drift import Comparison, DriftDifference, Side
from orchestrate.planning.drift_values import difference_value
from orchestrate.planning.staleness import words
from orchestrate.reports.drift import code, cut, shown, wrapped
from orchestrate.reports.tables import counted


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Return it as plain values, by the names of design section 5."""
    sides = [{**asdict(one), "heads": list(one.heads)} for one in (found.first, found.second)]
    return {
        "expected": sides[0],
        "actual": sides[1],
        "differs": bool(found.drift),
        "not_compared": list(found.not_compared),
        "differences": [difference_value(one) for one in found.differences],
    }


def comparison_text(found: Comparison) -> str:
    """Return what differs, an object a paragraph, under one line that says how much."""
    lines = [_headline(found)]
    for one in shown(found.differences):
        lines += _difference(one, found)
    if found.not_compared:
        lines += wrapped(_hidden(found), indent=2)
    return "\n".join(lines)


def comparison_markdown(found: Comparison) -> str:
    """Return a table with a row for each object that differs."""
    first, second = found.first.name, found.second.name
    lines = [f"# {first} and {second}", "", _headline(found)]
    if found.differences:
        lines += ["", f"| object | {first} | {second} |", "|---|---|---|"]
        lines += [
            f"| {one.object} {_cell(one.name)}{_note(one)} "
            f"| {_side(one.expected, absent=one.change == 'added')} "
            f"| {_side(one.actual, absent=one.change == 'removed')} |"
            for one in shown(found.differences)
        ]
    if found.not_compared:
        lines += ["", f"- {_hidden(found)}"]
    return "\n".join(lines)


def _headline(found: Comparison) -> str:
    number = len(shown(found.differences))
    count = counted(number, "difference") if number else "no difference"
    return f"{_place(found.first)} and {_place(found.second)}: {count}"


def _place(side: Side) -> str:
    return f"{side.name} (at {words(side.heads)})"


def _hidden(found: Comparison) -> str:
    kinds = ", ".join(found.not_compared)
    return f"not compared, as a credential may not see all of it: {kinds}"


def _difference(one: DriftDifference, found: Comparison) -> Iterator[str]:
    first, second = found.first.name, found.second.name
    where = {
        "added": f"only in {second}",
        "removed": f"only in {first}",
        "altered": "differs",
    }[one.change]
    if one.renamed_to:
        where = f"is {one.renamed_to} in {second}, it seems"
    known = f" (known: {one.reason})" if one.known else ""
    yield f"  {one.object} {click.style(one.name, bold=True)} {where}{known}"
    if one.renamed_to:
        return
    width = max(len(first), len(second))
    for name, text in ((first, one.expected), (second, one.actual)):
        if text:
            yield from wrapped(f"{name.ljust(width)}  {text}", indent=6)
    if one.also:
        yield from wrapped(f"with it: {', '.join(one.also)}", indent=6)


def _note(one: DriftDifference) -> str:
    if one.renamed_to:
        return f" (is {_cell(one.renamed_to)} there, it seems)"
    return f" (known: {one.reason})" if one.known else ""


def _side(text: str | None, *, absent: bool) -> str:
    if absent:
        return "-"
    return _cell(cut(text)) if text else "there"


def _cell(text: str) -> str:
    return code(text).replace("|", "\\|")
