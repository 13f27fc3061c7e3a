"""What a project does to the process it runs in must not reach the protocol."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from orchestrate.adapters.agent_process import Message
from tests.agent.driving import Driver, events, failure
from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project, names


@pytest.fixture
def database(new_database: NewDatabase) -> Database:
    """One kind is enough: the process is what is tested."""
    return new_database("sqlite")


@pytest.mark.parametrize(
    "shape",
    [
        "prints_json",
        "writes_descriptors",
        "floods_stdout",
        "reads_stdin",
        "changes_directory",
        "disables_logging",
        "forks",
        "runs_twice",
        "changes_signals",
    ],
)
def test_noise_does_not_change_what_is_done(
    project: Project, database: Database, shape: str, python: Path
) -> None:
    """Whatever it prints, reads or changes, the revisions run and are told."""
    project.linear(2).env(shape)
    with Driver(project, database, python=python) as driver:
        assert driver.ask("probe")["heads"] == []
        heard = driver.run(["r001", "r002"])
        assert events(heard)[-1] == ("result", None)
        assert driver.ask("probe")["heads"] == ["r002"]
        if shape in {"prints_json", "writes_descriptors"}:
            assert any('"event": "result"' in line for line in driver.agent.output)
        assert driver.agent.hello()["directory"] == str(project.folder)
    assert database.heads() == ["r002"]


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        ("import sys\nsys.exit('the project says no')", "SystemExit: the project says no"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit('odd')", "GeneratorExit: odd"),
        ("raise RuntimeError('first\\nsecond')", "RuntimeError: first"),
        ("class Own(BaseException): pass\nraise Own()", "Own"),
        ("import missing_module_of_theirs", "ModuleNotFoundError: No module named "),
        ("import sys\nsys.exit(0)", "ended without a call of `context.run_migrations()`"),
        ("def (", "SyntaxError: invalid syntax"),
        ("import sys\nsys.stdout.close()\nsys.stdout = None\n1 / 0", "ZeroDivisionError"),
    ],
)
def test_whatever_env_py_raises_is_an_answer(
    project: Project, database: Database, setup: str, message: str, python: Path
) -> None:
    """The agent lives on to tell, with the line where it happened."""
    project.linear(1).env("default", setup=setup)
    with Driver(project, database, python=python) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert error.code == "env-failed"
    assert message in error.message


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_error_that_says_nothing_is_told_by_its_cause(
    project: Project, database: Database
) -> None:
    """Applications wrap what went wrong in exceptions with an empty text."""
    project.linear(1).env(
        "default",
        setup="""
            try:
                {}["the key"]
            except KeyError as error:
                raise RuntimeError(()) from error
        """,
    )
    with Driver(project, database) as driver:
        assert failure(lambda: driver.ask("probe")).message == "KeyError: 'the key'"


def test_an_exit_after_the_work_is_told_with_the_work(project: Project, database: Database) -> None:
    """env.py ends the process it thinks it has to itself; what was committed stays so."""
    project.linear(2)
    with Driver(project, database) as driver:
        steps = driver.steps(["r001", "r002"])
        project.env("exits_afterwards")
        heard: list[Message] = []
        error = failure(lambda: driver.run([], steps=steps, on_message=heard.append))
    assert (error.code, error.message) == ("env-failed", "SystemExit: 3")
    assert [one.event for one in heard].count("committed") == 2
    assert database.heads() == ["r002"]


def test_an_agent_that_vanishes_is_explained(project: Project, database: Database) -> None:
    """`os._exit` in env.py: status, phase and last words are told."""
    project.linear(1).env("default", setup='print("last words")\nimport os\nos._exit(5)')
    with Driver(project, database) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert error.code == "agent-failed"
    assert error.message == "the agent ended with status 5, during: running env.py: last words"


@pytest.mark.crash
def test_a_killed_agent_is_explained_and_its_revision_rolled_back(
    project: Project, new_database: NewDatabase
) -> None:
    """SIGKILL inside a revision: the journal has `start`, the database what the server kept."""
    database = new_database("postgresql")
    project.linear(1).revision(
        "r002",
        down="r001",
        upgrade="""
            import os, signal
            op.create_table("half", sa.Column("id", sa.Integer))
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    with Driver(project, database) as driver:
        error = failure(lambda: driver.run(["r001", "r002"]))
    assert error.code == "agent-failed"
    assert error.message.startswith("the agent was ended by SIGKILL, during: ")
    assert database.heads() == ["r001"]
    assert database.tables() == ["alembic_version", "t1"]


@pytest.mark.crash
def test_a_revision_is_finished_when_the_orchestrator_is_gone(
    project: Project, database: Database
) -> None:
    """The end of standard input lets the current revision end, starts no other, and ends us."""
    project.linear(1)
    project.revision(
        "r002",
        down="r001",
        upgrade="""
            import time
            open("begun", "w").close()
            time.sleep(1.5)
            op.create_table("slow", sa.Column("id", sa.Integer))
        """,
    )
    project.revision("r003", down="r002", upgrade='op.create_table("never")')
    driver = Driver(project, database)
    heard = driver.agent.request(
        "run",
        deadline=None,
        **driver.common,
        steps=driver.steps(names(range(1, 4))),
        direction="upgrade",
        mode="session",
        snapshots=False,
    )
    for message in heard:
        if message.event == "start":
            driver.agent.go()
        if message.fields.get("step") == "step-r002":
            break
    while not (project.folder / "begun").exists():
        time.sleep(0.01)
    begun = time.monotonic()
    driver.agent.close()
    while driver.agent._line.process.poll() is None and time.monotonic() - begun < 20:
        time.sleep(0.05)
    assert driver.agent._line.process.poll() == 0
    assert time.monotonic() - begun > 1
    assert database.heads() == ["r002"]
    assert database.tables() == ["alembic_version", "slow", "t1"]


def test_an_idle_agent_ends_with_its_input(project: Project, database: Database) -> None:
    """Also when a thread of the project's would keep Python alive."""
    setup = "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()"
    project.linear(1).env("default", setup=setup)
    driver = Driver(project, database)
    driver.ask("probe")
    begun = time.monotonic()
    driver.agent.close()
    assert driver.agent._line.process.poll() == 0
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("shape", ["hangs", "hangs_connected", "hangs_deaf"])
def test_a_deadline_ends_what_hangs_and_says_where(
    project: Project, database: Database, shape: str, python: Path
) -> None:
    """The place is the project's line, not ours."""
    project.linear(1).env(shape)
    with Driver(project, database, python=python) as driver:
        error = failure(lambda: driver.ask("probe", deadline=2))
    assert error.code == "agent-stalled"
    assert "no end within 2 s, during: running env.py" in error.message
    assert "migrations/env.py:" in str(error.where)
    assert driver.agent._line.process.poll() == -9


def test_a_forked_child_cannot_speak(project: Project, database: Database, python: Path) -> None:
    """A child that lives on in env.py, and returns into our code, neither answers nor reads."""
    project.linear(2).env("default", setup="import os\nos.fork()")
    with Driver(project, database, python=python) as driver:
        for _ in range(3):
            assert driver.ask("probe")["heads"] == []
        pid = driver.agent.pid
    # Zombies apart: nobody is left to wait for the children of an agent that has ended.
    found = subprocess.run(
        ["pgrep", "-g", str(pid), "-r", "R,S,D"], capture_output=True, check=False
    )
    assert found.stdout == b""


def test_environment_and_path_are_put_back(project: Project, database: Database) -> None:
    """What one request sets, the next does not see."""
    project.linear(1).env(
        "default",
        setup='import os, sys\nprint("seen", os.environ.get("MARK"), "extra" in str(sys.path))',
    )
    with Driver(project, database) as driver:
        fields = driver.fields
        driver.fields = {**fields, "environ": {"MARK": "yes"}, "sys_path": ["extra"]}
        driver.ask("probe")
        driver.fields = fields
        driver.ask("probe")
        driver.agent.close()
        seen = [line for line in driver.agent.output if line.startswith("seen")]
    assert seen == ["seen yes True", "seen None False"]
    assert "MARK" not in os.environ


@pytest.mark.parametrize("name", ["alembic", "logging", "types", "typing", "sqlalchemy"])
def test_local_modules_do_not_shadow_real_ones(
    project: Project, database: Database, name: str, python: Path
) -> None:
    """Started in a folder that has an `alembic/` or a `logging.py` of its own."""
    project.linear(1).file(f"{name}/__init__.py", 'raise RuntimeError("the wrong one")')
    with Driver(project, database, python=python) as driver:
        driver.run(["r001"])
    assert database.heads() == ["r001"]


def test_a_module_beside_the_project_is_found(project: Project, database: Database) -> None:
    """As with `python -m alembic`, but last on the path."""
    project.linear(1).file("beside.py", "value = 1").env("default", first="import beside")
    with Driver(project, database) as driver:
        assert driver.ask("probe")["heads"] == []


def test_warnings_as_errors_of_the_project_stay_its_own(
    project: Project, database: Database, python: Path
) -> None:
    """`simplefilter("error")` must not break the agent's own code."""
    project.linear(2).env("default", setup='import warnings\nwarnings.simplefilter("error")')
    with Driver(project, database, python=python) as driver:
        driver.run(["r001", "r002"])
        assert driver.ask("probe")["heads"] == ["r002"]
