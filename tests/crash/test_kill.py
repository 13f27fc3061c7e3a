"""Killed at any point, a run can be resumed, and ends as one that was never interrupted."""

from __future__ import annotations

import sys

import pytest

from tests.crash.conftest import Scene

WHOLE = ["alembic_version", "first", "second", "t1", "t4", "t5"]
POINTS = [
    "before:run.started:1",
    "after:run.started:1",
    "before:step.started:1",
    "after:step.started:1",
    "go:1",
    "go:3",
    "answered:3",
    "committed:1",
    "committed:3",
    "before:step.started:4",
    "after:step.started:4",
    "before:step.finished:5",
    "after:step.finished:5",
    "before:run.finished:1",
    "after:run.finished:1",
]


def assert_whole(scene: Scene) -> None:
    """The database is as after a run that was never interrupted, and the journal holds."""
    assert scene.database.heads() == ["r005"]
    assert scene.database.tables() == WHOLE
    row = scene.workspace.state("dev")
    assert (row["state"], row["remarks"]) == ("current", [])
    scene.workspace.ok("history", "--verify")


@pytest.mark.parametrize(
    ("database", "point"),
    [
        *(("sqlite", point) for point in POINTS),
        *(("postgresql", point) for point in POINTS[::2]),
        *(("mariadb", point) for point in POINTS[2::4]),
    ],
    indirect=["database"],
)
def test_orchestrator_killed_at_a_named_point(scene: Scene, point: str) -> None:
    """Whatever had become durable when the orchestrator died, resume finds the rest."""
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    killed = scene.workspace.call("apply", "dev", "--yes", program=program)
    assert killed.status == -9
    scene.workspace.ok("resume")
    if point == "before:run.started:1":
        # Nothing had been recorded, so there was nothing to resume.
        scene.workspace.ok("apply", "dev", "--yes")
    assert_whole(scene)
    assert scene.workspace.ok("resume").stdout.strip() == "Nothing is unfinished"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("victims", [("agent",), ("orchestrator", "agent"), ("orchestrator",)])
def test_killed_inside_a_transactional_step(scene: Scene, victims: tuple[str, ...]) -> None:
    """The server undid the step, or the agent finished it: resume carries out the rest."""
    scene.arm(*victims)
    killed = scene.workspace.call("apply", "dev", "--yes")
    assert killed.status == (-9 if "orchestrator" in victims else 6)
    assert scene.workspace.call("apply", "dev", "--yes").status == 6, "nothing on top of it"
    scene.workspace.ok("resume")
    assert_whole(scene)


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
@pytest.mark.parametrize("victims", [("agent",), ("orchestrator", "agent")])
def test_killed_inside_a_step_that_stays(scene: Scene, victims: tuple[str, ...]) -> None:
    """Half of it is there: a named doubt with what changed, and a person decides."""
    scene.arm(*victims)
    killed = scene.workspace.call("apply", "dev", "--yes")
    if "orchestrator" in victims:
        assert killed.status == -9
        killed = scene.workspace.call("resume")
    assert killed.status == 7
    assert "in-doubt" in killed.stderr
    assert "table first" in killed.stderr
    assert scene.database.heads() == ["r002"]
    again = scene.workspace.call("resume")
    assert again.status == 7, "asking again changes nothing"
    scene.database.execute("DROP TABLE first")
    scene.workspace.ok("resume")
    assert_whole(scene)


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_choices_in_doubt(scene: Scene) -> None:
    """`--mark-applied` counts the step as done by hand, `--retry` runs it again."""
    scene.arm("agent")
    assert scene.workspace.call("apply", "dev", "--yes").status == 7
    retried = scene.workspace.call("resume", "--retry")
    assert retried.status == 7, "the table is still there, so the step fails again"
    scene.database.execute("CREATE TABLE second (id INTEGER PRIMARY KEY)")
    scene.workspace.ok("resume", "--mark-applied")
    assert_whole(scene)
    run = scene.workspace.ok("history", "--format", "json").json()["runs"][0]
    assert [step["status"] for step in run["steps"]][2] == "marked"


def test_abort_ends_a_doubt(scene: Scene) -> None:
    """After an abort a new plan starts from where the database is."""
    scene.arm("agent")
    assert scene.workspace.call("apply", "dev", "--yes").status in {6, 7}
    (run,) = scene.workspace.ok("history", "--format", "json").json()["runs"]
    told = scene.workspace.ok("abort", run["id"])
    assert "2 of 5 steps done" in told.stdout
    assert "the database is at r002" in told.stdout
    assert scene.workspace.state("dev")["remarks"] == []
    if "first" in scene.database.tables():
        scene.database.execute("DROP TABLE first")
    scene.workspace.ok("apply", "dev", "--yes")
    assert_whole(scene)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_server_killed_inside_a_step(scene: Scene) -> None:
    """The server dies in a step: the run stops, says so, and goes on when the server is back."""
    server = scene.database.server
    assert server is not None
    scene.arm(server.pid)
    stopped = scene.workspace.call("apply", "dev", "--yes")
    assert stopped.status in {6, 7}, stopped.stderr
    server.kill()
    down = scene.workspace.call("resume", "--format", "json")
    assert (down.status, down.error()["code"]) == (1, "unreachable")
    server.start()
    resumed = scene.workspace.call("resume")
    if resumed.status == 7:
        scene.database.execute("DROP TABLE first")
        resumed = scene.workspace.call("resume")
    assert resumed.status == 0, resumed.stderr
    assert_whole(scene)
