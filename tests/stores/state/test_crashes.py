"""What had returned survives, what had not is there whole or not at all, and work goes on."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import sha256_text
from orchestrate.stores.state import StateStore, open_state
from tests.support.cutting_proxy import Cut, CuttingProxy
from tests.support.databases import Database
from tests.support.servers import HOST
from tests.support.states import Child, at, event, identity, lease, open_store

ROUNDS = {"sqlite": 8, "postgresql": 4, "mariadb": 4}


@pytest.mark.crash
def test_killed_while_appending(database: Database) -> None:
    """Every append that had returned is there; the chain holds; the next process goes on."""
    chance = random.Random(f"killed while appending to {database.kind}")
    open_store(database).close()
    told: dict[int, str] = {}
    for _ in range(ROUNDS[database.kind]):
        child = Child("append-for-ever", "victim", url=database.url)
        lines = [child.read_line() for _ in range(chance.randrange(1, 60))]
        # In the middle of the next append, not between two.
        for _ in range(chance.randrange(0, 20_000)):
            pass
        lines += child.kill()
        for line in lines:
            _, sequence, digest = line.split()
            assert int(sequence) not in told
            told[int(sequence)] = digest
        with open_store(database) as state:
            report = state.verify()
            assert report.problem is None
            events = {one.sequence: one for one in state.events()}
            assert {sequence: events[sequence].hash for sequence in told} == told
            for one in events.values():
                if one.data["number"] in range(0, 10**9, 10):
                    text = f"snapshot {one.data['number']} of {one.run}"
                    assert state.load_snapshot(sha256_text(text)) == text
            # What was written and not told is at most the append that was under way.
            assert report.count - len(told) <= 1
            told.update({one.sequence: one.hash for one in events.values()})


@pytest.mark.crash
@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_the_server_is_killed(database: Database) -> None:
    """While it is down the error says so; when it is back, the same store goes on."""
    assert database.server is not None
    with open_store(database) as state:
        state.append([event(1)])
        state.acquire_lease(lease())
        database.server.kill()
        for _ in range(2):
            with pytest.raises(OrchestrateError) as caught:
                state.append([event(2)])
            assert caught.value.message.startswith(
                f"The state store `the {database.kind} of the test` cannot be reached or used: "
            )
            assert caught.value.details["outcome"] == "not written"
        with pytest.raises(OrchestrateError):
            state.heartbeat("lease-1", step=None, now=at(1), expires_at=at(61))
        database.server.start()
        state.append([event(3)])
        assert state.heartbeat("lease-1", step=None, now=at(1), expires_at=at(61))
        assert [one.data["number"] for one in state.events()] == [1, 3]
        assert state.verify().count == 2


@pytest.mark.crash
@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_the_server_is_restarted_between_appends(database: Database) -> None:
    """A restart while nobody writes is not even noticed."""
    assert database.server is not None
    with open_store(database) as state:
        state.append([event(1)])
        database.server.kill()
        database.server.start()
        state.append([event(2)])
        assert state.verify().count == 2


@pytest.fixture
def proxy(database: Database) -> Iterator[CuttingProxy]:
    """Relay to the test's server."""
    assert database.server is not None
    relay = CuttingProxy(HOST, database.server.port)
    yield relay
    relay.close()


def through(proxy: CuttingProxy, database: Database) -> StateStore:
    """Open the store through the relay, without encryption, which the relay could not read."""
    assert database.server is not None
    url = database.url.replace(f":{database.server.port}/", f":{proxy.port}/")
    query = "?sslmode=disable" if database.kind == "postgresql" else ""
    return open_state(Secret(url + query), safe_url="SAFE")


on_servers = pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)


@on_servers
@pytest.mark.parametrize("cut", ["before the server gets it", "after the server did it"])
def test_a_lost_answer_to_commit(database: Database, proxy: CuttingProxy, cut: Cut) -> None:
    """An append whose COMMIT got no answer finds out by itself what became of it."""
    with through(proxy, database) as state:
        state.append([event(1)])
        proxy.arm(cut)
        if cut == "after the server did it":
            made = state.append([event(2), event(3)], snapshots=["one"])
            assert [one.sequence for one in made] == [2, 3]
            assert state.load_snapshot(sha256_text("one")) == "one"
        else:
            with pytest.raises(OrchestrateError) as caught:
                state.append([event(2), event(3)], snapshots=["one"])
            assert caught.value.details["outcome"] == "not written"
            assert state.find([event(2), event(3)]) == ()
        assert not proxy.armed
        (after,) = state.append([event(4)])
        assert after.sequence == (4 if cut == "after the server did it" else 2)
        assert state.verify().problem is None


@on_servers
def test_a_lost_answer_and_nobody_to_ask(database: Database, proxy: CuttingProxy) -> None:
    """If the server stays away the error says that nobody knows, and `find` tells it later."""
    with through(proxy, database) as state:
        state.append([event(1)])
        proxy.arm("after the server did it")
        proxy.refuse = True
        with pytest.raises(OrchestrateError) as caught:
            state.append([event(2)])
        assert (caught.value.code, caught.value.details["outcome"]) == (
            "state-unavailable",
            "unknown",
        )
        proxy.refuse = False
        (found,) = state.find([event(2)])
        assert found.sequence == 2


@on_servers
def test_repeating_what_was_done_is_harmless(database: Database, proxy: CuttingProxy) -> None:
    """Leases, plans and identities whose COMMIT got no answer are simply said again."""
    recorded = event(1, kind="identity.recorded")
    with through(proxy, database) as state:
        for act in (
            lambda: state.acquire_lease(lease()),
            lambda: state.save_plan("plan-1", "sha256:aa", "{}"),
            lambda: state.record_identity(identity(), replace=False, event=recorded),
        ):
            proxy.arm("after the server did it")
            with pytest.raises(OrchestrateError) as caught:
                act()
            assert caught.value.details["outcome"] == "unknown"
            act()
        assert state.leases() == (lease(),)
        assert state.load_plan("plan-1") == "{}"
        assert state.identities() == (identity(),)
        assert state.verify().count == 1
