"""A URL that leads to PgBouncer, while the application works through it as well."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_backups import order
from tests.support.databases import Database
from tests.support.pooler import Pooler
from tests.support.postgresql_server import PostgresqlServer
from tests.support.projects import Project
from tests.support.workspace import Workspace

POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
SETTINGS = """
SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),
current_setting('search_path'), current_setting('default_transaction_read_only')"""
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.fixture
def pooled(database: Database, request: pytest.FixtureRequest) -> Iterator[Database]:
    """Return the database as it is reached through a pooler."""
    assert isinstance(database.server, PostgresqlServer)
    with contextlib.closing(Pooler(database.server, mode=request.param)) as pooler:
        yield replace(database, url=pooler.url(database.name), server=pooler)


TRANSACTIONS = pytest.mark.parametrize("pooled", ["transaction"], indirect=True)


@pytest.fixture
def workspace(tmp_path: Path, pooled: Database) -> Workspace:
    """Forty revisions, one of them partly outside a transaction."""
    project = Project(tmp_path / "work").linear(40)
    project.revision(
        "r041",
        down="r040",
        upgrade="""
            with op.get_context().autocommit_block():
                op.create_index("apart", "t1", ["name"], postgresql_concurrently=True)
        """,
        downgrade='op.drop_index("apart", "t1")',
    )
    space = Workspace(folder=project.folder, project=project).spec(include="environments/*.yaml")
    return space.environment("prod", pooled, lock_timeout="2s", statement_timeout="1m")


@contextlib.contextmanager
def application(pooled: Database) -> Iterator[list[object]]:
    """Have an application at work; yield what it met that was not as it should be."""
    usual = ("0", "0", '"$user", public', "off")
    met: list[object] = []
    over = threading.Event()

    def work() -> None:
        try:
            with contextlib.closing(pooled.connect()) as connection:
                connection.prepare_threshold = None
                while not over.is_set():
                    found = connection.execute(SETTINGS).fetchone()
                    if found != usual:
                        met.append(found)
                    over.wait(0.002)
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells it)
            met.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield met
    finally:
        over.set()
        for thread in threads:
            thread.join()


@POSTGRESQL
@TRANSACTIONS
def test_a_run_goes_through_and_leaves_nothing_with_others(
    workspace: Workspace, database: Database, pooled: Database
) -> None:
    """No statement of ours is prepared, no lock or limit stays with a session of the pool."""
    with application(pooled) as met:
        plan = workspace.ok("plan", "prod", "--format", "json").json()
        assert "pooler" in {one["code"] for one in plan["findings"]}
        workspace.ok("apply", "prod", "--to", "r020", "--yes")
        workspace.ok("apply", "prod", "--yes")
        assert database.rows(LOCKS) == [(0,)]
        workspace.ok("rollback", "prod", "--to", "r030", "--yes")
    assert met == []
    assert workspace.state("prod")["heads"] == ["r030"]


@POSTGRESQL
@TRANSACTIONS
def test_a_lock_that_is_not_granted_in_time(
    workspace: Workspace, database: Database, pooled: Database
) -> None:
    """The limit is in the transaction, and with nobody else's."""
    workspace.ok("apply", "prod", "--to", "r001", "--yes")
    workspace.environment("prod", pooled, lock_timeout="300ms", lock_retries=0)
    with contextlib.closing(database.connect()) as holder, application(pooled) as met:
        holder.autocommit = False
        holder.execute("LOCK TABLE t1")
        refused = workspace.call("apply", "prod", "--to", "r002", "--yes", "--format", "json")
        holder.rollback()
    assert refused.status == 1
    assert refused.events()[-1]["code"] == "lock-timeout"
    assert met == []
    workspace.ok("apply", "prod", "--to", "r002", "--yes")


@POSTGRESQL
@TRANSACTIONS
def test_no_program_connects_through_it(
    workspace: Workspace, database: Database, pooled: Database
) -> None:
    """They would empty the search path of sessions that the application gets."""
    workspace.ok("apply", "prod", "--to", "r001", "--yes")
    workspace.environment("prod", pooled, backup=order(database, verify="restore"))
    with application(pooled) as met:
        for command in (("apply", "prod", "--yes"), ("backup", "prod")):
            refused = workspace.call(*command)
            assert refused.status in {1, 4}
            assert "backup-impossible" in refused.stderr
            assert "the server's own host and port" in refused.stderr
        rehearsed = workspace.ok("rehearse", "prod", "--format", "json").json()
    assert met == []
    assert rehearsed["clone"]["source"] == "schema"
    assert database.heads() == ["r001"]


@POSTGRESQL
@pytest.mark.parametrize("pooled", ["session"], indirect=True)
def test_a_pooler_that_leaves_sessions_alone_is_none(
    workspace: Workspace, database: Database, pooled: Database
) -> None:
    workspace.environment("prod", pooled, backup=order(database, verify="restore"))
    workspace.ok("apply", "prod", "--to", "r010", "--yes")
    assert workspace.ok("plan", "prod", "--format", "json").json()["findings"] == []
    workspace.ok("apply", "prod", "--yes")
    assert database.heads() == ["r041"]
