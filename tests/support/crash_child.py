"""orchestrate made to die at a named point, as by a power cut: `python -m … POINT -- ARGUMENTS`.

Points: `before:KIND:N` and `after:KIND:N` around the N-th journal write that holds an event of that
kind, `go:N` when the agent was let go for the N-th time, `answered:N` when its answer to that is
there unread, `committed:N` when it was read and nothing was made of it yet. Of a restore by an
exchange: `before:ACT:N` and `after:ACT:N` with the acts `fill`, `rename` and `programs`, and
`half:ACT:N`, when half of what belongs to it was handed over. With `server:` before `half:ACT:N` it
is the database's server that dies, whose number the variable `VICTIM` has, while the act goes on;
with `late:`, the program, while a client goes on with all that belongs to it.
A point that is never reached lets the program run to its end.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from orchestrate.adapters import copying
from orchestrate.cli.main import main
from orchestrate.domain.events import NewEvent
from orchestrate.domain.plan import Step
from orchestrate.run import exchanging
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

    _arm_exchange(point, reach)
    StateStore.append = dying_append  # type: ignore[method-assign]
    Session.go = dying_go  # type: ignore[method-assign]
    RevisionSteps._committed = dying_committed  # type: ignore[assignment,method-assign]


_ACTS = {"fill": "fill", "rename": "rename", "programs": "put_programs_back"}


def _arm_exchange(point: str, reach: Callable[[str], None]) -> None:
    for act, name in _ACTS.items():
        setattr(exchanging, name, _dying(act, getattr(exchanging, name), reach))
    if "half:" not in point:
        return
    which, _, rest = point.partition("half:")
    act = rest.partition(":")[0]
    at_work: list[str] = []
    load, given = copying.load, copying.given

    def half_way() -> None:
        if which == "server:":
            os.kill(int(os.environ["VICTIM"]), signal.SIGKILL)
        else:
            time.sleep(0.05)  # what was handed over is being executed
            die()

    def dying_load(program: Any, destination: Any, name: str, going: Any, **more: Any) -> Any:
        on_bytes = (lambda _: half_way()) if at_work == [act] == ["fill"] else None
        return load(program, destination, name, replace(going, on_bytes=on_bytes), **more)

    def dying_given(program: Any, text: bytes, going: Any, **more: Any) -> None:
        if at_work != [act]:
            given(program, text, going, **more)
        elif which:
            delay = float(os.environ.get("DELAY", "0.03"))
            threading.Timer(delay, half_way).start()
            given(program, text, going, **more)
        else:
            given(program, text[: text.index(b"\n", len(text) // 2) + 1], going, **more)
            die()

    def noting(act: str, done: Callable[..., None]) -> Callable[..., None]:
        def noted(*arguments: Any) -> None:
            at_work[:] = [act]
            done(*arguments)
            at_work.clear()

        return noted

    exchanging.load = dying_load  # type: ignore[attr-defined]
    exchanging.given = dying_given  # type: ignore[attr-defined]
    for one, name in _ACTS.items():
        setattr(exchanging, name, noting(one, getattr(exchanging, name)))


def _dying(
    act: str, done: Callable[..., None], reach: Callable[[str], None]
) -> Callable[..., None]:
    def dying(*arguments: Any) -> None:
        reach(f"before:{act}")
        done(*arguments)
        reach(f"after:{act}")

    return dying


if __name__ == "__main__":
    split = sys.argv.index("--")
    arm(sys.argv[1])
    main(sys.argv[split + 1 :])
