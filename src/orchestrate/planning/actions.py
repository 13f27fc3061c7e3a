"""Hooks and checks as steps of a plan: which ones a run gets, and what they are told. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from orchestrate.domain.actions import NOTHING_AROUND, Action, Around, Moment
from orchestrate.domain.plan import Direction, Plan, Step
from orchestrate.domain.spec import Environment
from orchestrate.domain.spec_protections import CommandCheck, CommandHook, SqlCheck, SqlHook
from orchestrate.planning.staleness import words

DEFAULT_SECONDS: Final = 600.0
"""How long a hook or check may take where the spec does not say."""
_LONGEST_TITLE: Final = 120
_LONGEST_ERROR: Final = 4000
_HOOKED: Final[frozenset[Direction]] = frozenset({"upgrade", "downgrade", "restore"})
"""A stamp changes what is recorded and nothing else, so that nothing runs around it."""
_CHECKED: Final[frozenset[Direction]] = frozenset({"upgrade"})
"""Checks are written for what a run brings; a way back is compared with what was there before."""


def around_of(environment: Environment) -> Around:
    """Return what an environment declares under `hooks` and `verify`."""
    hooks = environment.hooks
    return Around(
        before=_actions("before", hooks.before if hooks else ()),
        after=_actions("after", hooks.after if hooks else ()),
        on_failure=_actions("on_failure", hooks.on_failure if hooks else ()),
        checks=_actions("verify", environment.verify),
    )


def _actions(
    moment: Moment, declared: Sequence[SqlCheck | SqlHook | CommandCheck]
) -> tuple[Action, ...]:
    return tuple(
        Action(
            moment=moment,
            seconds=one.timeout or DEFAULT_SECONDS,
            sql=None if isinstance(one, CommandCheck) else one.sql,
            command=tuple(one.command) if isinstance(one, CommandCheck) else (),
            expect=one.expect if isinstance(one, SqlCheck) else None,
            directions=() if moment == "verify" else _directions(one),
            url=isinstance(one, CommandCheck) and one.url,
        )
        for one in declared
    )


def _directions(hook: SqlHook | SqlCheck | CommandCheck) -> tuple[str, ...]:
    """Return when a hook runs: a statement knows one schema, a command asks for the way."""
    if isinstance(hook, (SqlHook, CommandHook)) and hook.directions:
        return hook.directions
    return ("upgrade",) if isinstance(hook, SqlHook) else tuple(sorted(_HOOKED))


def fitting(around: Around, direction: Direction) -> Around:
    """Return what of it a run of this direction gets."""
    if direction not in _HOOKED:
        return NOTHING_AROUND

    def of(actions: tuple[Action, ...]) -> tuple[Action, ...]:
        return tuple(one for one in actions if direction in one.directions)

    return Around(
        before=of(around.before),
        after=of(around.after),
        on_failure=of(around.on_failure),
        checks=around.checks if direction in _CHECKED else (),
    )


def steps_before(around: Around, *, target: str, heads: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the steps that come before the first change; the copy, if one is made, is older."""
    return tuple(
        _step(f"000-before-{number}", action, target=target, heads=heads)
        for number, action in enumerate(around.before, 1)
    )


def steps_after(
    around: Around, *, number: int, target: str, heads: tuple[str, ...]
) -> tuple[Step, ...]:
    """Return the steps that follow the last change: hooks, then checks, counted from `number`."""
    names = [f"after-{count}" for count, _ in enumerate(around.after, 1)]
    names += [f"check-{count}" for count, _ in enumerate(around.checks, 1)]
    return tuple(
        _step(f"{number + place:03d}-{name}", action, target=target, heads=heads)
        for place, (name, action) in enumerate(
            zip(names, (*around.after, *around.checks), strict=True)
        )
    )


def _step(identifier: str, action: Action, *, target: str, heads: tuple[str, ...]) -> Step:
    check = action.moment == "verify"
    return Step(
        id=identifier,
        kind="verify" if check else "hook",
        target=target,
        title=title_of(action),
        revision="",
        from_heads=heads,
        to_heads=heads,
        # A check changes nothing; what a hook did, nobody takes back.
        transactional=check,
        file="",
        file_sha256="",
        action=action,
    )


def title_of(action: Action) -> str:
    """Return what an action is, in one line: `check: select count(*) from orders is 0`."""
    word = "check" if action.moment == "verify" else action.moment.replace("_", " ")
    text = shlex.join(action.command) if action.command else " ".join((action.sql or "").split())
    if len(text) > _LONGEST_TITLE:
        text = text[: _LONGEST_TITLE - 1] + "…"
    expected = f" is {shown(action.expect)}" if action.sql and action.expect is not None else ""
    return f"{word}: {text}{expected}"


# --- what a command is told -----------------------------------------------------------------------


def facts(  # one line a fact
    plan: Plan,
    action: Action,
    *,
    run: str,
    status: str,
    step: str | None = None,
    error: str | None = None,
    code: str | None = None,
) -> dict[str, object]:
    """Return what a command is told of its run, as plain values without any secret.

    `status` is how the run stands; `step`, `error` and `code` are of what failed, if something did.
    """
    return {
        "environment": plan.environment,
        "target": plan.basis[0].target,
        "run": run,
        "plan": plan.id,
        "plan_digest": plan.digest,
        "direction": plan.direction,
        "hook": action.moment,
        "from": list(plan.basis[0].heads),
        "to": list(plan.steps[-1].to_heads) if plan.steps else [],
        "status": status,
        "step": step,
        "error": error if error is None else error[:_LONGEST_ERROR],
        "error_code": code,
        "revisions": [
            revision
            for one in plan.steps
            if one.kind in {"upgrade", "downgrade"}
            for revision in ([part.revision for part in one.parts] or [one.revision])
        ],
    }


def variables(told: Mapping[str, object]) -> dict[str, str]:
    """Return the facts as variables: `ORCHESTRATE_RUN`, lists joined by spaces, none as empty."""
    found = {}
    for name, value in told.items():
        if name == "revisions":
            continue  # there may be thousands; they are in the JSON
        text = " ".join(value) if isinstance(value, list) else "" if value is None else str(value)
        found[f"ORCHESTRATE_{name.upper()}"] = text.replace("\x00", "")
    return found


# --- what a check found ---------------------------------------------------------------------------


def shown(value: object) -> str:
    """Return a value as people write it: null, true, 'text', 3."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1] + "…"


def not_expected(action: Action, rows: Sequence[Sequence[object]], *, more: bool) -> str | None:
    """Return in words what the query of a check gave in place of its value; None if it gave it."""
    if not rows:
        return f"expected {shown(action.expect)}, found no row"
    if more or len(rows) > 1 or len(rows[0]) != 1:
        size = f"{'more than ' if more else ''}{len(rows)} rows of {len(rows[0])} columns"
        return f"expected one value, {shown(action.expect)}, found {size}"
    found = rows[0][0]
    if _same(action.expect, found):
        return None
    return f"expected {shown(action.expect)}, found {shown(found)}"


def _same(expected: object, found: object) -> bool:
    """Compare as people mean it: servers and drivers differ in what they give for true and 1."""
    if found is None:
        return False
    if isinstance(expected, bool):
        return str(found).lower() in ({"true", "t", "1"} if expected else {"false", "f", "0"})
    if isinstance(expected, (int, float)):
        if isinstance(found, str):
            try:
                return float(found) == expected
            except ValueError:
                return False
        return found == expected
    return str(found) == expected or (isinstance(found, bool) and str(found).lower() == expected)


def happened(title: str, problem: str) -> str:
    """Return what is said of a hook or check that did not end well."""
    return f"`{title}` {problem}"


def destination(plan: Plan) -> str:
    """Return where a plan leads, for people."""
    return words(plan.steps[-1].to_heads if plan.steps else plan.basis[0].heads)
