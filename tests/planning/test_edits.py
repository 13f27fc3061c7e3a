"""What plans are told of revisions that are gone: from literals."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from orchestrate.planning.deeds import Deed, last_stamp
from orchestrate.planning.edits import deleted_revisions
from tests.support.values import NOON, STARTED, basis, events, line, plan

GONE = Deed(revision="r9", sha256="sha-r9", run="run-1", at=NOON, applied=True)
PLAN = plan(basis=(basis("r3", dialect="sqlite", identity="one"),))


@pytest.mark.parametrize(
    ("deed", "stamped", "told"),
    [
        (GONE, None, True),
        (GONE, NOON - timedelta(hours=1), True),
        (GONE, NOON + timedelta(hours=1), False),
        (replace(GONE, applied=False), None, False),
        (replace(GONE, sha256=""), None, False),
        (replace(GONE, revision="r2"), None, False),
    ],
)
def test_what_is_gone(deed: Deed, stamped: datetime | None, told: bool) -> None:
    """Applied here, since the last stamp, and in no file."""
    done = {"dev": {deed.revision: deed}, "prod": {"r8": replace(GONE, revision="r8")}}
    found = deleted_revisions(PLAN, line(3), done, stamped=stamped)
    assert [(one.code, one.where) for one in found] == [("deleted-revision", "dev")] * told


def test_an_empty_database_has_none_of_them() -> None:
    """It may be another one than the journal tells of."""
    empty = replace(PLAN, basis=(replace(PLAN.basis[0], heads=()),))
    assert deleted_revisions(empty, line(3), {"dev": {"r9": GONE}}, stamped=None) == ()


@pytest.mark.parametrize(
    ("direction", "status", "found"),
    [("stamp", "succeeded", True), ("stamp", "failed", False), ("upgrade", "succeeded", False)],
)
def test_the_last_stamp(direction: str, status: str, found: bool) -> None:
    """A stamp that succeeded, of this environment."""
    told = events(
        [
            ("run.started", None, {**STARTED, "direction": direction}),
            ("run.finished", None, {"status": status}),
        ]
    )
    assert last_stamp(told, "dev") == (told[-1].at if found else None)
    assert last_stamp(told, "prod") is None
