"""`doctor` looks at everything, writes nothing, and finds how env.py takes its URL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrate.stores.spec_files import load_spec
from tests.support.databases import NewDatabase
from tests.support.env_shapes import ORDINARY, Shape
from tests.support.workspace import Result, Workspace

Found = dict[str, dict[str, Any]]


def checks(result: Result, name: str = "dev") -> Found:
    """Return the checks of an environment by their names."""
    environments = {one["name"]: one["checks"] for one in result.json()["environments"]}
    return {one["check"]: one for one in environments[name]}


def doctor(workspace: Workspace, *names: str, **more: Any) -> Result:
    """Call it for JSON, and see to it that nothing was written."""
    before = workspace.written()
    result = workspace.call("doctor", *names, "--format", "json", **more)
    assert "Traceback" not in result.stderr
    after = {path: text for path, text in workspace.written().items() if "pycache" not in str(path)}
    assert after == {path: text for path, text in before.items() if "pycache" not in str(path)}
    return result


PARTS = {
    "DB_DRIVER": "{{ url.backend }}+{{ url.driver }}",
    "DB_USER": "{{ url.user }}",
    "DB_PASSWORD": "{{ url.password }}",
    "DB_HOST": "{{ url.host }}",
    "DB_PORT": "{{ url.port }}",
    "DB_NAME": "{{ url.database }}",
}
ONLY_ENGINE = Shape(engine='config.attributes["engine"]')
# The shape, its database, and what has to stand under `project`; None where nothing has to.
SHAPES_AND_NEEDS: dict[str, tuple[Shape, str, dict[str, Any] | None]] = {
    "default": (ORDINARY["default"], "sqlite", None),
    "async": (ORDINARY["async"], "postgresql", {"drivers": {"postgresql": "psycopg"}}),
    "environ_url": (ORDINARY["environ_url"], "mariadb", {"inject": {"env": "DATABASE_URL"}}),
    "environ_parts": (ORDINARY["environ_parts"], "postgresql", {"inject": {"env": PARTS}}),
    "x_url": (ORDINARY["x_url"], "sqlite", {"inject": {"x": {"url": "{{ url }}"}}}),
    "attribute_connection": (ORDINARY["attribute_connection"], "sqlite", None),
    "attribute_engine": (ORDINARY["attribute_engine"], "sqlite", None),
    "only_engine": (ONLY_ENGINE, "sqlite", {"inject": {"attribute": "engine"}}),
    "set_main_option": (
        ORDINARY["set_main_option"],
        "sqlite",
        {"inject": {"env": "DATABASE_URL"}},
    ),
}


def test_every_ordinary_shape_is_here() -> None:
    """A shape that is added to the others is one that doctor has to find the way of."""
    assert set(ORDINARY) <= set(SHAPES_AND_NEEDS)


@pytest.mark.parametrize("name", SHAPES_AND_NEEDS)
def test_finds_the_way_of_each_shape(
    workspace: Workspace, new_database: NewDatabase, name: str
) -> None:
    """What doctor prints can be pasted into the spec; no password is shown, no table is made."""
    shape, kind, needed = SHAPES_AND_NEEDS[name]
    database = new_database(kind)
    workspace.project.env_shape(shape).linear(1)
    url = database.url_with("psycopg2") if name == "async" else database.url
    workspace.environ["DEV_URL"] = url
    workspace.environment("dev", None, url={"env": "DEV_URL"})

    result = doctor(workspace)

    connection = checks(result)["connection"]
    assert database.server is None or database.tables() == []
    assert "s3cret" not in result.stdout + result.stderr
    assert (result.status, connection.get("keys")) == (0 if needed is None else 1, needed)
    if needed is not None:
        assert yaml.safe_load(connection["yaml"]) == needed
        workspace.spec(project={"config": "alembic.ini", **needed})
        assert load_spec(None, start=workspace.folder).findings == ()


def test_variable_of_a_settings_module(workspace: Workspace, new_database: NewDatabase) -> None:
    """A default elsewhere, a package in `src`, a prefix: the names are read from the sources."""
    shape = Shape(
        first="from sqlalchemy import create_engine\nfrom shop.settings import url",
        engine="create_engine(url, poolclass=pool.NullPool)",
    )
    workspace.project.env_shape(shape).linear(1)
    workspace.project.file("src/shop/__init__.py", "")
    workspace.project.file(
        "src/shop/settings.py",
        """
        import os

        class BaseSettings:
            def __init_subclass__(cls, **_): ...

        class Settings(BaseSettings, env_prefix="SHOP_"):
            redis_url: str
            db_dsn: str = "sqlite:///default.db"

        url = os.environ.get("shop_db_dsn".upper(), Settings.db_dsn)
        """,
    )
    workspace.environment("dev", new_database("sqlite"))

    connection = checks(doctor(workspace))["connection"]

    assert connection["keys"] == {"inject": {"env": "SHOP_DB_DSN"}, "sys_path": ["src"]}


def test_nothing_works(workspace: Workspace, new_database: NewDatabase) -> None:
    """An env.py that goes its own way: what was tried, what came of it, and hooks."""
    shape = Shape(engine="create_engine('sqlite:///own.db')", first="from sqlalchemy import *")
    workspace.project.env_shape(shape).linear(1)
    workspace.environment("dev", new_database("sqlite"))

    result = doctor(workspace)

    found = checks(result)
    assert (result.status, found["connection"]["status"]) == (1, "problem")
    assert "own.db" in found["connection"]["message"]
    for words in ("Tried without success", "env DATABASE_URL", "hook", "def around"):
        assert words in found["connection"]["hint"]
    assert "database" not in found


def test_healthy(workspace: Workspace, new_database: NewDatabase) -> None:
    """Everything is looked at, and what has no fault is said in one line."""
    workspace.project.linear(2)
    workspace.environment("dev", new_database("postgresql"))
    workspace.ok("apply", "dev", "--yes")
    git(workspace.folder)

    result = doctor(workspace, "dev")

    found = checks(result)
    assert result.status == 0
    assert {name: one["status"] for name, one in found.items()} == dict.fromkeys(
        (
            "url",
            "interpreter",
            "alembic",
            "sqlalchemy",
            "project",
            "connection",
            "database",
            "version-table",
            "transactions",
            "engine",
            "revisions",
            "rights",
            "programs",
            "state",
            "git",
        ),
        "ok",
    )
    assert all(one["hint"] is None for one in found.values())
    assert sys.executable in found["interpreter"]["message"]
    assert "`public.alembic_version` has 1 row: r002" in found["version-table"]["message"]
    assert "`tester` may create tables in `public`" in found["rights"]["message"]
    assert "pg_dump 1" in found["programs"]["message"]


def git(folder: Path) -> None:
    """Make a folder a git checkout with one commit."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


def test_reader(workspace: Workspace, new_database: NewDatabase) -> None:
    """A credential that may only read: each server's own words for what it lacks."""
    workspace.project.linear(1)
    for name, kind in (("pg", "postgresql"), ("maria", "mariadb")):
        database = new_database(kind)
        assert database.server is not None
        database.execute(
            "CREATE TABLE alembic_version (version_num varchar(32))", "CREATE TABLE other (id int)"
        )
        workspace.environment(name, database)
        workspace.environ[f"{name.upper()}_URL"] = database.server.create_reader(database.name)
    workspace.environment("lite", None, url="sqlite:///missing/x.db")

    result = doctor(workspace)

    assert result.status == 1
    rights = {
        one["name"]: [check for check in one["checks"] if check["check"] == "rights"]
        for one in result.json()["environments"]
    }
    postgresql = " ".join(one["message"] + one["hint"] for one in rights["pg"])
    assert "may not create tables in the schema `public`" in postgresql
    assert 'GRANT CREATE ON SCHEMA "public"' in postgresql
    assert "may not write to the version table `public.alembic_version`" in postgresql
    assert "2 of 2 tables belong to `tester`" in postgresql
    assert "no right to INSERT, UPDATE, DELETE, CREATE" in rights["maria"][0]["message"]
    assert rights["maria"][0]["hint"].startswith("`GRANT INSERT, UPDATE")
    assert "there is no folder" in checks(result, "lite")["connection"]["message"]


def test_pitfalls(workspace: Workspace, new_database: NewDatabase) -> None:
    """What surprises people later is named before: one project with many of them."""
    project = workspace.project.env(
        "autobegin", setup="open('made-by-env-py', 'w').close()\nimport sqlite3"
    )
    project.linear(2)
    project.file("migrations/versions/old/r000_old.py", "revision = 'r000'\ndown_revision = None")
    project.file("types.py", "")
    database = new_database("postgresql")
    database.execute(
        "CREATE TABLE alembic_version (version_num text)",
        "INSERT INTO alembic_version VALUES ('feed')",
        "CREATE TABLE other (id int)",
    )
    workspace.environment("dev", database)

    # As installed: `python -m orchestrate` there would take the project's `types` for Python's.
    program = (str(Path(sys.executable).with_name("orchestrate")),)
    found = checks(workspace.call("doctor", "--format", "json", program=program))

    assert found["transactions"]["status"] == "warning"
    assert "not-committed" in found["transactions"]["message"]
    assert "`made-by-env-py`" in found["side-effects"]["message"]
    assert "has 1 file that" in found["version-locations"]["message"]
    assert "`types`" in found["names"]["message"]
    assert found["revisions"]["status"] == "problem"
    assert "dev is at `feed`" in found["revisions"]["message"]
    assert found["revisions"]["trouble"] == "unknown-database-revision"


def test_what_lies_around(workspace: Workspace, new_database: NewDatabase) -> None:
    """A variable that is not set, a runner that is none, a state store and a spec of the future."""
    workspace.project.linear(1)
    workspace.spec(state="sqlite:///alembic.ini")
    workspace.environment("unset", None, url={"env": "NOBODY_SETS_THIS"})
    workspace.environment("lost", new_database("sqlite"), runner={"command": ["no-such-program"]})
    workspace.environment("kept", new_database("sqlite"), targets={"glob": "*.db"})

    result = doctor(workspace)

    unset, lost, kept = (checks(result, name) for name in ("unset", "lost", "kept"))
    assert result.status == 1
    assert "NOBODY_SETS_THIS" in unset["url"]["message"]
    assert "no-such-program" in lost["interpreter"]["message"]
    assert "connection" not in lost
    assert kept["connection"]["status"] == "ok"
    assert kept["protections"]["status"] == "warning"
    assert {one["state"]["status"] for one in (unset, lost, kept)} == {"problem"}
    assert "is not a database" in kept["state"]["message"]


def test_oldest(workspace: Workspace, new_database: NewDatabase, oldest_python: Path) -> None:
    """The oldest Python, Alembic and SQLAlchemy that are supported answer all of it."""
    workspace.project.env("environ_url").linear(1)
    workspace.spec(project={"runner": {"python": str(oldest_python)}})
    workspace.environment("dev", new_database("mariadb"))

    found = checks(doctor(workspace))

    assert found["alembic"]["message"] == "Alembic 1.8.0"
    assert found["connection"]["keys"] == {"inject": {"env": "DATABASE_URL"}}
    assert found["rights"]["status"] == "ok"
