"""A schema read anew only where it may have changed is the schema that is there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrate.adapters.agent_process import Message
from orchestrate.domain.snapshot import Snapshot
from tests.agent.driving import Driver
from tests.dialects.reading import read
from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project

RAW = """\
cursor = op.get_bind().connection.cursor()
cursor.execute({!r})
cursor.close()"""
CHILD = (
    "CREATE TABLE child (id INT PRIMARY KEY, parent_id INT,"
    " CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES parent (id))"
)
PROCEDURE = (
    "CREATE PROCEDURE widen() BEGIN"
    " ALTER TABLE parent ADD by_procedure INT; ALTER TABLE plain ADD also INT; END"
)
SEVERAL = "ALTER TABLE plain ADD first INT COMMENT 'a; b'"


def sql(*statements: str) -> str:
    """Return a revision's body that executes statements."""
    return "\n".join(f"op.execute({one!r})" for one in statements)


CHAINS = {
    "tables": [
        sql("CREATE TABLE parent (id INT PRIMARY KEY)", "CREATE TABLE plain (id INT)"),
        sql(CHILD),
        sql("INSERT INTO parent VALUES (1)", "UPDATE plain SET id = 2"),
        sql("ALTER TABLE plain ADD note TEXT"),
        sql("CREATE INDEX ix_note ON plain (note(10))", "/* a remark */ DROP TABLE IF EXISTS x"),
        sql("ALTER TABLE parent CHANGE id number INT"),
        sql("RENAME TABLE parent TO ancestor"),
        sql("ALTER TABLE child DROP FOREIGN KEY fk_parent", "DROP TABLE ancestor"),
        sql("CREATE TABLE LIKE_plain LIKE plain", SEVERAL),
        "",
    ],
    "names": [
        sql("CREATE TABLE `two words` (id INT)", "CREATE TABLE plain (id INT)"),
        sql("ALTER TABLE `two words` ADD note TEXT"),
        sql("ALTER TABLE plain ADD n INT"),
        sql("CREATE TABLE `größe` (id INT)"),
        sql("ALTER TABLE `größe` ADD note TEXT"),
    ],
    "others": [
        sql("CREATE TABLE parent (id INT)", "CREATE TABLE plain (id INT)"),
        sql(PROCEDURE),
        sql("CALL widen()"),
        sql("CREATE TRIGGER t BEFORE INSERT ON plain FOR EACH ROW SET NEW.id = 1"),
        sql("ALTER TABLE plain ADD more INT"),
        sql("RENAME TABLE plain TO plainer"),
        sql("SET STATEMENT max_statement_time = 9 FOR ALTER TABLE parent ADD set_there INT"),
        sql("CREATE VIEW seen AS SELECT id FROM parent"),
        sql("ALTER TABLE parent CHANGE id number INT"),
        sql("DROP VIEW seen", "DROP PROCEDURE widen"),
    ],
    "behind SQLAlchemy": [
        sql("CREATE TABLE parent (id INT)"),
        RAW.format("CREATE TABLE raw (id INT)"),
        RAW.format("CREATE TABLE rawer LIKE raw") + "\n" + sql("INSERT INTO rawer VALUES (1)"),
        RAW.format("DROP TABLE raw"),
        sql("SELECT 1"),
    ],
}


@pytest.fixture
def database(new_database: NewDatabase) -> Database:
    """The server whose schema takes long to read, and undoes no change of it."""
    return new_database("mariadb")


def described(driver: Driver, rows: Any) -> Snapshot:
    """Return what rows describe."""
    return driver.dialect.snapshot(rows, version_table="alembic_version")


@pytest.mark.parametrize("bodies", CHAINS.values(), ids=CHAINS)
def test_around_each_revision_the_schema_is_told_as_it_is(
    project: Project, database: Database, bodies: Sequence[str]
) -> None:
    """As another connection sees it, whichever statements were sent."""
    for number, body in enumerate(bodies, 1):
        down = f"r{number - 1:03}" if number > 1 else None
        project.revision(f"r{number:03}", down=down, upgrade=body or "pass")
    told: list[Snapshot] = []
    there: list[Snapshot] = []

    def look(message: Message) -> None:
        if message.event == "committed":
            told.append(described(driver, message.fields["snapshot"]))
        elif message.event == "start" and told:
            assert message.fields["as_committed"]
            assert message.fields["snapshot"] is None
            there.append(whole())

    def whole() -> Snapshot:
        with contextlib.closing(database.connect()) as connection:
            return read(connection, "mysql")

    with Driver(project, database) as driver:
        revisions = [f"r{number:03}" for number in range(1, len(bodies) + 1)]
        heard = driver.run(revisions, snapshots=True, on_message=look)
        last = [one for one in heard if one.event == "committed"][-1].fields["snapshot"]
        assert driver.ask("snapshot")["rows"] == last
    assert told == [*there, whole()]
    assert len(set(told)) > len(bodies) // 2
