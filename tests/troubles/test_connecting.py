"""A database that cannot be reached: one sentence for each reason, met on real servers."""

from __future__ import annotations

import sqlite3

from tests.support.databases import NewDatabase
from tests.support.mariadb_server import MariadbServer
from tests.support.postgresql_server import PostgresqlServer
from tests.support.servers import HOST, PASSWORD, USER, Server
from tests.support.workspace import Workspace

Expected = dict[str, tuple[str, str, str]]


def refused(workspace: Workspace, urls: dict[str, str], expected: Expected) -> None:
    """Look at all URLs in one call and compare page, sentence and hint of each."""
    for name, url in urls.items():
        workspace.environment(name, url={"env": f"{name.upper()}_URL"})
        workspace.environ[f"{name.upper()}_URL"] = url
    value = workspace.ok("status", "--format", "json").json()
    rows = {one["name"]: one["targets"][0] for one in value["environments"]}
    for name, (page, sentence, hint) in expected.items():
        error = rows[name]["error"]
        assert error["docs"] == f"docs/troubles/{page}.md", error
        assert error["message"].startswith(sentence), error
        assert hint in error["hint"], error
        assert PASSWORD not in str(error)


def require_tls(server: Server, user: str) -> None:
    """Have PostgreSQL refuse a user that comes without TLS."""
    path = server.folder / "data" / "pg_hba.conf"
    path.write_text(f"hostnossl all {user} all reject\n{path.read_text()}")
    asked = "SELECT pg_conf_load_time()"
    before = server.rows(asked)
    server.execute("SELECT pg_reload_conf()")
    while server.rows(asked) == before:
        pass  # each question is a new connection; the reload takes milliseconds


def test_postgresql(
    workspace: Workspace, postgresql_server: PostgresqlServer, new_database: NewDatabase
) -> None:
    """Host, port, password, right, database, TLS both ways, connections; psycopg and psycopg2."""
    server, name = postgresql_server, new_database("postgresql").name
    workspace.project.linear(1)
    server.execute(
        "DROP ROLE IF EXISTS crowded, tlsonly",
        "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0 PASSWORD 'x'",
        "CREATE ROLE tlsonly LOGIN PASSWORD 'x'",
    )
    require_tls(server, "tlsonly")
    good = server.url(name)
    there = f"{HOST}:{server.port}"
    old = server.url(name, driver="psycopg2")
    urls = {
        "host": good.replace(HOST, "nohost.invalid"),
        "port": good.replace(f":{server.port}/", ":1/"),
        "login": server.url(name, password="wr0ng"),
        "missing": server.url("nope"),
        "tls": server.url(name, user="tlsonly", password="x"),
        "notls": f"{good}?sslmode=require",
        "crowded": server.url(name, user="crowded", password="x"),
        "oldhost": old.replace(HOST, "nohost.invalid"),
        "oldcrowded": server.url(name, driver="psycopg2", user="crowded", password="x"),
    }
    refused(
        workspace,
        urls,
        {
            "host": (
                "host-unknown",
                f"the host of `nohost.invalid:{server.port}` is unknown where the agent runs (",
                "The URL comes from the environment variable `HOST_URL` (environments/host.yaml:2)",
            ),
            "port": ("connection-refused", f"nothing listens at `{HOST}:1` (", "Check host and"),
            "login": (
                "login-refused",
                f"the server at `{there}` refused the password of `{USER}` (",
                "Check user and password",
            ),
            "missing": (
                "unknown-database",
                f"the server at `{there}` has no such database: `{there}/nope` (",
                "`CREATE DATABASE nope`",
            ),
            "tls": ("tls", f"`{there}` and the URL do not agree on TLS (", "`?sslmode=require`"),
            "notls": ("tls", f"`{there}` and the URL do not agree on TLS (", "the server has none"),
            "crowded": (
                "too-many-connections",
                f"the server at `{there}` has no connection left for `crowded` (",
                "pg_stat_activity",
            ),
            "oldhost": ("host-unknown", "the host of `nohost.invalid", "`runner`"),
            "oldcrowded": ("too-many-connections", f"the server at `{there}` has no", "raise"),
        },
    )
    shown = workspace.call("plan", "port")
    assert shown.status == 1
    last = shown.stderr.splitlines()[-1]
    assert last == (
        "more: docs/troubles/connection-refused.md, or `orchestrate explain connection-refused`"
    )


def test_mariadb(
    workspace: Workspace, mariadb_server: MariadbServer, new_database: NewDatabase
) -> None:
    """The same by PyMySQL; a user that must use TLS is refused in the words of a wrong password."""
    server, name = mariadb_server, new_database("mariadb").name
    workspace.project.linear(1)
    server.execute(
        "CREATE OR REPLACE USER tlsonly IDENTIFIED BY 'x' REQUIRE SSL",
        "CREATE OR REPLACE USER narrow IDENTIFIED BY 'x'",
        "CREATE OR REPLACE USER single IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 1",
        f"GRANT ALL ON {name}.* TO single",
    )
    good, there = server.url(name), f"{HOST}:{server.port}"
    urls = {
        "host": good.replace(HOST, "nohost.invalid"),
        "port": good.replace(f":{server.port}/", ":1/"),
        "login": server.url(name, password="wr0ng"),
        "tls": server.url(name, user="tlsonly", password="x"),
        "missing": server.url("nope"),
        "narrow": server.url(name, user="narrow", password="x"),
        "single": server.url(name, user="single", password="x"),
    }
    refused(
        workspace,
        urls,
        {
            "host": ("host-unknown", "the host of `nohost.invalid", "environments/host.yaml:2"),
            "port": ("connection-refused", f"nothing listens at `{HOST}:1` (", "Check host"),
            "login": (
                "login-refused",
                f"the server at `{there}` refused the password of `{USER}` (",
                f"that `{USER}` may come from",
            ),
            "tls": ("login-refused", f"the server at `{there}` refused", "must use TLS"),
            "missing": ("unknown-database", f"the server at `{there}` has no", "CREATE DATABASE"),
            "narrow": (
                "not-let-in",
                f"the server at `{there}` does not let `narrow` into the database of the URL (",
                "`GRANT` it",
            ),
            # Looking takes two connections: env.py's is the one too many.
            "single": (
                "too-many-connections",
                f"the server at `{there}` has no connection left for `single` (",
                "SHOW PROCESSLIST",
            ),
        },
    )


def test_env_py_that_connects_elsewhere(workspace: Workspace, new_database: NewDatabase) -> None:
    """env.py fails to connect where our own connection works: it does not use the URL."""
    workspace.project.linear(1).env("connects_elsewhere")
    workspace.environment("dev", new_database("postgresql"))
    workspace.environ["ELSEWHERE_URL"] = f"postgresql+psycopg://app@{HOST}:1/app"
    failed = workspace.call("plan", "dev")
    assert failed.status == 1
    assert "env.py cannot connect (OperationalError: " in failed.stderr
    assert "while our own connection to `127.0.0.1:" in failed.stderr
    assert "Say with `inject` where env.py looks for its URL" in failed.stderr
    assert "docs/troubles/wrong-database.md" in failed.stderr


def test_sqlite(workspace: Workspace) -> None:
    """A folder that is not there, and files that are something else or damaged."""
    workspace.project.linear(1)
    folder = workspace.project.folder
    (folder / "other.db").write_text("nothing that SQLite wrote\n" * 40)
    damaged = folder / "damaged.db"
    with sqlite3.connect(damaged) as connection:
        connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
    connection.close()
    content = bytearray(damaged.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    damaged.write_bytes(content)
    refused(
        workspace,
        {
            "nowhere": "sqlite:///no/such/folder/app.db",
            "other": "sqlite:///other.db",
            "damaged": "sqlite:///damaged.db",
            "folder": "sqlite:///migrations",
        },
        {
            "nowhere": (
                "unreachable",
                f"unable to open database file: there is no folder {folder}/no/such/folder",
                "three slashes begin a relative path",
            ),
            "other": ("unreachable", "DatabaseError: file is not", "is not an SQLite database"),
            "damaged": ("unreachable", "DatabaseError: database disk image", "restore a backup"),
            "folder": (
                "unreachable",
                f"unable to open database file: {folder}/migrations is a folder",
                "Check the path",
            ),
        },
    )
    assert not (folder / "no").exists()


def test_a_file_that_is_not_there_yet(workspace: Workspace) -> None:
    """A plan for it says so, once: the path may be a mistake."""
    workspace.project.linear(1)
    workspace.environment("dev", url="sqlite:///new.db")
    said = "its SQLite file does not exist yet; the run creates it"
    assert said in workspace.ok("plan", "dev").stdout
    workspace.ok("apply", "dev", "--yes")
    workspace.project.revision("r002", down="r001")
    assert said not in workspace.ok("plan", "dev").stdout
