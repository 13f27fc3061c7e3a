"""The passphrase of the SSH keys reaches no program that is started, and no output."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrate.adapters.commands import started_command
from orchestrate.adapters.own_secrets import PASSPHRASE
from orchestrate.adapters.processes import HERE
from orchestrate.adapters.redaction import Redactor
from orchestrate.adapters.source_values import run_for_value
from orchestrate.cli.invocation import Invocation

CODE = f"import os; print(os.environ.get({PASSPHRASE!r}), os.environ['BESIDE'])"
COMMAND = [sys.executable, "-c", CODE]


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "open sesame")
    monkeypatch.setenv("BESIDE", "inherited")


def test_no_output_shows_it() -> None:
    """Also where no key was opened yet."""
    assert Invocation().redacted("it is: open sesame") == "it is: ***"


def test_agents_do_not_get_it(tmp_path: Path) -> None:
    """Nor do the programs of backups, which are started in the same way."""
    process = HERE.start(COMMAND, cwd=tmp_path)
    with process.stdin, process.stdout, process.stderr:
        assert process.stdout.read().split() == [b"None", b"inherited"]
    assert process.wait() == 0


def test_commands_do_not_get_it(tmp_path: Path) -> None:
    """Hooks and checks get their own variables beside ours."""
    with started_command(
        COMMAND,
        folder=tmp_path,
        environ={"BESIDE": "given"},
        lock=None,
        redactor=Redactor(),
        on_output=None,
    ) as running:
        assert running.wait(30).output == ("None given",)


def test_commands_that_print_a_value_do_not_get_it(tmp_path: Path) -> None:
    """Whatever environment they were to have."""
    environ = {PASSPHRASE: "open sesame", "BESIDE": "given"}
    told = run_for_value(COMMAND, folder=tmp_path, environ=environ, timeout=30)
    assert told.split() == ["None", "given"]
