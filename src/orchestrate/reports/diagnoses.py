"""What `doctor` found, as an aligned list for people and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
import yaml

from orchestrate.domain.diagnosis import Check
from orchestrate.reports.tables import counted

_WIDTH: Final = 100
_COLOURS: Final = {"ok": "green", "warning": "yellow", "problem": "red"}


def diagnoses_json(found: Mapping[str, Sequence[Check]]) -> dict[str, Any]:
    """Return the value that `--format json` prints."""
    return {
        "environments": [
            {"name": name, "checks": [_check_json(one) for one in checks]}
            for name, checks in found.items()
        ]
    }


def _check_json(check: Check) -> dict[str, Any]:
    value: dict[str, Any] = {
        "check": check.check,
        "status": check.status,
        "message": check.message,
        "hint": check.hint,
    }
    if check.keys is not None:
        value["keys"] = dict(check.keys)
        value["yaml"] = lines_of_spec(check.keys)
    if check.trouble is not None:
        value["trouble"] = check.trouble
    return value


def diagnoses_text(found: Mapping[str, Sequence[Check]]) -> str:
    """Return an aligned list for each environment, and what it comes to."""
    return "\n\n".join(_environment(name, checks) for name, checks in found.items())


def _environment(name: str, checks: Sequence[Check]) -> str:
    width = max(len(one.check) for one in checks)
    lines = [click.style(name, bold=True)]
    for one in checks:
        status = click.style(one.status.ljust(len("problem")), fg=_COLOURS[one.status])
        margin = " " * (2 + len("problem") + 2 + width + 2)
        first, *rest = _wrapped(one.message, len(margin))
        lines.append(f"  {status}  {one.check.ljust(width)}  {first}")
        lines += [margin + line for line in rest]
        if one.hint:
            lines += [margin + line for line in _wrapped(f"→ {one.hint}", len(margin))]
        if one.keys is not None:
            lines += [f"{margin}  {line}" for line in lines_of_spec(one.keys).splitlines()]
        if one.trouble is not None:
            lines.append(f"{margin}more: `orchestrate explain {one.trouble}`")
    return "\n".join([*lines, "", f"  {_sum(checks)}"])


def _wrapped(text: str, margin: int) -> list[str]:
    # Words are never broken: paths and commands are there to be copied.
    return textwrap.wrap(
        text,
        width=max(_WIDTH - margin, 40),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _sum(checks: Sequence[Check]) -> str:
    parts = []
    for status in ("problem", "warning"):
        number = sum(one.status == status for one in checks)
        if number:
            parts.append(click.style(counted(number, status), fg=_COLOURS[status]))
    return ", ".join(parts) or click.style("all well", fg="green")


def lines_of_spec(keys: Mapping[str, object]) -> str:
    """Return keys as lines of YAML, one a key: `inject: {env: DATABASE_URL}`."""
    return "".join(f"{key}: {_value(value)}\n" for key, value in keys.items())


def _value(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip().removesuffix("...").strip()
