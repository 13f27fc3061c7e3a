"""What to check when a target could not be looked at: the place and the hint an error deserves.

Owns the words that go with the agent's error codes. The agent says what happened; what a person can
change about it stands in the spec, which the agent does not know.
"""

from __future__ import annotations

from typing import Final

from orchestrate.errors import OrchestrateError
from orchestrate.run.session import Access

_HINTS: Final = {
    "unreachable": "Check the environment's URL, and that the server runs and lets this user in",
    "wrong-database": "Nothing was done there. env.py does not take its URL from where `inject` "
    "puts it: name the option, variable, `-x` argument or attribute that it reads, or give it a "
    "`hook`",
    "env-failed": "If env.py looks for its URL elsewhere, say where with `inject`; `-v` shows what "
    "it prints",
    "env-writes": "Looking must not write. Have env.py leave its writes to the revisions, or say "
    "`probe: plain` in the project if they do no harm",
    "project-unreadable": "`alembic history` in the project's folder has to work first; `config`, "
    "`directory` and `sys_path` in the spec say where things are",
    "agent-failed": "`-v` shows what was printed; `runner` says how the project's own Python is "
    "reached",
    "agent-stalled": "`agent_timeout` in the project says how long looking may take; `-v` shows "
    "what the project prints meanwhile",
}


_NO_SUCH_DRIVER: Final = (
    "The project's SQLAlchemy does not know this driver: name one that it has in the URL, or under "
    "`drivers` in the project"
)


def explained(error: OrchestrateError, access: Access) -> OrchestrateError:
    """Return the error with a place and a hint, where it has none of its own."""
    hint = error.hint
    if hint is None and error.code == "unreachable":
        hint = access.dialect.unreachable_hint(error.message)
    if hint is None and "NoSuchModuleError" in error.message:
        hint = _NO_SUCH_DRIVER
    return OrchestrateError(
        error.code,
        error.message,
        hint=hint or _HINTS.get(error.code),
        where=error.where or access.environment,
        details=error.details,
        findings=error.findings,
    )
