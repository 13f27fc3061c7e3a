"""A report of drift as JUnit XML: a suite for each environment, a case for each kind of drift.

The form that CI servers read (https://github.com/testmoapp/junitxml): only attributes and elements
that all of their schemas know.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, get_args
from xml.etree import ElementTree as ET

from orchestrate.domain.drift import (
    DriftDifference,
    DriftKind,
    DriftReport,
    EnvironmentDrift,
    TargetDrift,
)

Clean = Callable[[str], str]
"""A text as it may stand in XML, without secrets."""

_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, escaped or not."""


def drift_junit(report: DriftReport, *, redacted: Callable[[str], str] = str) -> str:
    """Return the report as JUnit XML.

    `redacted` takes secrets out of each text; counts and times are none.
    """

    def clean(text: str) -> str:
        return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", redacted(text))

    root = ET.Element("testsuites", name="drift")
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for environment in report.environments:
        suite = _suite(root, report, environment, clean)
        for name in totals:
            totals[name] += int(suite.get(name, "0"))
    for name, number in totals.items():
        root.set(name, str(number))
    root.set("time", "0")
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _suite(
    root: ET.Element, report: DriftReport, environment: EnvironmentDrift, clean: Clean
) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=clean(environment.name))
    for target in environment.targets:
        for kind in get_args(DriftKind):
            _case(suite, target, kind, clean)
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        suite.set(name, str(len(suite.findall(f".//{tag}"))))
    suite.set("skipped", str(len(suite.findall(".//skipped"))))
    suite.set("time", "0")
    suite.set("timestamp", report.created_at.strftime("%Y-%m-%dT%H:%M:%S"))
    return suite


def _case(suite: ET.Element, target: TargetDrift, kind: DriftKind, clean: Clean) -> None:
    place = target.environment
    if target.name != place:
        place = f"{place}.{target.name}"
    case = ET.SubElement(suite, "testcase", classname=clean(place), name=kind, time="0")
    drift = [one for one in target.drift if one.kind == kind]
    unread = target.state == "unreachable" or kind == "schema"
    if target.error is not None and unread:
        error = ET.SubElement(
            case, "error", message=clean(target.error.message), type=target.error.code
        )
        error.text = clean("\n".join(filter(None, (target.error.message, target.error.hint))))
    elif target.at_work is not None:
        ET.SubElement(case, "skipped", message=f"run {target.at_work.run} is at work")
    elif drift:
        count = "1 difference" if len(drift) == 1 else f"{len(drift)} differences"
        failure = ET.SubElement(case, "failure", message=count, type=f"{kind}-drift")
        failure.text = clean("\n".join(_told(one) for one in drift))
    elif kind == "schema" and target.compared_with is None:
        why = "; ".join(target.remarks) or "not compared"
        ET.SubElement(case, "skipped", message=clean(why))


def _told(one: DriftDifference) -> str:
    lines = [f"{one.object} {one.name} {one.change}{' (new)' if one.new else ''}"]
    lines += [f"  expected: {one.expected}"] if one.expected else []
    lines += [f"  found: {one.actual}"] if one.actual else []
    lines += [f"  {one.detail}"] if one.detail else []
    lines += [f"  renamed to {one.renamed_to}, it seems"] if one.renamed_to else []
    lines += [f"  back: {one.remedy}"] if one.remedy else []
    return "\n".join(lines)
