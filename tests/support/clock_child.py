"""orchestrate on a clock of its own: `python -m … MOMENT SECONDS -- ARGUMENTS`.

The clock stands at MOMENT until a step is committed, each of which takes SECONDS; sleeping moves it.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

from orchestrate.cli.main import main
from orchestrate.clock import SystemClock
from orchestrate.run.revision_steps import RevisionSteps


def arm(start: datetime, step_seconds: float) -> None:
    elapsed = [timedelta()]
    committed = RevisionSteps._committed

    def spend(seconds: float) -> None:
        elapsed[0] += timedelta(seconds=seconds)

    def slow_committed(self: RevisionSteps, *arguments: Any) -> None:
        spend(step_seconds)
        committed(self, *arguments)

    SystemClock.now = lambda _self: start + elapsed[0]  # type: ignore[assignment,method-assign]
    SystemClock.sleep = lambda _self, seconds: spend(seconds)  # type: ignore[assignment,method-assign]
    RevisionSteps._committed = slow_committed  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    split = sys.argv.index("--")
    arm(datetime.fromisoformat(sys.argv[1]), float(sys.argv[2]))
    main(sys.argv[split + 1 :])
