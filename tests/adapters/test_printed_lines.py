"""No secret is printed because a line was long, or because something stood within it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from orchestrate.adapters import printed_lines as module
from orchestrate.adapters.agent_process import AgentProcess
from orchestrate.adapters.commands import started_command
from orchestrate.adapters.printed_lines import LINE_LIMIT, printed_lines
from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError

REDACTOR = Redactor([Secret("hunter22"), Secret("bell\x07ringer")])
LONG = "x" * (LINE_LIMIT - 3) + "hunter22" + "y" * 10


def lines(text: str) -> list[str]:
    return list(printed_lines(io.BytesIO(text.encode()), REDACTOR))


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("one\r\n\ntwo\tthree", ["one", "", "two\tthree"]),
        (LONG, ["x" * (LINE_LIMIT - 3) + "***", "y" * 10]),
        ("hun\x1b[31mter\x1b[0m22 hunt\x00er22 \x1b]0;title\x07hunter\x9b22", ["*** *** ***"]),
        ("a bell\x07ringer, or bellringer", ["a ***, or ***"]),
    ],
)
def test_lines(printed: str, expected: list[str]) -> None:
    """Cut after secrets were taken out; colours and control characters are no disguise."""
    assert lines(printed) == expected


@pytest.mark.parametrize("shift", range(9))
def test_a_line_without_end(shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rest is left out, with what could be the beginning of a secret; the next line is whole."""
    monkeypatch.setattr(module, "_READ_LIMIT", 100)
    monkeypatch.setattr(module, "_LONGEST_SECRET", 10)
    printed = "z" * (92 + shift) + "hunter22" + "y" * 500 + "hunter22\nlast\n"
    first, *rest = lines(printed)
    assert set(first) <= {"z", "*"}
    assert len(first) > 80
    assert rest == ["last"]


def test_of_commands_and_agents(tmp_path: Path) -> None:
    """Both keep lines of what was printed, and an agent's first line may be anything."""
    printer = [sys.executable, "-c", f"print({LONG!r})"]
    with started_command(
        printer, folder=tmp_path, environ={}, lock=None, redactor=REDACTOR, on_output=None
    ) as running:
        assert running.wait(30).output == tuple(lines(LONG))
    shouting = tmp_path / "runner"
    shouting.write_text(f"#!/bin/sh\necho {LONG} >&2\necho {LONG}\n")
    shouting.chmod(0o755)
    with (
        AgentProcess.start([str(shouting)], cwd=tmp_path, redactor=REDACTOR) as process,
        pytest.raises(OrchestrateError) as caught,
    ):
        process.hello()
    assert "x***" in caught.value.message
    assert "hun" not in caught.value.message + "".join(process.output)
    assert list(process.output) == lines(LONG)
