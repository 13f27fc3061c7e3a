"""SQL that is kept: found again under the same facts, and never an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrate.planning.linting import Rendered
from orchestrate.stores.sql_cache import SqlCache

KEPT = {"sha-1": Rendered(sql="SELECT 1"), "sha-2": Rendered(sql=None, problem="it reads")}


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    """By those who ask under the same facts, and by nobody else."""
    SqlCache(tmp_path / "cache", ["3.11", "env.py"]).keep(KEPT)
    assert SqlCache(tmp_path / "cache", ["3.11", "env.py"]).load() == KEPT
    assert SqlCache(tmp_path / "cache", ["3.11", "env.py, edited"]).load() == {}
    assert SqlCache(tmp_path / "cache", ["3.11\nenv.py"]).load() == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "orchestrate.sql/2", "sql": {}}', '{"format": "orchestrate.sql/1", "sql": {"a": 1}}'])  # fmt: skip
def test_a_damaged_file_is_a_miss(tmp_path: Path, text: str) -> None:
    """It is written anew."""
    cache = SqlCache(tmp_path, ["a"])
    cache.keep(KEPT)
    (path,) = tmp_path.glob("sql-*.json")
    path.write_text(text)
    assert cache.load() == {}


def test_old_files_go(tmp_path: Path) -> None:
    """And a folder that cannot be made is no trouble."""
    for number in range(12):
        SqlCache(tmp_path, [str(number)]).keep(KEPT)
    assert len(list(tmp_path.glob("*"))) == 8
    blocked = tmp_path / "file"
    blocked.write_text("")
    SqlCache(blocked, ["a"]).keep(KEPT)
    assert SqlCache(blocked, ["a"]).load() == {}
