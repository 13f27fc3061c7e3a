"""`drift` and `compare` as people and machines call them: three kinds of drift, news, formats."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.support.databases import Database, NewDatabase
from tests.support.workspace import Workspace


def target(report: dict[str, Any], environment: str = "dev") -> dict[str, Any]:
    """Return the target of an environment."""
    (found,) = [one for one in report["environments"] if one["name"] == environment]
    value: dict[str, Any] = found["targets"][0]
    return value


def named(value: dict[str, Any]) -> list[str]:
    """Return what differs, in short."""
    return [f"{one['change']} {one['object']} {one['name']}" for one in value["differences"]]


def drift(workspace: Workspace, *arguments: str, status: int = 0) -> dict[str, Any]:
    """Return the report as JSON."""
    found = workspace.call("drift", "--format", "json", *arguments)
    assert found.status == status, f"{found.status}\n{found.stdout}\n{found.stderr}"
    value: dict[str, Any] = found.json()
    return value


@pytest.fixture
def dev(workspace: Workspace, new_database: NewDatabase) -> Database:
    """Return the database of `dev`, upgraded to r005 of six revisions."""
    workspace.project.linear(6)
    database = new_database("sqlite")
    workspace.environment("dev", database)
    workspace.ok("apply", "dev", "--yes", "--to", "r005")
    return database


def test_a_night_after_the_other(workspace: Workspace, dev: Database) -> None:
    """Pending is no drift; a change by hand is news once, known by a rule, gone when undone."""
    first = drift(workspace, "--exit-code")
    assert (first["drifted"], target(first)["state"], target(first)["pending"]) == (
        False,
        "behind",
        1,
    )
    assert target(first)["compared_with"] == "snapshot"
    dev.execute("ALTER TABLE t1 ADD COLUMN by_hand TEXT", "CREATE INDEX ix_hand ON t1 (by_hand)")
    second = drift(workspace, "--exit-code", "--new-only", status=3)
    assert named(target(second)) == ["added column t1.by_hand", "added index t1.ix_hand"]
    assert all(one["new"] and not one["known"] for one in target(second)["differences"])
    assert target(second)["differences"][1]["remedy"] == "DROP INDEX ix_hand"
    third = drift(workspace, "--exit-code", "--new-only")
    assert (third["drifted"], named(target(third))) == (False, [])
    assert drift(workspace, "--exit-code", status=3)["drifted"]

    rule = {"object": "column", "name": "t1.by_*", "reason": "tried out", "until": "2999-12-31"}
    over = {"name": "*hand", "reason": "was allowed", "until": "2000-01-01"}
    workspace.environment("dev", dev, drift={"ignore": [rule, over]})
    value = target(drift(workspace, "--exit-code", status=3))
    assert [(one["known"], one["reason"]) for one in value["differences"]] == [
        (True, "tried out"),
        (False, None),
    ]
    assert value["remarks"] == [
        "the rule `was allowed` ended on 2000-01-01, and index t1.ix_hand still differs"
    ]
    text = workspace.ok("drift").stdout
    assert "= column t1.by_hand added (known until 2999-12-31: tried out)" in text
    assert max(len(line) for line in text.splitlines()) <= 80

    dev.execute("DROP INDEX ix_hand", "ALTER TABLE t1 DROP COLUMN by_hand")
    last = target(drift(workspace, "--exit-code"))
    assert last["differences"] == []
    assert [one["name"] for one in last["gone"]] == ["t1.by_hand", "t1.ix_hand"]
    workspace.ok("history", "--verify")


def test_kinds_that_never_blur(
    workspace: Workspace, dev: Database, new_database: NewDatabase
) -> None:
    """Another database, a revision that git knows, one nobody can reach: each in its own row."""
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]

    def run(*arguments: str) -> None:
        subprocess.run([*git, *arguments], cwd=workspace.folder, check=True, capture_output=True)

    run("init", "-b", "main")
    run("add", "migrations")
    run("commit", "-m", "six")
    run("checkout", "-b", "feature")
    workspace.project.revision("f00d", down="r006", upgrade="op.execute('select 1')")
    run("add", "migrations")
    run("commit", "-m", "food")
    run("checkout", "main")
    other, moved = new_database("sqlite"), new_database("sqlite")
    workspace.environment("staging", other).environment("moved", moved)
    workspace.environment("away", url={"env": "NOWHERE_URL"})
    workspace.ok("apply", "staging", "--yes")
    workspace.ok("apply", "moved", "--yes")
    other.execute("UPDATE alembic_version SET version_num = 'f00d'")
    elsewhere = new_database("sqlite")
    workspace.environment("moved", elsewhere)
    moved.path.replace(elsewhere.path)

    report = drift(workspace, "--exit-code", status=3)
    (revision,) = target(report, "staging")["differences"]
    assert (revision["kind"], revision["object"]) == ("revision", "revision")
    assert (revision["expected"], revision["actual"]) == ("r006", "f00d")
    assert "on branch feature" in revision["detail"]
    assert "Ada" in revision["detail"]
    assert target(report, "staging")["state"] == "unknown-revision"
    (identity,) = target(report, "moved")["differences"]
    assert (identity["kind"], identity["object"]) == ("identity", "database")
    assert (identity["expected"], identity["actual"]) == (
        f"sqlite {moved.path}",
        f"sqlite {elsewhere.path}",
    )
    # Its schema is compared all the same, with what was recorded of the environment.
    assert target(report, "moved")["compared_with"] == "snapshot"
    away = target(report, "away")
    assert (away["state"], away["error"]["code"]) == ("unreachable", "url-unavailable")
    assert target(report)["differences"] == []

    _check_formats(workspace)
    # The same nobody could reach last night is no news; a first time is, and is no success.
    assert drift(workspace, "away", "--exit-code", "--new-only")["drifted"] is False
    drift(workspace, "away", "--exit-code", status=1)


def _check_formats(workspace: Workspace) -> None:
    junit = workspace.ok("drift", "--format", "junit", "--out", "report.xml")
    assert junit.stdout == ""
    suites = {one.get("name"): one for one in ET.parse(workspace.folder / "report.xml").getroot()}
    counts = {
        name: [one.get(key) for key in ("tests", "failures", "errors", "skipped")]
        for name, one in suites.items()
    }
    assert counts == {
        "away": ["3", "0", "3", "0"],
        "dev": ["3", "0", "0", "0"],
        "moved": ["3", "1", "0", "0"],
        "staging": ["3", "1", "0", "1"],
    }
    page = workspace.ok("drift", "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    assert '<h2 id="trend">' in page
    assert '<h2 id="runs">' in page
    numbers = workspace.ok("drift", "--format", "prometheus").stdout
    assert 'orchestrate_up{environment="away",target="away"} 0' in numbers.splitlines()
    nowhere = workspace.call("drift", "--html", "nowhere/drift.html")
    assert (nowhere.status, "is no folder to write to" in nowhere.stderr) == (2, True)
    markdown = workspace.ok("drift", "--format", "markdown").stdout
    assert markdown.startswith("# Drift: moved, staging\n")
    assert "| dev | behind | r005 | 1 | none | snapshot |" in markdown


def test_what_it_is_compared_with(workspace: Workspace, dev: Database) -> None:
    """The revisions made anew, the models, and by default the best of what there is."""
    dev.execute("CREATE TABLE by_hand (id INTEGER PRIMARY KEY)")
    for way in ("snapshot", "replay"):
        value = target(drift(workspace, "--against", way))
        assert (value["compared_with"], named(value)) == (way, ["added table by_hand"])
    value = target(drift(workspace, "--against", "models"))
    assert value["compared_with"] is None
    assert any("the database is at r005" in one for one in value["remarks"])
    # Moved without a run: what the last one left says nothing of these rows.
    workspace.project.configure(url=dev.url).alembic("upgrade", "head")
    value = target(drift(workspace))
    assert value["compared_with"] == "replay"
    assert named(value) == ["altered revision alembic_version", "added table by_hand"]
    assert "moved without a run" in value["differences"][0]["detail"]


def test_a_run_at_work(workspace: Workspace, dev: Database) -> None:
    """While a run holds the lease, that is said and nothing else."""
    end = workspace.folder / "end"
    waiting = f"import os, time\nwhile not os.path.exists({str(end)!r}): time.sleep(0.05)"
    workspace.project.revision("r007", down="r006", upgrade=waiting)
    dev.execute("ALTER TABLE t1 ADD COLUMN by_hand TEXT")
    process = workspace.start("apply", "dev", "--yes", "--format", "json")
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "r007" in line and "step.started" in line:
                break
        value = target(drift(workspace, "--exit-code"))
    finally:
        end.touch()  # an agent whose program was killed carries its revision to the end
        process.kill()
        process.communicate()
    assert value["at_work"]["run"].startswith("run-")
    assert (value["compared_with"], value["differences"]) == (None, [])


def test_what_is_damaged_is_a_row(
    workspace: Workspace, dev: Database, new_database: NewDatabase
) -> None:
    """A recorded schema that cannot be read costs its own target, and the other is told."""
    workspace.environment("staging", new_database("sqlite"))
    workspace.ok("apply", "staging", "--yes")
    drift(workspace)
    store = sqlite3.connect(workspace.folder / ".orchestrate" / "state.db")
    with contextlib.closing(store), store:
        store.execute("UPDATE orchestrate_snapshots SET text = x'00'")
    dev.execute("ALTER TABLE t1 ADD COLUMN by_hand TEXT")
    value = drift(workspace, "--exit-code", status=1)
    error = target(value)["error"]
    assert error["code"] == "state-unavailable"
    assert error["message"].startswith("what its schema is compared with could not be read: ")
    assert target(value, "staging")["error"] is None
    assert target(value, "staging")["compared_with"] == "snapshot"
    assert any("what is new cannot be told" in one for one in target(value, "staging")["remarks"])


def test_a_password_of_another_environment_renames_nothing(
    workspace: Workspace, new_database: NewDatabase
) -> None:
    """What is compared is what the database says; what is told has no password in it."""
    create = 'op.execute("CREATE TABLE users (id INTEGER, swordfish_hash TEXT)")'
    workspace.project.revision(
        "u001", down=None, upgrade=create, downgrade='op.drop_table("users")'
    )
    staging = new_database("sqlite")
    workspace.environment("staging", staging).ok("apply", "staging", "--yes")
    workspace.environ["AWAY_URL"] = "postgresql+psycopg://app:swordfish@127.0.0.1:1/shop"
    workspace.environment("away", url={"env": "AWAY_URL"})
    quiet = drift(workspace)
    assert target(quiet, "away")["error"] is not None
    assert target(quiet, "staging")["differences"] == []
    # Neither does it make what differs new: alone, then beside the other one.
    staging.execute("ALTER TABLE users ADD COLUMN old_swordfish TEXT")
    assert named(target(drift(workspace, "staging"), "staging")) == [
        "added column users.old_swordfish"
    ]
    again = target(drift(workspace), "staging")
    assert [(one["name"], one["new"]) for one in again["differences"]] == [("users.old_***", False)]
    written = workspace.call("drift", "--html", "drift.html", "--junit", "drift.xml")
    said = written.stdout + written.stderr
    for name in ("drift.html", "drift.xml"):
        said += (workspace.folder / name).read_text()
    assert "old_***" in said
    assert "swordfish" not in said


def test_a_password_of_digits(workspace: Workspace, dev: Database) -> None:
    """It is part of every moment by chance: plans can be read again, and so can every report."""
    year = f"{datetime.now(UTC):%Y}-"
    secret = {"ORCHESTRATE_SSH_PASSPHRASE": year}
    workspace.ok("plan", "dev", "--out", "plan.json", environ=secret)
    workspace.ok("apply", "plan.json", "--yes", environ=secret)
    dev.execute(f'CREATE TABLE "extra{year}" (id integer)')
    junit = workspace.ok("drift", "--format", "junit", environ=secret).stdout
    (suite,) = ET.fromstring(junit)
    assert (suite.get("timestamp") or "").startswith(year)
    page = workspace.ok("drift", "--format", "html", environ=secret).stdout
    assert f'<time datetime="{year}' in page
    for told in (junit, page, workspace.ok("drift", environ=secret).stdout):
        assert "extra***" in told
        assert f"extra{year}" not in told
    assert "***" not in workspace.ok("drift", "--format", "prometheus", environ=secret).stdout


def test_compare(workspace: Workspace, dev: Database, new_database: NewDatabase) -> None:
    """Two environments object by object, the first one being what is expected."""
    workspace.environment("staging", new_database("sqlite"))
    workspace.ok("apply", "staging", "--yes", "--to", "r005")
    assert workspace.ok("compare", "dev", "staging", "--exit-code").stdout.endswith(
        "no difference\n"
    )
    workspace.ok("apply", "staging", "--yes")
    secret = "9z" * 150
    dev.execute(f"ALTER TABLE t1 ADD COLUMN by_hand TEXT DEFAULT '{'x' * 200}{secret}'")
    found = workspace.call("compare", "dev", "staging", "--format", "json", "--exit-code")
    assert found.status == 3
    value = found.json()
    assert named(value) == ["removed column t1.by_hand", "added index t2.ix_t2_name"]
    assert (value["expected"]["heads"], value["actual"]["heads"]) == (["r005"], ["r006"])
    text = workspace.ok("compare", "dev", "staging").stdout
    assert "column t1.by_hand only in dev" in text
    assert "9z" in text
    environ = {"ORCHESTRATE_SSH_PASSPHRASE": secret}
    text = workspace.ok("compare", "dev", "staging", environ=environ).stdout
    assert "9z" not in text, "not even of what was cut in its middle"
    assert (
        "| object | dev | staging |"
        in workspace.ok("compare", "dev", "staging", "--format", "markdown").stdout
    )


def sql(server: Any, name: str) -> Callable[[str], None]:
    """Return what executes a statement in a database of a server."""
    return lambda statement: server.execute(statement, database=name)


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_credential_that_may_only_read(one: Workspace, database: Database) -> None:
    """A reader sees drift, waits for nobody, writes nothing; maintenance is no drift."""
    server = database.server
    assert server is not None
    one.ok("apply", "dev", "--yes")
    one.environ["DEV_URL"] = server.create_reader(database.name)
    for statement in (
        ["ANALYZE", "VACUUM FULL"] if database.kind == "postgresql" else ["ANALYZE TABLE t1"]
    ):
        database.execute(statement)
    quiet = target(drift(one, "--exit-code"))
    assert (quiet["compared_with"], quiet["differences"]) == ("snapshot", [])
    database.execute("ALTER TABLE t2 ADD COLUMN by_hand INTEGER")
    with contextlib.closing(database.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO t1 (id, name) VALUES (1, 'x')")  # somebody at work on a table
        found = target(drift(one, "--exit-code", status=3))
        cursor.execute("ROLLBACK")
    assert named(found) == ["added column t2.by_hand"]
    # Nothing can be made anew with it, which is said.
    value = target(drift(one, "--against", "replay"))
    assert value["compared_with"] is None
    assert any("no scratch database" in remark for remark in value["remarks"])
