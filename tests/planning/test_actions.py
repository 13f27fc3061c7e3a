"""Hooks and checks as steps, and what is made of them, from literals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrate.domain.actions import Action, Around
from orchestrate.domain.plan import Direction, Plan
from orchestrate.domain.spec import Environment
from orchestrate.domain.spec_protections import SqlCheck
from orchestrate.planning.actions import (
    around_of,
    facts,
    fitting,
    not_expected,
    title_of,
    variables,
)
from orchestrate.planning.plan_maker import Wish, make_plan
from orchestrate.planning.resume import Carry, Compare, decide, records_left
from orchestrate.planning.run_state import StepState, fold
from orchestrate.planning.staleness import needs_empty
from orchestrate.planning.undoing import undo
from tests.planning.test_undoing import ran
from tests.support.values import NOON, STARTED, events, line, observation

ALL = ("downgrade", "restore", "upgrade")
BEFORE = Action(moment="before", seconds=600, command=("./drain.sh", "all traffic"), directions=ALL)
AFTER = Action(
    moment="after",
    seconds=600,
    sql="refresh materialized view\n totals",
    directions=("upgrade",),
)
FAILED = Action(moment="on_failure", seconds=600, command=("./page.sh",), directions=ALL)
CHECK = Action(moment="verify", seconds=600, sql="select count(*) from t", expect=0)
AROUND = Around(before=(BEFORE,), after=(AFTER,), on_failure=(FAILED,), checks=(CHECK, CHECK))


def planned(
    *heads: str, direction: Direction = "upgrade", around: Around = AROUND, **more: Any
) -> Plan:
    wish = Wish(
        environment="dev",
        direction=direction,
        to="heads" if direction == "upgrade" else "base",
        transactions="session",
        spec_digest="spec",
        around=around,
        **more,
    )
    return make_plan(
        wish,
        observation(*heads),
        line(3),
        server_undoes_ddl=True,
        durations={},
        plan_id="plan-1",
        now=NOON,
        tool_version="1",
    )


def test_the_frame_of_a_plan() -> None:
    """Hooks stand around the revisions, checks at the end; without a revision there is nothing."""
    plan = planned("r1")
    assert [(one.id, one.kind, one.from_heads, one.to_heads) for one in plan.steps] == [
        ("000-before-1", "hook", ("r1",), ("r1",)),
        ("001-r2", "upgrade", ("r1",), ("r2",)),
        ("002-r3", "upgrade", ("r2",), ("r3",)),
        ("004-after-1", "hook", ("r3",), ("r3",)),
        ("005-check-1", "verify", ("r3",), ("r3",)),
        ("006-check-2", "verify", ("r3",), ("r3",)),
    ]
    assert plan.on_failure == (FAILED,)
    idle = planned("r3")
    assert (idle.steps, idle.on_failure) == ((), ())
    back = planned("r3", direction="downgrade")
    assert [one.kind for one in back.steps] == ["hook", *["downgrade"] * 3]
    assert fitting(AROUND, "stamp") == Around()
    assert not needs_empty(planned())


def test_the_digest_covers_what_is_run() -> None:
    """Another argument of a hook is another plan; without hooks a digest is what it always was."""
    plain, hooked = planned("r1", around=Around()), planned("r1")
    other = replace(AROUND, on_failure=(replace(FAILED, command=("./page.sh", "-q")),))
    later = replace(AROUND, checks=(CHECK, replace(CHECK, expect=1)))
    assert (
        len(
            {
                one.digest
                for one in (plain, hooked, planned("r1", around=other), planned("r1", around=later))
            }
        )
        == 4
    )
    assert hooked.digest == planned("r1").digest


def test_what_an_environment_declares() -> None:
    """A statement is one of upgrades, a command of all, unless the spec says otherwise."""
    environment = Environment.model_validate(
        {
            "name": "dev",
            "hooks": {
                "before": [{"command": ["x"], "timeout": "5s", "url": True}, {"sql": "y"}],
                "after": [{"sql": "y", "directions": ["restore"]}],
            },
            "verify": [{"sql": "z", "expect": 0}, {"command": ["w"]}],
        }
    )
    around = around_of(environment)
    assert [one.directions for one in (*around.before, *around.after)] == [
        ALL,
        ("upgrade",),
        ("restore",),
    ]
    assert [one.seconds for one in around.before] == [5, 600]
    assert [one.url for one in around.before] == [True, False]
    assert [one.expect for one in around.checks] == [0, None]
    assert len(fitting(around, "restore").after) == 1
    assert fitting(around, "restore").checks == ()


@pytest.mark.parametrize(
    ("sql", "valid"),
    [
        ("select 1;", True),
        (
            "select ';' from t -- a; b\n where x = 'it''s; ok' /* c; */ and \"a;b\" = $x$ ; $x$",
            True,
        ),
        ("commit; delete from t", False),
        ("select 1; -- and\n select 2", False),
    ],
)
def test_a_check_is_one_statement(sql: str, valid: bool) -> None:
    """A second one could follow the end of the transaction that keeps the first from writing."""
    if valid:
        assert SqlCheck.model_validate({"sql": sql, "expect": 0}).sql == sql
    else:
        with pytest.raises(ValidationError):
            SqlCheck.model_validate({"sql": sql, "expect": 0})


def test_titles() -> None:
    """One line says what is done."""
    assert title_of(BEFORE) == "before: ./drain.sh 'all traffic'"
    assert title_of(AFTER) == "after: refresh materialized view totals"
    assert title_of(FAILED) == "on failure: ./page.sh"
    assert title_of(CHECK) == "check: select count(*) from t is 0"
    assert len(title_of(replace(AFTER, sql="x" * 999))) < 140


def test_what_a_command_is_told() -> None:
    """Everything of the run, by variables; the revisions in JSON alone, since there may be many."""
    told = facts(planned("r1"), FAILED, run="run-1", status="failed", step="001-r2", error="x\0y")
    found = variables(told)
    assert found["ORCHESTRATE_FROM"] == "r1"
    assert found["ORCHESTRATE_TO"] == "r3"
    assert (found["ORCHESTRATE_STATUS"], found["ORCHESTRATE_STEP"]) == ("failed", "001-r2")
    assert (found["ORCHESTRATE_ERROR"], found["ORCHESTRATE_ERROR_CODE"]) == ("xy", "")
    assert found["ORCHESTRATE_HOOK"] == "on_failure"
    assert set(told) - {name.removeprefix("ORCHESTRATE_").lower() for name in found} == {
        "revisions"
    }
    assert told["revisions"] == ["r2", "r3"]


@pytest.mark.parametrize(
    ("expect", "rows"),
    [
        (0, [[0]]),
        (0, [[0.0]]),
        (0, [["0"]]),
        (1, [[True]]),
        (True, [[1]]),
        (True, [["t"]]),
        (False, [[0]]),
        (2.5, [["2.5"]]),
        ("on", [["on"]]),
        ("12", [[12]]),
        ("true", [[True]]),
    ],
)
def test_values_that_are_expected(expect: Any, rows: Any) -> None:
    """Servers and drivers differ in how they give true, 1 and a decimal."""
    assert not_expected(replace(CHECK, expect=expect), rows, more=False) is None


@pytest.mark.parametrize(
    ("expect", "rows", "more", "told"),
    [
        (0, [[3]], False, "expected 0, found 3"),
        (0, [[None]], False, "expected 0, found null"),
        (0, [[""]], False, "expected 0, found ''"),
        (0, [], False, "expected 0, found no row"),
        (0, [[0, 0]], False, "expected one value, 0, found 1 rows of 2 columns"),
        (0, [[0]] * 10, True, "expected one value, 0, found more than 10 rows of 1 columns"),
        (True, [[2]], False, "expected true, found 2"),
        ("on", [["off"]], False, "expected 'on', found 'off'"),
    ],
)
def test_values_that_are_not(expect: Any, rows: Any, more: bool, told: str) -> None:
    """What was expected and what was found are told, whatever was found."""
    assert not_expected(replace(CHECK, expect=expect), rows, more=more) == told


def record(identifier: str, status: Any) -> StepState:
    return StepState(id=identifier, revision="", status=status, started_at=NOON)


def test_a_resumed_run_makes_its_checks_again() -> None:
    """Those that held as well, unless all did; a hook is compared, a check simply made."""
    plan = planned("r1")
    done = {one.id: record(one.id, "finished") for one in plan.steps}
    assert records_left(plan, done) == done
    failed = {**done, "006-check-2": record("006-check-2", "failed")}
    assert set(done) - set(records_left(plan, failed)) == {"005-check-1"}
    hook, check = plan.steps[3], plan.steps[4]
    assert decide(hook, record(hook.id, "started"), ("r3",), changed=()) == Compare()
    for status in ("started", "failed"):
        assert decide(check, record(check.id, status), ("r3",), changed=()) == Carry()
    moved = decide(check, record(check.id, "started"), ("r7",), changed=())
    assert getattr(moved, "code", None) == "target-moved"


def test_hooks_stand_in_no_way_back() -> None:
    """What they did is said, and not undone; the revisions between them are."""
    plan = planned("r1")
    way = undo(ran(plan), plan, observation("r3"), line(3))
    assert [move.revision.id for move in way.moves] == ["r3", "r2"]
    assert [one.code for one in way.findings] == ["hook-stays", "hook-stays"]
    assert undo(ran(plan, 1), plan, observation("r1"), line(3)).moves == ()


def test_whether_the_checks_held() -> None:
    """Promotion asks this: passed only when every check of the plan was made and held."""
    started = {**STARTED, "steps": 3, "checks": 2}
    begun = {"revision": "", "step_kind": "verify", "title": "check: x"}
    told: list[Any] = [("run.started", None, started)]
    assert fold(events(told))["run-1"].verification == "open"
    told += [("step.started", "1-check", begun), ("step.finished", "1-check", {"output": ["fine"]})]
    told += [("step.started", "2-check", begun), ("step.failed", "2-check", {"message": "no"})]
    run = fold(events(told))["run-1"]
    assert (run.verification, run.steps["1-check"].output) == ("failed", ("fine",))
    told += [("step.started", "2-check", begun), ("step.finished", "2-check", {})]
    assert fold(events(told))["run-1"].verification == "passed"
    assert fold(events([("run.started", None, STARTED)]))["run-1"].verification == "none"


def test_what_happened_beside_a_run() -> None:
    """Hooks of a failure and notifications are told with it and change nothing of its end."""
    told: list[Any] = [
        ("run.started", None, {**STARTED, "overrides": {"window": "a"}}),
        ("run.finished", None, {"status": "failed"}),
        ("hook.ended", None, {"title": "on failure: x", "problem": "it broke", "output": ["y"]}),
        ("notice.sent", None, {"title": "failed to notify[0]"}),
        ("run.resumed", None, {"host": "h", "pid": 1, "overrides": {"backup": "b"}}),
        ("run.finished", None, {"status": "failed"}),
    ]
    run = fold(events(told))["run-1"]
    assert run.status == "failed"
    assert [(one.kind, one.problem) for one in run.told] == [("hook", "it broke"), ("notice", None)]
    assert run.overrides == {"window": "a", "backup": "b"}
