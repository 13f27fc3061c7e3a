"""What lint found, for people, for programs, for code scanning (SARIF), for GitHub's annotations.

SARIF: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; annotations:
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import click

from orchestrate import __version__
from orchestrate.domain.findings import Finding
from orchestrate.planning.rules import RULES, page_for
from orchestrate.reports.tables import coloured, counted

_SARIF_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS: Final = {"error": "error", "warning": "warning", "info": "notice"}
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def lint_report(findings: Sequence[Finding], style: str, *, revisions: int) -> str:
    """Return the findings in one of lint's formats that are texts."""
    if style == "github":
        return "\n".join(_annotation(one) for one in findings)
    return lint_text(findings, revisions=revisions)


def lint_text(findings: Sequence[Finding], *, revisions: int) -> str:
    """Return the findings for people, the worst of a file not sought for."""
    lines = []
    for one in findings:
        if one.code == _UNSEEN:
            continue
        where = f"{one.where}: " if one.where else ""
        code = click.style(f"[{one.code}]", dim=True)
        lines.append(f"{where}{coloured(one.severity)}: {one.message} {code}")
        if one.hint:
            lines.append(f"    {click.style('hint:', dim=True)} {one.hint}")
    unseen = [one for one in findings if one.code == _UNSEEN]
    if unseen:
        lines.append(
            f"{counted(len(unseen), 'revision')} cannot be shown as SQL; the Python was judged "
            "(`--format json` names them)"
        )
    codes = sorted({one.code for one in findings if one.code != _UNSEEN})
    lines += [f"{click.style('more:', dim=True)} {page_for(code)}" for code in codes]
    return "\n".join([*lines, *([""] if lines else []), _summary(findings, revisions)])


_UNSEEN: Final = "not-rendered"


def _summary(findings: Sequence[Finding], revisions: int) -> str:
    told = [
        counted(number, noun)
        for severity, noun in (("error", "error"), ("warning", "warning"))
        for number in [sum(one.severity == severity for one in findings)]
        if number
    ]
    return f"{counted(revisions, 'revision')}: {' and '.join(told) or 'nothing to remark'}"


def lint_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings by the names of design section 5."""
    return {
        "findings": [
            {
                "code": one.code,
                "severity": one.severity,
                "message": one.message,
                "hint": one.hint,
                "where": one.where,
                "page": page_for(one.code),
            }
            for one in findings
        ]
    }


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log of one run."""
    codes = sorted({one.code for one in findings})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "orchestrate",
                        "semanticVersion": __version__,
                        "rules": [_sarif_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(one, codes.index(one.code)) for one in findings],
            }
        ],
    }


def _sarif_rule(code: str) -> dict[str, Any]:
    rule = RULES.get(code)
    title = rule.title if rule else f"squawk's rule `{code.partition('-')[2]}`"
    return {
        "id": code,
        "shortDescription": {"text": title},
        "help": {"text": f"{title}. See {page_for(code)}."},
        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity if rule else "warning"]},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    text = finding.message + (f". {finding.hint}" if finding.hint else "")
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": text},
    }
    file, line = _place(finding)
    if file is not None:
        location: dict[str, Any] = {"artifactLocation": {"uri": quote(file)}}
        if line is not None:
            location["region"] = {"startLine": line}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _place(finding: Finding) -> tuple[str | None, int | None]:
    """Return file and line; an environment is no file."""
    where = finding.where or ""
    file, _, line = where.rpartition(":")
    if line.isdigit():
        return file, int(line)
    return (where, None) if where.endswith(".py") else (None, None)


def _annotation(finding: Finding) -> str:
    file, line = _place(finding)
    properties = [f"file={_escaped(file)}"] if file else []
    properties += [f"line={line}"] if line else []
    properties += [f"title={_escaped(finding.code)}"]
    text = finding.message + (f"\n{finding.hint}" if finding.hint else "")
    return f"::{_GITHUB_LEVELS[finding.severity]} {','.join(properties)}::{_escaped_text(text)}"


def _escaped_text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped(text: str | None) -> str:
    return _escaped_text(text or "").replace(":", "%3A").replace(",", "%2C")
