"""How a run ended when it did not simply succeed: what is so, and what can be typed next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

import click

from orchestrate.dialects.difference import describe
from orchestrate.domain.backups import Backup
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan
from orchestrate.domain.snapshot import Difference
from orchestrate.planning.staleness import words
from orchestrate.planning.trouble_pages import page_of
from orchestrate.reports.more import more_lines
from orchestrate.reports.restores import LEFT
from orchestrate.reports.tables import stamp

_LONGEST_STATEMENT: Final = 160
_MARKS: Final = {
    "added": click.style("+", fg="green"),
    "removed": click.style("-", fg="red"),
    "altered": click.style("~", fg="yellow"),
}


_CAUSES: Final = {
    "lock-timeout": "when the lock is gone, or with a longer `lock_timeout`",
}
"""What has to change before a run that failed can go on, by error code."""
_OF_THE_SPEC: Final = frozenset({"command-failed", "backup-failed"})
"""Codes of what the spec declares rather than a revision does."""


def outcome_text(plan: Plan, run: str, outcome: Outcome) -> str:
    """Return what happened to a run, what it left, and the commands that lead on."""
    head = click.style(f"error[{outcome.code}]", fg="red", bold=True)
    if outcome.code == "interrupted":
        head = click.style("interrupted", fg="yellow", bold=True)
    lines = [f"{head}: {plan.environment}: {outcome.message}"]
    if outcome.where:
        lines += [f"  at {outcome.where}"]
    if outcome.blockers:
        lines += ["", "Waited for:", *(f"  {one}" for one in outcome.blockers)]
    if outcome.failing:
        lines += ["", "The statement that failed:", f"  {_one_line(outcome.failing)}"]
    if outcome.status == "in-doubt":
        lines += _doubt(outcome)
    elif outcome.differences:
        lines += ["", "Not as it was:", *(f"  {_difference(one)}" for one in outcome.differences)]
    lines += ["", *_next(plan, run, outcome), *more_lines(outcome_page(outcome))]
    return "\n".join(lines)


def outcome_page(outcome: Outcome) -> str | None:
    """Return the name of the page that explains how a run ended."""
    return page_of(outcome.trouble, outcome.code)


def outcome_hint(plan: Plan, run: str, outcome: Outcome) -> str:
    """Return the commands that lead on as one line without colour, for machines."""
    text = click.unstyle(" ".join(line.strip() for line in _next(plan, run, outcome)))
    hint = text.partition("hint: ")[2]
    if outcome.status == "in-doubt" and outcome.advice:
        return f"the cause: {outcome.advice}; {hint}"
    return hint


def _doubt(outcome: Outcome) -> list[str]:
    lines = ["", "Changed since before the step:"]
    nothing = (
        "nothing in the schema" if outcome.compared else "unknown: the schema was not recorded"
    )
    lines += [f"  {_difference(one)}" for one in outcome.differences] or [f"  {nothing}"]
    if outcome.committed:
        lines += ["", "Rows were changed by these, and that is committed; a retry does it again:"]
        lines += [f"  {_one_line(one)}" for one in outcome.committed]
    if outcome.shown or outcome.not_shown or outcome.untold:
        lines += ["", "The step's statements, by what the schema shows:"]
        lines += [f"  done      {_one_line(one)}" for one in outcome.shown]
        lines += [f"  not done  {_one_line(one)}" for one in outcome.not_shown]
        lines += [f"  unknown   {_one_line(one)}" for one in outcome.untold]
    if outcome.unusable:
        lines += ["", "There, but not usable (the server calls it invalid): drop it before a retry"]
        pairs = zip_longest(outcome.unusable, outcome.remedies, fillvalue="")
        lines += [f"  {name}  {click.style(remedy, bold=True)}".rstrip() for name, remedy in pairs]
    if outcome.statements:
        lines += [
            "",
            "Ran before it failed:",
            *(f"  {_one_line(one)}" for one in outcome.statements),
        ]
    return lines


def _difference(difference: Difference) -> str:
    return f"{_MARKS[difference.change]} {describe(difference)}"


def restore_command(environment: str, copy: Backup) -> str:
    """Return what puts a copy back."""
    return f"`orchestrate rollback {environment} --backup {copy.id}`"


def _restore(plan: Plan, outcome: Outcome) -> list[str]:
    """Return the second line of a rollback that did not succeed."""
    if plan.direction != "downgrade" and outcome.code != "schema-differs":
        return []
    if outcome.copy is None:
        return [f"  there is no good backup of {plan.environment} that could be put back instead"]
    copy = outcome.copy
    if outcome.status == "in-doubt":
        # Beside an unfinished run nothing is put back; of its own copy it is told already.
        own, made = plan.steps[0].kind == "backup", stamp(copy.created_at)
        then = [
            f"  after that a copy of {words(copy.heads)} can be put back (made {made}):",
            f"    {restore_command(plan.environment, copy).strip('`')}",
        ]
        return [] if own else then
    return [
        f"  or {restore_command(plan.environment, copy)}",
        f"  puts back the copy of {words(copy.heads)}, made {stamp(copy.created_at)}",
    ]


def _next(plan: Plan, run: str, outcome: Outcome) -> Sequence[str]:
    return [*_choices(plan, run, outcome), *_restore(plan, outcome)]


def _after_check(plan: Plan, run: str, outcome: Outcome) -> Sequence[str]:
    """Return what is so after a check that does not hold, and the way back."""
    hint = click.style("hint", fg="cyan", bold=True)
    name = plan.environment
    lines = [
        "Everything before the checks is done and committed; nothing was taken back",
        f"{hint}: when the cause is gone, `orchestrate resume {run}` makes the checks again;",
        f"  the way back is `orchestrate rollback {name} --run {run}`",
    ]
    if outcome.copy is not None:
        copy = restore_command(name, outcome.copy)
        lines.append(f"  or {copy}, the copy from before the run")
    return lines


def _after_hook(plan: Plan, run: str, outcome: Outcome) -> Sequence[str]:
    """Return what is so after a hook that failed."""
    hint = click.style("hint", fg="cyan", bold=True)
    cause = f"{outcome.advice}; then" if outcome.advice else "when the cause is gone,"
    return [
        "The hook left the schema as it was; the steps before it are committed",
        f"{hint}: {cause} `orchestrate resume {run}` runs the hook again and goes on,",
        f"  after a change of the spec `orchestrate {_again(plan)}` plans again",
    ]


def _again(plan: Plan) -> str:
    """Return what plans the same anew."""
    name = plan.environment
    others = {
        "downgrade": f"rollback {name}",
        "restore": f"restore {name} {plan.to}",
        "stamp": f"stamp {name} {plan.to}",
    }
    return others.get(plan.direction, f"apply {name}")


def _is_hook(plan: Plan, outcome: Outcome) -> bool:
    return any(
        step.id == outcome.step and step.kind == "hook" and step.action is not None
        for step in plan.steps
    )


def _choices(plan: Plan, run: str, outcome: Outcome) -> Sequence[str]:
    hint = click.style("hint", fg="cyan", bold=True)
    if outcome.code == "check-failed" or (outcome.status == "failed" and _is_hook(plan, outcome)):
        after = _after_check if outcome.code == "check-failed" else _after_hook
        return after(plan, run, outcome)
    if outcome.code == "schema-differs":
        return [
            "Every revision on the way back is undone and committed",
            f"{hint}: mend the schema by hand, then `orchestrate resume {run}` compares again;",
        ]
    if outcome.status == "in-doubt":
        about = [f"the cause: {outcome.advice}", ""] if outcome.advice else []
        return [
            *about,
            f"{hint}: look at the database, make one of these true, then type its command",
            "  what is there of the step is undone by hand, to run it again:",
            f"    orchestrate resume {run} --retry",
            "  the rest of the step is done by hand, to count it as done:",
            f"    orchestrate resume {run} --mark-applied",
            *(
                [
                    "  the backup that the run began with is put back in its place:",
                    f"    orchestrate resume {run} --restore",
                ]
                if plan.steps[0].kind == "backup"
                else []
            ),
            "  the run is given up, the database stays as it is:",
            f"    orchestrate abort {run}",
        ]
    if plan.direction == "restore" and outcome.step and outcome.step.endswith("-restore"):
        return _after_restoring(plan, run, outcome)
    if outcome.status == "failed":
        changed = "the spec" if outcome.code in _OF_THE_SPEC else "the revision"
        if outcome.advice:
            return [
                "Nothing of the failed step stayed; the steps before it are committed",
                f"{hint}: {outcome.advice};",
                f"  then `orchestrate resume {run}` goes on, or, after a change of {changed},",
                f"  `orchestrate {_again(plan)}` plans again",
            ]
        cause = _CAUSES.get(outcome.code or "", "when the cause is gone")
        return [
            "Nothing of the failed step stayed; the steps before it are committed",
            f"{hint}: {cause}, `orchestrate resume {run}` goes on;",
            f"  after a change of {changed}, `orchestrate {_again(plan)}` plans again",
        ]
    if outcome.code in {"target-moved", "revision-changed", "stale-plan"}:
        return [
            f"{hint}: `orchestrate abort {run}` ends this run,",
            f"  then `orchestrate plan {plan.environment}` looks again",
        ]
    return [f"{hint}: `orchestrate resume {run}` goes on where it stopped"]


def _after_restoring(plan: Plan, run: str, outcome: Outcome) -> Sequence[str]:
    hint = click.style("hint", fg="cyan", bold=True)
    others = f"`orchestrate backups {plan.environment}` lists the copies"
    if outcome.status == "failed":
        return [
            "The database is as it was before",
            f"{hint}: when the cause is gone, `orchestrate resume {run}` tries again; {others}",
        ]
    return [
        _left(plan, run, outcome),
        f"{hint}: `orchestrate resume {run}` puts the copy back again, from its beginning;",
        f"  {others}: the newest is of what was there before",
    ]


def _left(plan: Plan, run: str, outcome: Outcome) -> str:
    """Return what is in a database whose restore did not come to its end."""
    left = outcome.cause.details.get("left") if outcome.cause is not None else None
    told = next((words for name, words in LEFT.items() if name == left), None)
    if told is not None:
        return f"{told[0].upper()}{told[1:]}"
    if any(step.exchange for step in plan.steps):
        return f"`orchestrate show {run}` tells whether the database is the old one or the new one"
    return "What is in the database is neither what was there before nor the whole copy"


def _one_line(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= _LONGEST_STATEMENT else joined[: _LONGEST_STATEMENT - 1] + "…"
