"""Runbooks: of an environment, a file, a run that failed; templates of one's own."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/runbooks.md"


def test_guide(tmp_path: Path) -> None:
    """What is pending, a saved plan before and after, templates, and a mistake in one."""
    folder = tmp_path / "work"
    workspace = Workspace(folder=folder, project=Project(folder).linear(3)).spec()
    assert follow(GUIDE, folder, environ=workspace.environment_variables()) == 10
    page = (folder / "release.html").read_text()
    assert "5550 100" in page
    assert "ALTER TABLE t1 ADD COLUMN note" in page


def test_a_run_that_failed_and_a_target_out_of_reach(workspace: Workspace) -> None:
    """The page of an unfinished run says how far it came; without the target it still has that."""
    workspace.project.linear(2)
    workspace.project.revision(
        "r003",
        down="r002",
        doc="a | b <script>",
        upgrade="op.execute('CREATE TABLE half (id INTEGER)')\nraise RuntimeError('no `such` thing')",
    )
    workspace.environment("dev", url="sqlite:///dev.db", runbook={"contacts": ["A & B: 5550"]})
    assert workspace.call("apply", "dev", "--yes").status == 7

    run = workspace.ok("history", "--format", "json").json()["runs"][0]["id"]
    told = workspace.ok("runbook", "dev").stdout
    assert f"**Run `{run}`: in-doubt.**" in told
    assert told.count("- [x] `00") == 2
    assert "- [ ] `003-r003`, upgrade" in told
    assert "**failed**" in told
    assert f"orchestrate resume {run} --retry" in told
    assert "a \\| b \\<script\\>" in told
    assert "CREATE TABLE t1" in told

    (workspace.folder / "dev.db").unlink()
    (workspace.folder / "alembic.ini").unlink()
    page = workspace.ok("runbook", "--run", run, "--format", "html").stdout
    assert "could not be looked at" in page
    assert "a | b &lt;script&gt;" in page
    assert "A &amp; B: 5550" in page
    assert page.count("checked>") >= 2
    value = workspace.ok("runbook", "--run", run, "--format", "json").json()
    assert [one["progress"] for one in value["steps"]] == ["finished", "finished", "failed"]


def test_what_is_wrong_with_a_runbook(workspace: Workspace) -> None:
    """Nothing to write, names that nothing has, and templates that `validate` refuses."""
    workspace.environment("dev", url="sqlite:///dev.db", runbook={"templates": "pages/"})
    nothing = workspace.ok("runbook", "dev", "--out", "page.md")
    assert "nothing to do" in nothing.stderr
    assert not (workspace.folder / "page.md").exists()
    assert workspace.call("runbook", "--run", "run-1").status == 2
    assert workspace.call("runbook", "dev", "--eject", "--to", "r1").status == 2

    missing = workspace.call("validate", "--format", "json")
    assert missing.status == 2
    assert missing.error()["findings"][0]["where"].startswith("environments/dev.yaml:3:")
    (workspace.folder / "pages").mkdir()
    (workspace.folder / "pages" / "runbok.md.j2").write_text("x")
    misnamed = workspace.call("validate", "--format", "json").error()["findings"][0]
    assert misnamed["hint"] == "did you mean `runbook.md.j2`?"
    (workspace.folder / "pages" / "runbook.md.j2").write_text("fine\n{% if %}\n")
    broken = workspace.call("validate", "--format", "json").error()["findings"][0]
    assert broken["where"] == "pages/runbook.md.j2:2"
