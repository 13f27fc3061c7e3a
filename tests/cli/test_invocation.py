"""What leaves a call holds no secret, and JSON stays JSON."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from orchestrate.adapters.own_secrets import PASSPHRASE
from orchestrate.api.calling import Caller, Collecting
from orchestrate.cli.invocation import Invocation
from orchestrate.domain.secrets import Secret
from tests.support.workspace import Workspace

VALUE = {"count": 123, "at": "123", "list123": [1.123, None, 'open "123"']}
CLEAN = {"count": 123, "at": "***", "list123": [1.123, None, 'open "***"']}


def test_a_password_of_digits_breaks_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    """It is taken out of texts; numbers and keys stay what they are."""
    invocation = Invocation()
    invocation.redactor.add(Secret("123"))
    invocation.json(VALUE)
    invocation.event(VALUE)
    invocation.error(VALUE)
    printed = capsys.readouterr()
    value, event = printed.out[: printed.out.rindex('{"count"')], printed.out.splitlines()[-1]
    assert json.loads(value) == CLEAN
    assert json.loads(event) == CLEAN
    assert json.loads(printed.err) == {"error": CLEAN}


def collecting(*, handle_signals: bool) -> Collecting:
    return Collecting(
        spec=None,
        on_event=None,
        on_message=None,
        heeding=Invocation().heeding,
        handle_signals=handle_signals,
    )


def test_nor_does_it_in_the_api() -> None:
    """Events and errors are told as values."""
    call = collecting(handle_signals=False)
    call.redactor.add(Secret("123"))
    call.json(VALUE)
    call.event(VALUE)
    call.error(VALUE)
    assert json.loads(call.texts[0]) == CLEAN
    assert call.events == [CLEAN]
    assert call.errors == [CLEAN]


def test_signals_are_heeded_where_they_can_be() -> None:
    """SIGTERM ends a body like Ctrl-C; in a thread, or unasked for, nothing is touched."""
    before = signal.getsignal(signal.SIGTERM)
    for call in (Invocation(), collecting(handle_signals=True)):
        with pytest.raises(KeyboardInterrupt), call.ended_by_signals():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is before
    with collecting(handle_signals=False).ended_by_signals():
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_program_calls_from_a_thread() -> None:
    """The invocation that a call in a thread has touches no signal, whatever was asked for."""
    found: list[object] = []

    def work() -> None:
        caller = Caller(None, on_event=None, on_message=None, handle_signals=True)
        with caller.invocation().ended_by_signals():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_a_secret_that_is_a_word_of_json(workspace: Workspace) -> None:
    """Output, events and a plan's file can be read whatever the secrets are."""
    workspace.project.linear(1)
    workspace.environment("dev", url="sqlite:///dev.db")
    workspace.environ[PASSPHRASE] = "null"
    workspace.ok("plan", "dev", "--out", "plan.json")
    plan = json.loads((workspace.folder / "plan.json").read_text())
    assert None in plan["steps"][0].values()
    told = workspace.ok("apply", "plan.json", "--yes", "--format", "json").stdout
    assert json.loads(told.splitlines()[-1])["status"] == "succeeded"
    assert workspace.ok("status", "--format", "json").json()
