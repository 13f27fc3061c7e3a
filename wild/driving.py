"""One chain on one dialect, driven by the real program from an empty database to head.

Owns the order of what is tried and what has to be so after each. What is wrong is a
`MisbehavedError` that says what was expected; nothing here decides how it is shown.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from typing import Any, Final

from tests.support.databases import Database
from tests.support.workspace import Result, SpecFolder
from wild import shape
from wild.case import ENVIRONMENT, SECONDS, Case, MisbehavedError, call, expect
from wild.shape import Shape

ALLOWED_RATIO: Final = 1.3
ALLOWED_SECONDS: Final = 2.0
TRIES: Final = 4  # an ill-timed pause of the machine is not the program's
MISSED: Final = "apply took"  # what a missed figure's message begins with
JSON: Final = ("--format", "json")


def drive(case: Case) -> None:
    """Try everything with a chain that has to reach head."""
    plain = case.new_database("plain")
    status, said = case.plainly(plain, "upgrade", "heads")
    expect(status == 0, f"plain Alembic ended with {status}:\n{said[-3000:]}")
    wanted = shape.of(plain)
    whole = case.new_database("whole")
    desk = case.desk("whole", whole)
    call(desk, "doctor", ENVIRONMENT, *JSON)
    _plan_and_apply(case, desk, whole)
    _expect_shape(case, whole, wanted, "after apply")
    expect_at_head(desk)
    case.checks.append("doctor, plan, apply, status")
    killed = case.new_database("killed")
    kill_and_resume(case, killed)
    _expect_shape(case, killed, wanted, "after kill and resume")
    _down_and_up(case, desk, whole, plain)


def _plan_and_apply(case: Case, desk: SpecFolder, database: Database) -> None:
    steps = plan_from_empty(case, desk, database)
    applied = call(desk, "apply", ENVIRONMENT, "--yes", *JSON).events()
    expect(applied[-1]["status"] == "succeeded", f"apply ended with {applied[-1]}")
    finished = [event for event in applied if event["event"] == "step.finished"]
    expect(len(finished) == len(steps), f"{len(finished)} of {len(steps)} steps finished")


def plan_from_empty(case: Case, desk: SpecFolder, database: Database) -> list[dict[str, Any]]:
    """Return the steps of a plan for an empty database, which stays empty."""
    plan = call(desk, "plan", ENVIRONMENT, *JSON).json()
    expect(not shape.of(database), "plan left something in an empty database")
    steps: list[dict[str, Any]] = plan["steps"]
    expect(steps, "the plan has no step")
    case.facts["revisions"] = _revisions(steps)
    return steps


def _revisions(steps: Sequence[dict[str, Any]]) -> int:
    """Count the steps that are revisions; a baseline's are none."""
    return sum(step["kind"] == "upgrade" for step in steps)


def expect_at_head(desk: SpecFolder) -> None:
    """Insist that `status` calls the target current and a new plan is empty."""
    target = _target(desk)
    expect(target["state"] == "current" and target["pending"] == 0, f"status says {target}")
    again = call(desk, "plan", ENVIRONMENT, "--exit-code", *JSON).json()
    expect(not again["steps"], f"a second plan has {len(again['steps'])} steps")


def _target(desk: SpecFolder) -> dict[str, Any]:
    status = call(desk, "status", ENVIRONMENT, *JSON).json()
    (target,) = status["environments"][0]["targets"]
    found: dict[str, Any] = target
    return found


def _expect_shape(case: Case, database: Database, wanted: Shape, when: str) -> None:
    known = case.chain.differs.get(case.dialect, ())
    difference = shape.difference(shape.of(database), wanted, known)
    expect(not difference, f"{when} the database is not as plain Alembic leaves it: {difference}")


def kill_and_resume(case: Case, database: Database) -> SpecFolder:
    """End `apply` in the middle of an empty database's chain, as a power cut would, and go on."""
    desk = case.desk("killed", database)
    half = case.facts["revisions"] // 2
    process = desk.start("apply", ENVIRONMENT, "--yes", *JSON)
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += json.loads(line)["event"] == "step.finished"
        if seen >= half:
            break
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=SECONDS)
    expect(seen >= half, f"apply ended before it could be killed:\n{errors[-3000:]}")
    resumed = call(desk, "resume", *JSON).events()
    expect(resumed[-1].get("status") == "succeeded", f"resume ended with {resumed[-1]}")
    expect_at_head(desk)
    call(desk, "history", "--verify")
    case.checks.append("kill, resume")
    return desk


def _down_and_up(case: Case, desk: SpecFolder, database: Database, plain: Database) -> None:
    """Take the last revision back, if plain Alembic can, and carry it out again."""
    status, _ = case.plainly(plain, "downgrade", "-1")
    arguments = ("alembic", ENVIRONMENT, "--yes", *JSON, "--", "downgrade", "-1")
    if status != 0:
        result = call(desk, *arguments, statuses=(1, 2, 4, 6, 7))
        case.facts["no_way_down"] = _message(result)
        return
    call(desk, *arguments)
    _expect_shape(case, database, shape.of(plain), "after one revision down")
    status, _ = case.plainly(plain, "upgrade", "heads")
    if status != 0:
        result = call(desk, "apply", ENVIRONMENT, "--yes", *JSON, statuses=(1, 6, 7))
        case.facts["no_way_up_again"] = _message(result)
        return
    call(desk, "apply", ENVIRONMENT, "--yes", *JSON)
    _expect_shape(case, database, shape.of(plain), "after one revision down and up again")
    expect_at_head(desk)
    case.checks.append("down, up")


def _message(result: Result, part: str = "") -> str:
    """Return the line with `part` of the error that a call with `--format json` ended with."""
    error = result.error()
    line = next(one for one in error["message"].splitlines() if part in one)
    return f"{error['code']}: {line.strip(' |').removeprefix('The cause: ')}"


# --- Chains that cannot reach head ----------------------------------------------------------------


def drive_to_limit(case: Case) -> None:
    """See that a chain that plain Alembic cannot bring to head fails in the same way, unharmed."""
    limit = case.chain.limits[case.dialect]
    plain = case.new_database("plain")
    status, said = case.plainly(plain, "upgrade", "heads")
    expect(status != 0, "plain Alembic reaches head: this is no limit any more")
    expect(limit.message in said, f"plain Alembic says something else:\n{said[-3000:]}")

    database = case.new_database("whole")
    desk = case.desk("whole", database)
    planned = call(desk, "plan", ENVIRONMENT, *JSON, statuses=(0, 1))
    if planned.status != 0:
        expect(limit.message in planned.stderr, f"plan says something else: {planned.stderr}")
        expect(not shape.of(database), "a plan that failed left something")
        case.facts["message"] = _message(planned, limit.message)
        case.checks.append("refused by plan")
        return
    case.facts["revisions"] = _revisions(planned.json()["steps"])
    applied = call(desk, "apply", ENVIRONMENT, "--yes", *JSON, statuses=(1, 6, 7))
    told = applied.stdout + applied.stderr
    expect(limit.message in told, f"apply says something else:\n{told[-3000:]}")
    finished = [one for one in applied.events() if one["event"] == "step.finished"]
    case.facts["reached"] = len([one for one in finished if one.get("revision")])
    case.facts["message"] = _message(applied, limit.message)
    target = _target(desk)
    heads = database.heads(version_table=target.get("version_table") or "alembic_version")
    expect(sorted(target["heads"]) == heads, f"status says {target}, the database {heads}")
    pending = case.facts["revisions"] - case.facts["reached"]
    expect(target["pending"] == pending, f"{pending} are pending, status says {target}")
    # Trying again comes to the same end, or says what a person has to decide; never to another.
    again = call(desk, "resume", *JSON, statuses=(1, 6, 7))
    case.facts["resume"] = _message(again)
    call(desk, "history", "--verify")
    case.checks.append("fails as plain Alembic does")


# --- How long it takes ----------------------------------------------------------------------------


def measure(case: Case) -> None:
    """Measure `apply` and plain Alembic in turn, until the figure is met or tries run out."""
    for number in range(TRIES):
        with case.clocked("plain"):
            status, said = case.plainly(case.new_database(f"p{number}"), "upgrade", "heads")
        expect(status == 0, f"plain Alembic ended with {status}:\n{said[-3000:]}")
        desk = case.desk(f"measured-{number}", case.new_database(f"m{number}"))
        with case.clocked("apply"):
            call(desk, "apply", ENVIRONMENT, "--yes", *JSON)
        if within(case.seconds):
            return
    plain, apply = case.seconds["plain"], case.seconds["apply"]
    raise MisbehavedError(f"{MISSED} {apply:.1f} s, plain Alembic {plain:.1f} s")


def within(seconds: dict[str, float]) -> bool:
    """Tell whether the figure for `apply` is met."""
    return seconds["apply"] <= seconds["plain"] * ALLOWED_RATIO + ALLOWED_SECONDS
