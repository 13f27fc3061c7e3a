"""A run that is carried out in a program's own process leaves nothing of it behind."""

from __future__ import annotations

import threading

import pytest

from orchestrate import Orchestrator
from orchestrate.adapters.notifications import Notice, Notifier, Receiver
from orchestrate.cli import carrying
from orchestrate.domain.secrets import Secret
from tests.support.receivers import receiving
from tests.support.waiting import wait_until
from tests.support.workspace import Workspace


def test_a_defect_in_the_middle(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """People are still told what was said until then; neither thread nor process stays."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    workspace.project.linear(1)
    monkeypatch.setattr(carrying, "run_failure_hooks", broken)
    with receiving() as server:
        monkeypatch.setenv("HOOK_URL", server.url())
        workspace.environment("dev", url="sqlite:///dev.db", notify=[{"env": "HOOK_URL"}])
        with pytest.raises(RuntimeError, match="a defect"):
            Orchestrator(workspace.folder).apply("dev", yes=True)
        assert server.titles == ["dev: run started", "dev: run finished"]
    assert "notices" not in {one.name for one in threading.enumerate()}


def test_receivers_that_are_read_too_late() -> None:
    """Once nobody waits any more, no process is started for them."""
    go_on = threading.Event()

    def late() -> list[Receiver]:
        assert go_on.wait(30)
        return [Receiver(name="notify[0]", url=Secret("json://127.0.0.1:9/"))]

    notifier = Notifier(late)
    notifier.send(Notice(event="started", title="t", body="b", level="info"))
    (told,) = notifier.finish(0.01)
    assert told.problem == "it was not delivered in time"
    go_on.set()
    wait_until(lambda: "notices" not in {one.name for one in threading.enumerate()})
    assert notifier._process is None
