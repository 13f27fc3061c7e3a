"""Approvals: the text that is signed, the journal's tale of them, and what counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrate.domain.approvals import Statement, Verdict
from orchestrate.domain.events import Event, EventKind
from orchestrate.domain.spec_protections import Approval as Rule
from orchestrate.errors import CODES, OrchestrateError
from orchestrate.planning.agreement import Question, agreement, agreement_gate
from orchestrate.planning.approvals import ledger_of, moment_text, signed_text, statement_of
from tests.support.values import NOON

ALICE, BOB, CAROL = (f"{name}@example.com" for name in ("alice", "bob", "carol"))
PLAN = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
QUESTION = Question(
    environment="prod",
    digest=PLAN,
    to_heads=("r2",),
    now=NOON,
    authors=frozenset({CAROL}),
)
Told = tuple[EventKind, dict[str, Any]]


def given(  # what the journal holds of an approval
    name: str = BOB,
    *,
    hours_ago: float = 1,
    signature: str | None = None,
    **more: Any,
) -> Told:
    at = moment_text(NOON - timedelta(hours=hours_ago))
    data = {
        "id": f"approval-{name}-{hours_ago}",
        "environment": "prod",
        "digest": PLAN,
        "approver": name,
        "at": at,
        "comment": None,
        "plan": "plan-1",
        "to_heads": ["r2"],
        "by": "somebody@host",
        "signature": signature,
    }
    return "approval.given", {**data, **more}


def begun(run: str = "run-1", *, digest: str = PLAN, hours_ago: float = 0) -> Told:
    data = {"environment": "prod", "plan_digest": digest, "_run": run, "_hours_ago": hours_ago}
    return "run.started", data


def proposed(author: str, digest: str = PLAN) -> Told:
    data = {"plan": "plan-1", "digest": digest, "environment": "prod", "author": author}
    return "plan.proposed", {**data, "by": "somebody@host"}


def journal(told: Sequence[Told]) -> list[Event]:
    return [
        Event(
            sequence=number,
            kind=kind,
            at=NOON - timedelta(hours=data.pop("_hours_ago", 1)),
            run=data.pop("_run", None),
            step=None,
            data=data,
            previous_hash="",
            hash="",
        )
        for number, (kind, data) in enumerate(((one, dict(data)) for one, data in told), 1)
    ]


def gate(told: Sequence[Told], question: Question = QUESTION, **rule: Any) -> tuple[str, str]:
    """Return the code of the closed gate, or `open`, with its detail."""
    found = agreement(
        Rule.model_validate({"required": 1, **rule}), question, ledger_of(journal(told))
    )
    made = agreement_gate(found)
    assert (made.state == "open") is (made.code is None)
    assert made.code is None or made.code in CODES
    return made.code or "open", made.detail


# --- the text -------------------------------------------------------------------------------------


def test_the_text_that_is_signed_is_the_same_for_ever() -> None:
    """Signatures are kept: whatever is changed here makes them worthless."""
    statement = Statement(
        environment="prod", digest=PLAN, approver=BOB, at=NOON, comment='looks "good"\nto me'
    )
    assert signed_text(statement) == (
        "orchestrate approval\n"
        "environment: prod\n"
        f"plan: {PLAN}\n"
        "approver: bob@example.com\n"
        "at: 2026-11-21T12:00:00.000000Z\n"
        'comment: "looks \\"good\\"\\nto me"\n'
    )
    silent = replace(statement, comment=None)
    assert [statement_of(signed_text(one)) for one in (statement, silent)] == [statement, silent]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("orchestrate approval", "orchestrate  approval"),
        ("at: 2026-11-21T12:00:00.000000Z", "at: 2026-11-21T12:00:00Z"),
        ("comment: ", "comment:  "),
        ("approver: bob@example.com\n", ""),
        ('"yes"\n', '"yes"'),
        ('"yes"\n', '"yes"\nplan: another\n'),
    ],
)
def test_no_other_text_is_an_approval(old: str, new: str) -> None:
    """What says nearly the same was not written by us, and is not guessed at."""
    text = signed_text(
        Statement(environment="prod", digest=PLAN, approver=BOB, at=NOON, comment="yes")
    )
    assert old in text
    with pytest.raises(ValueError, match=r"text of an approval|time data"):
        statement_of(text.replace(old, new))


# --- what counts ----------------------------------------------------------------------------------


def test_one_of_two() -> None:
    """A person counts once; who is left is named."""
    people = [ALICE, BOB, CAROL]
    told = [given(), given("BOB@example.com", hours_ago=0.5)]
    assert gate(told, required=2, approvers=people) == (
        "approval-missing",
        "1 of 2 approvals (bob@example.com); may approve: alice@example.com, carol@example.com",
    )
    assert gate([*told, given(ALICE)], required=2, approvers=people) == (
        "open",
        "2 of 2 approvals: bob@example.com, alice@example.com",
    )
    assert gate([]) == ("approval-missing", "0 of 1 approval; may approve: anybody")


@pytest.mark.parametrize(
    ("told", "rule", "code", "why"),
    [
        (
            [given(CAROL)],
            {"exclude_author": True},
            "approval-by-author",
            "does not count: they made the plan",
        ),
        (
            [given()],
            {"approvers": [ALICE]},
            "approver-not-allowed",
            "does not count: they are not among `approvers`",
        ),
        ([given()], {"expires": "1h"}, "approval-expired", "expired 0.0 s ago"),
        ([given(hours_ago=4)], {"expires": "1h"}, "approval-expired", "expired 3 h ago"),
        ([given(), begun()], {}, "approval-used", "was for run-1, and a plan runs once"),
        (
            [given(digest=OTHER)],
            {},
            "approval-stale",
            "is for another plan, sha256:222222222222…: something moved since",
        ),
        (
            [given(digest=OTHER, to_heads=["r1"])],
            {},
            "approval-stale",
            "is for another plan, sha256:222222222222…: that one leads to r1",
        ),
        (
            [given(digest=OTHER, environment="staging")],
            {},
            "approval-elsewhere",
            "is for a plan of staging",
        ),
        ([given(environment="staging")], {}, "approval-elsewhere", "is for a plan of staging"),
        (
            [
                given(),
                ("approval.revoked", {"id": f"approval-{BOB}-1", "by": ALICE, "reason": "no"}),
            ],
            {},
            "approval-revoked",
            "was revoked by alice@example.com: no",
        ),
        (
            [given()],
            {"signed": True, "allowed_signers": "signers"},
            "signature-missing",
            "is not signed",
        ),
        ([given(signature="x")], {}, "signature-invalid", "was not checked"),
    ],
)
def test_why_one_does_not_count(
    told: list[Told], rule: dict[str, Any], code: str, why: str
) -> None:
    """Each has its own code and its own sentence."""
    found, detail = gate(told, **rule)
    assert found == code
    assert f"; that of {told[0][1]['approver']} {why}" in detail


def test_others_that_wait_are_told_and_old_ones_are_not() -> None:
    """An approval of a plan that has run is nobody's business any more."""
    old = [given(digest=OTHER), begun(digest=OTHER)]
    assert gate(old) == ("approval-missing", "0 of 1 approval; may approve: anybody")
    elsewhere = [given(environment="staging", digest=OTHER, to_heads=["r1"])]
    assert gate(elsewhere)[0] == "approval-missing"


def test_an_approval_holds_for_the_run_that_was_begun_on_it() -> None:
    """Resumed later than `expires`, but begun before; the next run needs another approval."""
    told = [given(hours_ago=3), begun(hours_ago=2.5)]
    resumed = replace(QUESTION, run="run-1", begun_at=NOON - timedelta(hours=2.5))
    assert gate(told, resumed, expires="1h")[0] == "open"
    assert gate(told, replace(resumed, run="run-2"), expires="1h")[0] == "approval-used"
    revoked = ("approval.revoked", {"id": f"approval-{BOB}-3", "by": ALICE, "reason": "stop"})
    assert gate([*told, revoked], resumed, expires="1h")[0] == "approval-revoked"  # type: ignore[list-item]
    assert gate([*told, given()], QUESTION)[0] == "open", "a new one carries a new run"


# --- signatures -----------------------------------------------------------------------------------

SIGNED = {"signed": True, "allowed_signers": "signers"}


def checked(question: Question = QUESTION, **keys: str) -> Question:
    return replace(question, verdicts={name: Verdict(key=key) for name, key in keys.items()})


def test_a_key_counts_once_for_whomever_it_may_sign() -> None:
    """A line `*@example.com` makes nobody two people."""
    told = [given(id="a", signature="x"), given(ALICE, id="b", signature="y")]
    assert gate(told, checked(a="K1", b="K1"), required=2, **SIGNED)[0] == "approval-missing"
    assert gate(told, checked(a="K1", b="K2"), required=2, **SIGNED)[0] == "open"


def test_the_authors_key_is_the_authors_in_any_name() -> None:
    """`exclude_author` asks whose key it is, where keys are asked for."""
    told = [given(id="a", signature="x")]
    question = replace(checked(a="K1"), author_keys=frozenset({"K1"}))
    assert gate(told, question, exclude_author=True, **SIGNED)[0] == "approval-by-author"


def test_a_signature_is_good_for_one_run_however_often_it_is_recorded() -> None:
    """The moment in the text tells: recorded once more after a run, or after it was revoked."""
    first, again = given(id="a", signature="x"), given(id="b", signature="x")
    both = checked(a="K", b="K")
    assert gate([first, begun(hours_ago=0.5), again], both, **SIGNED)[0] == "approval-used"
    revoked: Told = ("approval.revoked", {"id": "a", "by": ALICE, "reason": "no"})
    code, detail = gate([first, revoked, again], both, **SIGNED)
    assert (code, "is a once more" in detail) == ("approval-used", True)
    assert gate([begun(hours_ago=0.5), first], both, **SIGNED)[0] == "approval-used"
    assert gate([begun(hours_ago=2), first], both, **SIGNED)[0] == "open"


def test_forged_and_not_allowed_and_of_tomorrow() -> None:
    """What checking a signature found is told with its code."""
    told = [given(id="a", signature="x")]
    for code in ("signature-invalid", "signer-not-allowed"):
        verdict = Verdict(key=None, code=code, why="because")
        question = replace(QUESTION, verdicts={"a": verdict})
        assert gate(told, question, **SIGNED)[0] == code
    early = [given(id="a", signature="x", hours_ago=-0.1)]
    assert gate(early, checked(a="K"), **SIGNED)[0] == "signature-invalid"


# --- authors, and what was tampered with ----------------------------------------------------------


def test_who_proposes_first_is_the_author_until_a_run_begins() -> None:
    """Saving somebody else's plan makes nobody its author."""
    found = ledger_of(journal([proposed(ALICE), proposed(BOB)]))
    assert found.proposals[PLAN].author == ALICE
    found = ledger_of(journal([proposed(ALICE), begun(digest=OTHER), proposed(BOB)]))
    assert (found.proposals[PLAN].author, found.proposals[PLAN].run) == (BOB, None)


@pytest.mark.parametrize(
    "told",
    [
        given(at="yesterday"),
        given(to_heads=None),
        ("approval.revoked", {"id": "nothing", "by": ALICE, "reason": "no"}),
        ("approval.given", {"id": "a"}),
    ],
)
def test_an_event_that_we_did_not_write_stops_everything(told: Told) -> None:
    """It is no defect of ours: somebody was in the state store."""
    with pytest.raises(OrchestrateError) as raised:
        ledger_of(journal([told]))
    assert raised.value.code == "approvals-tampered"


def test_a_broken_chain_closes_the_gate_however_many_approved() -> None:
    """Nothing in a journal that was changed is believed."""
    found = agreement(Rule(required=1), QUESTION, ledger_of(journal([given()])))
    assert found.reached
    made = agreement_gate(found, tampered="event 3: its content is not what it was")
    assert (made.state, made.code) == ("closed", "approvals-tampered")


def test_an_approval_given_for_a_resume_is_used_up_by_it() -> None:
    """A run begun by an override, approved and gone on with: the plan does not run a second time."""
    kind, resumed = begun()
    assert kind == "run.started"
    found = ledger_of(journal([begun(), given(hours_ago=0.5), ("run.resumed", resumed)]))
    (approval,) = found.approvals
    assert approval.used_by == "run-1"
