"""Databases and projects behind SSH: everything of ours goes there, and comes back from a cut."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cli.test_backups import catalogue
from tests.support.certificates import certify
from tests.support.databases import Database, NewDatabase, sqlite_database
from tests.support.gatekeeper import Gatekeeper
from tests.support.projects import Project
from tests.support.servers import HOST, PASSWORD, USER
from tests.support.ssh_server import SshHome, SshServer
from tests.support.waiting import Gate, read_event, rest
from tests.support.workspace import SpecFolder, Workspace

pytestmark = pytest.mark.timeout(300)  # many calls of the program, each with logins


@pytest.fixture
def bastion(ssh_server: SshServer, home: SshHome) -> Iterator[SshServer]:
    """Return a host that takes the key in `home`, where it is called `bastion`."""
    home.config(home.host("bastion", ssh_server))
    home.knows(ssh_server)
    home.let_in(ssh_server)
    yield ssh_server
    if not ssh_server.running:
        ssh_server.start()


@pytest.fixture
def far(new_database: NewDatabase, bastion: SshServer) -> Iterator[tuple[Database, Gatekeeper]]:
    """Return a PostgreSQL database that the bastion alone reaches, at the gatekeeper's address."""
    database = new_database("postgresql")
    assert database.server is not None
    gate = Gatekeeper(HOST, database.server.port, bastion)
    yield database, gate
    gate.close()


def url_at(database: Database, gate: Gatekeeper) -> str:
    assert database.server is not None
    return database.url.replace(f"{HOST}:{database.server.port}", f"{gate.host}:{gate.port}")


def reached(workspace: SpecFolder, home: SshHome, url: str, **keys: Any) -> None:
    """Write the environment `prod` behind the tunnel."""
    workspace.environ |= {"PROD_URL": url, **home.environ}
    workspace.environment("prod", url={"env": "PROD_URL"}, tunnel={"ssh": "bastion"}, **keys)


def test_everything_goes_through_the_tunnel(
    workspace: Workspace, home: SshHome, bastion: SshServer, far: tuple[Database, Gatekeeper]
) -> None:
    """Look, plan, apply, roll back, Alembic's own commands, doctor."""
    database, gate = far
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=gate.host, port=gate.port, user=USER, password=PASSWORD)
    assert (gate.refused, gate.let_in) == (1, 0)
    workspace.project.linear(4)
    reached(workspace, home, url_at(database, gate))
    # Two environments, one login.
    nowhere = f"{url_at(database, gate)}_of_nobody"
    workspace.environment("staging", url={"env": "STAGING_URL"}, tunnel={"ssh": "bastion"})
    workspace.environ["STAGING_URL"] = nowhere
    logins = bastion.log().count("Accepted publickey")
    rows = workspace.ok("status", "--format", "json").json()["environments"]
    states = {one["name"]: one["targets"][0]["state"] for one in rows}
    assert states == {"prod": "empty", "staging": "unreachable"}
    assert bastion.log().count("Accepted publickey") == logins + 1
    plan = workspace.ok("plan", "prod", "--format", "json").stdout
    workspace.ok("apply", "prod", "--yes")
    assert database.heads() == ["r004"]
    workspace.ok("rollback", "prod", "--to", "r003", "--yes")
    assert database.heads() == ["r003"]
    assert "r003" in workspace.ok("alembic", "prod", "--", "current").stdout
    doctor = workspace.call("doctor", "prod", "--format", "json")
    checks = {one["check"]: one for one in doctor.json()["environments"][0]["checks"]}
    assert checks["connection"]["status"] == "ok", doctor.stdout
    assert f"{gate.host}:{gate.port}" in checks["tunnel"]["message"]
    assert gate.refused == 1
    # What people read and what is kept names the host of the spec, and no port of this machine.
    kept = (workspace.folder / ".orchestrate" / "state.db").read_bytes()
    for text in (plan, doctor.stdout, kept.decode("latin-1")):
        assert "127.0.0.1:" not in text


def test_copies_go_through_the_tunnel(
    workspace: Workspace, home: SshHome, far: tuple[Database, Gatekeeper], tmp_path: Path
) -> None:
    """They are made, proven in a scratch database, and put back."""
    database, gate = far
    workspace.project.linear(2)
    copies = {"strategy": "pg_dump", "destination": str(tmp_path / "copies"), "verify": "restore"}
    reached(workspace, home, url_at(database, gate), backup=copies)
    workspace.ok("apply", "prod", "--to", "r001", "--yes")
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'before')")
    workspace.ok("apply", "prod", "--yes")
    copy = catalogue(workspace)[-1]
    assert (copy["verified"], copy["heads"]) == ("restore", ["r001"])
    database.execute("DELETE FROM t1")
    workspace.ok("restore", "prod", copy["id"], "--replace", "--yes")
    assert (database.heads(), database.rows("SELECT name FROM t1")) == (["r001"], [("before",)])
    assert gate.refused == 0


def test_a_bastion_that_goes_away_in_the_middle(
    workspace: Workspace,
    home: SshHome,
    bastion: SshServer,
    far: tuple[Database, Gatekeeper],
    tmp_path: Path,
) -> None:
    """The run stops and says why; when the bastion is back it goes on where it was."""
    database, gate = far
    barrier = Gate(tmp_path / "open")
    workspace.project.linear(1)
    barrier.revision(
        workspace.project,
        "r002",
        down="r001",
        before="op.execute('CREATE TABLE half (id integer)')",
        after="op.execute('CREATE TABLE whole (id integer)')",
    )
    reached(workspace, home, url_at(database, gate))
    running = workspace.start("apply", "prod", "--yes", "--format", "json")
    read_event(running, "step.started", "r002")
    bastion.stop()
    barrier.open()
    status, events, errors = rest(running)
    assert status == 6, errors
    assert (events[-1]["status"], events[-1]["code"]) == ("stopped", "ssh-lost")
    assert "the SSH connection to bastion was lost" in events[-1]["message"]
    assert "Traceback" not in errors
    assert database.heads() == ["r001"]
    refused = workspace.call("resume", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (1, "ssh-unreachable")
    bastion.start()
    workspace.ok("resume")
    assert database.heads() == ["r002"]
    assert {"half", "whole"} <= set(database.tables())
    assert workspace.ok("history", "--verify").status == 0


@pytest.fixture
def named(new_database: NewDatabase, tmp_path: Path) -> Iterator[tuple[Database, Path]]:
    """Return a database whose server proves to be `localhost`, by no address, and its authority."""
    database = new_database("postgresql")
    server = database.server
    assert server is not None
    authority = certify("localhost", server.folder / "data")
    for name in ("server.key", "server.crt"):
        server._hand_over(server.folder / "data" / name)
    server.execute("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    yield database, authority
    server.execute("ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()")


def test_the_servers_name_is_checked_behind_the_tunnel(
    workspace: Workspace, home: SshHome, bastion: SshServer, named: tuple[Database, Path]
) -> None:
    """By driver and programs; a driver that cannot is refused with such a URL."""
    database, authority = named
    workspace.project.linear(1)
    url = database.url.replace(HOST, "localhost") + f"?sslmode=verify-full&sslrootcert={authority}"
    backup = {"strategy": "pg_dump", "destination": "copies"}
    reached(workspace, home, url, backup=backup)
    workspace.ok("apply", "prod", "--yes")
    workspace.ok("backup", "prod")
    assert database.heads() == ["r001"]
    reached(workspace, home, url.replace("localhost", HOST))
    assert workspace.state("prod")["state"] == "unreachable"
    reached(workspace, home, url.replace("+psycopg", "+asyncpg").replace("sslmode", "ssl"))
    refused = workspace.call("plan", "prod", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (2, "spec-invalid")
    assert "the driver `asyncpg` cannot be told a name" in refused.error()["message"]


def test_programs_behind_a_prefix_of_ssh(
    workspace: Workspace,
    home: SshHome,
    bastion: SshServer,
    far: tuple[Database, Gatekeeper],
    tmp_path: Path,
) -> None:
    """They run over there, where the URL's own host is meant; the agent goes through the tunnel."""
    database, gate = far
    workspace.project.linear(2)
    ssh = ["ssh", "-T", "-F", f"{home.ssh}/config", "-i", str(home.key), "bastion"]
    ssh[2:2] = ["-o", f"UserKnownHostsFile={home.ssh}/known_hosts", "-o", "BatchMode=yes"]
    copies = {
        "strategy": "pg_dump",
        "destination": str(tmp_path / "copies"),
        "prefix": ssh,
        "verify": "restore",
    }
    reached(workspace, home, url_at(database, gate), backup=copies)
    workspace.ok("apply", "prod", "--to", "r001", "--yes")
    workspace.ok("apply", "prod", "--yes")
    assert catalogue(workspace)[-1]["verified"] == "restore"
    assert gate.refused == 0


@pytest.fixture
def remote(tmp_path: Path, home: SshHome, bastion: SshServer) -> SpecFolder:
    """Return a spec here whose project, with its SQLite database, is on another host."""
    project = Project(tmp_path / "srv" / "app")
    project.linear(3)
    here = tmp_path / "here"
    here.mkdir()
    runner = {"ssh": {"host": "bastion", "python": sys.executable, "directory": f"{tmp_path}/srv"}}
    folder = SpecFolder(folder=here, environ={"PROD_URL": "sqlite:///shop.db", **home.environ})
    folder.spec(
        project={"config": "alembic.ini", "directory": "app", "runner": runner},
        include="environments/*.yaml",
    )
    copies = {"strategy": "sqlite", "destination": "copies", "verify": "restore"}
    return folder.environment("prod", url={"env": "PROD_URL"}, backup=copies)


def test_a_project_on_another_host(remote: SpecFolder, tmp_path: Path) -> None:
    """The agent runs there, in the project's folder; copies come here and go back there."""
    database = sqlite_database(tmp_path / "srv" / "app" / "shop.db")
    remote.ok("apply", "prod", "--to", "r002", "--yes")
    assert database.heads() == ["r002"]
    assert not list(remote.folder.rglob("shop.db"))
    database.execute("INSERT INTO t1 (id, name) VALUES (1, 'before')")
    remote.ok("apply", "prod", "--yes")
    (copy,) = (remote.folder / "copies").iterdir()
    found = remote.ok("backups", "--format", "json").json()["backups"][-1]
    assert (found["verified"], found["bytes"]) == ("restore", copy.stat().st_size)
    database.execute("DELETE FROM t1")
    remote.ok("restore", "prod", found["id"], "--replace", "--yes")
    assert (database.heads(), database.rows("SELECT name FROM t1")) == (["r002"], [("before",)])
    doctor = remote.call("doctor", "prod")
    assert "env.py connected to the database" in doctor.stdout, doctor.stdout


def test_a_login_to_the_project_that_is_cut(
    remote: SpecFolder, bastion: SshServer, tmp_path: Path
) -> None:
    """The agent over there finishes its revision; the run is resumed behind it."""
    project = Project(tmp_path / "srv" / "app")
    barrier = Gate(tmp_path / "open")
    barrier.revision(project, "r004", down="r003", after="op.execute('CREATE TABLE last (id int)')")
    running = remote.start("apply", "prod", "--yes", "--format", "json")
    read_event(running, "step.started", "r004")
    bastion.stop()
    status, events, errors = rest(running)
    assert status == 6, errors
    assert (events[-1]["status"], events[-1]["code"]) == ("stopped", "ssh-lost")
    assert "Traceback" not in errors
    bastion.start()
    barrier.open()
    remote.ok("resume")
    database = sqlite_database(tmp_path / "srv" / "app" / "shop.db")
    assert database.heads() == ["r004"]
    assert "last" in database.tables()


def test_what_is_wrong_on_the_way_is_told(
    workspace: Workspace, home: SshHome, bastion: SshServer, tmp_path: Path
) -> None:
    """By `status` as a row, by the others as an error of its own code; nothing hangs."""
    workspace.project.linear(1)
    reached(workspace, home, "postgresql+psycopg://app:secret@127.0.0.77:1/shop")
    closed = workspace.call("plan", "prod", "--format", "json")
    assert (closed.status, closed.error()["code"]) == (1, "unreachable")
    told = "no way from bastion to 127.0.0.77:1: bastion says: connect"
    assert told in closed.error()["message"]
    (home.ssh / "known_hosts").write_text("")
    row = workspace.state("prod")
    assert (row["state"], row["error"]["code"]) == ("unreachable", "host-key-unknown")
    failed = workspace.call("apply", "prod", "--yes", "--format", "json")
    assert (failed.status, failed.error()["code"]) == (1, "host-key-unknown")
    assert "ssh-keyscan" in failed.error()["hint"]
    doctor = workspace.call("doctor", "prod")
    assert "ssh-keyscan" in doctor.stdout
    assert "secret" not in closed.stderr + failed.stderr + doctor.stdout + doctor.stderr
    reached(workspace, home, "sqlite:///shop.db")
    wrong = workspace.call("plan", "prod", "--format", "json")
    assert (wrong.status, wrong.error()["code"]) == (2, "spec-invalid")
    assert wrong.error()["message"].endswith("the URL names a file")
