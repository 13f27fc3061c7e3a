"""Telling people of a plan or run: who, what, and what became of it, in the journal and here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from orchestrate.domain.events import EventKind, NewEvent
from orchestrate.errors import OrchestrateError
from orchestrate.reports.notices import (
    ended_text,
    news_text,
    overridden_text,
    planned_text,
    started_text,
)
from orchestrate.run.lease_keeper import this_person

if TYPE_CHECKING:
    from orchestrate.adapters.notifications import Notifier, Receiver
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.drift import DriftReport, TargetDrift
    from orchestrate.domain.outcome import Outcome
    from orchestrate.domain.plan import Plan
    from orchestrate.domain.spec import Environment
    from orchestrate.reports.notices import Text


class Notices:
    """The notifications of one plan or run. Without `notify` in the spec all of it is nothing."""

    def __init__(self, bench: Workbench, environment: Environment, *, run: str | None) -> None:
        self._bench = bench
        self._environment = environment
        self._run = run
        self._notifier: Notifier | None = None

    def planned(self, plan: Plan, *, file: str) -> None:
        """Have people told of a plan that was saved."""
        self._tell(lambda: planned_text(plan, file=file, by=this_person()))

    def begun(self, plan: Plan, *, resumed: bool) -> None:
        """Have people told of a run that begins or goes on, and of gates that were overridden."""
        run, by = self._run or "", this_person()
        self._tell(lambda: started_text(plan, run=run, by=by, resumed=resumed))
        self._tell(lambda: overridden_text(plan, run=run, by=by))

    def ended(self, plan: Plan, outcome: Outcome) -> None:
        """Have people told how a run ended, or this process's part in it."""
        run, by = self._run or "", this_person()
        self._tell(lambda: ended_text(plan, run=run, by=by, outcome=outcome))

    def news(self, target: TargetDrift, *, report: str) -> None:
        """Have people told of drift that the last report did not have."""
        self._tell(lambda: news_text(target, report=report))

    def _tell(self, make: Callable[[], Text | None]) -> None:
        """Have people told; returns at once. `make` is called only where somebody is."""
        if not self._environment.notify:
            return
        text = make()
        if text is None:
            return
        from orchestrate.adapters.notifications import (  # noqa: PLC0415  (seldom needed)
            Notice,
            Notifier,
        )

        if self._notifier is None:
            self._notifier = Notifier(self._receivers)
        event, title, body, level = text
        redacted = self._bench.invocation.redacted
        self._notifier.send(
            Notice(event=event, title=redacted(title), body=redacted(body), level=level)
        )

    def _receivers(self) -> tuple[Receiver, ...]:
        from orchestrate.adapters.url_sources import resolve_receivers  # noqa: PLC0415

        found = resolve_receivers(self._bench.spec, self._environment)
        for one in found:
            if one.url is not None:
                self._bench.redactor.add(one.url)
                self._bench.redactor.add_url(one.url)
        return found

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Finish when the body ends, however it ends: nothing goes on behind a program's back."""
        try:
            yield
        finally:
            self.finish()

    def finish(self) -> None:
        """Wait a little for what is on its way, journal what became of it, tell what failed."""
        if self._notifier is None:
            return
        events = []
        for one in self._notifier.finish():
            kind: EventKind = "notice.sent" if one.problem is None else "notice.failed"
            data: dict[str, object] = {
                "environment": self._environment.name,
                "event": one.event,
                "receiver": one.receiver,
                "title": f"{one.event} to {one.receiver}",
                **({"problem": one.problem} if one.problem else {}),
            }
            now = self._bench.clock.now()
            events.append(NewEvent(kind=kind, at=now, run=self._run, step=None, data=data))
            if one.problem is not None:
                self._bench.invocation.say(
                    f"warning: {self._environment.name}: {one.event} was not told to "
                    f"{one.receiver}: {one.problem}"
                )
        if events:
            with contextlib.suppress(OrchestrateError):
                self._bench.state.append(events)


def tell_news(bench: Workbench, report: DriftReport) -> None:
    """Have people told what of a report is new, environment by environment; wait a little for it.

    Where nothing is new, nobody is told.
    """
    told = [Notices(bench, bench.environment(one.name), run=None) for one in report.environments]
    for notices, found in zip(told, report.environments, strict=True):
        for target in found.targets:
            notices.news(target, report=report.id)
    for notices in told:
        notices.finish()
