"""The Python API in this very process: values, errors, events, threads; nothing printed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrate import OrchestrateError, Orchestrator, RunFailedError
from orchestrate.api import as_json
from orchestrate.domain.observation import Observation
from tests.support.workspace import Workspace

BACKUP = {"strategy": "sqlite", "destination": "backups/"}


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    """Return a workspace of four revisions with `dev`, which is backed up, and `other`."""
    workspace.project.linear(4)
    workspace.environment("dev", url="sqlite:///dev.db", backup=BACKUP)
    workspace.environment("other", url="sqlite:///other.db")
    return workspace.folder


def test_a_release_from_plan_to_way_back(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every method returns values; not a byte is printed, no handler is left behind."""
    monkeypatch.chdir("/")
    handler = signal.getsignal(signal.SIGINT)
    events: list[Any] = []
    messages: list[str] = []
    one = Orchestrator(folder, on_event=events.append, on_message=messages.append)

    assert one.validate() == ()
    assert [row.standing.state for row in one.status()] == ["empty", "empty"]
    plan = one.plan("dev", to="r002", sql=True, out=folder / "plan.json")
    assert [step.revision for step in plan.steps] == ["r001", "r002"]
    assert "CREATE TABLE" in (plan.steps[0].sql or "")
    assert one.read_plan(folder / "plan.json") == plan

    with pytest.raises(OrchestrateError) as unconfirmed:
        one.apply(plan)
    assert unconfirmed.value.code == "no-input"
    assert not isinstance(unconfirmed.value, RunFailedError)
    events.clear()
    done = one.apply(plan, yes=True)
    assert (done.status, done.environment) == ("succeeded", "dev")
    assert list(done.events) == events
    assert [event["event"] for event in events if event["event"].startswith("run.")] == [
        "run.started",
        "run.finished",
    ]
    with pytest.raises(OrchestrateError) as used:
        one.apply(folder / "plan.json", yes=True)
    assert used.value.code == "plan-already-used"

    assert capfd.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGINT) is handler


def test_copies_and_ways_back(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What the journal and the catalogue tell, and every way back."""
    one = Orchestrator(folder)
    identity = one.plan("dev").basis[0].identity
    one.apply("dev", yes=True, to="r002")
    upgraded = one.apply("dev", yes=True)
    assert upgraded.run is not None
    assert one.apply("dev", yes=True).run is None  # nothing to do
    assert one.resume().run is None
    run = one.show(upgraded.run)
    assert (run.status, run.done, run.total_steps) == ("succeeded", 3, 3)
    assert one.plan_of(run.id).digest == run.plan_digest
    (copy,) = one.backups("dev")
    assert copy.heads == ("r002",)
    assert one.backup("dev").heads == ("r004",)
    assert [copy.broken for copy in one.verify_backups("dev")] == [None, None]

    assert one.rollback("dev", run=run.id, yes=True).status == "succeeded"
    assert one.restore("other", copy.id, yes=True).status == "succeeded"
    sight = one.status("other")[0].sight
    assert isinstance(sight, Observation)
    assert sight.heads == ("r002",)
    assert one.stamp("other", "r002", yes=True).run is None  # it is there already
    assert one.compare("dev", "other").differences == ()
    assert not one.drift("dev").drifted
    assert "r002" in one.alembic("dev", "current")
    assert f"orchestrate show {run.id}" in one.runbook(run=run.id)
    assert len(one.history("dev")) == 3
    assert one.verify_journal() > len(upgraded.events)
    assert one.leases() == ()
    assert one.trust("dev", yes=True).identity == identity
    assert {check.check for check in one.doctor("dev")["dev"]} >= {"connection", "rights"}
    assert one.prune_backups("dev", keep=1, yes=True)
    assert "# " in one.explain("stale-plan")
    assert capfd.readouterr() == ("", "")


def test_json_is_that_of_the_command_line(workspace: Workspace, folder: Path) -> None:
    """`as_json` gives what the commands print."""
    one = Orchestrator(folder / "migrations.yaml")
    run = one.apply("dev", yes=True).run or ""
    printed = {
        words: workspace.ok(*words.split(), "--format", "json").json()
        for words in (f"show {run}", "status dev", "backups dev", "doctor dev")
    }
    assert as_json(one.show(run)) == printed[f"show {run}"]
    assert as_json(one.status("dev")[0]) == printed["status dev"]["environments"][0]
    assert as_json(one.backups("dev")) == printed["backups dev"]["backups"]
    assert json.dumps(as_json(one.doctor("dev")))
    assert one.call("history", "--limit", "1").json["runs"] == [printed[f"show {run}"]]


def test_a_run_that_fails_and_one_that_is_stopped(workspace: Workspace, folder: Path) -> None:
    """A failure is an error with its result; `stop` ends a run at a safe point, from a thread."""
    one = Orchestrator(folder)

    def stop(event: Any) -> None:
        if event["event"] == "step.finished":
            one.stop()

    one = Orchestrator(folder, on_event=stop)
    with pytest.raises(RunFailedError) as stopped:
        one.apply("dev", yes=True)
    assert stopped.value.code == "interrupted"
    assert stopped.value.exit_status == 130
    run = stopped.value.result.run or ""
    assert 0 < one.show(run).done < 4
    again = Orchestrator(folder)
    with pytest.raises(OrchestrateError) as unfinished:
        again.apply("dev", yes=True)
    assert unfinished.value.code == "run-unfinished"
    assert again.resume(run).status == "succeeded"

    workspace.project.revision(
        "r005",
        down="r004",
        upgrade="op.execute('CREATE TABLE half (id INTEGER)')\nraise OSError('no')",
    )
    with pytest.raises(RunFailedError) as failed:
        again.apply("dev", yes=True)
    assert (failed.value.code, failed.value.result.status) == ("in-doubt", "in-doubt")
    assert failed.value.exit_status == 7
    assert failed.value.result.step == "001-r005"
    assert again.abort(failed.value.result.run or "").status == "aborted"


def test_a_listener_that_raises_stops_no_run(folder: Path) -> None:
    """The run goes to its end first; then the listener's own exception comes out."""

    def broken(_event: Any) -> None:
        msg = "no such dashboard"
        raise ConnectionError(msg)

    with pytest.raises(ConnectionError):
        Orchestrator(folder, on_event=broken).apply("dev", yes=True)
    assert Orchestrator(folder).history()[0].status == "succeeded"


def test_a_plan_that_needs_an_approval(workspace: Workspace, folder: Path) -> None:
    """Refused, approved, carried out; the runbook names who may."""
    who = {"required": 1, "approvers": ["ann@example.com"]}
    workspace.environment("dev", url="sqlite:///dev.db", approval=who)
    one = Orchestrator(folder)
    file = folder / "plan.json"
    one.plan("dev", out=file)
    with pytest.raises(OrchestrateError) as missing:
        one.apply(file, yes=True)
    assert missing.value.code == "approval-missing"
    assert "approvals needed: 1, of ann@example.com" in one.runbook(file)
    given = one.approve(file, approver="ann@example.com", comment="seen", yes=True)
    assert given["approver"] == "ann@example.com"
    assert one.apply(file, yes=True).status == "succeeded"
    assert [row["comment"] for row in one.approvals("dev")["approvals"]] == ["seen"]


def test_threads_and_repetition(folder: Path) -> None:
    """Two databases at the same time from threads of one object; the third waits for nobody."""
    one = Orchestrator(folder, handle_signals=True)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(one.apply, name, yes=True) for name in ("dev", "other")]
        assert {result.result().environment for result in both} == {"dev", "other"}
    assert [row.standing.state for row in one.status()] == ["current", "current"]
    assert threading.active_count() < 10


MISTAKES: list[tuple[Callable[[Orchestrator], object], str]] = [
    (lambda one: one.plan("nowhere"), "unknown-environment"),
    (lambda one: one.plan("--help"), "unknown-environment"),
    (lambda one: one.plan("dev", to="r9"), "unknown-revision"),
    (lambda one: one.call("aply"), "usage"),
    (lambda one: one.apply("dev", yes=True, override=["window"]), "usage"),
    (lambda one: one.show("run-1"), "unknown-run"),
    (lambda one: one.unlock("dev", "lease-1"), "unknown-lease"),
    (lambda one: one.restore("dev", "backup-1", yes=True), "unknown-backup"),
    (lambda one: one.rollback("dev", yes=True), "usage"),
]


@pytest.mark.parametrize(("call", "code"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_errors_with_a_code(
    folder: Path, call: Callable[[Orchestrator], object], code: str
) -> None:
    """What the command line would exit with is raised; nothing exits."""
    with pytest.raises(OrchestrateError) as caught:
        call(Orchestrator(folder))
    assert caught.value.code == code


def test_the_package_is_imported_cheaply() -> None:
    """`import orchestrate` brings neither the API nor a library; asking for the name does."""
    program = (
        "import sys, orchestrate; heavy = {'click', 'pydantic', 'sqlalchemy', 'orchestrate.api'}; "
        "assert not heavy & set(sys.modules); orchestrate.Orchestrator; "
        "assert 'orchestrate.api' in sys.modules and 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    with pytest.raises(ImportError):
        exec("from orchestrate import Orchestra")
