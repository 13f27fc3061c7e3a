"""`init` finds an Alembic project and writes a spec that works, or writes nothing at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from orchestrate.stores.spec_files import load_spec
from tests.support.databases import NewDatabase
from tests.support.projects import Project
from tests.support.workspace import Result, Workspace


@pytest.fixture
def bare(tmp_path: Path) -> Workspace:
    """Start a folder with an Alembic project of two revisions, and no spec."""
    folder = tmp_path / "work"
    return Workspace(folder=folder, project=Project(folder).linear(2))


def refused(workspace: Workspace, *arguments: str) -> Result:
    """Call `init`, which has to refuse and to leave every file as it was."""
    before = workspace.written()
    result = workspace.call("init", "--no-input", "--format", "json", *arguments)
    assert result.status == 2, result.stdout + result.stderr
    assert workspace.written() == before
    assert not (workspace.folder / "environments").exists() or "environments" in str(before)
    return result


def test_with_flags(bare: Workspace, new_database: NewDatabase) -> None:
    """A machine says it all; what is written is valid, works, and is never written over."""
    bare.project.env("environ_url")
    bare.environ["STAGING_URL"] = new_database("postgresql").url
    done = bare.ok(
        "init",
        "--no-input",
        "--format",
        "json",
        *("--runner", sys.executable),
        *("--environment", "dev=sqlite:///dev.db"),
        *("--environment", "staging=env:STAGING_URL"),
        *("--environment", "eu prod=env:PROD_URL"),
    )

    value = done.json()
    files = ["environments/dev.yaml", "environments/eu-prod.yaml", "environments/staging.yaml"]
    assert sorted(value["files"]) == [*files, "migrations.yaml"]
    states = {one["name"]: one["targets"][0]["state"] for one in value["status"]["environments"]}
    assert states == {"dev": "empty", "eu prod": "unreachable", "staging": "empty"}
    assert any("PROD_URL" in one for one in value["notes"])
    spec = load_spec(None, start=bare.folder)
    assert spec.findings == ()
    assert spec.projects["default"].inject.env == "DATABASE_URL"
    assert bare.ok("doctor", "dev", "staging").stdout.count("all well") == 0  # no git checkout
    bare.ok("apply", "dev", "--yes")

    again = refused(bare)
    assert "`migrations.yaml`, `environments/dev.yaml`" in again.error()["message"]


def test_sections_and_folders(bare: Workspace) -> None:
    """Sections of an ini file below become environments; passwords stay where they are."""
    backend = Project(bare.folder / "backend").linear(1)
    ini = "\n".join(
        f"[{name}]\nsqlalchemy.url = {url}\n"
        for name, url in (
            ("development", "sqlite:///dev.db"),
            ("production", "postgresql://app:hunter2@nowhere.invalid/app"),
        )
    )
    backend.config.write_text(backend.config.read_text() + ini)
    (bare.folder / "alembic.ini").unlink()
    (bare.folder / ".env").write_text("DATABASE_URL=sqlite:///other.db\n")

    done = bare.ok("init", "--no-input")

    assert "development  empty" in done.stdout
    assert "`NAME=dotenv:.env#DATABASE_URL`" in done.stderr
    spec = load_spec(None, start=bare.folder)
    assert [one.name for one in spec.environments] == ["development", "production"]
    assert spec.projects["default"].directory == "backend"
    texts = "".join(path.read_text() for path in bare.folder.rglob("*.yaml"))
    assert "hunter2" not in texts + done.stdout + done.stderr
    assert "{ini: backend/alembic.ini, section: production}" in texts


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], "no-input", "--environment"),
        (["--environment", "dev=postgresql://u:hunter2@h/d"], "usage", "password"),
        (["--environment", "hunter2://u:hunter2@h/d"], "usage", "NAME=SOURCE"),
        (["--environment", "dev=who knows"], "usage", "env:VARIABLE"),
        (["--environment", "dev=dotenv:.env#GONE"], "spec-invalid", ".env"),
        (["--environment", "a b=env:X", "--environment", "a-b=env:Y"], "usage", "a-b.yaml"),
        (["--environment", "-x=env:X"], "spec-invalid", "look like an option"),
        (["--config", "gone.ini"], "usage", "gone.ini"),
        (["--environment", "dev=env:X", "--inject", "elsewhere:X"], "usage", "--inject"),
        (["--environment", "dev=env:X", "--inject", "hook:gone.py"], "spec-invalid", "gone.py"),
    ],
)
def test_what_is_not_understood(
    bare: Workspace, arguments: list[str], code: str, words: str
) -> None:
    """Each mistake names itself and what to type; nothing is written and no password shown."""
    result = refused(bare, *arguments)
    error = result.error()
    assert error["code"] == code
    assert words in result.stderr
    assert "hunter2" not in result.stdout + result.stderr


def test_several_projects(bare: Workspace) -> None:
    """Two ini files: `--config` is asked for, and both together become `projects`."""
    Project(bare.folder / "billing").linear(1)
    both = ("--config", "alembic.ini", "--config", "billing/alembic.ini")
    assert "--config" in refused(bare).error()["hint"]
    told = refused(bare, *both, "--environment", "dev=sqlite:///dev.db").error()
    assert "`billing/dev`" in told["hint"]

    done = bare.ok(
        "init",
        "--no-input",
        *both,
        *("--environment", "main/dev=sqlite:///dev.db"),
        *("--environment", "billing/billing-dev=sqlite:///dev.db"),
    )

    assert "billing-dev  empty" in done.stdout
    assert list(load_spec(None, start=bare.folder).projects) == ["main", "billing"]


def test_no_project(tmp_path: Path) -> None:
    """A folder without Alembic: says what it looked for."""
    (tmp_path / "setup.ini").write_text("[alembic\nbroken")
    workspace = Workspace(folder=tmp_path, project=Project(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "alembic.ini").unlink()
    error = refused(workspace).error()
    assert "script_location" in error["message"]
    assert "alembic init" in error["hint"]


def test_asks(bare: Workspace) -> None:
    """A person is asked what cannot be known, with good guesses as defaults."""
    (bare.folder / ".env").write_text("DATABASE_URL=sqlite:///from-dotenv.db\n")
    (bare.folder / "compose.yaml").write_text("services: {api: {build: .}, db: {image: postgres}}")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "orchestrate", "init"],
        cwd=str(bare.folder),
        env=bare.environment_variables(),
        encoding="utf-8",
        timeout=60,
    )
    child.expect("service in compose.yaml")
    child.expect("Number")
    child.sendline("7")
    child.expect("from 1 to 2")
    child.sendline("2")
    child.expect("dotenv:.env#DATABASE_URL")
    child.sendline("")
    child.expect("Another environment")
    child.sendline("prod")
    child.expect("env:PROD_DATABASE_URL")
    child.sendline("postgresql://u:hunter2@h/d")
    child.expect("password")
    child.sendline("")
    child.expect("Another environment")
    child.sendline("")
    child.expect("dev +empty")
    child.expect("orchestrate doctor")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    spec = load_spec(None, start=bare.folder)
    assert [one.name for one in spec.environments] == ["dev", "prod"]
    assert spec.projects["default"].runner == "local"
    assert "docker, compose, exec, -T, api" in (bare.folder / "migrations.yaml").read_text()
