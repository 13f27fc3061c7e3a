"""Plans, snapshots and identities are kept as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import sha256_text
from orchestrate.stores.state import StateStore
from tests.support.databases import Database
from tests.support.states import event, identity

LONG = "größe " * 200_000


def test_plans(state: StateStore) -> None:
    """A plan's text comes back as it was; saving it again is harmless."""
    state.save_plan("plan-1", "sha256:aa", LONG)
    state.save_plan("plan-1", "sha256:aa", LONG)
    state.save_plan("plan-2", "sha256:bb", "{}")
    assert state.load_plan("plan-1") == LONG
    assert state.load_plan("plan-2") == "{}"


def test_a_plan_is_what_it_was_first(state: StateStore) -> None:
    """The same plan written by another version leaves the first text; another plan is refused."""
    state.save_plan("plan-1", "sha256:aa", '{"a": 1}')
    state.save_plan("plan-1", "sha256:aa", '{"a": 1, "new field": 2}')
    with pytest.raises(OrchestrateError) as caught:
        state.save_plan("plan-1", "sha256:bb", '{"a": 2}')
    assert (caught.value.code, caught.value.message) == (
        "plan-unreadable",
        "The plan plan-1 is in the state store with other content: one of the two was changed "
        "after it was made",
    )
    assert state.load_plan("plan-1") == '{"a": 1}'


def test_a_plan_that_is_not_there(state: StateStore, database: Database) -> None:
    """Asking for an unknown plan says so."""
    with pytest.raises(OrchestrateError) as caught:
        state.load_plan("plan-9")
    assert caught.value.message == (
        f"The state store `the {database.kind} of the test` has no plan plan-9"
    )


def test_snapshots(state: StateStore, database: Database) -> None:
    """A text is stored once, compressed, under the digest of its content."""
    digest = state.save_snapshot(LONG)
    assert digest == sha256_text(LONG)
    assert state.save_snapshot(LONG) == digest
    assert state.load_snapshot(digest) == LONG
    ((rows, size),) = database.rows("SELECT count(*), max(length(text)) FROM orchestrate_snapshots")
    assert rows == 1
    assert size < len(LONG) / 20


def test_a_snapshot_is_durable_with_its_event(state: StateStore) -> None:
    """Events and the snapshots they name are written together, also when one is there already."""
    state.save_snapshot("one")
    (made,) = state.append([event(1)], snapshots=["one", "two", "two"])
    assert state.load_snapshot(sha256_text("two")) == "two"
    assert tuple(state.events()) == (made,)


def test_dropping_snapshots(state: StateStore) -> None:
    """What is dropped is gone, what was not there does no harm, the rest stays."""
    digests = [state.save_snapshot(f"snapshot {number}") for number in range(5)]
    unknown = [sha256_text(f"unknown {number}") for number in range(1200)]
    assert state.drop_snapshots([*unknown, *digests[:2], digests[0]]) == 2
    with pytest.raises(OrchestrateError, match="has no snapshot"):
        state.load_snapshot(digests[0])
    assert state.load_snapshot(digests[2]) == "snapshot 2"
    assert state.drop_snapshots([]) == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "value", ["x'00'", "(SELECT text FROM orchestrate_snapshots ORDER BY digest DESC LIMIT 1)"]
)
def test_a_damaged_snapshot(state: StateStore, database: Database, value: str) -> None:
    """A snapshot that is not what its digest says is never compared with."""
    first, _ = sorted([state.save_snapshot("one"), state.save_snapshot("two")])
    database.execute(f"UPDATE orchestrate_snapshots SET text = {value} WHERE digest = '{first}'")
    with pytest.raises(OrchestrateError, match="is damaged"):
        state.load_snapshot(first)


def test_identities(state: StateStore) -> None:
    """The first use records, with its event; the same again writes nothing."""
    assert state.identities() == ()
    recorded = event(1, kind="identity.recorded", run=None, step=None)
    made = state.record_identity(identity(), replace=False, event=recorded)
    assert made is not None
    assert made.sequence == 1
    assert state.record_identity(identity(), replace=False, event=recorded) is None
    assert state.record_identity(identity(), replace=True, event=recorded) is None
    assert state.identities() == (identity(),)
    assert tuple(state.events()) == (made,)


def test_another_identity_is_refused_until_it_is_trusted(state: StateStore) -> None:
    """A change is refused and leaves no event; replacing takes it, and the journal says so."""
    recorded = event(1, kind="identity.recorded", run=None, step=None)
    trusted = event(2, kind="identity.trusted", run=None, step=None)
    other = identity(is_="postgresql 8 app")
    state.record_identity(identity(), replace=False, event=recorded)
    for changed in (other, replace(identity(), version_table="versions")):
        with pytest.raises(OrchestrateError) as caught:
            state.record_identity(changed, replace=False, event=recorded)
        assert (caught.value.code, caught.value.where) == ("identity-changed", "production")
    assert state.identities() == (identity(),)
    state.record_identity(other, replace=True, event=trusted)
    assert state.identities() == (other,)
    assert [one.kind for one in state.events()] == ["identity.recorded", "identity.trusted"]


def test_environments_and_targets_are_told_apart(state: StateStore) -> None:
    """Names that read alike when they are joined are different ones all the same."""
    pairs = [("a", "bc"), ("ab", "c"), ("A", "bc"), ("a", "bc "), ("x" * 3000, "y" * 3000)]
    for environment, target in pairs:
        state.record_identity(
            replace(identity(), environment=environment, target=target),
            replace=False,
            event=event(1, kind="identity.recorded"),
        )
    assert [(one.environment, one.target) for one in state.identities()] == sorted(pairs)
