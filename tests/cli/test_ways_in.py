"""How the project's Python is reached, and how the URL reaches its env.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import NewDatabase
from tests.support.projects import Project
from tests.support.workspace import Workspace

PARTS = {
    "DB_DRIVER": "{{ url.backend }}+{{ url.driver }}",
    "DB_USER": "{{ url.user }}",
    "DB_PASSWORD": "{{ url.password }}",
    "DB_HOST": "{{ url.host }}",
    "DB_PORT": "{{ url.port }}",
    "DB_NAME": "{{ url.database }}",
}
HOOK = """
import contextlib

@contextlib.contextmanager
def around(config, spec):
    config.set_main_option("sqlalchemy.url", spec["url"].replace("%", "%%"))
    yield
"""


def applies(workspace: Workspace, new_database: NewDatabase, kind: str, **keys: Any) -> None:
    """Plan and apply two revisions in `dev`, and look at the database itself."""
    database = new_database(kind)
    workspace.project.linear(2)
    workspace.spec(project={"config": "alembic.ini", **keys}).environment("dev", database)
    workspace.ok("apply", "dev", "--yes")
    assert database.heads() == ["r002"]


def test_other_interpreters(workspace: Workspace, new_database: NewDatabase, python: Path) -> None:
    """The oldest and the newest Alembic that are supported, each in its own environment."""
    applies(workspace, new_database, "mariadb", runner={"python": str(python)})


def test_driver_that_the_project_lacks(
    workspace: Workspace, new_database: NewDatabase, oldest_python: Path
) -> None:
    """SQLAlchemy 1.4 knows no psycopg 3: the hint speaks of `drivers:`, and that helps."""
    workspace.project.linear(1)
    runner = {"runner": {"python": str(oldest_python)}}
    workspace.spec(project=runner).environment("dev", new_database("postgresql"))
    failed = workspace.call("plan", "dev", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "env-failed")
    assert "`drivers:`" in failed.error()["hint"]
    workspace.spec(project={**runner, "drivers": {"postgresql": "psycopg2"}})
    workspace.ok("apply", "dev", "--yes")


def test_argument_prefix(workspace: Workspace, new_database: NewDatabase) -> None:
    """A program in front of Python, in another folder, as `docker compose exec -T api python`."""
    wrapper = workspace.folder / "in container"
    wrapper.write_text(
        f'#!/bin/sh\necho "starting…" >&2\nshift 3\nexec env -C "{workspace.folder}/app" "$@"\n'
    )
    wrapper.chmod(0o755)
    workspace.project = Project(workspace.folder / "app")
    command = [str(wrapper), "exec", "-T", "api", sys.executable]
    applies(workspace, new_database, "postgresql", runner={"command": command})


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["no-such-program", "python"], "agent-failed", "no-such-program"),
        (["sh", "-c", "echo no container >&2; exit 1"], "agent-failed", "no container"),
        (["echo"], "agent-failed", "not a Python interpreter"),
    ],
)
def test_runner_that_does_not_work(
    workspace: Workspace, new_database: NewDatabase, command: list[str], code: str, words: str
) -> None:
    """What the runner itself said is in the message, and the hint speaks of `runner`."""
    workspace.project.linear(1)
    workspace.spec(project={"runner": {"command": command}})
    workspace.environment("dev", new_database("sqlite"))
    failed = workspace.call("plan", "dev", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, code)
    assert words in failed.error()["message"]
    assert "runner" in failed.error()["hint"]


@pytest.mark.parametrize(
    ("shape", "inject"),
    [
        ("environ_url", {"env": "DATABASE_URL"}),
        ("environ_parts", {"env": PARTS}),
        ("x_url", {"x": {"url": "{{ url }}"}}),
        ("attribute_connection", {"attribute": "connection"}),
        ("attribute_engine", {"attribute": "engine"}),
        ("set_main_option", {"env": "DATABASE_URL"}),
        ("default", {"hook": "conf/hook.py"}),
    ],
)
def test_ways_of_the_url(
    workspace: Workspace, new_database: NewDatabase, shape: str, inject: dict[str, Any]
) -> None:
    """env.py as it is, with a password that has every awkward character in it."""
    workspace.project.env(shape).file("conf/hook.py", HOOK)
    applies(workspace, new_database, "postgresql", inject=inject)


def test_url_that_does_not_arrive(workspace: Workspace, new_database: NewDatabase) -> None:
    """env.py wants a variable that nobody gives it: the hint speaks of `inject`."""
    workspace.project.env("environ_url").linear(1)
    workspace.environment("dev", new_database("sqlite"))
    failed = workspace.call("plan", "dev", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "env-failed")
    assert "DATABASE_URL" in failed.error()["message"]
    assert "inject" in failed.error()["hint"]


def test_section_and_async(workspace: Workspace, new_database: NewDatabase) -> None:
    """A named section of the ini file, and an env.py that knows only asyncio."""
    workspace.project.configure(section="billing").env("async")
    database = new_database("postgresql")
    workspace.environ["DEV_URL"] = database.url_with("asyncpg")
    workspace.project.linear(2)
    workspace.spec(project={"section": "billing"})
    workspace.environment("dev", None, url={"env": "DEV_URL"})
    workspace.ok("apply", "dev", "--yes")
    assert database.heads() == ["r002"]


def test_names_with_spaces_and_quotes(workspace: Workspace, new_database: NewDatabase) -> None:
    """Folder, environment, database and revision file as nobody should name them."""
    folder = workspace.folder.parent / 'it\'s a "folder" (50)'
    odd = Workspace(folder=folder, project=Project(folder, scripts="my scripts")).spec()
    odd.project.linear(2)
    server = new_database("postgresql").server
    assert server is not None
    name = 'my "db" 100%\'s'
    quoted = name.replace('"', '""')
    server.execute(f'CREATE DATABASE "{quoted}"')
    try:
        from urllib.parse import quote

        odd.environ["ODD_URL"] = server.url(quote(name))
        (folder / "environments").mkdir()
        odd.environment('eu west\'s "test"', None, url={"env": "ODD_URL"})
        (folder / "environments/lite.yaml").write_text(
            "name: my lite\nurl: \"sqlite:///my 'lite' 100%.db\"\n"
        )
        value = odd.ok("status", "--format", "json").json()
        assert {one["targets"][0]["state"] for one in value["environments"]} == {"empty"}
        odd.ok("apply", 'eu west\'s "test"', "--yes")
        odd.ok("apply", "--env", "my lite", "--yes")
        assert server.rows("SELECT version_num FROM alembic_version", database=name) == [("r002",)]
        assert (folder / "my 'lite' 100%.db").exists()
        assert "eu west's" in odd.ok("history").stdout
    finally:
        server.execute(f'DROP DATABASE "{quoted}" WITH (FORCE)')


def test_variables_are_not_left_behind(workspace: Workspace, new_database: NewDatabase) -> None:
    """A variable that is injected is the agent's alone: two environments never share it."""
    workspace.project.env("environ_url").linear(1)
    workspace.spec(project={"inject": {"env": "DATABASE_URL"}})
    databases = [new_database("sqlite"), new_database("sqlite")]
    for name, database in zip(("one", "two"), databases, strict=True):
        workspace.environment(name, database)
    value = workspace.ok("status", "--format", "json").json()
    found = {one["name"]: one["targets"][0]["identity"] for one in value["environments"]}
    assert found == {
        name: f"sqlite {os.path.realpath(database.name)}"
        for name, database in zip(("one", "two"), databases, strict=True)
    }
