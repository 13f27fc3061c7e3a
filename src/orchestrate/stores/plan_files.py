"""Plan files: written whole or not at all, read with distrust."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrate.domain.plan import FORMAT, Plan
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import plan_digest


def write_file(path: Path, text: str) -> None:
    """Write a file under another name and rename it, so that no reader sees half of it.

    What is no file (a pipe, `/dev/stdout`) is written to; a link stays one. Raises `usage` when the
    folder does not exist or cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as file:
                file.write(text)
            return
        path = path.resolve()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files for the owner alone; a plan has no secret and is there to be read.
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OrchestrateError(
            "usage",
            f"`{path}` cannot be written: {error.strerror}",
            hint="Name a file in a folder that exists and is yours",
        ) from error


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


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
        value = json.loads(text)
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
