"""Putting copies back: everything that was there is there again, or nothing has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_backups import catalogue, order, scratch_databases
from tests.support.copies import content, differing, fill, make_alike, snapshot_of
from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project
from tests.support.servers import PASSWORD, literal
from tests.support.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, database: Database) -> Workspace:
    """Four revisions applied, a row, and objects of every kind that the server has."""
    folder = tmp_path / "work"
    project = Project(folder).linear(4)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    space.environment("prod", database, backup=order(database))
    fill(database)
    database.execute("DROP TABLE alembic_version")
    space.ok("apply", "prod", "--to", "r002", "--yes", "--override", "backup", "--reason", "empty")
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'before')")
    space.ok("backup", "prod")
    return space


def copy_of(workspace: Workspace) -> str:
    found: str = catalogue(workspace)[-1]["id"]
    return found


def names(database: Database) -> list[Any]:
    return database.rows("SELECT name FROM t1 ORDER BY id")


def test_what_was_migrated_since_is_gone_again(workspace: Workspace, database: Database) -> None:
    first, saved = copy_of(workspace), content(database)
    workspace.ok("apply", "prod", "--yes")
    database.execute("INSERT INTO t1 (id, name) VALUES (2, 'after')", "CREATE TABLE extra (id int)")
    refused = workspace.call("restore", "prod", first, "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "target-not-empty")
    assert names(database) == [("before",), ("after",)]
    done = workspace.ok("restore", "prod", first, "--replace", "--yes")
    assert "prod is at r002" in done.stdout
    assert names(database) == [("before",)]
    assert differing(saved, content(database)) == []
    assert "extra" not in database.tables()
    assert workspace.state("prod")["heads"] == ["r002"]
    safety = catalogue(workspace)[0]
    assert Path(safety["location"]).name.startswith("before-restore-")
    assert safety["heads"] == ["r004"]
    assert workspace.ok("history", "--verify").status == 0
    run = workspace.ok("history", "--format", "json").json()["runs"][0]
    assert (run["direction"], run["status"]) == ("restore", "succeeded")
    # And forward again, from the safety copy.
    workspace.ok("rollback", "prod", "--backup", safety["id"], "--yes")
    assert names(database) == [("before",), ("after",)]
    assert workspace.state("prod")["heads"] == ["r004"]


def test_into_another_empty_database(
    workspace: Workspace, database: Database, new_database: NewDatabase
) -> None:
    other = new_database(database.kind)
    make_alike(other)
    workspace.environment("dev", other)
    workspace.ok("restore", "dev", copy_of(workspace), "--yes")
    assert names(other) == [("before",)]
    assert workspace.state("dev")["heads"] == ["r002"]
    assert workspace.state("prod")["heads"] == ["r002"]
    workspace.ok("apply", "dev", "--yes")
    assert workspace.state("dev")["heads"] == ["r004"]


def test_a_damaged_copy_touches_nothing(workspace: Workspace, database: Database) -> None:
    copy = catalogue(workspace)[-1]
    path = Path(copy["location"])
    whole = path.read_bytes()
    workspace.ok("apply", "prod", "--yes")
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    failed = workspace.call("restore", "prod", copy["id"], "--replace", "--yes")
    assert failed.status == 1
    assert "SHA-256" in failed.stderr or "its last line is missing" in failed.stderr
    assert workspace.state("prod")["heads"] == ["r004"]
    path.unlink()
    failed = workspace.call("restore", "prod", copy["id"], "--replace", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "backup-broken")


def test_an_unknown_copy_and_no_copy(workspace: Workspace) -> None:
    wrong = workspace.call("restore", "prod", copy_of(workspace)[:-1], "--format", "json")
    assert (wrong.status, wrong.error()["code"]) == (2, "unknown-backup")
    assert copy_of(workspace) in wrong.error()["hint"]
    assert workspace.call("restore", "prod").status == 2
    assert workspace.call("restore", "prod", copy_of(workspace), "--no-input").status in {2, 4}


# --- MariaDB: an exchange, or in place ------------------------------------------------------------

EXCHANGED = "a cut-off leaves the old database or the new"
IN_PLACE = "leaves a half-empty database"


@pytest.fixture
def small(tmp_path: Path, new_database: NewDatabase) -> tuple[Workspace, Database]:
    """Start a MariaDB with four ordinary revisions, of which a copy was made at the second."""
    database = new_database("mariadb")
    folder = tmp_path / "work"
    project = Project(folder).linear(4)
    space = Workspace(folder=folder, project=project).spec(include="environments/*.yaml")
    space.environment("prod", database, backup=order(database))
    space.ok("apply", "prod", "--to", "r002", "--yes", "--override", "backup", "--reason", "empty")
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'before')")
    return space, database


def planned(workspace: Workspace) -> str:
    """Return what a person is shown before anything happens; nothing does."""
    asked = workspace.call("restore", "prod", copy_of(workspace), "--replace", "--no-input")
    assert asked.status in {2, 4}
    return " ".join((asked.stdout + asked.stderr).split())


def put_back(workspace: Workspace, database: Database, *, said: str) -> None:
    """Insist on what the plan says, then on the copy's content."""
    workspace.ok("apply", "prod", "--yes", "--override", "backup", "--reason", "quick")
    database.execute("INSERT INTO t1 (id, name) VALUES (2, 'after')")
    shown = planned(workspace)
    assert said in shown, shown
    assert (EXCHANGED in shown) is (IN_PLACE not in shown)
    assert names(database) == [("before",), ("after",)]
    workspace.ok("restore", "prod", copy_of(workspace), "--replace", "--yes")
    assert names(database) == [("before",)]
    assert workspace.state("prod")["heads"] == ["r002"]
    assert not [name for name in database.tables() if name.startswith("orchestrate_")]


def test_the_plan_says_that_a_cut_off_is_harmless(small: tuple[Workspace, Database]) -> None:
    workspace, database = small
    workspace.ok("backup", "prod")
    put_back(workspace, database, said=EXCHANGED)
    run = workspace.ok("history", "--format", "json").json()["runs"][0]["id"]
    assert "left" not in workspace.ok("show", run, "--format", "json").json()


def test_who_may_not_create_a_schema_is_told_before(small: tuple[Workspace, Database]) -> None:
    workspace, database = small
    server = database.server
    assert server is not None
    account = f"own_{database.name[-6:]}"
    server.execute(
        f"CREATE USER {account}@'%' IDENTIFIED BY {literal(PASSWORD)}",
        f"GRANT ALL ON `{database.name}`.* TO {account}@'%'",
    )
    workspace.environ["PROD_URL"] = server.url(database.name, user=account)
    workspace.ok("backup", "prod")
    put_back(workspace, database, said="has no right to SELECT, INSERT, CREATE")
    # As soon as it may, as the guide has it.
    server.execute(f"GRANT ALL ON `orchestrate\\_scratch\\_%`.* TO {account}@'%'")
    put_back(workspace, database, said=EXCHANGED)


@pytest.mark.parametrize(
    ("before_copy", "after_copy", "said"),
    [
        (
            (),
            (
                "CREATE TABLE {other}.items (id INT PRIMARY KEY, t INT,"
                " CONSTRAINT fk_t FOREIGN KEY (t) REFERENCES {own}.t1 (id))",
                "INSERT INTO {other}.items VALUES (1, 1)",
            ),
            "a foreign key of `{other}`.`items` refers to the database",
        ),
        (
            ("CREATE EVENT elsewhere ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE DO SELECT 1",),
            (),
            "the event elsewhere is disabled on replicas alone",
        ),
        (("CREATE TABLE dated (a INT NOT NULL) ENGINE = CSV",), (), "tables of the engine CSV"),
        ((), ("CREATE TABLE quick (a INT) ENGINE = MEMORY",), "tables of the engine MEMORY"),
    ],
    ids=["foreign key from outside", "event", "engine of the copy", "engine there"],
)
def test_what_cannot_be_exchanged_is_put_back_in_place(
    small: tuple[Workspace, Database],
    new_database: NewDatabase,
    before_copy: tuple[str, ...],
    after_copy: tuple[str, ...],
    said: str,
) -> None:
    workspace, database = small
    other = new_database("mariadb")
    places = {"own": database.name, "other": other.name}
    database.execute(*before_copy)
    workspace.ok("backup", "prod")
    database.execute(*(one.format(**places) for one in after_copy))
    put_back(workspace, database, said=said.format(**places))
    if "items" in said:
        with pytest.raises(Exception, match="foreign key constraint fails"):
            other.execute("INSERT INTO items VALUES (2, 99)")
        other.execute("INSERT INTO items VALUES (3, 1)", "DROP TABLE items")


def test_a_copy_that_cannot_be_loaded_leaves_the_old(small: tuple[Workspace, Database]) -> None:
    """`mariadb-dump` locks a table without the sequence that its default asks."""
    workspace, database = small
    database.execute(
        "CREATE SEQUENCE numbers",
        "CREATE TABLE numbered (id INT PRIMARY KEY DEFAULT (NEXT VALUE FOR numbers))",
        "INSERT INTO numbered VALUES ()",
    )
    workspace.ok("backup", "prod")
    workspace.ok("apply", "prod", "--yes", "--override", "backup", "--reason", "quick")
    database.execute("INSERT INTO t1 (id, name) VALUES (2, 'after')")
    before = snapshot_of(database)
    failed = workspace.call("restore", "prod", copy_of(workspace), "--replace", "--yes")
    assert failed.status == 1, failed.stderr
    assert "was not locked with LOCK TABLES" in failed.stderr
    assert "The database is as it was before" in failed.stderr
    assert snapshot_of(database) == before
    assert names(database) == [("before",), ("after",)]


def test_a_foreign_key_that_cannot_be_seen_is_told_afterwards(
    small: tuple[Workspace, Database], new_database: NewDatabase
) -> None:
    """It goes along with the old table, which nobody then may drop."""
    workspace, database = small
    server, other = database.server, new_database("mariadb")
    assert server is not None
    account = f"blind_{database.name[-6:]}"
    server.execute(
        f"CREATE USER {account}@'%' IDENTIFIED BY {literal(PASSWORD)}",
        f"GRANT ALL ON `{database.name}`.* TO {account}@'%'",
        f"GRANT ALL ON `orchestrate\\_scratch\\_%`.* TO {account}@'%'",
    )
    workspace.environ["PROD_URL"] = server.url(database.name, user=account)
    workspace.ok("backup", "prod")
    other.execute(
        "CREATE TABLE items (id INT PRIMARY KEY, t INT,"
        f" CONSTRAINT fk_t FOREIGN KEY (t) REFERENCES {database.name}.t1 (id))"
    )
    done = workspace.ok("restore", "prod", copy_of(workspace), "--replace", "--yes")
    assert "the old tables are still in `orchestrate_scratch_" in done.stdout + done.stderr
    assert names(database) == [("before",)]
    (left,) = scratch_databases(database)
    other.execute(
        "ALTER TABLE items DROP FOREIGN KEY fk_t",
        f"ALTER TABLE items ADD FOREIGN KEY (t) REFERENCES {database.name}.t1 (id)",
        "DROP TABLE items",
    )
    workspace.ok("restore", "prod", copy_of(workspace), "--replace", "--yes")
    assert left not in scratch_databases(database)
