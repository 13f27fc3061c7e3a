"""One run at a time may change a target."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import StateStore
from orchestrate.stores.state.leases import lease_facts
from tests.support.databases import Database
from tests.support.states import at, event, lease, open_store, race


def test_take_renew_release(state: StateStore) -> None:
    """A lease is taken, shows life, and is given back; then the next one may have it."""
    taken = state.acquire_lease(lease())
    assert state.leases() == (taken,)
    assert state.heartbeat("lease-1", step="s2", now=at(15), expires_at=at(75))
    assert state.leases() == (replace(taken, step="s2", heartbeat_at=at(15), expires_at=at(75)),)
    assert state.release("lease-1")
    assert not state.release("lease-1")
    assert state.leases() == ()
    assert state.acquire_lease(lease("lease-2", second=20)).id == "lease-2"
    assert list(state.events()) == []


def test_taking_twice_is_harmless(state: StateStore) -> None:
    """Who does not know whether the first attempt arrived may try again."""
    state.acquire_lease(lease())
    assert state.acquire_lease(lease()) == lease()
    assert state.leases() == (lease(),)


def test_targets_do_not_meet(state: StateStore) -> None:
    """Each target has a lease of its own, also where names differ by a letter's case or a blank."""
    keys = ["sqlite:/srv/a", "sqlite:/srv/A", "sqlite:/srv/a ", "sqlite:/srv/ä", "x" * 5000]
    for number, key in enumerate(keys):
        state.acquire_lease(lease(f"lease-{number}", target_key=key))
    assert {one.target_key for one in state.leases()} == set(keys)


def test_a_lease_that_is_held(state: StateStore) -> None:
    """The error says who holds it, since when, where he is, and what can be done."""
    held = lease(target="tenant-7", expires_at=at(200))
    state.acquire_lease(held)
    state.heartbeat("lease-1", step="s3", now=at(90), expires_at=at(150))
    with pytest.raises(OrchestrateError) as caught:
        state.acquire_lease(lease("lease-2", second=100))
    error = caught.value
    assert (error.code, error.where) == ("lease-held", "production")
    assert error.message == (
        "production (tenant-7) is being changed by run run-of-lease-1 of alice@app1 (process 4711 "
        "on app1), since 2026-03-01 12:00:00 UTC, at step s3; its last sign of life was 10 s ago"
    )
    assert error.hint == (
        "`orchestrate unlock production` shows it; try again when it is done, or if that run is "
        "surely dead, `orchestrate unlock production lease-1`"
    )
    assert error.details == lease_facts(
        replace(held, step="s3", heartbeat_at=at(90), expires_at=at(150))
    )
    assert list(state.events()) == []


def test_before_its_first_step(state: StateStore) -> None:
    """A run that has only begun is told from one in a step."""
    state.acquire_lease(lease(lasts=1000))
    with pytest.raises(OrchestrateError) as caught:
        state.acquire_lease(lease("lease-2", second=400))
    assert caught.value.message == (
        "production is being changed by run run-of-lease-1 of alice@app1 (process 4711 on app1), "
        "since 2026-03-01 12:00:00 UTC, before its first step; its last sign of life was 6 min ago"
    )


@pytest.mark.parametrize(("second", "taken"), [(59.999999, False), (60, True), (61, True)])
def test_expiry(state: StateStore, second: float, taken: bool) -> None:
    """A lease is taken over from the moment at which it expires, and never before."""
    state.append([event(1)])
    state.acquire_lease(lease(step="s1"))
    wanted = lease("lease-2", second=second, holder="bob@app2")
    if not taken:
        with pytest.raises(OrchestrateError, match="is being changed by"):
            state.acquire_lease(wanted)
        return
    state.acquire_lease(wanted)
    assert state.leases() == (wanted,)
    broken = list(state.events())[1]
    assert (broken.kind, broken.at, broken.run, broken.step) == (
        "lease.broken",
        at(second),
        "run-of-lease-1",
        "s1",
    )
    assert broken.data == {
        **lease_facts(lease(step="s1")),
        "by": "bob@app2",
        "why": "it had expired",
    }
    assert state.verify().count == 2


def test_the_loser_learns_of_it(state: StateStore) -> None:
    """A holder whose lease was taken over is told so, and cannot harm the new one."""
    state.acquire_lease(lease())
    state.acquire_lease(lease("lease-2", second=70))
    assert not state.heartbeat("lease-1", step=None, now=at(71), expires_at=at(131))
    assert not state.release("lease-1")
    assert state.leases() == (lease("lease-2", second=70),)


def test_a_late_heartbeat_saves_a_lease_that_nobody_took(state: StateStore) -> None:
    """An expired lease is its holder's until somebody else takes it."""
    state.acquire_lease(lease())
    assert state.heartbeat("lease-1", step=None, now=at(100), expires_at=at(160))
    with pytest.raises(OrchestrateError, match="is being changed by"):
        state.acquire_lease(lease("lease-2", second=110))


def test_breaking(state: StateStore) -> None:
    """A person breaks a lease by its id, and the journal keeps who did."""
    state.acquire_lease(lease())
    assert state.break_lease("lease-1", by="carol@laptop", now=at(5)) == lease()
    assert state.leases() == ()
    (broken,) = state.events()
    assert (broken.kind, broken.at, broken.run) == ("lease.broken", at(5), "run-of-lease-1")
    assert broken.data == {
        **lease_facts(lease()),
        "by": "carol@laptop",
        "why": "it was broken",
    }
    with pytest.raises(OrchestrateError) as caught:
        state.break_lease("lease-1", by="carol@laptop", now=at(6))
    assert (caught.value.code, caught.value.message) == (
        "unknown-lease",
        "There is no lease `lease-1`",
    )
    assert state.verify().count == 1


@pytest.mark.parametrize("before", ["nobody", "expired"])
def test_a_race_has_one_winner(database: Database, before: str) -> None:
    """Of many processes exactly one gets a lease, new or expired; the others name the winner."""
    with open_store(database) as state:
        if before == "expired":
            state.acquire_lease(lease("lease-0"))
        said = race("lease", [f"racer-{number}" for number in range(8)], database.url)
        (winner,) = state.leases()
        assert Counter(line for (line,) in said.values()) == {
            f"won {winner.id}": 1,
            f"lease-held {winner.id}": 7,
        }
        assert said[winner.id] == [f"won {winner.id}"]
        broken = list(state.events())
        assert [one.data["id"] for one in broken] == (["lease-0"] if before == "expired" else [])
