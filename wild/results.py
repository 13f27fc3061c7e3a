"""What is known of each chain on each dialect, kept between runs.

Owns `results.json`: a run of some chains replaces their entries and leaves the others alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("results.json")
ROOT: Final = str(Path(__file__).parents[1])


@dataclass(frozen=True)
class Entry:
    """How a chain did on a dialect, the last time that it was driven."""

    chain: str
    dialect: str
    verdict: str  # works, limit (as plain Alembic), misbehaves
    date: str
    versions: Mapping[str, str]
    facts: Mapping[str, Any]
    checks: tuple[str, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""

    @property
    def key(self) -> str:
        """Return what tells it from others."""
        return f"{self.chain} {self.dialect}"


def read() -> dict[str, Entry]:
    """Return every entry by its key."""
    if not FILE.is_file():
        return {}
    rows = json.loads(FILE.read_text("utf-8"))
    entries = [Entry(**{**row, "checks": tuple(row["checks"])}) for row in rows]
    return {entry.key: entry for entry in entries}


def keep(entries: Mapping[str, Entry]) -> None:
    """Write every entry."""
    rows = [asdict(entries[key]) for key in sorted(entries)]
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    FILE.write_text(text.replace(f"{ROOT}/", ""), "utf-8")  # whose machine it was is no result
