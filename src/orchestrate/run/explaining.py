"""Puts an environment's facts to an error: the place, the sentence and the hint it deserves.

The agent says what happened; what a person can change about it stands in the spec, which the agent
does not know. The words are `planning/troubles.py`'s.
"""

from __future__ import annotations

from typing import Final

from orchestrate.dialects.interface import Dialect
from orchestrate.domain.plan import Step
from orchestrate.domain.troubles import Failure, Recognised
from orchestrate.errors import OrchestrateError
from orchestrate.planning.staleness import words
from orchestrate.planning.troubles import Circumstances, explain_sight, explain_step
from orchestrate.run.access import Access

ON_THE_ROAD: Final = frozenset(
    {"ssh-unreachable", "host-key-unknown", "host-key-changed", "ssh-login-refused", "ssh-lost"}
)
"""What befell on the way to a host, and says nothing of the database."""


def recognised(error: OrchestrateError, dialect: Dialect) -> Recognised | None:
    """Return which known trouble an agent's error is."""
    return dialect.recognise(
        Failure(
            message=error.message,
            sqlstate=error.details.get("sqlstate"),  # type: ignore[arg-type]
            driver_code=error.details.get("driver_code"),  # type: ignore[arg-type]
        )
    )


def on_the_road(error: OrchestrateError, access: Access) -> OrchestrateError:
    """Return the trouble of the tunnel in the place of what it led to, where it has any.

    What the driver, or a program, says of it is that somebody hung up.
    """
    trouble = access.tunnel.trouble if access.tunnel is not None and access.far is None else None
    if trouble is None or error.code in ON_THE_ROAD:
        return error
    told = OrchestrateError(
        trouble.code,
        f"{trouble.message} ({error.message})",
        hint=trouble.hint,
        where=error.where,
        details=error.details,
    )
    told.__cause__ = error
    return told


def explained(error: OrchestrateError, access: Access) -> OrchestrateError:
    """Return an error of looking at a target with its place, and a hint where it has none."""
    error = on_the_road(error, access)
    if error.code in ON_THE_ROAD:
        return _with(
            error,
            message=error.message,
            hint=error.hint,
            where=error.where or access.environment,
            trouble=error.trouble,
        )
    found = explain_sight(
        error.code,
        error.message,
        recognised(error, access.dialect),
        access.setting,
        error.details,
    )
    return _with(
        error,
        message=found.message,
        hint=error.hint or found.hint,
        where=error.where or access.environment,
        trouble=error.trouble or found.trouble,
    )


def explained_step(
    error: OrchestrateError,
    step: Step,
    dialect: Dialect,
    *,
    environment: str,
    rows: str | None = None,
) -> OrchestrateError:
    """Return the error of a revision that failed with a sentence and a hint, where it is known.

    `rows` says what the rows are that it met, where they are not the environment's own.
    """
    failing = error.details.get("failing")
    found = explain_step(
        error.code,
        error.message,
        recognised(error, dialect),
        Circumstances(
            environment=environment,
            revision=step.revision,
            heads=words(step.from_heads),
            statement=failing if isinstance(failing, str) else None,
            rows=rows,
        ),
    )
    if found is None:
        return error
    return _with(
        error, message=found.message, hint=found.hint, where=error.where, trouble=found.trouble
    )


def _with(
    error: OrchestrateError,
    *,
    message: str,
    hint: str | None,
    where: str | None,
    trouble: str | None,
) -> OrchestrateError:
    told = OrchestrateError(
        error.code,
        message,
        hint=hint,
        where=where,
        trouble=trouble,
        details=error.details,
        findings=error.findings,
    )
    told.__cause__ = error
    return told
