"""Mistakes in a spec: one file a mistake, with everything that is said about it.

A case is a YAML file in `spec_cases/`: `files` by path (a text, or bytes as hexadecimal digits),
and `findings` in full, in the order in which people see them.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrate.errors import OrchestrateError
from orchestrate.stores.spec_files import load_spec

CASES = sorted((Path(__file__).parent / "spec_cases").glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_mistake_is_told_with_place_and_remedy(path: Path, tmp_path: Path) -> None:
    """A mistake is one finding, that says where, what was expected and what is meant."""
    case = yaml.safe_load(path.read_text())
    for name, content in case["files"].items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        data = bytes.fromhex(content["hex"]) if isinstance(content, dict) else content.encode()
        file.write_bytes(data)

    with pytest.raises(OrchestrateError) as raised:
        load_spec(None, start=tmp_path)

    assert raised.value.code == "spec-invalid"
    assert [_told(finding) for finding in raised.value.findings] == case["findings"]


def _told(finding: Any) -> dict[str, str]:
    """Return a finding as a case has it: what is not said is left out, errors go without saying."""
    told = {key: value for key, value in asdict(finding).items() if value is not None}
    if told["severity"] == "error":
        del told["severity"]
    return told
