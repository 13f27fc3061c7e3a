"""Undoing a run, from literals: its own steps, in the opposite order, as far as it came."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from orchestrate.domain.plan import Direction, Part, Plan
from orchestrate.domain.revisions import Revision
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.plan_maker import Wish, make_plan
from orchestrate.planning.run_state import RunState, StepState, StepStatus
from orchestrate.planning.undoing import may_be_given_up, undo
from tests.support.values import NOON, branches, chain, line, observation, revision


def planned(of: Chain, *heads: str, direction: Direction = "upgrade", **more: Any) -> Plan:
    wish = Wish(
        environment="dev",
        direction=direction,
        to="heads" if direction == "upgrade" else "base",
        transactions="session",
        spec_digest="spec",
    )
    return make_plan(
        replace(wish, **more),
        observation(*heads),
        of,
        server_undoes_ddl=True,
        durations={},
        plan_id="plan-1",
        now=NOON,
        tool_version="1",
    )


def ran(plan: Plan, count: int | None = None, last: StepStatus = "finished") -> RunState:
    """Return the run that did the first `count` steps of a plan, the last of them as said."""
    steps = plan.steps[:count]
    return RunState(
        id="run-1",
        environment="dev",
        plan_id=plan.id,
        plan_digest=plan.digest,
        direction=plan.direction,
        by="ada",
        host="host",
        pid=1,
        status="stopped",
        started_at=NOON,
        from_heads=plan.basis[0].heads,
        steps={
            step.id: StepState(
                id=step.id,
                revision=step.revision,
                status=last if step is steps[-1] else "finished",
                started_at=NOON,
            )
            for step in steps
        },
    )


def test_an_upgrade_is_undone_backwards() -> None:
    """As far as it came, and no further."""
    plan = planned(line(4), "r1")
    whole = undo(ran(plan), plan, observation("r4"), line(4))
    assert [(move.revision.id, move.to_heads) for move in whole.moves] == [
        ("r4", ("r3",)),
        ("r3", ("r2",)),
        ("r2", ("r1",)),
    ]
    assert (whole.direction, whole.to_heads, whole.to) == ("downgrade", ("r1",), "before run-1")
    part = undo(ran(plan, 2), plan, observation("r3"), line(4))
    assert [move.revision.id for move in part.moves] == ["r3", "r2"]
    assert undo(ran(plan, 1, "failed"), plan, observation("r1"), line(4)).moves == ()


def test_what_is_committed_and_not_recorded_counts() -> None:
    """The version table is the truth: a run killed between commit and record did the step."""
    plan = planned(line(4), "r1")
    way = undo(ran(plan, 2, "started"), plan, observation("r3"), line(4))
    assert [move.revision.id for move in way.moves] == ["r3", "r2"]


def test_a_downgrade_is_undone_forwards() -> None:
    """And what it deleted is said to be gone."""
    plan = planned(line(3), "r3", direction="downgrade")
    way = undo(ran(plan, 2), plan, observation("r1"), line(3))
    assert [(move.revision.id, move.to_heads) for move in way.moves] == [
        ("r2", ("r2",)),
        ("r3", ("r3",)),
    ]
    assert (way.direction, [one.code for one in way.findings]) == ("upgrade", ["rows-stay-lost"])


def test_of_a_native_step_what_is_committed() -> None:
    """env.py committed some revisions of it by its own rules."""
    plan = planned(line(4), "r1", transactions="native")
    way = undo(ran(plan, 1, "failed"), plan, observation("r3"), line(4))
    assert [move.revision.id for move in way.moves] == ["r3", "r2"]
    assert undo(ran(plan), plan, observation("r4"), line(4)).to_heads == ("r1",)


def test_what_cannot_be_undone() -> None:
    """A target that moved on, a command that ran, a revision that is gone."""
    plan = planned(line(3), "r1")
    for heads, of, code in (
        (("r2",), line(3), "run-overtaken"),
        (("r3",), chain(revision("r1"), revision("r3", "r1")), "unknown-revision"),
    ):
        with pytest.raises(OrchestrateError) as caught:
            undo(ran(plan), plan, observation(*heads), of)
        assert caught.value.code == code
    hook = replace(plan.steps[0], kind="hook", id="000-run")
    mixed = replace(plan, steps=(hook, *plan.steps))
    with pytest.raises(OrchestrateError) as caught:
        undo(ran(mixed), mixed, observation("r3"), line(3))
    assert caught.value.code == "no-way-back"


def test_an_edited_revision_is_told() -> None:
    """It may not undo what was done then."""
    plan = planned(line(2), "r1")
    edited = chain(revision("r1"), replace(revision("r2", "r1"), sha256="other"))
    (found,) = undo(ran(plan), plan, observation("r2"), edited).findings
    assert (found.code, found.where) == ("edited-revision", "versions/r2.py")


def test_a_stamp_is_undone_by_a_stamp() -> None:
    """To the rows that were there."""
    plan = planned(line(3), "r1")
    (first, *_) = plan.steps
    part = Part(revision="r3", from_heads=("r1",), to_heads=("r3",), file="", file_sha256="")
    stamp = replace(first, kind="stamp", to_heads=("r3",), parts=(part,))
    stamped = replace(plan, steps=(stamp,), direction="stamp")
    way = undo(ran(stamped), stamped, observation("r3"), line(3))
    assert (way.direction, way.to_heads, way.moves) == ("stamp", ("r1",), ())


def test_branches_dependencies_and_merges() -> None:
    """Every row is again what it was, whichever way Alembic went."""
    plan = planned(branches(), "l1", "x1")
    way = undo(ran(plan), plan, observation("m2"), branches())
    assert way.to_heads == ("l1", "x1")
    assert [move.revision.id for move in way.moves] == [
        step.revision for step in reversed(plan.steps)
    ]


@st.composite
def graphs(draw: st.DrawFn) -> Chain:
    """Return a project of branches, merges and dependencies."""
    made: list[Revision] = []
    for number in range(draw(st.integers(2, 9))):
        known = [one.id for one in made]
        down = draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []
        down = _apart(made, down)
        rest = [one for one in known if _stands_apart(made, one, down)]
        depends = draw(st.lists(st.sampled_from(rest), max_size=1)) if rest and down else []
        made.append(revision(f"n{number}", *down, depends_on=tuple(depends)))
    return chain(*made)


def _apart(made: list[Revision], down: list[str]) -> list[str]:
    """Return parents none of which follows another: Alembic has no merge of a line with itself."""
    of = chain(*made)
    return [
        one
        for one in down
        if not any(other != one and one in of.ancestors((other,)) for other in down)
    ]


def _stands_apart(made: list[Revision], one: str, down: list[str]) -> bool:
    """Tell whether a dependency neither precedes nor follows a parent: the next test has those."""
    of = chain(*made)
    return not any(one in of.ancestors((other,)) or other in of.ancestors((one,)) for other in down)


@settings(max_examples=60, deadline=None)
@given(of=graphs(), cut=st.integers(0, 20))
def test_whatever_the_graph_the_rows_come_back(of: Chain, cut: int) -> None:
    """Up from any place that Alembic stops at, and exactly back there."""
    try:
        whole = planned(of)
    except KeyError:
        reject()  # Alembic itself cannot go forward: a dependency on what is an ancestor already
    start = whole.steps[min(cut, len(whole.steps)) - 1].to_heads if cut else ()
    plan = planned(of, *start)
    if not plan.steps:
        return
    way = undo(ran(plan), plan, observation(*plan.steps[-1].to_heads), of)
    assert way.to_heads == tuple(sorted(start))


def test_a_dependency_in_the_parents_own_line_leaves_one_row_more() -> None:
    """Beside another branch Alembic brings back the parent's row too: what is applied stays so."""
    of = chain(
        revision("a"),
        revision("b", "a"),
        revision("c", "a", depends_on=("b",)),
        revision("x"),
    )
    plan = planned(of, "b", "x")
    way = undo(ran(plan), plan, observation("c", "x"), of)
    assert way.to_heads == ("a", "b", "x")
    assert of.ancestors(way.to_heads) == of.ancestors(("b", "x"))


def test_which_runs_may_be_given_up() -> None:
    """Those that stand between two steps for certain; a doubt is decided first."""
    plan = planned(line(3), "r1")
    loose = replace(plan, steps=tuple(replace(one, transactional=False) for one in plan.steps))
    assert may_be_given_up(ran(plan, 1), plan, ("r2",))
    assert may_be_given_up(ran(plan, 2, "started"), plan, ("r2",)), "the server undid it"
    assert not may_be_given_up(ran(loose, 2, "started"), loose, ("r2",))
    assert may_be_given_up(ran(loose, 2, "started"), loose, ("r3",)), "it is committed"
    assert not may_be_given_up(replace(ran(plan, 1), status="in-doubt"), plan, ("r2",))
