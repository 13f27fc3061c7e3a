"""Hooks that run because a run failed or is in doubt: journalled, and of no weight for its end."""

from __future__ import annotations

import contextlib
from typing import Final

from orchestrate.domain.actions import Action
from orchestrate.domain.outcome import Outcome
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import facts, title_of
from orchestrate.planning.run_state import RunStatus
from orchestrate.run.access import Access
from orchestrate.run.hooks import run_action
from orchestrate.run.stepping import Work

_NO_FAILURE: Final = frozenset({"interrupted", "window-closed"})
"""Stops that somebody wanted, or that were foreseen."""


def run_failure_hooks(
    work: Work, access: Access, outcome: Outcome, *, was: RunStatus | None
) -> None:
    """Run what the plan has for a failure, if the outcome is one; raises nothing.

    `was` is how a resumed run stood: what was known before is no news. Not without the lease:
    another run may be at work by then.
    """
    if outcome.status == "succeeded" or outcome.code in _NO_FAILURE or work.lease.lost:
        return
    new_doubt = outcome.status == "in-doubt" and was != "in-doubt"
    if not (was is None or work.recorder.begun or new_doubt):
        return
    for action in work.plan.on_failure:
        began = work.clock.now()
        work.lease.step = outcome.step
        problem, output = _ran(work, access, action, outcome)
        told = {
            "title": title_of(action),
            "problem": problem,
            "output": output,
            "seconds": (work.clock.now() - began).total_seconds(),
        }
        # A journal that cannot be written may be the very failure that is told.
        with contextlib.suppress(OrchestrateError):
            work.recorder.append("hook.ended", None, **told)
        work.recorder.show("hook.ended", None, told)


def _ran(
    work: Work, access: Access, action: Action, outcome: Outcome
) -> tuple[str | None, list[str]]:
    if action.sql is not None:
        return _executed(work, action), []
    told = facts(
        work.plan,
        action,
        run=work.recorder.run,
        status=outcome.status,
        step=outcome.step,
        error=access.redactor.redact(outcome.message),
        code=outcome.code,
    )
    ran = run_action(action, access, told, work.interruption, lock=None)
    return ran.problem, list(ran.output)


def _executed(work: Work, action: Action) -> str | None:
    try:
        with work.open_session() as session:
            found = session.statement(action.sql or "", read_only=False, seconds=action.seconds)
            problem = found["problem"]
            return None if problem is None else session.access.redactor.redact(problem)
    except OrchestrateError as error:
        return error.message
