"""What scripts, checkouts and folders bring along: empty values, odd names, files that are none."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.support.databases import Database, sqlite_database
from tests.support.projects import Project
from tests.support.workspace import Workspace

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def three(workspace: Workspace, database: Database) -> Workspace:
    """Three revisions, nothing applied."""
    workspace.project.linear(3)
    return workspace.environment("dev", database)


@SQLITE
@pytest.mark.parametrize(
    "words",
    [
        ("apply", "dev", "--to", "", "--yes"),
        ("plan", "dev", "--to", " "),
        ("plan", "dev", "--sql", ""),
        ("plan", "dev", "--out", ""),
        ("rollback", "dev", "--to", "", "--yes"),
        ("rollback", "dev", "--run", "", "--yes"),
        ("stamp", "dev", "", "--yes"),
    ],
)
def test_an_empty_value_is_no_destination(
    three: Workspace, database: Database, words: tuple[str, ...]
) -> None:
    before = sorted(three.folder.iterdir())
    refused = three.call(*words)
    assert refused.status == 2
    assert "is empty, as from a variable that is not set" in refused.stderr
    assert not database.path.exists() or database.heads() == []
    assert sorted(three.folder.iterdir()) == before


@SQLITE
def test_what_is_no_file_is_written_to(three: Workspace, tmp_path: Path) -> None:
    """A pipe gets its text, a link stays one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(pipe.read_text()))
    reader.start()
    three.ok("plan", "dev", "--out", str(pipe))
    reader.join(timeout=30)
    assert '"format"' in told[0]
    assert pipe.is_fifo()
    kept, link = tmp_path / "kept.json", tmp_path / "link.json"
    kept.write_text("older")
    link.symlink_to(kept)
    three.ok("drift", "dev", "--out", str(link))
    assert link.is_symlink()
    assert kept.read_text() != "older"
    three.ok("plan", "dev", "--out", "/dev/null")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["job@2", "50%25 off", "per%cent", "what?x=1", "two\nlines"])
def test_a_folder_of_any_name_keeps_its_own_journal(tmp_path: Path, name: str) -> None:
    project = Project(tmp_path / "all" / name).linear(1)
    space = Workspace(folder=project.folder, project=project).spec(include="environments/*.yaml")
    space.environment("dev", sqlite_database(tmp_path / "dev.db"))
    space.ok("apply", "dev", "--yes")
    assert (project.folder / ".orchestrate" / "state.db").is_file()
    assert [one.name for one in (tmp_path / "all").iterdir()] == [name]
    assert "succeeded" in space.ok("history").stdout
    assert "can be read and written" in space.ok("doctor", "dev").stdout


@SQLITE
def test_a_revision_without_its_file(three: Workspace) -> None:
    """As after a merge that lost one: which, and of which revision, is said."""
    three.project.revision_file("r002").unlink()
    refused = three.call("plan", "dev")
    assert refused.status == 1
    assert "a revision's file is missing" in refused.stderr
    assert "r002 referenced from" in refused.stderr


@SQLITE
@pytest.mark.parametrize("content", [b"\xff\xfe[\x00", b"[alembic]\na = 1\na = 2\n", b"no section"])
def test_an_ini_file_that_cannot_be_read(three: Workspace, content: bytes) -> None:
    (three.folder / "alembic.ini").write_bytes(content)
    refused = three.call("plan", "dev")
    assert refused.status == 1
    assert "project-unreadable" in refused.stderr
    assert "alembic.ini` cannot be read" in refused.stderr


@SQLITE
def test_titles_and_messages_move_no_cursor(three: Workspace) -> None:
    three.project.revision(
        "r004",
        down="r003",
        doc="red \\x1b[1A\\x1b[2K \\u202eabc \\udcff tail",
        upgrade='raise ValueError("\\x1b[2J" + "x" * 100_000)',
    )
    shown = three.ok("plan", "dev", "--format", "json").json()["steps"][3]["title"]
    assert shown == "red [1A[2K abc  tail"
    failed = three.call("apply", "dev", "--yes")
    assert failed.status == 1
    assert "\x1b" not in failed.stderr
    assert len(failed.stderr) < 20_000


@SQLITE
def test_a_file_whose_name_is_no_text(three: Workspace) -> None:
    path = three.project.revision("r004", down="r003").revision_file("r004")
    path.rename(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9.py"))
    done = three.ok("apply", "dev", "--yes", "--format", "json")
    assert done.events()[-1]["status"] == "succeeded"
    three.ok("history", "--verify")


@SQLITE
def test_a_plan_file_of_brackets(three: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text("[" * 100_000)
    refused = three.call("apply", str(file), "--yes")
    assert refused.status == 2
    assert "plan-unreadable" in refused.stderr


@SQLITE
@pytest.mark.parametrize("value", ["Infinity", "NaN", "1e999", r'"\ud800"'])
def test_a_plan_file_with_what_is_no_value(three: Workspace, tmp_path: Path, value: str) -> None:
    file = tmp_path / "plan.json"
    three.ok("plan", "dev", "--out", str(file))
    text = file.read_text()
    name = "title" if value.startswith('"') else "estimate_seconds"
    changed = re.sub(rf'"{name}": [^,]+,', lambda _: f'"{name}": {value},', text)
    assert changed != text
    file.write_text(changed)
    refused = three.call("apply", str(file), "--yes")
    assert (refused.status, "plan-unreadable" in refused.stderr) == (2, True), refused.stderr


@SQLITE
def test_what_editors_leave_is_no_environment(three: Workspace) -> None:
    folder = three.folder / "environments"
    (folder / ".#dev.yaml").symlink_to("someone@host.1234")
    (folder / ".dev.yaml.swp").write_bytes(b"\0")
    (folder / "._dev.yaml").write_bytes(b"\0\5\26")
    three.ok("validate")
    assert three.ok("status", "--format", "json").json()["environments"][0]["name"] == "dev"


@SQLITE
def test_a_journal_that_somebody_removes_during_a_run(
    three: Workspace, database: Database, tmp_path: Path
) -> None:
    """The run does not end as if it were on record."""
    store = three.folder / ".orchestrate"
    three.project.revision(
        "r004",
        down="r003",
        first="import shutil",
        upgrade=f"shutil.move({str(store)!r}, {str(tmp_path / 'elsewhere')!r})",
    )
    three.project.revision("r005", down="r004")
    stopped = three.call("apply", "dev", "--yes")
    assert stopped.status == 6
    assert "was removed or replaced while it was in use" in stopped.stderr
    assert database.heads() == ["r004"]
    three.ok("apply", "dev", "--yes")
    assert database.heads() == ["r005"]


@SQLITE
def test_a_format_that_a_command_does_not_know(three: Workspace) -> None:
    """Wherever it stands."""
    for words in (("--format", "sarif", "plan", "dev"), ("plan", "dev", "--format", "sarif")):
        refused = three.call(*words)
        assert refused.status == 2
        assert refused.stdout == ""
        assert "sarif" in refused.stderr
    three.ok("--format", "json", "plan", "dev").json()


@SQLITE
def test_titles_of_a_plan_file_are_the_revisions_own(three: Workspace, tmp_path: Path) -> None:
    """They are not in its digest: what somebody wrote into it is not shown."""
    file = tmp_path / "plan.json"
    three.ok("plan", "dev", "--out", str(file))
    title = json.loads(file.read_text())["steps"][0]["title"]
    file.write_text(file.read_text().replace(json.dumps(title), '"harmless"'))
    done = three.ok("apply", str(file), "--yes")
    assert "harmless" not in done.stdout + done.stderr
    assert title in done.stdout


def test_paths_of_nobody_and_names_that_are_too_long(three: Workspace) -> None:
    """`~` of an unknown user, and what cannot be a file's name, are files that are not there."""
    three.environment("far", url={"file": "~nobody-here/url"})
    seen = three.ok("status", "far", "--format", "json").json()
    error = seen["environments"][0]["targets"][0]["error"]
    assert "there is no file `~nobody-here/url`" in error["message"]
    for place in ("~nobody-here/migrations.yaml", "x" * 300):
        absent = three.call("--spec", place, "status")
        assert (absent.status, "spec-not-found" in absent.stderr) == (2, True), absent.stderr
        three.spec(include=place)
        absent = three.call("validate")
        assert (absent.status, "`include`: there is no file" in absent.stderr) == (2, True)


@SQLITE
@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        (
            "UPDATE orchestrate_events SET kind = 'run.finished' WHERE kind = 'step.started'",
            "journal-broken",
            "breaks at event ",
        ),
        ("DROP TABLE orchestrate_head", "state-unavailable", "no such table: orchestrate_head"),
        (
            "UPDATE orchestrate_identities SET recorded_at = 'never'",
            "state-unavailable",
            "orchestrate_identities",
        ),
    ],
)
def test_a_state_store_that_somebody_altered(
    three: Workspace, statement: str, code: str, words: str
) -> None:
    """What cannot be made sense of is the state store's trouble, not a defect of ours."""
    three.ok("apply", "dev", "--yes")
    with contextlib.closing(sqlite3.connect(three.folder / ".orchestrate" / "state.db")) as store:
        store.execute(statement)
        store.commit()
    three.project.revision("r004", down="r003")
    refused = three.call("apply", "dev", "--yes", "--format", "json")
    assert (refused.status, refused.error()["code"]) == (1, code), refused.stderr
    assert words in refused.error()["message"]
