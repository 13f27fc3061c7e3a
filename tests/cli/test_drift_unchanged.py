"""`drift` asks the database alone as long as nothing changed since env.py was last asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.databases import KINDS, Database, NewDatabase
from tests.support.workspace import Workspace

_FIRST = """\
import pathlib
import settings
with pathlib.Path("runs-of-env").open("a") as file:
    file.write("x")
"""


@pytest.fixture(params=KINDS)
def dev(
    request: pytest.FixtureRequest, workspace: Workspace, new_database: NewDatabase
) -> Database:
    """Return the database of `dev`, upgraded to the last of three revisions and reported once."""
    workspace.project.linear(3).env("default", first=_FIRST).file("settings.py", "NAME = 1\n")
    workspace.spec(project={"config": "alembic.ini", "sys_path": ["."]})
    database = new_database(request.param)
    workspace.environment("dev", database)
    workspace.ok("apply", "dev", "--yes")
    assert _report(workspace) == _ALL_WELL
    _forget(workspace)
    return database


_ALL_WELL: dict[str, Any] = {"state": "current", "compared_with": "snapshot", "differences": []}


def _report(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    report = workspace.ok("drift", "--format", "json", *arguments).json()
    found = report["environments"][0]["targets"][0]
    differences = [f"{one['kind']} {one['change']} {one['name']}" for one in found["differences"]]
    return {**{name: found[name] for name in _ALL_WELL}, "differences": differences}


def _forget(workspace: Workspace) -> None:
    (workspace.folder / "runs-of-env").unlink()


def _ran(workspace: Workspace) -> bool:
    return (workspace.folder / "runs-of-env").exists()


def test_nothing_changed(workspace: Workspace, dev: Database) -> None:
    """Not one statement of env.py is executed, and the report is the same."""
    del dev
    assert _report(workspace) == _ALL_WELL
    assert not _ran(workspace)
    assert _report(workspace, "--against", "replay")["compared_with"] == "replay"
    assert _ran(workspace)


def test_the_schema_changed(workspace: Workspace, dev: Database) -> None:
    """Then everything is asked again, and the report names it; undone, it is quick again."""
    dev.execute("CREATE INDEX by_hand ON t1 (id)")
    assert _report(workspace)["differences"] == ["schema added t1.by_hand"]
    assert _ran(workspace)
    dev.execute(f"DROP INDEX by_hand{' ON t1' if dev.kind == 'mariadb' else ''}")
    _forget(workspace)
    assert _report(workspace) == _ALL_WELL
    assert not _ran(workspace)


def test_the_rows_moved(workspace: Workspace, dev: Database) -> None:
    """The version table is looked at each time."""
    dev.execute("UPDATE alembic_version SET version_num = 'r002'")
    found = _report(workspace)
    assert found["state"] == "behind"
    assert found["differences"][0].startswith("revision altered")
    assert _ran(workspace)


@pytest.mark.parametrize("dev", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.project.file("settings.py", "NAME = 2\n"),
        lambda one: one.project.env("default", first=f"{_FIRST}more = 1\n"),
        lambda one: one.project.configure(options={"key": "value"}),
        lambda one: one.environment("dev", url={"env": "DEV_URL"}, lock_timeout="7s"),
        lambda one: one.environ.update(DEV_URL=f"{one.environ['DEV_URL']}?timeout=7"),
    ],
    ids=["a module", "env.py", "the ini", "the spec", "the URL"],
)
def test_what_env_leans_on_changed(
    workspace: Workspace, dev: Database, change: Callable[[Workspace], object]
) -> None:
    """Then env.py is asked, whatever the database says; the next report is quick again."""
    del dev
    change(workspace)
    assert _report(workspace) == _ALL_WELL
    assert _ran(workspace)
    _forget(workspace)
    assert _report(workspace) == _ALL_WELL
    assert not _ran(workspace)


@pytest.mark.parametrize("dev", ["sqlite"], indirect=True)
def test_a_new_revision(workspace: Workspace, dev: Database) -> None:
    """It is pending, which is no drift, and is counted."""
    del dev
    workspace.project.linear(4)
    assert _report(workspace)["state"] == "behind"
    _forget(workspace)
    assert _report(workspace)["state"] == "behind"
    assert not _ran(workspace)


@pytest.mark.parametrize("dev", ["postgresql"], indirect=True)
def test_another_database_of_that_name(workspace: Workspace, dev: Database) -> None:
    """A database that was dropped and made again is not the one that was seen."""
    assert dev.server is not None
    dev.server.execute(f"CREATE DATABASE copied TEMPLATE {dev.name}")
    dev.server.drop(dev.name)
    dev.server.execute(f"ALTER DATABASE copied RENAME TO {dev.name}")
    found = _report(workspace)
    assert "identity altered dev" in found["differences"]
    assert _ran(workspace)


@pytest.mark.parametrize("dev", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": "orchestrate.sight/1"}',
        '{"format": "orchestrate.sight/1", "seen": {"graph_digest": 1}}',
    ],
)
def test_what_was_kept_is_damaged(workspace: Workspace, dev: Database, text: str) -> None:
    """It is as good as not there."""
    del dev
    (kept,) = (workspace.folder / ".orchestrate" / "cache").glob("sight-*.json")
    kept.write_text(text)
    assert _report(workspace) == _ALL_WELL
    assert _ran(workspace)
