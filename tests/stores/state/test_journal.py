"""The journal keeps what it was given, in one order, and notices what was done to it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import ChainReport, StateStore, journal
from tests.support.databases import Database
from tests.support.states import at, event, lease, open_store, race


def test_append_and_read(state: StateStore) -> None:
    """What is appended comes back equal, in its order, and the chain holds."""
    first = state.append([event(1), event(2, run="run-2", step=None, text="größe 😀 \0 ' %s ?")])
    second = state.append([event(3, run=None)])
    assert [one.sequence for one in (*first, *second)] == [1, 2, 3]
    assert tuple(state.events()) == (*first, *second)
    assert state.verify() == ChainReport(count=3, head_hash=second[0].hash)


def test_nothing_appends_nothing(state: StateStore) -> None:
    """An empty append is no event."""
    assert state.append([]) == ()
    assert state.verify() == ChainReport(count=0, head_hash="0" * 64)


def test_choosing(state: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are chosen by run, kind and place, whatever the page they stand on."""
    monkeypatch.setattr(journal, "_PAGE", 3)
    events = state.append(
        [
            event(
                number, run=f"run-{number % 2}", kind="step.failed" if number % 5 else "run.started"
            )
            for number in range(20)
        ]
    )
    assert tuple(state.events()) == events
    assert tuple(state.events(after=18)) == events[18:]
    assert tuple(state.events(run="run-1")) == events[1::2]
    assert tuple(state.events(kinds=["run.started"])) == events[::5]
    assert tuple(state.events(kinds=[])) == ()
    assert tuple(state.events(run="run-0", kinds=["run.started"], after=1)) == events[10::10]
    assert tuple(state.events(run="RUN-0")) == ()
    assert state.last_events(3) == events[-3:]
    assert state.last_events(2, kinds=["run.started"]) == (events[10], events[15])
    assert state.last_events(100) == events
    assert state.last_events(2, before=4) == events[1:3]
    assert state.last_events(2, kinds=["run.started"], before=events[10].sequence) == (
        events[0],
        events[5],
    )
    assert state.last_events(2, before=1) == ()


def test_reading_holds_nothing_up(state: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader in the middle of the journal lets others append, and meets what they appended."""
    monkeypatch.setattr(journal, "_PAGE", 2)
    state.append([event(number) for number in range(5)])
    reader = state.events()
    assert next(reader).sequence == 1
    state.append([event(6)])
    assert [one.sequence for one in reader] == [2, 3, 4, 5, 6]


def test_long_texts(state: StateStore) -> None:
    """Output of a project and paths of files may be longer than a server's usual text."""
    (made,) = state.append([event(step="s" * 5000, output="ö" * 300_000)])
    assert tuple(state.events()) == (made,)


def test_a_secret_is_refused(state: StateStore) -> None:
    """Nothing of an append that holds a secret is written."""
    with pytest.raises(TypeError, match=r"data\.url is a secret"):
        state.append([event(1), event(2, url=Secret("hunter2"))], snapshots=["one"])
    assert state.verify().count == 0
    with pytest.raises(OrchestrateError, match="has no snapshot"):
        state.load_snapshot("0" * 64)


def test_find(state: StateStore) -> None:
    """Events are found only whole, in their order and with their data."""
    made = state.append([event(1), event(2), event(3), event(1, other=True), event(2)])
    assert state.find([event(1), event(2)]) == made[:2]
    assert state.find([event(2)]) == made[4:]
    assert state.find([event(2), event(3)]) == made[1:3]
    assert state.find([event(2), event(1)]) == ()
    assert state.find([event(3), event(4)]) == ()
    assert state.find([event(1, run="run-2")]) == ()
    assert state.find([event(1, more=1)]) == ()
    assert state.find([]) == ()


def test_threads(state: StateStore) -> None:
    """Threads append while another keeps a lease alive; none is refused, no event is lost."""
    state.acquire_lease(lease())
    problems: list[BaseException] = []
    done = threading.Event()

    def append(name: str) -> None:
        try:
            for number in range(30):
                state.append([event(number, run=name)])
        except BaseException as error:  # noqa: BLE001  (a thread's error has to reach the test)
            problems.append(error)

    def beat() -> None:
        number = 0
        try:
            while not done.is_set():
                number += 1
                assert state.heartbeat(
                    "lease-1", step=f"s{number}", now=at(number), expires_at=at(number + 60)
                )
        except BaseException as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=append, args=(f"run-{number}",)) for number in range(6)]
    heart = threading.Thread(target=beat)
    for thread in (heart, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    heart.join()
    assert problems == []
    assert state.verify().count == 180
    for number in range(6):
        assert [one.data["number"] for one in state.events(run=f"run-{number}")] == list(range(30))


def test_processes(database: Database) -> None:
    """Processes that append at the same time make one chain, in which each keeps its order."""
    with open_store(database) as state:
        said = race("append", [f"run-{number}" for number in range(4)], database.url)
        assert state.verify().count == 160
        by_run: dict[str | None, list[str]] = {}
        for one in state.events():
            by_run.setdefault(one.run, []).append(f"{one.sequence} {one.hash}")
        assert by_run == said


BREAKS: list[tuple[str, Sequence[str], tuple[int, int, str, str]]] = [
    (
        "data altered",
        ["UPDATE orchestrate_events SET data = '{\"number\":7}' WHERE sequence = 3"],
        (2, 3, "altered", "its content is not what its hash was made from"),
    ),
    (
        "moment altered",
        ["UPDATE orchestrate_events SET at = '2020-01-01T00:00:00.000000Z' WHERE sequence = 1"],
        (0, 1, "altered", "its content is not what its hash was made from"),
    ),
    (
        "data is no JSON any more",
        ["UPDATE orchestrate_events SET data = '{' WHERE sequence = 3"],
        (2, 3, "altered", "its content is not what its hash was made from"),
    ),
    (
        "run taken away",
        ["UPDATE orchestrate_events SET run = NULL WHERE sequence = 5"],
        (4, 5, "altered", "its content is not what its hash was made from"),
    ),
    (
        "one removed",
        ["DELETE FROM orchestrate_events WHERE sequence = 3"],
        (2, 3, "removed", "event 3 was removed"),
    ),
    (
        "several removed",
        ["DELETE FROM orchestrate_events WHERE sequence IN (1, 2, 3)"],
        (0, 1, "removed", "events 1 to 3 were removed"),
    ),
    (
        "removed, and the others moved up",
        [
            "DELETE FROM orchestrate_events WHERE sequence = 3",
            "UPDATE orchestrate_events SET sequence = 3 WHERE sequence = 4",
            "UPDATE orchestrate_events SET sequence = 4 WHERE sequence = 5",
        ],
        (2, 3, "reordered", "what stands there was event 4"),
    ),
    (
        "two swapped",
        [
            "UPDATE orchestrate_events SET sequence = 99 WHERE sequence = 2",
            "UPDATE orchestrate_events SET sequence = 2 WHERE sequence = 4",
            "UPDATE orchestrate_events SET sequence = 4 WHERE sequence = 99",
        ],
        (1, 2, "reordered", "what stands there was event 4"),
    ),
    (
        "end cut off",
        ["DELETE FROM orchestrate_events WHERE sequence > 3"],
        (3, 4, "truncated", "the last 2 events were removed"),
    ),
    (
        "last one cut off",
        ["DELETE FROM orchestrate_events WHERE sequence = 5"],
        (4, 5, "truncated", "the last event was removed"),
    ),
    (
        "all removed",
        ["DELETE FROM orchestrate_events"],
        (0, 1, "truncated", "the last 5 events were removed"),
    ),
    (
        "head row removed",
        ["DELETE FROM orchestrate_head"],
        (5, 6, "removed", "the row that names the last event was removed"),
    ),
    (
        "head row's hash altered",
        [f"UPDATE orchestrate_head SET hash = '{'a' * 64}'"],
        (4, 5, "altered", "its hash is not the one recorded for the last event"),
    ),
    (
        "head row set back",
        ["UPDATE orchestrate_head SET sequence = 4"],
        (4, 5, "added", "it was added behind the recorded end of the journal"),
    ),
    (
        "added before the first",
        [
            "INSERT INTO orchestrate_events (sequence, kind, at, data, previous_hash, hash)"
            " VALUES (0, 'run.started', '', '{}', '', '')"
        ],
        (0, 0, "added", "it stands before the first event"),
    ),
]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statements", "expected"), [one[1:] for one in BREAKS], ids=[one[0] for one in BREAKS]
)
def test_verify(
    state: StateStore,
    database: Database,
    statements: Sequence[str],
    expected: tuple[int, int, str, str],
) -> None:
    """The first broken event and what was done to it are named."""
    state.append([event(number) for number in range(1, 6)])
    database.execute(*statements)
    report = state.verify()
    assert (report.count, report.sequence, report.kind, report.problem) == expected


def test_a_forged_event_betrays_itself(state: StateStore, database: Database) -> None:
    """Who alters an event and its hash as well has broken the link of the event after it."""
    one, *_ = state.append([event(1, by="alice")])
    state.append([event(2)])
    with open_store(database) as forger:
        database.execute("DELETE FROM orchestrate_events WHERE sequence = 1")
        database.execute(f"UPDATE orchestrate_head SET sequence = 0, hash = '{'0' * 64}'")
        database.execute("UPDATE orchestrate_events SET sequence = 1000 WHERE sequence = 2")
        forger.append([event(1, by="bob")])
        database.execute("UPDATE orchestrate_events SET sequence = 2 WHERE sequence = 1000")
        database.execute("UPDATE orchestrate_head SET sequence = 2")
    report = state.verify()
    assert (report.count, report.sequence, report.kind, report.problem) == (
        0,
        1,
        "altered",
        "its hash is not the one that the event after it was chained to",
    )
    assert one.hash != next(state.events()).hash


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("data", "'{'"),
        ("data", "'[]'"),
        ("at", "'yesterday'"),
        ("kind", "x'ff'"),
        ("step", "x'ff'"),
    ],
)
def test_an_unreadable_event(state: StateStore, database: Database, column: str, text: str) -> None:
    """A row that cannot be an event ends reading with its number and how to check the others."""
    state.append([event(1), event(2)])
    database.execute(f"UPDATE orchestrate_events SET {column} = {text} WHERE sequence = 2")
    with pytest.raises(OrchestrateError) as caught:
        list(state.events())
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "journal-broken",
        "Event 2 of the journal cannot be read: it was altered",
        "`orchestrate history --verify` checks all of them",
    )
    report = state.verify()
    assert (report.count, report.sequence, report.kind) == (1, 2, "altered")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_lost_head_stops_writers(state: StateStore, database: Database) -> None:
    """Nothing is appended to a journal whose end is not known."""
    database.execute("DELETE FROM orchestrate_head")
    with pytest.raises(OrchestrateError, match="lost the row that names the last event"):
        state.append([event(1)])
    assert list(state.events()) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_another_writer_without_locks(
    state: StateStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a database ignores our lock, one of two writers is refused and the chain holds."""
    state.append([event(1)])
    lock_head = journal.lock_head

    def stale(*arguments: Any) -> Any:
        end = lock_head(*arguments)
        return end._replace(sequence=end.sequence - 1)

    monkeypatch.setattr(journal, "lock_head", stale)
    with pytest.raises(OrchestrateError) as caught:
        state.append([event(2)])
    assert caught.value.code == "state-unavailable"
    assert state.verify().count == 1
