"""Databases that stand where nobody expects them: what is so, and what to type."""

from __future__ import annotations

import os
import subprocess
import time

from orchestrate.adapters.git_history import find_revision
from tests.support.databases import NewDatabase
from tests.support.workspace import Workspace

LOST = "3f2a9c0d11ee"


def git(workspace: Workspace, *arguments: str) -> str:
    """Run git in the workspace as Jane Doe, on a fixed day."""
    who = ["-c", "user.name=Jane Doe", "-c", "user.email=jane@example.com"]
    day = "2026-10-02T12:00:00+00:00"
    done = subprocess.run(
        ["git", *who, *arguments],
        cwd=workspace.folder,
        env={**os.environ, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def commit(workspace: Workspace, text: str) -> str:
    """Commit the migrations and return the abbreviated commit."""
    git(workspace, "add", "--all", "migrations")
    git(workspace, "commit", "--message", text)
    return git(workspace, "rev-parse", "--short", "HEAD")


def test_revision_of_another_branch(workspace: Workspace, new_database: NewDatabase) -> None:
    """`status`, `plan` and `apply` say where git has it: branch, commit, day, author, file."""
    workspace.project.linear(2)
    workspace.environment("production", new_database("postgresql"))
    git(workspace, "init", "--initial-branch", "main")
    commit(workspace, "first")
    git(workspace, "checkout", "-b", "feature/x")
    workspace.project.revision(LOST, down="r002", doc="add x")
    added = commit(workspace, "add x")
    workspace.ok("apply", "production", "--yes")
    git(workspace, "checkout", "main")
    file = f"migrations/versions/{LOST}_add_x.py"
    sentence = (
        f"production is at `{LOST}`, which this checkout lacks; it was added on branch feature/x"
        f" in commit {added} (2026-10-02, Jane Doe) as `{file}`"
    )
    hint = "`git checkout feature/x`, or merge it, then `orchestrate plan production`"
    status = workspace.ok("status").stdout
    assert sentence.removeprefix("production ") in status
    assert hint in status
    for command in (["plan", "production"], ["apply", "production", "--yes"]):
        refused = workspace.call(*command)
        assert refused.status == 1
        assert refused.stderr.splitlines() == [
            f"error[unknown-database-revision]: {sentence}",
            "",
            f"hint: {hint}",
            "more: docs/troubles/unknown-database-revision.md, or "
            "`orchestrate explain unknown-database-revision`",
        ]

    # Deleted on this branch; and then lost without a trace.
    git(workspace, "merge", "feature/x")
    git(workspace, "rm", file)
    deleted = commit(workspace, "clean up")
    error = workspace.call("plan", "production", "--format", "json").error()
    assert error["message"].endswith(
        f"as `{file}` and deleted here in commit {deleted} (2026-10-02, Jane Doe)"
    )
    assert f"`git checkout {added} -- ':/{file}'` brings the file back" in error["hint"]
    (workspace.folder / ".git").rename(workspace.folder / "no-git")
    error = workspace.call("plan", "production", "--format", "json").error()
    assert error["message"] == f"production is at `{LOST}`, which this checkout lacks"
    assert "git log --all" in error["hint"]


def test_finding_a_revision_in_git(workspace: Workspace) -> None:
    """By text where the file has another name; on disk unread; in a stash; never; and quickly."""
    workspace.project.linear(1)
    git(workspace, "init", "--initial-branch", "main")
    commit(workspace, "first")
    path = workspace.project.revision(LOST, down="r001", doc="x").revision_file(LOST)
    other = path.rename(path.with_name("named_otherwise.py"))
    workspace.project.revision("undo", down=LOST, doc=f"undo {LOST}")
    commit(workspace, "second")
    seen = find_revision(LOST, workspace.project.versions)
    assert seen is not None
    assert (seen.file, seen.on_disk) == ("migrations/versions/named_otherwise.py", True)
    git(workspace, "reset", "--hard", "HEAD~1")
    assert not other.exists()
    assert find_revision(LOST, workspace.folder) is None, "no ref leads there"
    workspace.project.revision("5ba5ed", down="r001", doc="x")
    git(workspace, "add", "--all", "migrations")
    git(workspace, "stash")
    stashed = find_revision("5ba5ed", workspace.folder)
    assert stashed is not None
    assert stashed.branches == ()
    began = time.monotonic()
    assert find_revision("' --output=x", workspace.folder) is None
    assert time.monotonic() - began < 5


def test_behind_and_several_heads(workspace: Workspace, new_database: NewDatabase) -> None:
    """Alembic's own complaints, with where the database stands and the command to type."""
    workspace.project.linear(3)
    workspace.environment("dev", new_database("sqlite"))
    workspace.ok("apply", "dev", "--yes", "--to", "r001")
    for typed in (["check"], ["revision", "--autogenerate", "-m", "x"]):
        behind = workspace.call("alembic", "dev", "--format", "json", "--", *typed)
        error = behind.error()
        assert error["message"].startswith("dev is at r001, 2 revisions behind r003: "), error
        assert error["message"].endswith("(Target database is not up to date)")
        assert error["hint"] == "`orchestrate apply dev`, then type the command again"
        assert error["docs"] == "docs/troubles/not-up-to-date.md"
    workspace.project.revision("left", down="r003").revision("right", down="r003")
    merge = "orchestrate alembic dev -- merge -m 'join heads' heads"
    for arguments in (
        ["plan", "dev", "--to", "head"],
        ["alembic", "dev", "--", "upgrade", "head"],
        ["alembic", "dev", "--", "revision", "-m", "x"],
    ):
        refused = workspace.call(*arguments)
        assert f"hint: `{merge}` joins them" in refused.stderr
        assert "docs/troubles/multiple-heads.md" in refused.stderr
    assert f"hint: `{merge}` joins them" in workspace.ok("plan", "dev").stdout
    workspace.ok("alembic", "dev", "--", "merge", "-m", "join heads", "heads")
    workspace.ok("plan", "dev", "--to", "head")


def test_full_or_empty_database(workspace: Workspace, new_database: NewDatabase) -> None:
    """Tables without a recorded revision; a recorded revision without tables."""
    full, empty = new_database("postgresql"), new_database("postgresql")
    workspace.project.linear(2)
    workspace.environment("full", full).environment("empty", empty)
    full.execute("CREATE TABLE t1 (id integer)")
    workspace.ok("apply", "empty", "--yes")
    empty.execute("DROP TABLE t1")
    shown = workspace.ok("status").stdout
    assert "full: the database has 1 table and no recorded revision" in shown
    assert "hint: `orchestrate stamp full REV` records the revision that the schema is of" in shown
    assert "more: docs/troubles/unversioned.md" in shown
    alone = "the version table says r002, and there is no other table in the database"
    assert f"empty: {alone}" in shown
    assert "hint: `orchestrate stamp empty base` if it is to begin anew" in shown
    planned = workspace.ok("plan", "full").stdout
    assert "the database has 1 table and no recorded revision; the plan starts from" in planned
    assert "docs/troubles/unversioned.md" in planned
    planned = workspace.ok("plan", "empty").stdout
    assert planned.startswith("empty: nothing to do, at r002\n")
    assert alone in planned
    assert "docs/troubles/tables-missing.md" in planned
