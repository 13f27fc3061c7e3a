"""Plan files, read with distrust."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrate.domain.plan import FORMAT, Plan
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import plan_digest


def read_plan(path: Path) -> Plan:
    """Return the plan of a file.

    Raises `plan-unreadable` for what is not a plan, is of another format, or was edited after it
    was made: its digest no longer covers its steps.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OrchestrateError(
            "plan-unreadable",
            f"The plan `{path}` cannot be read: {reason}",
            hint="`orchestrate plan ENV --out FILE` makes one",
        ) from error
    return plan_from_text(text, where=str(path))


def plan_from_text(text: str, *, where: str) -> Plan:
    """Return the plan of a text; raises `plan-unreadable` as `read_plan` does."""
    try:
        value = json.loads(text, parse_constant=_finite, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # half a character is no text
    except (ValueError, RecursionError) as error:
        raise OrchestrateError(
            "plan-unreadable",
            f"This is no JSON: {error}",
            where=where,
            hint="`orchestrate plan ENV --out FILE` makes a plan file",
        ) from error
    _check_format(value, where)
    try:
        plan = _PLAN.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise OrchestrateError(
            "plan-unreadable",
            f"The plan's `{place}` is not as it should be: {first['msg']}",
            where=where,
        ) from error
    _check_digest(plan, where)
    return plan


_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no number")
    return value


def _check_format(value: Any, where: str) -> None:
    found = value.get("format") if isinstance(value, dict) else None
    if found != FORMAT:
        raise OrchestrateError(
            "plan-unreadable",
            f"This is not a plan of the format {FORMAT}"
            + (f" but of {found!r}" if isinstance(found, str) else ""),
            where=where,
            hint="Make it again with this version: `orchestrate plan ENV --out FILE`",
        )


def _check_digest(plan: Plan, where: str) -> None:
    digest = plan_digest(
        environment=plan.environment,
        direction=plan.direction,
        mode=plan.mode,
        spec_digest=plan.spec_digest,
        basis=plan.basis,
        steps=plan.steps,
        arguments=plan.arguments,
        on_failure=plan.on_failure,
    )
    if digest != plan.digest:
        raise OrchestrateError(
            "plan-unreadable",
            "The plan was changed after it was made: its digest does not cover its steps",
            where=where,
            hint="A plan is data that was approved as a whole; make a new one",
        )
