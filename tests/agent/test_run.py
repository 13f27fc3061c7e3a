"""Carrying revisions out through env.py: what is announced, committed, and told of a failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrate.adapters.agent_process import Message
from tests.agent.driving import Driver, events, failure
from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project, names

FAILS = 'op.create_table("half", sa.Column("id", sa.Integer))\nop.execute("SELECT broken FROM x")'


def test_each_revision_is_announced_and_committed(
    project: Project, database: Database, python: Path
) -> None:
    """When `committed` is told, anybody else sees it."""
    seen = []

    def look(message: Message) -> None:
        if message.event in {"start", "committed"}:
            seen.append((message.event, message.fields["heads"], database.heads()))

    project.linear(3)
    with Driver(project, database, python=python) as driver:
        heard = driver.run(names(range(1, 4)), on_message=look)
    assert seen == [
        ("start", [], []),
        ("committed", ["r001"], ["r001"]),
        ("start", ["r001"], ["r001"]),
        ("committed", ["r002"], ["r002"]),
        ("start", ["r002"], ["r002"]),
        ("committed", ["r003"], ["r003"]),
    ]
    assert heard[-1].fields["result"] == {"heads": ["r003"], "done": 3}
    committed = [one.fields for one in heard if one.event == "committed"]
    assert [one["statements"] for one in committed] == [1, 1, 1]
    assert all(0 < one["sql_seconds"] <= one["seconds"] for one in committed)


@pytest.mark.parametrize("mode", ["session", "isolated", "native"])
def test_every_mode_goes_up_and_down(
    project: Project, database: Database, mode: str, python: Path
) -> None:
    """Modes differ in what is committed together, not in where they end."""
    project.linear(4)
    up = names(range(1, 5))
    with Driver(project, database, python=python) as driver:
        heard = driver.run(up, mode=mode)
        count = 1 if mode == "native" else 4
        assert [kind for kind, _ in events(heard)] == ["start", "committed"] * count + ["result"]
        assert database.heads() == ["r004"]
        driver.run(up[:0:-1], mode=mode, direction="downgrade")
    assert database.heads() == ["r001"]
    assert database.tables() == ["alembic_version", "t1"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("mode", ["session", "isolated"])
def test_an_env_py_that_shuts_readers_out(
    project: Project, database: Database, mode: str, python: Path
) -> None:
    """With `BEGIN EXCLUSIVE`, reading the version table locks the file against our connection."""
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(2).env("sqlite_exclusive")
    up = names(range(1, 3))
    with Driver(project, database, python=python) as driver:
        driver.run(up[:1], mode=mode)
        driver.run(up[1:], mode=mode)
        driver.run(up[:0:-1], mode=mode, direction="downgrade")
    assert database.heads() == ["r001"]
    assert database.tables() == ["alembic_version", "something", "t1"]


def test_nothing_is_written_before_the_first_go(project: Project, database: Database) -> None:
    """`stop` at the first announcement leaves not even a version table."""
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(2)
    with Driver(project, database) as driver:
        heard = driver.run(names(range(1, 3)), on_message=lambda _: "stop")
    assert heard[-1].fields["result"] == {"heads": [], "done": 0}
    assert database.tables() == ["something"]


@pytest.mark.parametrize("mode", ["session", "isolated"])
def test_stop_ends_a_run_between_two_revisions(
    project: Project, database: Database, mode: str
) -> None:
    """What was done stays, and what was not announced to the end is not begun."""
    project.linear(3)
    with Driver(project, database) as driver:
        heard = driver.run(
            names(range(1, 4)),
            mode=mode,
            on_message=lambda one: "stop" if one.fields.get("step") == "step-r003" else None,
        )
    assert heard[-1].fields["result"] == {"heads": ["r002"], "done": 2}
    assert database.heads() == ["r002"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_step_that_was_granted_ahead_is_not_waited_for(
    project: Project, database: Database
) -> None:
    """It begins only on the version that it expects, and not once `stop` was said."""
    project.linear(4)
    with Driver(project, database) as driver:
        steps = driver.steps(names(range(1, 5)))
        for step, before in zip(steps, [[], ["r001"], ["r999"], ["r003"]], strict=True):
            step["from_heads"] = before
        answered: list[str] = []

        def answer(message: Message) -> str:
            number = str(message.fields.get("step", ""))[-1:]
            if message.event == "start" and number == "1":
                driver.agent.go(ahead="step-r002")
                driver.agent.go(ahead="step-r003")
            if message.event == "start" and number == "2":
                return "nothing"
            if message.event == "start" and number == "3":
                answered.append(database.heads()[0])  # it waits: its heads are not as expected
                driver.agent.go(ahead="step-r004")
                driver.agent.stop()
            if message.event == "start" and number == "4":
                return "nothing"
            return "go"

        heard = driver.run([], steps=steps, on_message=answer)
    assert answered == ["r002"]
    assert heard[-1].fields["result"]["heads"] == ["r002"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_granted_ahead_is_no_leave_to_leave_the_transaction(
    project: Project, database: Database
) -> None:
    """`leaving-transaction` has an answer of its own, even when the next step's is there."""
    leave = (
        "with op.get_context().autocommit_block():\n    op.execute('CREATE TABLE alone (id int)')"
    )
    project.revision("r001", down=None, upgrade=leave).revision("r002", down="r001")
    with Driver(project, database) as driver:
        steps = driver.steps(["r001", "r002"])
        steps[0]["from_heads"], steps[1]["from_heads"] = [], ["r001"]
        left: list[list[str]] = []

        def answer(message: Message) -> str:
            if message.event == "start" and message.fields["step"] == "step-r001":
                driver.agent.go(ahead="step-r002")
            if message.event == "leaving-transaction":
                left.append(database.tables())
            return "nothing" if message.fields.get("step") == "step-r002" else "go"

        driver.run([], steps=steps, on_message=answer)
    assert "alone" not in left[0]
    assert database.heads() == ["r002"]


def test_a_failing_revision_leaves_the_ones_before_it(
    project: Project, database: Database, python: Path
) -> None:
    """The error tells what ran, what failed, and how the database is now."""
    project.linear(1).revision("r002", down="r001", upgrade=FAILS)
    with Driver(project, database, python=python) as driver:
        error = failure(lambda: driver.run(["r001", "r002"], snapshots=True))
        assert error.code == "step-failed"
        details: dict[str, Any] = dict(error.details)
        assert details["step"] == "step-r002"
        assert details["heads"] == ["r001"] == database.heads()
        assert details["left_transaction"] is False
        assert details["failing"] == "SELECT broken FROM x"
        assert [text[:17] for text in details["statements"]] == ["CREATE TABLE half"]
        assert details["snapshot"]
        assert details["where"].endswith("r002_revision_r002.py:18")
        assert "\n" not in error.message
        assert not driver.agent.usable
    left = ["alembic_version", "t1"]
    if database.kind != "postgresql":
        left.insert(1, "half")
    assert database.tables() == left
    if database.kind == "postgresql":
        assert details["sqlstate"] == "42P01"
    if database.kind == "mariadb":
        assert details["driver_code"] == "1146"


def test_a_failed_commit_is_the_steps_failure(
    project: Project, new_database: NewDatabase, python: Path
) -> None:
    """A constraint checked at the end of a transaction fails after the body."""
    database = new_database("postgresql")
    project.revision(
        "r001",
        down=None,
        upgrade="""
            op.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
            op.execute(
                "CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"
            )
            op.execute("INSERT INTO b VALUES (7)")
        """,
    )
    with Driver(project, database, python=python) as driver:
        error = failure(lambda: driver.run(["r001"]))
    assert (error.code, error.details["sqlstate"]) == ("step-failed", "23503")
    assert "(7)" not in error.message
    assert not {"a", "b"} & set(database.tables())


@pytest.mark.parametrize("mode", ["session", "isolated", "native"])
def test_an_error_that_env_py_hides_is_found_out(
    project: Project, database: Database, mode: str
) -> None:
    """env.py ends as if all were well, and plain Alembic exits 0."""
    project.linear(1).revision("r002", down="r001", upgrade=FAILS).env("swallows_errors")
    with Driver(project, database) as driver:
        error = failure(lambda: driver.run(["r001", "r002"], mode=mode))
    assert error.code == "swallowed"
    assert "broken" in error.message or "no such table" in error.message or "x" in error.message
    assert error.details["heads"] == database.heads()
    assert str(error.where).endswith("r002_revision_r002.py:18")


@pytest.mark.parametrize("mode", ["session", "isolated", "native"])
def test_a_commit_that_nobody_else_sees_is_no_commit(
    project: Project, new_database: NewDatabase, mode: str, python: Path
) -> None:
    """A SELECT before `configure` makes Alembic leave the commit to env.py, which makes none."""
    database = new_database("postgresql")
    project.linear(3).env("autobegin")
    if python.parts[-3] == "oldest":
        pytest.skip("SQLAlchemy 1.4 does not begin a transaction by itself")
    with Driver(project, database, python=python) as driver:
        error = failure(lambda: driver.run(names(range(1, 4)), mode=mode))
    assert error.code == "not-committed"
    assert error.details["heads"] == []
    assert database.tables() == []


@pytest.mark.parametrize("shape", ["outer_transaction", "autobegin_commit"])
@pytest.mark.parametrize("mode", ["isolated", "native"])
def test_a_transaction_of_the_projects_own_works_in_the_modes_made_for_it(
    project: Project, database: Database, shape: str, mode: str
) -> None:
    """`isolated` commits each revision, because env.py does at its end; `native` all of them."""
    project.linear(3).env(shape)
    with Driver(project, database) as driver:
        heard = driver.run(names(range(1, 4)), mode=mode)
    assert heard[-1].fields["result"]["heads"] == ["r003"] == database.heads()


def test_a_native_run_is_all_or_nothing_where_the_server_can(
    project: Project, database: Database
) -> None:
    """One transaction over all parts, as the project has it."""
    project.linear(2).revision("r003", down="r002", upgrade=FAILS)
    with Driver(project, database) as driver:
        error = failure(lambda: driver.run(names(range(1, 4)), mode="native"))
    assert error.code == "step-failed"
    expected = [] if database.kind == "postgresql" else ["r002"]
    assert error.details["heads"] == expected == database.heads()


def test_branches_merges_and_dependencies_move_rows_as_alembic_does(
    project: Project, database: Database, python: Path
) -> None:
    """Rows of the version table are compared with plain Alembic's after each step."""
    project.revision("b1", down=None)
    project.revision("l1", down="b1", branch_labels=("left",))
    project.revision("x1", down=None, branch_labels=("extra",))
    project.revision("x2", down="x1", depends_on=("l1",))
    project.revision("l2", down="l1")
    project.revision("m1", down=("l2", "x2"))
    order = ["b1", "l1", "x1", "x2", "l2", "m1"]
    with Driver(project, database, python=python) as driver:
        heard = driver.run(order)
        rows = [one.fields["heads"] for one in heard if one.event == "committed"]
        assert rows == [["b1"], ["l1"], ["l1", "x1"], ["x2"], ["l2", "x2"], ["m1"]]
        heard = driver.run(order[::-1], direction="downgrade")
        rows = [one.fields["heads"] for one in heard if one.event == "committed"]
        graph = driver.revisions()
    assert rows[-1] == []
    assert rows[0] == ["l2", "x2"]
    assert graph["x2"]["depends_on"] == ["l1"]
    assert graph["m1"]["down"] == ["l2", "x2"]
    assert graph["l1"]["labels"] == ["left"]
    assert graph["l2"]["labels"] == []


ENUM_CHAIN = 'sa.Column("state", sa.Enum("new", "done", name="study_state"))'


def test_an_enum_of_an_earlier_run_is_used_again(
    project: Project, new_database: NewDatabase, python: Path
) -> None:
    """Plain Alembic, one revision at a time, ends with `type already exists`; the agent does not.

    So a run that was interrupted can be resumed, for chains like optuna's and dstack's.
    """
    url_of = {"oldest": "psycopg2", "newest": "psycopg"}[python.parts[-3]]
    plain, ours = new_database("postgresql"), new_database("postgresql")
    for number, down in ((1, None), (2, "r001"), (3, "r002")):
        project.revision(
            f"r00{number}", down=down, upgrade=f'op.create_table("t{number}", {ENUM_CHAIN})'
        )
    project.configure(url=plain.url_with(url_of))
    project.alembic("upgrade", "r001", python=python)
    done = project.alembic("upgrade", "heads", python=python, check=False)
    assert done.returncode != 0
    assert 'type "study_state" already exists' in done.stderr
    with Driver(project, ours, python=python) as driver:
        driver.run(["r001"])
    with Driver(project, ours, python=python) as driver:
        driver.run(["r002"])
        driver.run(["r003"], mode="isolated")
    assert ours.heads() == ["r003"]


def test_an_enum_that_was_dropped_or_renamed_is_made_again(
    project: Project, new_database: NewDatabase, python: Path
) -> None:
    """The memory that resuming needs must not outlive the type."""
    database = new_database("postgresql")
    project.revision("r001", down=None, upgrade=f'op.create_table("t1", {ENUM_CHAIN})')
    project.revision(
        "r002",
        down="r001",
        upgrade=f"""
            op.execute("ALTER TYPE study_state RENAME TO old_state")
            op.create_table("t2", {ENUM_CHAIN})
        """,
    )
    with Driver(project, database, python=python) as driver:
        driver.run(["r001"])
        driver.run(["r002"])
    assert database.heads() == ["r002"]
    assert database.rows("SELECT count(*) FROM pg_type WHERE typtype = 'e'") == [(2,)]


CONCURRENTLY = """
    op.create_table("before", sa.Column("id", sa.Integer))
    with op.get_context().autocommit_block():
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_name ON t1 (name)")
"""


def test_leaving_the_transaction_is_told_first(
    project: Project, new_database: NewDatabase, python: Path
) -> None:
    """It waits for `go`, with the schema as it was before the step."""
    database = new_database("postgresql")
    project.linear(1).revision("r002", down="r001", upgrade=CONCURRENTLY)
    seen: list[list[str]] = []

    def look(message: Message) -> None:
        if message.event == "leaving-transaction":
            seen.append(database.tables())
            assert "before" not in str(message.fields["snapshot"])
            assert "t1" in str(message.fields["snapshot"])

    with Driver(project, database, python=python) as driver:
        assert driver.revisions()["r002"]["leaves_transaction"] is True
        heard = driver.run(["r001", "r002"], on_message=look)
    assert events(heard)[2:] == [
        ("start", "step-r002"),
        ("leaving-transaction", "step-r002"),
        ("committed", "step-r002"),
        ("result", None),
    ]
    assert seen == [["alembic_version", "t1"]]
    assert heard[-2].fields["snapshot"] is not None


def test_a_failure_outside_the_transaction_says_so(
    project: Project, new_database: NewDatabase, python: Path
) -> None:
    """An invalid index is left, and a table that a retry would find."""
    database = new_database("postgresql")
    project.linear(1).revision("r002", down="r001", upgrade=CONCURRENTLY)
    with Driver(project, database, python=python) as driver:
        driver.run(["r001"])
        database.execute("INSERT INTO t1 (name) VALUES ('same'), ('same')")
        error = failure(lambda: driver.run(["r002"]))
    assert error.code == "step-failed"
    assert error.details["left_transaction"] is True
    assert error.details["heads"] == ["r001"]
    assert str(error.details["failing"]).startswith("CREATE UNIQUE INDEX CONCURRENTLY")
    assert "before" in str(error.details["snapshot"])
    assert database.tables() == ["alembic_version", "before", "t1"]


@pytest.mark.parametrize("way", ['op.execute("COMMIT")', "op.get_bind().commit()"])
def test_a_commit_inside_a_revision_is_noticed(
    project: Project, new_database: NewDatabase, way: str
) -> None:
    """By statement or by method, a step that commits is no longer all or nothing."""
    database = new_database("postgresql")
    body = f'op.create_table("early", sa.Column("id", sa.Integer))\n{way}\nraise ValueError("late")'
    project.revision("r001", down=None, upgrade=body)
    with Driver(project, database) as driver:
        heard: list[Message] = []
        error = failure(lambda: driver.run(["r001"], on_message=heard.append))
    telling = [one.event for one in heard if one.event not in {"phase", "statement", "alive"}]
    assert telling == ["start", "leaving-transaction"]
    assert error.details["left_transaction"] is True
    assert "early" in database.tables()


def test_a_file_that_changed_since_the_plan_is_refused(
    project: Project, database: Database
) -> None:
    """Before anything runs, also for a later revision, and also in an agent that had loaded it."""
    database.execute("CREATE TABLE something (id INTEGER)")
    project.linear(2)
    with Driver(project, database) as driver:
        steps = driver.steps(["r001", "r002"])
        path = project.revision_file("r002")
        path.write_text(path.read_text().replace("note", "remark"))
        error = failure(lambda: driver.run([], steps=steps))
    assert error.code == "stale-plan"
    assert "r002" in error.message
    assert database.tables() == ["something"]


def test_a_file_that_changed_before_the_plan_is_loaded_again(
    project: Project, new_database: NewDatabase
) -> None:
    """A warm agent runs the file whose digest it was given, not one it loaded before."""
    database = new_database("sqlite")
    project.linear(2)
    with Driver(project, database) as driver:
        driver.revisions()
        path = project.revision_file("r002")
        path.write_text(path.read_text().replace("note", "remark"))
        driver.run(["r001", "r002"])
    assert database.columns("t1") == ["id", "name", "remark"]


def test_mark_moves_the_rows_alone(project: Project, database: Database, python: Path) -> None:
    """Up and down, and without a `downgrade` function."""
    project.linear(2)
    path = project.revision_file("r002")
    path.write_text(path.read_text().partition("def downgrade")[0])
    with Driver(project, database, python=python) as driver:
        assert driver.revisions()["r002"]["downgrade"] == "missing"
        first, second = driver.steps(["r001", "r002"])
        assert driver.ask("mark", steps=[first], direction="upgrade")["heads"] == ["r001"]
        assert driver.ask("mark", steps=[second], direction="upgrade")["heads"] == ["r002"]
        assert driver.ask("mark", steps=[second], direction="downgrade")["heads"] == ["r001"]
        error = failure(lambda: driver.run(["r002"], direction="downgrade"))
    assert database.heads() == ["r001"]
    assert database.tables() == ["alembic_version"]
    assert error.code in {"step-failed", "internal"}


def test_an_env_py_without_its_own_callbacks_lost(
    project: Project, new_database: NewDatabase
) -> None:
    """`on_version_apply` callbacks of the project are called as ever."""
    project.linear(2).env(
        "default",
        setup='called = lambda step, **_: print("applied", step.up_revision_id)',
        configure="on_version_apply=called",
    )
    with Driver(project, new_database("sqlite")) as driver:
        driver.run(["r001", "r002"])
        driver.agent.close()
        applied = [line for line in driver.agent.output if line.startswith("applied")]
    assert applied == ["applied r001", "applied r002"]


def test_timeouts_hold_for_env_pys_session(project: Project, new_database: NewDatabase) -> None:
    """`lock_timeout` is the session's, so that each revision has it."""
    database = new_database("postgresql")
    project.linear(1)
    for number in (2, 3):
        project.revision(
            f"r00{number}",
            down=f"r00{number - 1}",
            upgrade='print("timeout", op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar())',
        )
    with Driver(project, database, lock_timeout=7) as driver:
        driver.run(names(range(1, 4)))
        driver.agent.close()
        assert [line for line in driver.agent.output if "timeout" in line] == ["timeout 7s"] * 2


def test_snapshots_stand_before_and_after_each_step(project: Project, database: Database) -> None:
    """Asked for where a failed step would leave a doubt."""
    project.linear(2)
    with Driver(project, database) as driver:
        heard = driver.run(["r001", "r002"], snapshots=True)
        parts = [one for one in heard if one.event in {"start", "committed"}]
        assert [one.fields.get("as_committed") for one in parts] == [False, None, True, None]
        rows = [one.fields["snapshot"] for one in parts]
        assert rows.pop(2) is None  # not told twice
        texts = [str(driver.dialect.snapshot(one, version_table="")) for one in rows]
        assert ["note" in text for text in texts] == [False, False, True]
        assert driver.ask("snapshot")["rows"] == parts[-1].fields["snapshot"]


def test_what_the_server_undoes_needs_no_snapshot(project: Project, database: Database) -> None:
    """Beside a step of which something may stay, the others cost what they cost alone."""
    project.linear(3)
    with Driver(project, database) as driver:
        one, two, three = driver.steps(["r001", "r002", "r003"])
        steps = [{**one, "transactional": True}, two, {**three, "transactional": True}]
        heard = driver.run([], steps=steps, snapshots=True)
        parts = [one for one in heard if one.event in {"start", "committed"}]
        found = [one.fields["snapshot"] is not None for one in parts]
        assert found == [False, False, True, True, False, False]
