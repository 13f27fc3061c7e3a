"""Programs that go by the name of squawk and say something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrate.adapters.squawk import squawk_at_work
from orchestrate.errors import OrchestrateError

REMARK = {"file": "elsewhere.sql", "rule_name": "r", "message": "m", "line": 0, "level": "Error"}


@pytest.mark.parametrize(
    "told", [{"violations": []}, [{"rule": "r"}], [REMARK], ["text"], [None], 7, None]
)
def test_other_json(tmp_path: Path, told: object) -> None:
    """Another version's JSON, or of files that it was not given, is an error of ours."""
    program = tmp_path / "squawk"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(told)}\nEND\n")
    program.chmod(0o755)
    with squawk_at_work(str(program), folder=tmp_path, version=None) as squawk:
        squawk.give({"r1": "SELECT 1;"})
        with pytest.raises(OrchestrateError) as caught:
            squawk.remarks()
    assert caught.value.code == "command-failed"
    assert "its JSON is not what" in caught.value.message
