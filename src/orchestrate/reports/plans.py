"""A plan for people: text for a terminal, Markdown for a pull request, JSON as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from orchestrate.domain.durations import duration
from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import Plan, Step
from orchestrate.planning.actions import title_of
from orchestrate.planning.staleness import words
from orchestrate.planning.trouble_pages import page_of, page_path
from orchestrate.reports.tables import coloured, counted, fields, file_shown, short, stamp, table


def plan_text(plan: Plan) -> str:
    """Return what would be done and why, for a person who decides whether to do it."""
    if not plan.steps:
        nothing = f"{click.style(plan.environment, bold=True)}: nothing to do, at {_here(plan)}"
        return "\n".join([nothing, *(_finding(one) for one in plan.findings)])
    basis = plan.basis[0]
    known = [step.estimate_seconds for step in plan.steps if step.estimate_seconds is not None]
    lines = [
        _headline(plan),
        "",
        fields(
            [
                ("database", f"{basis.identity} ({basis.server_version})"),
                ("now at", _here(plan)),
                ("goes to", f"{words(plan.steps[-1].to_heads)} (asked for: {plan.to})"),
                ("commits", _commits(plan)),
                *[("compares", f"the schema with {one}") for one in _compared(plan)],
                *(
                    [("if it fails", "; ".join(map(title_of, plan.on_failure)))]
                    if plan.on_failure
                    else []
                ),
                *([("expected", _expected(plan, known))] if known else []),
            ]
        ),
        "",
        table(
            _HEADERS, [_row(number, step) for number, step in enumerate(plan.steps, 1)], indent=2
        ),
    ]
    lines += _native_parts(plan)
    lines += _sql_back(plan)
    remarks = _remarks(plan)
    if remarks:
        lines += ["", click.style("Findings", bold=True), *(_finding(one) for one in remarks)]
    lines += ["", click.style("Gates", bold=True)]
    lines += [f"  {coloured(gate.state)}  {gate.kind}: {gate.detail}" for gate in plan.gates]
    return "\n".join(lines)


def _headline(plan: Plan) -> str:
    name = click.style(plan.environment, bold=True)
    return f"Plan {plan.id} for {name}: {_way(plan)}"


def _way(plan: Plan) -> str:
    """Return `upgrade by 3 revisions`, with what comes before them."""
    if plan.direction == "stamp":
        return "stamp, no revision is run"
    if plan.direction == "restore":
        return f"restore, {next(one.title for one in plan.steps if one.kind == 'restore')}"
    way = f"{plan.direction} by {counted(_revisions(plan), 'revision')}"
    first = {"hook": "a baseline that is built", "stamp": "a baseline that is stamped"}
    begins = [one for one in plan.steps if one.kind == "stamp" or one.command]
    return " from ".join([way, *(first[one.kind] for one in begins[:1])])


_HEADERS = ("#", "REVISION", "TITLE", "UNDONE IF IT FAILS", "ELSEWHERE", "FILE")


def _row(number: int, step: Step) -> Sequence[str]:
    return (
        str(number),
        short(step.revision) or "-",
        short(step.title, 44),
        "yes" if step.transactional else click.style("no", fg="yellow"),
        duration(step.estimate_seconds),
        file_shown(step.file) or "-",
    )


def _native_parts(plan: Plan) -> list[str]:
    parts = [part for step in plan.steps if step.kind != "stamp" for part in step.parts]
    if not parts:
        return []
    return [
        "",
        "  in this order:",
        *(f"    {part.revision}  {file_shown(part.file)}" for part in parts),
    ]


def _sql_back(plan: Plan) -> list[str]:
    """Return what a way back sends, where it was rendered: seldom much, and never routine."""
    if plan.direction != "downgrade":
        return []
    lines = []
    for step in plan.steps:
        statements = [" ".join(one.split()) for one in (step.sql or "").split(";\n")]
        told = [one.rstrip(";") for one in statements if one and not one.startswith("--")]
        lines += [f"    {short(one, _LONGEST_STATEMENT)}" for one in told[:_MOST_STATEMENTS]]
        if len(told) > _MOST_STATEMENTS:
            lines.append(f"    … {len(told) - _MOST_STATEMENTS} more, which `--sql DIR` writes")
    return ["", "  by this SQL:", *lines] if lines else []


_LONGEST_STATEMENT = 110
_MOST_STATEMENTS = 8


def _revisions(plan: Plan) -> int:
    return sum(len(step.parts) or 1 for step in plan.steps if step.kind in {"upgrade", "downgrade"})


def _here(plan: Plan) -> str:
    return words(plan.basis[0].heads)


def _compared(plan: Plan) -> list[str]:
    return [step.check.source for step in plan.steps if step.check is not None]


def _commits(plan: Plan) -> str:
    if plan.direction == "stamp":
        return "the version table's rows alone, in one transaction"
    if plan.direction == "restore":
        swapped = any(step.exchange for step in plan.steps)
        how = ", by an exchange: a cut-off leaves the old database or the new" if swapped else ""
        return f"everything that is there is replaced{how}"
    return {
        "session": "each revision on its own",
        "isolated": "each revision on its own, in an env.py run of its own",
        "native": "as env.py does it, all revisions in one step",
    }[plan.mode]


def _expected(plan: Plan, known: Sequence[float]) -> str:
    total = duration(sum(known))
    missing = sum(one.kind in {"upgrade", "downgrade"} for one in plan.steps) - len(known)
    origins = list(dict.fromkeys(one.estimate_origin for one in plan.steps if one.estimate_origin))
    more = f", … {len(origins) - _ORIGINS} more" if len(origins) > _ORIGINS else ""
    told = f" ({', '.join(origins[:_ORIGINS])}{more})" if origins else ""
    if missing:
        return f"{total} and {counted(missing, 'revision')} never timed{told}"
    return f"{total}{told}"


_ORIGINS = 3


def _remarks(plan: Plan) -> list[Finding]:
    return [*plan.findings, *(finding for step in plan.steps for finding in step.findings)]


def _finding(finding: Finding) -> str:
    where = f"{file_shown(finding.where)}: " if finding.where else ""
    hint = f"\n           {click.style('hint:', dim=True)} {finding.hint}" if finding.hint else ""
    page = page_of(finding.code)
    more = f"\n           {click.style('more:', dim=True)} {page_path(page)}" if page else ""
    return f"  {coloured(finding.severity)}  {where}{finding.message}{hint}{more}"


def plan_markdown(plan: Plan) -> str:
    """Return the plan as GitHub-flavoured Markdown for a pull request's description or comment."""
    basis = plan.basis[0]
    lines = [f"### Migration plan for `{plan.environment}`", ""]
    if not plan.steps:
        return "\n".join([*lines, f"Nothing to do: the database is at `{_here(plan)}`.", ""])
    way = f"from `{_here(plan)}` to `{words(plan.steps[-1].to_heads)}`, on {basis.server_version}"
    lines += [
        f"**{plan.direction.capitalize()}**{_way(plan).removeprefix(plan.direction)}, {way}.",
        "",
        "| # | Revision | Title | Undone if it fails | Took elsewhere | File |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {number} | {_code(step.revision)} | {_cell(step.title)} | "
        f"{'yes' if step.transactional else '**no**'} | {duration(step.estimate_seconds)} | "
        f"{_code(_cell(file_shown(step.file)))} |"
        for number, step in enumerate(plan.steps, 1)
    ]
    remarks = _remarks(plan)
    if remarks:
        lines += ["", "**Findings**", ""]
        lines += [
            f"- {one.severity}: {f'`{file_shown(one.where)}` ' if one.where else ''}{one.message}"
            for one in remarks
        ]
    lines += ["", "**Gates**", ""]
    lines += [f"- {gate.kind}: {gate.state} ({gate.detail})" for gate in plan.gates]
    for step in plan.steps:
        lines += _markdown_sql(step)
    lines += ["", f"Digest `{plan.digest}`, made {stamp(plan.created_at)} as `{plan.id}`.", ""]
    return "\n".join(lines)


def _markdown_sql(step: Step) -> list[str]:
    if step.sql is None and step.sql_error is None:
        return []
    lines = ["", f"<details><summary>SQL of <code>{step.revision}</code></summary>", ""]
    if step.sql is not None:
        # Four backticks: a statement may hold three of its own.
        lines += ["````sql", step.sql.strip(), "````"]
    else:
        lines += [f"Cannot be rendered offline: {step.sql_error}"]
    return [*lines, "", "</details>"]


def _code(text: str) -> str:
    return f"`{text}`" if text else "-"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values, by the names of design section 5."""
    value: dict[str, Any] = asdict(plan)
    value["created_at"] = plan.created_at.isoformat()
    ordered: Mapping[str, Any] = {"format": value.pop("format"), **value}
    return dict(ordered)


def plan_file_text(plan: Plan) -> str:
    """Return the text of a plan file."""
    return json.dumps(plan_json(plan), indent=2, ensure_ascii=False) + "\n"
