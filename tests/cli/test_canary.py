"""A password is searched for in every byte that the program wrote, and must not be found."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from tests.support.databases import Database
from tests.support.projects import Project
from tests.support.waiting import Gate, read_event, rest
from tests.support.workspace import Workspace

CANARY = """c4n4ry-%40#pw@/x '+"\\a:{{}}"""
MARK = b"c4n4ry"

NOISY = """
    import json, logging, os, sys
    from urllib.parse import unquote, quote
    from sqlalchemy.engine import make_url
    url = config.get_main_option("sqlalchemy.url")
    password = make_url(url).password
    print(url, password, repr(password), quote(password, safe=""), json.dumps({"url": url}))
    print("the password is", password, file=sys.stderr, flush=True)
    logging.getLogger("alembic").warning("connecting to %s", url)
"""
RAISING = """
    from alembic import context
    url = context.config.get_main_option("sqlalchemy.url")
    op.execute("select 1 -- " + "x" * 480 + sa.engine.make_url(url).password)  # is cut in it
    op.execute("select '" + url.replace("%", "%%") .replace(":", "\\\\:") + "'")
    raise RuntimeError(f"cannot use {url} with {sa.engine.make_url(url).password!r}")
"""


class Witness:
    """Calls the program and keeps all that it says."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.heard: dict[str, bytes] = {}
        temporary = workspace.folder / "temporary"
        temporary.mkdir()
        workspace.environ["TMPDIR"] = str(temporary)

    def call(self, *arguments: str, wanted: int = 0) -> str:
        """Call it, remember what it said, and return standard output."""
        result = self.workspace.call(*arguments)
        assert result.status == wanted, f"{arguments}: {result.status} {result.stderr}"
        self.heard[f"{len(self.heard)} {arguments}"] = (result.stdout + result.stderr).encode()
        return result.stdout

    def assert_clean(self) -> None:
        """Look through everything that was said and every file that is there."""
        written = {str(path): data for path, data in self.workspace.written().items()}
        for name, data in {**self.heard, **written}.items():
            at = data.lower().find(MARK)
            around = data[max(0, at - 80) : at + 60]
            assert at < 0, f"{name}: {around!r}"


def with_canary(database: Database) -> str:
    """Create a user who may do anything and has the canary for a password; return the URL."""
    server = database.server
    assert server is not None
    literal = CANARY.replace("'", "''")
    if database.kind == "postgresql":
        server.execute(
            "DROP ROLE IF EXISTS bird", f"CREATE ROLE bird SUPERUSER LOGIN PASSWORD '{literal}'"
        )
    else:
        literal = literal.replace("\\", "\\\\")
        server.execute(
            f"CREATE OR REPLACE USER bird@'%' IDENTIFIED BY '{literal}'",
            "GRANT ALL ON *.* TO bird@'%'",
        )
    return server.url(database.name, user="bird", password=CANARY)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_password_is_nowhere(workspace: Workspace, database: Database, tmp_path: Path) -> None:
    """Looking, planning, applying, failing, resuming, telling: with a project that tells all."""
    server = database.server
    assert server is not None
    url, gate = with_canary(database), Gate(tmp_path / "go")
    project = workspace.project.linear(1).env("default", setup=NOISY)
    project.revision("r002", down="r001", upgrade=RAISING)
    workspace.environment("dev", dataclasses.replace(database, url=url))
    witness = Witness(workspace)

    witness.call("status", "-v", "--debug")
    witness.call("plan", "dev", "--out", "plan.json", "--sql", "sql", "-v")
    witness.call("plan", "dev", "--format", "markdown", "--sql", "sql-again")
    witness.call("plan", "dev", "--format", "json", "--debug")
    witness.call("runbook", "dev", "--out", "page.html")
    witness.call("runbook", "plan.json", "-v")
    witness.call("apply", "plan.json", "--yes", "-v", "--debug", wanted=1)
    witness.call("resume", "--format", "json", "-v", wanted=1)
    run = workspace.ok("history", "--format", "json").json()["runs"][0]["id"]
    witness.call("show", run)
    witness.call("show", run, "--format", "json")

    gate.revision(project, "r002", down="r001")
    process = workspace.start("apply", "dev", "--yes", "--format", "json", "-v")
    read_event(process, "step.started", "r002")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert MARK not in path.read_bytes().lower(), path
        except OSError:
            continue  # ended meanwhile
    witness.assert_clean()  # with the state store open and its log not yet written back
    gate.open()
    status, events, errors = rest(process)
    assert status == 0, errors
    witness.heard["apply"] = (str(events) + errors).encode()

    workspace.environ["DEV_URL"] = url.replace("c4n4ry", "c4n4ry-wrong")
    witness.call("status", "-v")
    witness.call("plan", "dev", "--format", "json", "--debug", wanted=1)
    workspace.environ["DEV_URL"] = url.replace(f":{server.port}", ":1")
    witness.call("apply", "dev", "--yes", "-v", wanted=1)
    workspace.environ["DEV_URL"] = url.replace("://", "//")
    witness.call("plan", "dev", "-v", "--debug", wanted=2)
    witness.assert_clean()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_password_given_in_other_ways(workspace: Workspace, database: Database) -> None:
    """In parts, by a hook's own code, and as the password of the state store."""
    url = with_canary(database)
    Project(workspace.folder).linear(1).env("environ_url", setup="print(url)")
    workspace.spec(project={"inject": {"env": "DATABASE_URL"}}, state={"env": "STATE_URL"})
    workspace.environ.update(BIRD=CANARY, STATE_URL=url)
    server = database.server
    assert server is not None
    template = f"postgresql+psycopg://bird:{{{{ env.BIRD | urlencode }}}}@127.0.0.1:{server.port}"
    workspace.environment("dev", None, url=f"{template}/{database.name}")
    witness = Witness(workspace)
    first = workspace.call("validate")
    if first.status == 0:
        witness.call("apply", "dev", "--yes", "-v")
        witness.call("history", "--format", "json")
    workspace.environ["STATE_URL"] = url.replace("bird", "nobody")
    workspace.environment("dev", dataclasses.replace(database, url=url))
    witness.call("status", "-v", "--debug", wanted=1)
    assert database.heads() == (["r001"] if first.status == 0 else [])
    witness.assert_clean()


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_password_is_in_no_copy_and_no_report(workspace: Workspace, database: Database) -> None:
    """Copies, proofs, restores, drift, rehearsals, hooks: with all that programs say of them."""
    project = workspace.project.linear(3).env("default", setup=NOISY)
    strategy = "pg_dump" if database.kind == "postgresql" else "mysqldump"
    telling = (
        "import os, sys; print(dict(os.environ), sys.argv); print(ascii(os.environ['ORCHESTRATE_DATABASE_URL']),"
        " repr(os.environ['ORCHESTRATE_DATABASE_URL'].encode()), file=sys.stderr)"
    )
    command = {"command": [sys.executable, "-c", telling], "url": True}
    workspace.environment(
        "dev",
        dataclasses.replace(database, url=with_canary(database)),
        backup={"strategy": strategy, "destination": "backups/", "verify": "restore"},
        hooks={"before": [command], "after": [command], "on_failure": [command]},
        verify=[command],
    )
    witness = Witness(workspace)
    witness.call("doctor", "dev", "-v", "--debug")
    witness.call("lint", "dev", "-v")
    witness.call("apply", "dev", "--to", "r002", "--yes", "-v", "--debug")
    witness.call("backup", "dev", "-v", "--debug")
    copy = workspace.ok("backups", "dev", "--format", "json").json()["backups"][0]["id"]
    witness.call("backups", "verify", "--restore", copy, "-v")
    witness.call("rehearse", "dev", "-v", "--format", "json")
    witness.call("rehearse", "dev", "--from", "schema", "-v", "--debug")
    witness.call("drift", "dev", "-v", "--format", "json")
    database.execute("CREATE TABLE by_hand (id INTEGER)")
    witness.call("drift", "dev", "-v", "--format", "html", "--out", "drift.html")
    witness.call("alembic", "dev", "-v", "--", "current", "-v")
    witness.call("restore", "dev", copy, "--replace", "--yes", "-v", "--debug")
    witness.call("apply", "dev", "--yes", "--format", "json", "-v")
    project.revision("r004", down="r003", upgrade=RAISING)
    witness.call("rehearse", "dev", "-v", wanted=1)
    witness.call("apply", "dev", "--yes", "-v", "--debug", wanted=1)
    witness.call("rollback", "dev", "--to", "r001", "--yes", "-v")
    witness.call("doctor", "dev", "--format", "json")
    witness.call("history", "--verify")
    witness.assert_clean()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_password_among_the_parameters(workspace: Workspace, database: Database) -> None:
    """A URL may have it behind its question mark; a statement is cut in the middle of it, too."""
    raising = """
        from alembic import context
        url = sa.engine.make_url(context.config.get_main_option("sqlalchemy.url"))
        op.execute("select 1 -- " + "x" * 480 + url.query["password"])
        raise RuntimeError(f"cannot use {url} with {url.query}")
    """
    workspace.project.revision("r001", down=None, upgrade=raising)
    plain = make_url(with_canary(database))
    url = f"{plain.set(password=None)}?password={quote(CANARY, safe='')}"
    workspace.environment("dev", dataclasses.replace(database, url=url))
    witness = Witness(workspace)
    witness.call("apply", "dev", "--yes", "--format", "json", "-v", "--debug", wanted=1)
    witness.assert_clean()
