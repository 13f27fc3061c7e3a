"""orchestrate made to die at a named point, as by a power cut: `python -m … POINT -- ARGUMENTS`.

Points: `before:KIND:N` and `after:KIND:N` around the N-th journal write that holds an event of that
kind, `go:N` when the agent was let go for the N-th time, `answered:N` when its answer to that is
there unread, `committed:N` when it was read and nothing was made of it yet. A point that is never
reached lets the program run to its end.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

from orchestrate.cli.main import main
from orchestrate.domain.events import NewEvent
from orchestrate.domain.plan import Step
from orchestrate.run.revision_steps import RevisionSteps
from orchestrate.run.session import Session
from orchestrate.stores.state import StateStore


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def arm(point: str) -> None:
    seen: Counter[str] = Counter()

    def reach(name: str) -> None:
        seen[name] += 1
        if f"{name}:{seen[name]}" == point:
            die()

    append, go, committed = StateStore.append, Session.go, RevisionSteps._committed

    def dying_append(self: StateStore, events: Sequence[NewEvent], **more: Any) -> Any:
        for event in events:
            reach(f"before:{event.kind}")
        stored = append(self, events, **more)
        for event in events:
            reach(f"after:{event.kind}")
        return stored

    def dying_go(self: Session, *, ahead: Step | None = None) -> None:
        go(self, ahead=ahead)
        reach("go")
        if point.startswith("answered:"):
            # The agent has carried the step out and said so, and nobody has read it.
            answer = self.agent._line.process.stdout
            select.select([answer], [], [])
            reach("answered")

    def dying_committed(self: RevisionSteps, *arguments: Any) -> None:
        reach("committed")
        committed(self, *arguments)

    StateStore.append = dying_append  # type: ignore[method-assign]
    Session.go = dying_go  # type: ignore[method-assign]
    RevisionSteps._committed = dying_committed  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    split = sys.argv.index("--")
    arm(sys.argv[1])
    main(sys.argv[split + 1 :])
