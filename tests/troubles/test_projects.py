"""Projects that cannot be loaded or looked at as they are: why, and the line of YAML that helps."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from tests.support.databases import NewDatabase
from tests.support.projects import Project
from tests.support.servers import PASSWORD
from tests.support.workspace import Workspace


def imports(workspace: Workspace, text: str) -> None:
    """Have env.py begin with some lines."""
    path = workspace.project.scripts / "env.py"
    path.write_text(f"{text}\n{path.read_text()}")


def test_missing_module(workspace: Workspace, new_database: NewDatabase) -> None:
    """Which Python lacks it; the folder that holds it; another Python that is the project's own."""
    workspace.project.linear(1)
    workspace.environment("dev", new_database("sqlite"))
    imports(workspace, "import backend.models")
    sentence = f"the project imports `backend`, which `{sys.executable}` does not find"

    def refused() -> str:
        error = workspace.call("plan", "dev", "--format", "json").error()
        assert error["message"].startswith(f"{sentence} (ModuleNotFoundError")
        assert error["docs"] == "docs/troubles/module-missing.md"
        assert error["where"].endswith("env.py:1")
        hint: str = error["hint"]
        return hint

    assert f"(now `{sys.executable}`)" in refused()
    (workspace.folder / ".venv" / "bin").mkdir(parents=True)
    (workspace.folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert "say `runner: {python: .venv/bin/python}` in the project" in refused()
    for name in ("__init__", "models"):
        workspace.project.file(f"src/backend/{name}.py", "")
    assert refused() == "`backend` lies in `src`: say `sys_path: [src]` in the project"
    workspace.spec(project={"config": "alembic.ini", "sys_path": ["src"]})
    workspace.ok("plan", "dev")


def test_drivers_that_do_not_fit(workspace: Workspace, new_database: NewDatabase) -> None:
    """Asynchronous env.py, synchronous URL; the reverse; a driver that is not installed."""
    database = new_database("sqlite")
    workspace.project.linear(1).env("async")
    workspace.environment("dev", database)
    refused = workspace.call("plan", "dev")
    assert "env.py and the driver of the URL do not fit together (" in refused.stderr
    assert "say `drivers: {sqlite: aiosqlite}` in the project" in refused.stderr
    assert "docs/troubles/async-driver.md" in refused.stderr
    workspace.spec(project={"config": "alembic.ini", "drivers": {"sqlite": "aiosqlite"}})
    workspace.ok("plan", "dev")
    workspace.project.env("default")
    refused = workspace.call("plan", "dev")
    assert "say `drivers: {sqlite: pysqlite}` in the project" in refused.stderr
    workspace.spec(project={"config": "alembic.ini"})
    server = new_database("mariadb")
    workspace.environment("my", server)
    workspace.environ["MY_URL"] = server.url_with("mysqldb")
    refused = workspace.call("plan", "my")
    assert "install it there (`pip install 'mysqlclient'`)" in refused.stderr
    assert "docs/troubles/driver-missing.md" in refused.stderr


def test_project_that_works_by_itself_at_import(
    workspace: Workspace, new_database: NewDatabase
) -> None:
    """A package that migrates when it is imported is kept from it while it is looked at."""
    database = new_database("postgresql")
    workspace.project.linear(1).env("environ_url")
    workspace.project.file(
        "application.py",
        """
        import os
        import sqlalchemy
        engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"])
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE by_itself (id integer)"))
        """,
    )
    imports(workspace, "import application")
    workspace.spec(project={"config": "alembic.ini", "inject": {"env": "DATABASE_URL"}})
    workspace.environment("dev", database)
    refused = workspace.call("plan", "dev")
    assert refused.status == 1
    assert "error[env-writes]: " in refused.stderr
    assert "docs/troubles/env-writes.md" in refused.stderr
    assert database.tables() == []


def test_settings_read_at_import(workspace: Workspace, new_database: NewDatabase) -> None:
    """Several targets of a project that reads its URL once: each gets a process of its own."""
    workspace.project.linear(2).env("environ_url")
    workspace.spec(project={"config": "alembic.ini", "inject": {"env": "DATABASE_URL"}})
    for name in ("one", "two", "three"):
        workspace.environment(name, new_database("sqlite"))
    value = workspace.ok("status", "--format", "json").json()
    rows = [one["targets"][0] for one in value["environments"]]
    assert [row["state"] for row in rows] == ["empty"] * 3
    assert len({row["identity"] for row in rows}) == 3


def test_locations_that_env_py_chooses_by_dialect(
    workspace: Workspace, new_database: NewDatabase
) -> None:
    """The graph is the one env.py makes, and each dialect has heads of its own."""
    project = workspace.project
    project.revision("lite", down=None)
    for name in ("lite", "post"):
        (project.scripts / name).mkdir()
        text = project.revision_file("lite").read_text().replace("lite", name)
        (project.scripts / name / f"{name}.py").write_text(text)
    project.revision_file("lite").unlink()
    imports(workspace, "from alembic import context")
    path = project.scripts / "env.py"
    path.write_text(
        path.read_text().replace(
            "target_metadata = None",
            "import pathlib\n"
            'kind = "lite" if "sqlite" in config.get_main_option("sqlalchemy.url") else "post"\n'
            "context.script.version_locations = [str(pathlib.Path(__file__).parent / kind)]\n"
            'context.script.__dict__.pop("_version_locations", None)\n'
            "target_metadata = None",
        )
    )
    workspace.environment("lite", new_database("sqlite"))
    workspace.environment("post", new_database("postgresql"))
    planned = workspace.ok("plan", "lite", "post", "--format", "json").json()["plans"]
    assert [[step["revision"] for step in one["steps"]] for one in planned] == [["lite"], ["post"]]


def test_folder_names(tmp_path: Path, new_database: NewDatabase) -> None:
    """A percent sign, which ConfigParser takes for its own; names that shadow the library's."""
    folder = tmp_path / "100%sure (a copy)"
    workspace = Workspace(folder=folder, project=Project(folder)).spec()
    workspace.project.linear(1)
    for name in ("logging", "types", "typing", "queue"):
        workspace.project.file(f"{name}.py", 'raise ImportError("shadowed")')
    workspace.project.file("alembic/__init__.py", 'raise ImportError("shadowed")')
    workspace.environment("dev", database := new_database("sqlite"))
    program = [str(Path(sys.executable).with_name("orchestrate"))]
    workspace.ok("apply", "dev", "--yes", program=program)
    assert database.heads() == ["r001"]


def test_runner_that_fails(workspace: Workspace, new_database: NewDatabase) -> None:
    """The complaint is quoted, not the advice that programs print after it."""
    workspace.project.linear(1)
    workspace.environment("dev", new_database("sqlite"))
    runner = workspace.folder / "runner.sh"
    workspace.spec(project={"runner": {"command": [str(runner), "python"]}})
    for cause, after in (
        ("Cannot connect to the Docker daemon. Is it running?", "See docker --help"),
        ('service "api" is not running', ""),
        ("Poetry could not find a pyproject.toml file in /srv", "Try `poetry init`"),
        ("deploy@app1: Permission denied (publickey).", "Connection to app1 closed"),
    ):
        runner.write_text(
            f"#!/bin/sh\necho hello >&2\necho '{cause}' >&2\necho '{after}' >&2\nexit 1"
        )
        runner.chmod(0o755)
        error = workspace.call("plan", "dev", "--format", "json").error()
        assert error["message"].endswith(f"before it answered: {cause}"), error
        assert error["docs"] == "docs/troubles/agent-failed.md"


def test_sql_of_a_revision_that_reads(workspace: Workspace, new_database: NewDatabase) -> None:
    """It is said that it reads the database; the rest is rendered, and it can be applied."""
    read = 'for row in op.get_bind().execute(sa.text("select id from t1")).fetchall(): pass'
    inspect = "sa.inspect(op.get_bind()).get_table_names()"
    workspace.project.linear(1).revision("reads", down="r001", upgrade=read)
    workspace.project.revision("looks", down="reads", upgrade=inspect)
    workspace.environment("dev", new_database("postgresql"))
    planned = workspace.ok("plan", "dev", "--sql", "sql")
    assert "Not rendered, for a reason that stands in its file: reads, looks; " in planned.stderr
    assert "docs/troubles/not-rendered.md" in planned.stderr
    for name in ("002-reads", "003-looks"):
        text = (workspace.folder / "sql" / f"{name}.up.sql").read_text()
        assert "-- NOT RENDERED: it reads the database, and offline there is none to read" in text
    assert "CREATE TABLE t1" in (workspace.folder / "sql" / "001-r001.up.sql").read_text()
    workspace.ok("apply", "dev", "--yes")


def test_debug(workspace: Workspace, new_database: NewDatabase, tmp_path: Path) -> None:
    """A traceback is written with `--debug` alone, to a file that is named, without secrets."""
    database = new_database("postgresql")
    workspace.project.linear(1).env("raises")
    workspace.environment("dev", database)
    imports(workspace, "import os\nsecret = os.environ['DEV_URL']")
    path = workspace.project.scripts / "env.py"
    path.write_text(path.read_text().replace('"the project is broken"', 'f"broken: {secret}"'))
    logs = tmp_path / "logs"
    logs.mkdir()
    environ = {"TMPDIR": str(logs)}
    plain = workspace.call("plan", "dev", environ=environ)
    assert "Traceback" not in plain.stderr
    assert list(logs.iterdir()) == []
    usage = workspace.call("--debug", "plan", "nobody", environ=environ)
    assert (usage.status, usage.stderr.count("debug: tracebacks are in ")) == (2, 1)
    next(logs.iterdir()).unlink()
    for arguments in (["plan", "dev", "--debug"], ["--debug", "status"]):
        told = workspace.call(*arguments, environ=environ)
        (log,) = logs.iterdir()
        assert told.stderr.splitlines()[-1] == f"debug: tracebacks are in {log}"
        assert "Traceback" not in told.stderr
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        text = log.read_text()
        assert "RuntimeError: broken" in text
        assert "env.py" in text
        assert "agent_process.py" in text, "our own side as well"
        assert PASSWORD not in text
        log.unlink()
    workspace.project.env("default")
    workspace.project.revision("r002", down="r001", upgrade="op.execute('select nothing')")
    failed = workspace.call("apply", "dev", "--yes", "--debug", environ=environ)
    assert failed.status == 1
    (log,) = logs.iterdir()
    assert "r002_revision_r002.py" in log.read_text()
