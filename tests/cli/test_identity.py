"""Which database an environment is: recorded at its first use, and never mistaken for another."""

from __future__ import annotations

import pytest

from tests.support.databases import NewDatabase
from tests.support.projects import Project
from tests.support.workspace import Workspace


def two(workspace: Workspace, new_database: NewDatabase, kind: str = "sqlite") -> Workspace:
    """Write the environments `staging` and `production`, each with a database of its own."""
    workspace.project.linear(2)
    for name in ("staging", "production"):
        workspace.environment(name, new_database(kind))
    return workspace


def remarks(workspace: Workspace) -> dict[str, str]:
    """Return what `status` remarks on each environment, in one text."""
    value = workspace.ok("status", "--format", "json").json()
    return {one["name"]: " ".join(one["targets"][0]["remarks"]) for one in value["environments"]}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_swapped_urls_are_refused(
    workspace: Workspace, new_database: NewDatabase, kind: str
) -> None:
    """Two URLs exchanged by mistake: whose database it is stands in the message."""
    two(workspace, new_database, kind)
    assert remarks(workspace) == {"staging": "", "production": ""}, "the first use is recorded"
    workspace.ok("apply", "staging", "--yes")
    urls = workspace.environ
    urls["STAGING_URL"], urls["PRODUCTION_URL"] = urls["PRODUCTION_URL"], urls["STAGING_URL"]

    for command in (("plan", "production"), ("apply", "staging", "--yes")):
        refused = workspace.call(*command, "--format", "json")
        assert (refused.status, refused.error()["code"]) == (4, "identity-changed")
        name, other = sorted(("production", "staging"), key=lambda one: one not in command)
        assert f"not the database known as {name}" in refused.error()["message"]
        assert f"the one recorded for {other}" in refused.error()["message"]
        assert f"orchestrate trust {name}" in refused.error()["hint"]
    assert "identity-changed" in remarks(workspace)["staging"]

    # They really changed places: each is trusted where it is now, in either order.
    workspace.ok("trust", "staging", "--yes")
    workspace.ok("trust", "production", "--yes")
    assert remarks(workspace) == {"staging": "", "production": ""}
    workspace.ok("apply", "staging", "--yes")


def test_one_database_of_two_environments(workspace: Workspace, new_database: NewDatabase) -> None:
    """Environments that lead to one database are told in `status` and refused elsewhere."""
    two(workspace, new_database)
    workspace.environ["STAGING_URL"] = workspace.environ["PRODUCTION_URL"]
    told = remarks(workspace)
    assert "staging and production are one database" in told["staging"]
    assert "production and staging are one database" in told["production"]
    both = workspace.call("plan", "staging", "production", "--format", "json")
    assert (both.status, both.error()["code"]) == (4, "same-database")
    assert both.json() == {"plans": []}

    workspace.ok("plan", "production")
    for command in (("apply", "staging", "--yes"), ("trust", "staging")):
        refused = workspace.call(*command, "--format", "json")
        assert (refused.status, refused.error()["code"]) == (4, "same-database"), command
    assert "version" not in " ".join(new_database("sqlite").tables())


def test_recreated_database_needs_trust(workspace: Workspace, new_database: NewDatabase) -> None:
    """A database that was dropped and made again under its name is another one."""
    database = new_database("postgresql")
    assert database.server is not None
    workspace.project.linear(2)
    workspace.environment("dev", database)
    workspace.ok("apply", "dev", "--yes")
    workspace.ok("plan", "dev", "--out", "old.json")
    database.server.drop(database.name)
    database.server.execute(f"CREATE DATABASE {database.name}")

    refused = workspace.call("apply", "dev", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (4, "identity-changed")
    assert refused.events()[-1]["status"] == "blocked"
    assert database.tables() == []
    unsure = workspace.call("trust", "dev", "--format", "json")
    assert (unsure.status, unsure.error()["code"]) == (2, "no-input")
    workspace.ok("trust", "dev", "--yes")
    workspace.ok("apply", "dev", "--yes")
    assert database.heads() == ["r002"]


def test_two_projects_share_a_database(workspace: Workspace, new_database: NewDatabase) -> None:
    """Projects with version tables of their own may live in one database."""
    database = new_database("sqlite")
    workspace.project.linear(2)
    other = workspace.folder / "other"
    Project(other).env("version_table").revision("a1", down=None)
    workspace.spec(
        project=None, projects={"main": {"config": "alembic.ini"}, "other": {"directory": "other"}}
    )
    workspace.environment("dev", database, project="main")
    workspace.environment("dev-other", database, project="other")
    assert remarks(workspace) == {"dev": "", "dev-other": ""}
    plans = workspace.ok("plan", "dev", "dev-other", "--format", "json").json()["plans"]
    assert [len(one["steps"]) for one in plans] == [2, 1]
    workspace.ok("apply", "dev", "--yes")
    workspace.ok("apply", "dev-other", "--yes")
    assert database.heads() == ["r002"]
    assert database.heads(version_table="schema_version") == ["a1"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_env_py_that_connects_elsewhere(
    workspace: Workspace, new_database: NewDatabase, kind: str
) -> None:
    """Whatever env.py was told: if it connects to another database, nothing runs there."""
    elsewhere, database = new_database(kind), new_database(kind)
    workspace.project.linear(2).env("connects_elsewhere")
    workspace.environment("dev", database)
    workspace.environ["ELSEWHERE_URL"] = elsewhere.url
    for command in (("plan", "dev"), ("apply", "dev", "--yes")):
        refused = workspace.call(*command, "--format", "json")
        assert (refused.status, refused.error()["code"]) == (1, "wrong-database")
        assert elsewhere.name.rpartition("/")[2] in refused.error()["message"]
        assert refused.error()["hint"]
    assert workspace.state("dev")["error"]["code"] == "wrong-database"
    assert elsewhere.tables() == database.tables() == []
