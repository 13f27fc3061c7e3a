"""Carrying out steps that the agent does: revisions up or down, stamps.

One request to the agent is a block of consecutive steps. It announces each, and begins it only when
that is durable in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from itertools import pairwise

from orchestrate.adapters.agent_process import Message
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Step
from orchestrate.errors import OrchestrateError
from orchestrate.planning.deeds import content_of
from orchestrate.planning.staleness import words
from orchestrate.planning.touched_tables import touched
from orchestrate.run.session import Session
from orchestrate.run.stepping import Done, Trouble, Work
from orchestrate.values import dataclass


@dataclass(slots=True)
class RevisionSteps:
    """Carries out blocks of steps of kind `upgrade`, `downgrade` or `stamp`."""

    work: Work
    _granted: set[str] = field(default_factory=set)
    """Steps recorded ahead that the agent at work may begin without asking."""
    _next: dict[str, Step] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next = {one.id: step for one, step in pairwise(self.work.plan.steps)}

    def carry(self, session: Session, steps: Sequence[Step]) -> Done | Outcome | Trouble:
        """Have the agent carry the steps out, in one request."""
        by_id = {step.id: step for step in steps}
        running: Step | None = None
        stopping: Outcome | None = None
        self._granted.clear()
        try:
            for message in session.run(
                steps,
                mode=self.work.plan.mode,
                snapshots=any(not step.transactional for step in steps),
                texts=bool(self.work.sizes),
            ):
                step = by_id.get(message.fields.get("step", ""))
                match message.event:
                    case "start" if step:
                        running = step
                        stopping = self.work.refusal(step, message.fields["heads"])
                        if stopping is None:
                            self._begin(session, step, message)
                            continue
                        session.stop()
                        if step.id not in self._granted:
                            break
                        # It may have begun before it heard that: what it says next tells.
                    case "leaving-transaction" if step:
                        self.work.record(
                            session,
                            "step.left-transaction",
                            step,
                            message.fields.get("snapshot"),
                            **_changed_rows(message),
                        )
                        session.go()
                    case "rows-stay" if step:
                        self.work.recorder.append(
                            "step.rows-committed", step, **_changed_rows(message)
                        )
                        session.go()
                    case "committed" if step:
                        self._committed(session, step, message)
                        running = stopping = None
                    case "statement" | "waiting" | "phase" | "alive":
                        self.work.recorder.show(f"step.{message.event}", step, message.fields)
                    case _:
                        pass
            self.work.recorder.save()
            return stopping or self._walked(session, steps)
        except OrchestrateError as error:
            if error.code == "state-unavailable":
                session.kill()
                raise
            self.work.recorder.save()
            return self.work.trouble(session, running, error)

    def _walked(self, session: Session, steps: Sequence[Step]) -> Done | Trouble:
        records = self.work.recorder.records
        left = [
            one for one in steps if one.id not in records or records[one.id].status != "finished"
        ]
        if not left:
            return Done(session=session, heads=steps[-1].to_heads)
        error = OrchestrateError("agent-failed", "The agent ended the run before its last step")
        return Trouble(step=left[0], error=error, heads=None, rows=None, lock_timeout=False)

    def _begin(self, session: Session, step: Step, message: Message) -> None:
        """Let the agent begin a step that is durably recorded as started.

        The next step is recorded, and then granted, while this one works, so that the agent waits
        neither for the disk nor for us: a step that the server undoes costs nothing when it turns
        out not to have begun. One that stays is never recorded ahead, because the schema just
        before it belongs to the record.
        """
        self.work.lease.step = step.id
        self.work.attempts += 1
        title = {"revision": step.revision, "title": step.title}
        if step.id not in self.work.ahead:
            rows = message.fields.get("snapshot")
            self.work.record(session, "step.started", step, rows, **title)
        if step.id not in self._granted:
            session.go()
        self.work.ahead.discard(step.id)
        following = self._following(step)
        if following is not None and message.fields.get("snapshot") is None:
            self.work.recorder.queue(
                "step.started", following, revision=following.revision, title=following.title
            )
            self.work.ahead.add(following.id)
        self.work.recorder.save()
        if following is not None and following.id in self.work.ahead and not self.work.lease.lost:
            session.go(ahead=following)
            self._granted.add(following.id)
        self.work.recorder.show("step.started", step, title)

    def _following(self, step: Step) -> Step | None:
        """Return the step after this one if it may be recorded ahead."""
        following = self._next.get(step.id)
        if following is None or following.id in self.work.ahead or not following.transactional:
            return None
        # Another kind is another request to the agent, or none.
        if following.kind != step.kind or self.work.gate(following) is not None:
            return None
        return following

    def _committed(self, session: Session, step: Step, message: Message) -> None:
        found = tuple(sorted(message.fields["heads"]))
        if found != tuple(sorted(step.to_heads)):
            raise OrchestrateError(
                "not-committed",
                f"step {step.id} should leave the database at {words(step.to_heads)} and a "
                f"connection of our own sees {words(found)}",
            )
        self.work.attempts = 0
        self.work.ahead.discard(step.id)
        rows = message.fields.get("snapshot")
        self.work.left = (found, rows) if rows else None
        # Becomes durable together with the next step's start, in one write: until then the
        # database itself is the proof, and resume reads it there.
        self.work.recorder.queue(
            "step.finished",
            step,
            seconds=message.fields["seconds"],
            statements=message.fields["statements"],
            heads=list(found),
            revision=step.revision,
            **content_of(step, self.work.plan.environment),
            **self._sizes(session, message),
            **self._unusable(session, step, message),
        )

    def _sizes(self, session: Session, message: Message) -> dict[str, object]:
        """Return how large the tables are that a step named, and how much of its time was SQL.

        For whoever wants to know how long it takes where they are larger.
        """
        version_table = session.observation.version_table if session.observation else ""
        texts = message.fields.get("texts", ())
        tables = touched(texts, self.work.sizes, version_table=version_table)
        if not tables:
            return {}
        told = [{"table": one.table, "bytes": one.bytes, "rows": one.rows} for one in tables]
        return {"sql_seconds": message.fields["sql_seconds"], "tables": told}

    def _unusable(self, session: Session, step: Step, message: Message) -> dict[str, list[str]]:
        """Return what the server will not use after a step that could not be taken back.

        `CREATE INDEX CONCURRENTLY IF NOT EXISTS` finds what a failed build left and is content.
        """
        rows = message.fields.get("snapshot")
        record = self.work.recorder.records.get(step.id)
        if rows is None or (step.transactional and not (record and record.left_transaction)):
            return {}
        found = session.access.dialect.invalid_objects(session.snapshot_of(rows))
        return {"unusable": list(found)} if found else {}


def _changed_rows(message: Message) -> dict[str, list[str]]:
    statements = list(message.fields.get("statements") or ())
    return {"statements": statements} if statements else {}
