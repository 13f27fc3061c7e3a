"""A plan from literals: steps, order, what is said about them, and the digest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrate.domain.observation import Habits, Observation
from orchestrate.domain.plan import Plan
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.plan_maker import Wish, make_plan
from orchestrate.planning.staleness import moved
from tests.support.values import HABITS, NOON, branches, chain, line, observation, revision

WISH = Wish(
    environment="dev", direction="upgrade", to="heads", transactions="session", spec_digest="spec-1"
)


def planned(seen: Observation, of: Chain, wish: Wish = WISH, **more: Any) -> Plan:
    arguments: dict[str, Any] = {
        "server_undoes_ddl": True,
        "durations": {},
        "plan_id": "plan-1",
        "now": NOON,
        "tool_version": "1",
        **more,
    }
    return make_plan(wish, seen, of, **arguments)


def test_steps_in_order() -> None:
    """One step a revision, each from where the one before it ends."""
    plan = planned(observation("r1"), line(3))
    assert [(one.id, one.from_heads, one.to_heads) for one in plan.steps] == [
        ("001-r2", ("r1",), ("r2",)),
        ("002-r3", ("r2",), ("r3",)),
    ]
    assert plan.steps[0].file_sha256 == "sha-r2"
    assert plan.basis[0].heads == ("r1",)


def test_nothing_to_do() -> None:
    """At the destination a plan has no steps."""
    assert planned(observation("r3"), line(3)).steps == ()


def test_unknown_revision_in_the_database() -> None:
    """A row that no file has cannot be planned from."""
    with pytest.raises(OrchestrateError) as caught:
        planned(observation("deadbeef"), line(3))
    assert caught.value.code == "unknown-database-revision"
    assert "git log" in (caught.value.hint or "")


def test_transactional_or_not() -> None:
    """A step is undone only if the server can and the file stays in its transaction."""
    of = chain(revision("a"), revision("b", "a", leaves_transaction=True))
    assert [one.transactional for one in planned(observation(), of).steps] == [True, False]
    codes = [one.code for one in planned(observation(), of).steps[1].findings]
    assert codes == ["leaves-transaction"]
    loose = planned(observation(), of, server_undoes_ddl=False)
    assert [one.transactional for one in loose.steps] == [False, False]


def test_external_transaction_isolates() -> None:
    """env.py's own transaction makes per-revision commits void, so each gets its own run."""
    outer = replace(HABITS, external_transaction=True)
    plan = planned(observation(habits=outer), line(2))
    assert plan.mode == "isolated"
    assert [one.code for one in plan.findings] == ["external-transaction"]


def test_native_is_one_step() -> None:
    """The project's own transaction is one step that carries all revisions."""
    wish = replace(WISH, transactions="native")
    plan = planned(observation(), line(3), wish)
    (only,) = plan.steps
    assert [part.revision for part in only.parts] == ["r1", "r2", "r3"]
    assert (only.from_heads, only.to_heads, only.transactional) == ((), ("r3",), True)
    per_migration = Habits(
        external_transaction=False,
        transaction_per_migration=True,
        transactional_ddl=True,
        asynchronous=False,
    )
    loose = planned(observation(habits=per_migration), line(3), wish)
    assert not loose.steps[0].transactional


def test_findings() -> None:
    """Missing ways back, several heads and a database that nobody versioned are told."""
    of = chain(revision("a", downgrade="missing"), revision("b", "a"), revision("c", "a"))
    plan = planned(observation(tables=4), of)
    assert [one.code for one in plan.findings] == ["multiple-heads", "unversioned"]
    assert [one.code for one in plan.steps[0].findings] == ["missing-downgrade"]


def test_estimates_by_content() -> None:
    """What the same content took elsewhere is told; other content is not."""
    plan = planned(observation(), line(2), durations={("upgrade", "sha-r1"): 2.5})
    assert [one.estimate_seconds for one in plan.steps] == [2.5, None]


def test_digest_covers_what_happens_and_nothing_else() -> None:
    """Time, identifiers, estimates and tool version leave it; a file, the spec and heads move it."""
    one = planned(observation("r1"), line(3))
    same = planned(
        observation("r1"),
        line(3),
        plan_id="plan-2",
        tool_version="2",
        durations={("upgrade", "sha-r2"): 9.0},
    )
    assert one.digest == same.digest
    others = {
        planned(observation("r2"), line(3)).digest,
        planned(observation("r1", identity="other"), line(3)).digest,
        planned(observation("r1"), line(3), replace(WISH, spec_digest="spec-2")).digest,
        planned(observation("r1"), line(3), replace(WISH, to="r2")).digest,
    }
    assert len(others | {one.digest}) == 5


def test_digest_is_the_one_it_was() -> None:
    """Approvals outlive versions of the tool: this digest must never change."""
    assert planned(observation(), branches()).digest == GOLDEN


GOLDEN = "sha256:e8fba2779757636d0f371411e580f3a13c9a97439563ed9fe82ea05d6b7c83b7"


def test_stale_names_what_moved() -> None:
    """Each thing that moved is one sentence."""
    plan = planned(observation("r1"), line(3))
    assert moved(plan, observation("r1"), line(3), spec_digest="spec-1") == ()
    edited = chain(
        revision("r1"), replace(revision("r2", "r1"), sha256="edited"), revision("r4", "r2")
    )
    found = moved(plan, observation("r2", identity="other"), edited, spec_digest="spec-2")
    assert [sentence.split(":")[0] for sentence in found] == [
        "the spec of dev was changed",
        "the database is another one",
        "the database moved",
        "revision `r2` (`versions/r2.py`) was edited",
        "revision `r3` (`versions/r3.py`) is gone",
    ]
