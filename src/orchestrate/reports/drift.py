"""A report of drift for people: text for terminals, and Markdown for tickets and chats. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from orchestrate.domain.drift import DriftDifference, DriftReport, TargetDrift
from orchestrate.planning.staleness import words
from orchestrate.reports.tables import coloured, counted, short, stamp, table

_WIDTH: Final = 80
_LONGEST: Final = 400
"""Characters of a definition that text and Markdown show; JSON has all of it."""
_SIGNS: Final = {"added": ("+", "green"), "removed": ("-", "red"), "altered": ("~", "yellow")}


def drift_text(report: DriftReport) -> str:
    """Return a table of all targets, and what differs under it."""
    cells = [
        (
            target.environment,
            coloured(target.state),
            _revision(target),
            "-" if target.error and not target.heads else str(target.pending),
            _told(target),
            target.compared_with or "-",
        )
        for target in report.targets
    ]
    headers = ("ENVIRONMENT", "STATE", "REVISION", "PENDING", "DRIFT", "COMPARED WITH")
    lines = [table(headers, cells)]
    for target in report.targets:
        details = list(_details(target))
        if details:
            name = click.style(target.environment, bold=True)
            lines += ["", *wrapped(f"{name}: {_headline(target)}", indent=0)]
            lines += details
    return "\n".join(lines)


def drifted_words(target: TargetDrift) -> str:
    """Return in a few words how much drift there is."""
    if target.at_work is not None:
        return "a run is at work"
    if target.error is not None and target.compared_with is None and not target.differences:
        return "not known"
    number = len(target.drift)
    if not number:
        return "none" if target.compared_with else "not known"
    new = len(target.news)
    return f"{number}, {'all' if new == number else new} new" if new else str(number)


def _told(target: TargetDrift) -> str:
    told = drifted_words(target)
    colour = {"none": "green", "not known": "yellow", "a run is at work": "yellow"}.get(told, "red")
    return click.style(told, fg=colour)


def _revision(target: TargetDrift) -> str:
    if target.state == "unreachable":
        return "-"
    return ", ".join(short(head, 13) for head in target.heads) or words(())


def _headline(target: TargetDrift) -> str:
    parts = []
    if target.differences or target.gone:
        known = len(target.differences) - len(target.drift)
        parts.append(counted(len(target.drift), "difference"))
        parts += [f"{known} known"] if known else []
        parts += [f"{len(target.gone)} gone since the last report"] if target.gone else []
    head = ", ".join(parts)
    if target.basis and head:
        return f"{head}; the schema was compared with {target.basis}"
    return head or (f"compared with {target.basis}" if target.basis else "not compared")


def _details(target: TargetDrift) -> Iterator[str]:
    if target.at_work is not None:
        work = target.at_work
        yield from wrapped(
            f"run {work.run} of {work.holder} is at work since {stamp(work.since)} "
            f"(lease {work.lease}, step {work.step or 'none yet'}): look again when it is done",
            indent=2,
        )
    if target.error is not None:
        yield from wrapped(f"{target.error.message} [{target.error.code}]", indent=2)
        if target.error.hint:
            yield from wrapped(f"hint: {target.error.hint}", indent=4)
    for one in shown(target.differences):
        yield from _difference(one, is_first=target.previous is None)
    for one in target.gone:
        yield from wrapped(f"gone: {one.object} {one.name} {one.change}", indent=2)
    if target.not_compared:
        kinds = ", ".join(target.not_compared)
        yield from wrapped(
            f"not compared, as this credential may not see all of it or an earlier version "
            f"recorded it otherwise: {kinds}",
            indent=2,
        )
    for remark in target.remarks:
        yield from wrapped(remark, indent=2)


def shown(differences: Sequence[DriftDifference]) -> list[DriftDifference]:
    """Return the differences that stand for themselves: a renaming is told once."""
    return [one for one in differences if one.rename_of is None or not _has(differences, one)]


def _has(differences: Iterable[DriftDifference], one: DriftDifference) -> bool:
    return any(two.renamed_to == one.name and two.object == one.object for two in differences)


def _difference(one: DriftDifference, *, is_first: bool) -> Iterator[str]:
    sign, colour = _SIGNS[one.change]
    words_ = [f"{one.object} {click.style(one.name, bold=True)}", said(one)]
    if one.known:
        until = f" until {one.until}" if one.until else ""
        sign, colour = "=", "blue"
        words_.append(f"(known{until}: {one.reason})")
    elif one.new and not is_first:
        words_.append(click.style("(new)", fg="red"))
    yield from wrapped(f"{click.style(sign, fg=colour)} {' '.join(words_)}", indent=2)
    if one.known:
        return
    if one.change == "altered":
        yield from _definition("expected", one.expected)
        yield from _definition("found", one.actual)
    elif not one.renamed_to:
        yield from _definition("it is" if one.change == "added" else "it was", _other(one))
    if one.detail:
        yield from wrapped(one.detail, indent=6)
    if one.also:
        yield from wrapped(f"with it: {', '.join(one.also)}", indent=6)
    if one.remedy:
        yield from wrapped(f"back: {one.remedy}", indent=6, longest=2000)


def said(one: DriftDifference) -> str:
    """Return what happened, in a word or two."""
    return f"renamed to {one.renamed_to}, it seems" if one.renamed_to else one.change


def _other(one: DriftDifference) -> str | None:
    return one.actual if one.change == "added" else one.expected


def _definition(label: str, text: str | None) -> Iterator[str]:
    if text:
        yield from wrapped(f"{label.ljust(8)} {text}", indent=6)
    elif label in {"expected", "found"}:
        yield f"      {label.ljust(8)} nothing"


def wrapped(text: str, *, indent: int, longest: int = _LONGEST) -> list[str]:
    """Return a text in lines of 80 columns, cut where it is longer than people read."""
    plain = cut(text, longest)
    lines = [one for line in plain.splitlines() for one in _lines(line, indent)]
    return lines or [" " * indent]


def _lines(line: str, indent: int) -> Iterator[str]:
    """Break a line between words; colour takes no column, which `textwrap` does not know."""
    pad, taken, used = " " * indent, list[str](), indent
    for word in line.split(" "):
        length = len(click.unstyle(word))
        if taken and used + length > _WIDTH:
            yield (pad + " ".join(taken).lstrip()).rstrip()
            pad, taken, used = " " * (indent + 2), [], indent + 2
        taken.append(word)
        used += length + 1
    yield (pad + " ".join(taken).lstrip()).rstrip()


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return a text, or its beginning where it is longer than people read."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


# --- Markdown -------------------------------------------------------------------------------------


def drift_markdown(report: DriftReport) -> str:
    """Return the report as Markdown, with the parts of `drift_text`."""
    lines = [
        f"# Drift: {_verdict(report)}",
        "",
        f"{stamp(report.created_at)}, report `{report.id}`.",
        "",
        "| environment | state | revision | pending | drift | compared with |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {_cell(target.environment)} | {target.state} | {_cell(_revision(target))} "
        f"| {target.pending} | {drifted_words(target)} | {target.compared_with or '-'} |"
        for target in report.targets
    ]
    for target in report.targets:
        details = list(_markdown(target))
        if details:
            lines += ["", f"## {_cell(target.environment)}: {_headline(target)}", "", *details]
    return "\n".join(lines)


def _verdict(report: DriftReport) -> str:
    drifted = [one.environment for one in report.targets if one.drifted]
    if drifted:
        return ", ".join(drifted)
    unknown = [one.environment for one in report.targets if one.compared_with is None]
    return f"none found, {', '.join(unknown)} not compared" if unknown else "none"


def _markdown(target: TargetDrift) -> Iterator[str]:
    if target.at_work is not None:
        yield f"- run `{target.at_work.run}` is at work: look again when it is done"
    if target.error is not None:
        yield f"- {_inline(target.error.message)} `{target.error.code}`"
    for one in shown(target.differences):
        yield from _markdown_difference(one, is_first=target.previous is None)
    for one in target.gone:
        yield f"- gone: {one.object} {code(one.name)} {one.change}"
    if target.not_compared:
        yield f"- not compared: {', '.join(target.not_compared)}"
    yield from (f"- {_inline(remark)}" for remark in target.remarks)


def _markdown_difference(one: DriftDifference, *, is_first: bool) -> Iterator[str]:
    note = ""
    if one.known:
        note = f" (known{f' until {one.until}' if one.until else ''}: {_inline(one.reason or '')})"
    elif one.new and not is_first:
        note = " **new**"
    yield f"- {one.object} {code(one.name)} {_inline(said(one))}{note}"
    if one.known:
        return
    if not one.renamed_to:
        yield from (
            f"  - {label} {code(cut(text))}"
            for label, text in (("expected", one.expected), ("found", one.actual))
            if text
        )
    if one.detail:
        yield f"  - {_inline(one.detail)}"
    if one.also:
        yield f"  - with it: {', '.join(code(name) for name in one.also)}"
    if one.remedy:
        yield f"  - back: {code(one.remedy)}"


def code(text: str) -> str:
    """Return a text as Markdown's code, whatever stands in it."""
    line = " ".join(text.split())
    longest = max((len(run) for run in _runs(line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _runs(text: str) -> Iterator[str]:
    run = ""
    for letter in text + " ":
        if letter == "`":
            run += letter
        elif run:
            yield run
            run = ""


def _inline(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")
