"""What lint prints, whole, in each of its formats."""

from __future__ import annotations

import click

from orchestrate.domain.findings import Finding
from orchestrate.reports.lint import lint_json, lint_report, sarif

FINDINGS = (
    Finding(code="deleted-revision", severity="error", message="gone", where="dev"),
    Finding(
        code="blocks-writes",
        severity="warning",
        message="SHARE on t, 100%: a, b",
        hint="wait",
        where="v/a,b.py:7",
    ),
    Finding(code="not-rendered", severity="info", message="reads", where="v/c.py:1"),
)


def test_for_people() -> None:
    """Place, severity, message, code; marks of what has no SQL in one line; pages at the end."""
    assert click.unstyle(lint_report(FINDINGS, "text", revisions=3)).splitlines() == [
        "dev: error: gone [deleted-revision]",
        "v/a,b.py:7: warning: SHARE on t, 100%: a, b [blocks-writes]",
        "    hint: wait",
        "1 revision cannot be shown as SQL; the Python was judged (`--format json` names them)",
        "more: docs/lint-rules.md#blocks-writes",
        "more: docs/lint-rules.md#deleted-revision",
        "",
        "3 revisions: 1 error and 1 warning",
    ]
    assert lint_report((), "text", revisions=1) == "1 revision: nothing to remark"


def test_for_github() -> None:
    """Signs that would end a property or a line are escaped; an environment is no file."""
    assert lint_report(FINDINGS, "github", revisions=3).splitlines() == [
        "::error title=deleted-revision::gone",
        "::warning file=v/a%2Cb.py,line=7,title=blocks-writes::SHARE on t, 100%25: a, b%0Await",
        "::notice file=v/c.py,line=1,title=not-rendered::reads",
    ]


def test_for_code_scanning() -> None:
    """SARIF 2.1.0: every result names its rule, which is described; places where there are any."""
    (run,) = sarif(FINDINGS)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["blocks-writes", "deleted-revision", "not-rendered"]
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)
    assert run["results"] == [
        {
            "ruleId": "deleted-revision",
            "ruleIndex": 1,
            "level": "error",
            "message": {"text": "gone"},
        },
        {
            "ruleId": "blocks-writes",
            "ruleIndex": 0,
            "level": "warning",
            "message": {"text": "SHARE on t, 100%: a, b. wait"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "v/a%2Cb.py"},
                        "region": {"startLine": 7},
                    }
                }
            ],
        },
        {
            "ruleId": "not-rendered",
            "ruleIndex": 2,
            "level": "note",
            "message": {"text": "reads"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "v/c.py"},
                        "region": {"startLine": 1},
                    }
                }
            ],
        },
    ]


def test_for_programs() -> None:
    """The names of the design, and the page."""
    (first, *_) = lint_json(FINDINGS)["findings"]
    assert first == {
        "code": "deleted-revision",
        "severity": "error",
        "message": "gone",
        "hint": None,
        "where": "dev",
        "page": "docs/lint-rules.md#deleted-revision",
    }
