"""What people write wrongly, and what they declare that this version cannot keep."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import NewDatabase
from tests.support.workspace import Workspace

PROTECTIONS: dict[str, Any] = {
    "targets": {"glob": "data/*.db"},
}


def test_every_mistake_in_one_go(workspace: Workspace) -> None:
    """`validate`, `status` and `plan` list all mistakes with their places, and end with 2."""
    (workspace.folder / "migrations.yaml").write_text(
        "version: 1\n"
        "projct: {config: alembic.ini}\n"
        "state: [nonsense]\n"
        "defaults: {lock_timeout: soon}\n"
        "environments:\n"
        "  dev: {url: 'postgresql://user:hunter2@db/app'}\n"
        "  prod: {after: {environment: stagging}, url: {env: PROD_URL}}\n"
        "  staging: {urll: 'sqlite:///s.db'}\n"
    )
    for command in (("validate",), ("status",), ("plan", "prod")):
        broken = workspace.call(*command, "--format", "json")
        assert (broken.status, broken.error()["code"]) == (2, "spec-invalid"), broken.stderr
        found = broken.error()["findings"]
        places = [one["where"] for one in found]
        assert all(place.startswith("migrations.yaml:") for place in places)
        lines = {int(place.split(":")[1]) for place in places}
        assert {2, 3, 4, 6, 7, 8} <= lines
        said = broken.stderr
        for word in ("projct", "`project`", "soon", "stagging", "staging", "urll"):
            assert word in said, word
        assert "hunter2" not in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "version: 9\n",
        "a: [b",
        "\x00",
        "version: 1\nversion: 1\n",
        "&a [*a]",
    ],
)
def test_text_that_is_no_spec(workspace: Workspace, text: str) -> None:
    """Whatever stands in the file: exit status 2 and no traceback."""
    (workspace.folder / "migrations.yaml").write_text(text)
    broken = workspace.call("validate")
    assert broken.status == 2, broken.stderr
    assert "error[spec-invalid]: " in broken.stderr
    assert "Traceback" not in broken.stderr


def test_command_line_mistakes(workspace: Workspace, new_database: NewDatabase) -> None:
    """Names that do not exist, with the nearest one; no spec at all."""
    workspace.project.linear(1)
    workspace.environment("staging", new_database("sqlite"), aliases=["stage"])
    cases = {
        ("plan", "stagin"): ("unknown-environment", "staging"),
        ("aply", "staging"): ("usage", "apply"),
        ("plan",): ("usage", "orchestrate status"),
        ("plan", "staging", "--fromat", "json"): ("usage", "--format"),
        ("resume", "run-0"): ("unknown-run", "orchestrate history"),
        ("show", "run-0"): ("unknown-run", "orchestrate history"),
        ("apply", "missing.json", "--yes"): ("plan-unreadable", "missing.json"),
        ("apply", "migrations.yaml.json"): ("plan-unreadable", "migrations.yaml.json"),
        ("plan", "staging", "--to", "r9"): ("unknown-revision", "r9"),
        ("--spec", "nowhere.yaml", "status"): ("spec-not-found", "nowhere.yaml"),
    }
    for command, (code, word) in cases.items():
        wrong = workspace.call(*command)
        assert wrong.status == 2, (command, wrong.stderr)
        assert f"error[{code}]" in wrong.stderr, (command, wrong.stderr)
        assert word in wrong.stderr, (command, wrong.stderr)
    nothing = workspace.call()
    assert (nothing.status, nothing.stdout) == (2, "")
    assert nothing.stderr.startswith("Usage: orchestrate")
    assert workspace.ok("status", "stage", "--format", "json").json()["heads"] == ["r001"]


def test_declared_protection_is_never_ignored(
    workspace: Workspace, new_database: NewDatabase
) -> None:
    """Each key closes the gate of plan and apply; `status` still shows the row, and says so."""
    workspace.project.linear(1)
    database = new_database("sqlite")
    workspace.environment("plain", database)
    for key, value in PROTECTIONS.items():
        workspace.environment(f"has-{key}", new_database("sqlite"), **{key: value})
    value = workspace.ok("status", "--format", "json").json()
    rows = {one["name"]: one["targets"][0] for one in value["environments"]}
    assert rows["plain"]["remarks"] == []
    for key in PROTECTIONS:
        name = f"has-{key}"
        assert rows[name]["state"] == "empty"
        told = " ".join(rows[name]["remarks"])
        assert f"`{key}`" in told
        assert "not-enforced-yet" in told
        refused = workspace.call("plan", name, "--format", "json")
        assert (refused.status, refused.error()["code"]) == (4, "not-enforced-yet")
        assert refused.error()["findings"][0]["where"].startswith(f"environments/{name}.yaml:")
    refused = workspace.call("apply", f"has-{key}", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "not-enforced-yet")
    assert refused.events()[-1]["status"] == "blocked"
    assert database.tables() == []


def test_one_bad_project_costs_one_row(workspace: Workspace, new_database: NewDatabase) -> None:
    """A wrong `to`, a graph that contradicts itself, a missing variable: the others are shown."""
    from tests.support.projects import Project

    workspace.project.linear(2)
    Project(workspace.folder / "bad").revision("r001", down="r000")
    workspace.spec(
        project=None,
        projects={"good": {"config": "alembic.ini"}, "bad": {"directory": "bad"}},
        defaults={"project": "good"},
    )
    workspace.environment("dev", new_database("sqlite"))
    workspace.environment("typo", new_database("sqlite"), to="r00x")
    workspace.environment("broken", new_database("sqlite"), project="bad")
    workspace.environment("unset", None, url={"env": "NOBODY_SET_THIS"})
    value = workspace.ok("status", "--format", "json").json()
    rows = {one["name"]: one["targets"][0] for one in value["environments"]}
    assert (rows["dev"]["state"], rows["typo"]["state"]) == ("empty", "empty")
    assert "r00x" in " ".join(rows["typo"]["remarks"])
    assert rows["broken"]["error"]["code"] == "project-unreadable"
    assert "r000" in rows["broken"]["error"]["message"]
    assert rows["unset"]["error"]["code"] == "url-unavailable"
    assert "NOBODY_SET_THIS" in rows["unset"]["error"]["message"]
    assert workspace.call("plan", "unset").status == 2
    assert workspace.call("plan", "typo").status == 2
    assert workspace.call("plan", "broken").status == 1
