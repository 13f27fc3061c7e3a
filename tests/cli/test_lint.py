"""`orchestrate lint`: for a project, for a range, for one environment and its tables."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrate.run.linting import local_locations
from tests.support.databases import Database
from tests.support.workspace import SpecFolder, Workspace

ROOT = Path(__file__).parents[2]


def findings(folder: SpecFolder, *arguments: str, **more: Any) -> list[tuple[str, str, str]]:
    """Return code, severity and place of what lint says, without marks of what has no SQL."""
    found = folder.ok("lint", *arguments, "--format", "json", **more).json()["findings"]
    shown = [(one["code"], one["severity"], one["where"] or "") for one in found]
    return [
        (code, severity, where.rpartition("/")[2])
        for code, severity, where in shown
        if code != "not-rendered"
    ]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_project_and_what_ran(one: Workspace, database: Database) -> None:
    """Nothing is remarked of ordinary revisions; what was applied and edited or deleted is."""
    assert findings(one) == []
    assert not database.path.exists(), "no database is reached"
    assert not (one.folder / ".orchestrate" / "state.db").exists()
    one.ok("apply", "dev", "--yes")
    edited = one.project.revision_file("r006")
    edited.write_text(edited.read_text() + "\n# more\n")
    one.project.revision("r005x", down="r004", upgrade='op.drop_column("t1", "note")')
    one.project.revision_file("r005").unlink()
    edited.write_text(
        edited.read_text().replace("down_revision = 'r005'", "down_revision = 'r005x'")
    )
    assert findings(one) == [
        ("deleted-revision", "error", "dev"),
        ("drops-column", "warning", "r005x_revision_r005x.py:17"),
        ("missing-downgrade", "warning", "r005x_revision_r005x.py:20"),
        ("edited-revision", "error", "r006_index_names_of_t2.py"),
    ]
    failing = one.call("lint", "--exit-code")
    assert failing.status == 3
    assert "docs/lint-rules.md#edited-revision" in failing.stdout
    assert one.call("lint", "--range", "r005x:", "--exit-code").status == 3
    assert {code for code, _, _ in findings(one, "--range", "r003:r004")} == {"deleted-revision"}
    usage = one.call("lint", "--range", "r003", "--format", "json")
    assert (usage.status, usage.error()["code"]) == (2, "usage")
    assert one.call("lint", "--range", "nowhere:").status == 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_formats(one: Workspace, database: Database) -> None:
    """For people, programs, code scanning and pull requests; silenced with a reason."""
    file = one.project.revision("r007", down="r006", upgrade='op.drop_table("t1")').revision_file(
        "r007"
    )
    annotated = one.ok("lint", "--format", "github").stdout.splitlines()
    place = f"file=migrations/versions/{file.name}"
    assert [line.rpartition("::")[0] for line in annotated] == [
        f"::warning {place},line=17,title=drops-table",
        f"::warning {place},line=20,title=missing-downgrade",
    ]
    assert annotated[0].rpartition("::")[2].startswith("drops table t1%0ANothing brings it back")
    log = one.ok("--format", "sarif", "lint").json()
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert log["version"] == "2.1.0"
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        location = result["locations"][0]["physicalLocation"]
        assert location["artifactLocation"]["uri"] == f"migrations/versions/{file.name}"
        assert location["region"]["startLine"] >= 1
    comment = "# orchestrate: ignore[drops-table, missing-downgrade] t1 was never used\n"
    file.write_text(file.read_text() + comment)
    assert findings(one) == []
    file.write_text(file.read_text().replace(" t1 was never used", ""))
    assert "ignore-without-reason" in {code for code, _, _ in findings(one)}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_with_the_tables_of_an_environment(one: Workspace, database: Database) -> None:
    """Locks are told of tables that are large there; squawk is asked; `plan --lint` says the same."""
    one.ok("apply", "dev", "--yes")
    database.execute(
        "INSERT INTO t1 (id, name) SELECT n, repeat('x', 40) FROM generate_series(1, 200000) AS n",
        "ANALYZE t1",
    )
    one.project.revision(
        "r007",
        down="r006",
        upgrade="""
            op.alter_column("t1", "id", type_=sa.BigInteger(), existing_type=sa.Integer())
            op.alter_column("t2", "id", type_=sa.BigInteger(), existing_type=sa.Integer())
            op.alter_column("t2", "name", new_column_name="title")
        """,
        downgrade='op.execute("select 1")',
    )
    found = one.ok("lint", "dev", "--format", "json").json()["findings"]
    by_code = {finding["code"]: finding for finding in found}
    assert set(by_code) == {"rewrites-table", "squawk-renaming-column"}
    message = by_code["rewrites-table"]["message"]
    assert message.startswith("ACCESS EXCLUSIVE on t1, ")
    assert (
        " MiB, rewritten (reads and writes wait): ALTER TABLE t1 ALTER COLUMN id TYPE BIGINT"
        in message
    )
    assert by_code["squawk-renaming-column"]["where"].endswith(":19")
    plan = one.ok("plan", "dev", "--lint", "--format", "json").json()
    told = [finding["message"] for step in plan["steps"] for finding in step["findings"]]
    assert message in told
    quiet = one.ok("plan", "dev", "--format", "json").json()
    assert [step["findings"] for step in quiet["steps"]] == [[]]
    # Without the environment nobody knows the sizes, and no server is reached.
    unknown = {**one.environ, "DEV_URL": "postgresql+psycopg://u:secret@127.0.0.1:1/nowhere"}
    apart = one.ok("lint", "--range", "r006:", "--format", "json", environ=unknown).json()
    assert len([one for one in apart["findings"] if one["code"] == "rewrites-table"]) == 2
    assert "secret" not in json.dumps(apart)


def test_without_a_url(workspace: Workspace) -> None:
    """`--dialect` says whose SQL it is; without, the Python alone is judged, and that is said."""
    workspace.project.linear(3)
    workspace.environment("prod", url={"env": "NOT_SET"})
    rendered = workspace.ok("lint", "--dialect", "postgresql", "--no-squawk", "--format", "json")
    assert [one["code"] for one in rendered.json()["findings"]] == ["blocks-writes"]
    told = workspace.ok("lint")
    assert "`--dialect` needs no URL" in told.stderr
    wrong = workspace.call("lint", "--dialect", "no such", "--format", "json")
    assert (wrong.status, wrong.error()["code"]) == (2, "usage")
    assert workspace.call("lint", "prod", "--dialect", "mysql").status == 2


def test_env_py_that_fails_offline(workspace: Workspace) -> None:
    """The text is judged all the same, and what could not be looked at is said."""
    workspace.project.linear(2)
    workspace.project.revision(
        "r003", down="r002", upgrade='op.drop_table("t1")', downgrade="op.f('x')"
    )
    env = workspace.project.folder / "migrations" / "env.py"
    env.write_text("raise RuntimeError('not today')\n")
    workspace.environment("prod", url="sqlite:///prod.db")
    result = workspace.ok("lint", "--format", "json")
    assert [one["code"] for one in result.json()["findings"]] == ["drops-table"]
    assert "not today" in result.stderr


def test_the_example_has_nothing_to_remark(tmp_path: Path) -> None:
    """As it is checked out, by the very entry of the pre-commit hook; twice, from what is kept."""
    for name in ("migrations.yaml", "environments", "example"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = hook["entry"].split()
    assert (program, hook["pass_filenames"]) == ("orchestrate", False)
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "orchestrate", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "nothing to remark" in done.stdout
    assert list((tmp_path / ".orchestrate" / "cache").glob("sql-*.json"))


def test_revisions_of_a_container_are_read_here(tmp_path: Path) -> None:
    """Where the far end's paths are not ours, they are looked for below the project's folder."""
    (tmp_path / "here").mkdir()
    found = {
        "version_locations": ["/app/migrations/versions", str(tmp_path / "here")],
        "directory": "/app",
    }
    assert local_locations(found, tmp_path) == [
        tmp_path / "migrations" / "versions",
        tmp_path / "here",
    ]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_failure_of_the_moment_is_not_kept(one: Workspace, database: Database) -> None:
    """What env.py stood in the way of is rendered the next time; what the file decides is kept."""
    reader = "op.execute('DROP TABLE t1') if open(__file__) else None"
    env = one.project.scripts / "env.py"
    broken = one.folder / "broken"
    env.write_text(
        f"import os\nif os.path.exists({str(broken)!r}):\n    raise OSError('not now')\n"
        + env.read_text()
    )

    def unseen() -> dict[str, str]:
        told = one.ok("lint", "--format", "json").json()["findings"]
        return {
            item["where"].rpartition("/")[2].partition("_")[0]: item["message"]
            for item in told
            if item["code"] == "not-rendered"
        }

    assert unseen() == {}
    one.project.revision("r007", down="r006", upgrade='op.drop_table("t1")', downgrade="pass")
    one.project.revision("r008", down="r007", upgrade=reader, downgrade="pass")
    broken.touch()
    assert "not now" in unseen()["r007"]
    broken.unlink()
    assert set(unseen()) == {"r008"}
    (kept,) = (one.folder / ".orchestrate" / "cache").glob("sql-*.json")
    assert sum(sql is None for sql, _ in json.loads(kept.read_text())["sql"].values()) == 1
