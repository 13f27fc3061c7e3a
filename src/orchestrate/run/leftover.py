"""What is left of a plan: the table of resume, applied step by step to what the database says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, assert_never

from orchestrate.adapters.commands import is_at_work
from orchestrate.dialects.difference import compare
from orchestrate.domain.events import EventKind
from orchestrate.domain.outcome import Outcome
from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.snapshot import Snapshot
from orchestrate.errors import OrchestrateError
from orchestrate.planning.chain import Chain
from orchestrate.planning.deeds import content_of
from orchestrate.planning.effects import NO_EFFECTS, Effects, sorted_by_effect
from orchestrate.planning.resume import (
    Carry,
    Compare,
    Doubt,
    RecordFinished,
    Skip,
    Stop,
    after_comparing,
    decide,
    reached,
)
from orchestrate.planning.run_state import StepState
from orchestrate.planning.staleness import changed_files, words
from orchestrate.run.hooks import command_lock
from orchestrate.run.recorder import Recorder
from orchestrate.run.session import Session
from orchestrate.stores.snapshots import snapshot_from_text
from orchestrate.values import dataclass

Choice = Literal["retry", "mark-applied"]

_RENDER_SECONDS: Final = 5.0
"""Rendering runs the revision's own Python, which may wait for something for ever."""


@dataclass(slots=True, kw_only=True)
class Leftover:
    """Finds the steps that are still to run, recording those that turn out to be done."""

    plan: Plan
    chain: Chain
    recorder: Recorder
    choice: Choice | None
    """What a person decided about a step in doubt; used up by the first such step."""

    def steps(
        self, session: Session, heads: tuple[str, ...], read_schema: Callable[[], Snapshot]
    ) -> tuple[Step, ...] | Outcome:
        """Return the steps to run, or why none may be. No step left is an empty tuple."""
        proven = reached(self.plan, self.recorder.records, heads)
        for number, step in enumerate(self.plan.steps):
            record = self.recorder.records.get(step.id)
            here = step.to_heads if number < proven else heads
            decision = decide(step, record, here, changed=changed_files(step, self.chain))
            match decision:
                case Skip():
                    continue
                case RecordFinished():
                    if record is None:
                        self.recorder.queue(
                            "step.started", step, revision=step.revision, title=step.title
                        )
                    self._note("step.finished", step, here, recovered=True)
                case Stop(code=code, message=message):
                    return Outcome(status="stopped", code=code, message=message, step=step.id)
                case Carry():
                    return _rest(self.plan.steps[number:], heads)
                case Compare():
                    doubt = self._compare(session, step, record, read_schema)
                    choice = self._take_choice() if doubt else "retry"
                    if doubt and (choice is None or doubt.status == "stopped"):
                        return doubt
                    if choice == "retry":
                        return _rest(self.plan.steps[number:], heads)
                    if step.kind != "hook":
                        heads = session.mark(step)
                    self._note("step.marked", step, heads)
                case _:
                    assert_never(decision)
        return ()

    def _note(self, kind: EventKind, step: Step, heads: tuple[str, ...], **data: object) -> None:
        content = content_of(step, self.plan.environment)
        self.recorder.append(
            kind, step, heads=list(heads), revision=step.revision, **content, **data
        )

    def _take_choice(self) -> Choice | None:
        choice, self.choice = self.choice, None
        return choice

    def _compare(
        self,
        session: Session,
        step: Step,
        record: StepState | None,
        read_schema: Callable[[], Snapshot],
    ) -> Outcome | None:
        """Return the doubt, or None where the schema is as it was before the step."""
        lock = command_lock(session.access, self.recorder.run, step)
        if step.kind == "hook" and self._at_work(lock):
            return Outcome(
                status="stopped",
                code="run-stopped",
                step=step.id,
                message=f"the command of step {step.id} is still at work: `{step.title}`",
            )
        digest = record.snapshot if record else None
        if digest is None:
            return Outcome(
                status="in-doubt",
                code="in-doubt",
                step=step.id,
                message=f"step {step.id} was begun outside a transaction and the schema before it "
                "was not recorded, so what it left cannot be told",
            )
        before = snapshot_from_text(self.recorder.state.load_snapshot(digest))
        now, dialect = read_schema(), session.access.dialect
        differences = compare(before, now)
        if step.action is not None and record is not None and record.status == "started":
            return Outcome(
                status="in-doubt",
                code="in-doubt",
                step=step.id,
                message=f"step {step.id}, `{step.title}`, was begun and its end was not recorded: "
                "what it did beside the schema cannot be told",
                differences=differences,
                compared=True,
            )
        unusable = _new_keys(dialect.invalid_objects(before), dialect.invalid_objects(now))
        rows = record.rows_committed if record is not None else ()
        match after_comparing(differences, rows):
            case Doubt(differences=differences):
                # Only for a person who has yet to decide: it may cost the agent, and `mark` needs
                # it.
                effects = (
                    self._statements(session, step, before, now)
                    if self.choice is None
                    else NO_EFFECTS
                )
                return Outcome(
                    status="in-doubt",
                    code="in-doubt",
                    step=step.id,
                    message=_half_applied(step, changed=bool(differences)),
                    differences=differences,
                    compared=True,
                    committed=rows,
                    shown=effects.shown,
                    not_shown=effects.not_shown,
                    untold=tuple(one for one in effects.rows_alone if not _among(one, rows)),
                    unusable=tuple(unusable),
                    remedies=tuple(unusable.values()),
                )
            case _:
                return None

    def _at_work(self, lock: Path) -> bool:
        """Tell whether a step's command still lives. Raises `command-failed` where nobody can."""
        try:
            return is_at_work(lock)
        except OSError as error:
            raise OrchestrateError(
                "command-failed",
                f"Whether a command is still at work cannot be told: `{lock}`: {error.strerror}",
                hint="Check the rights of the file and its folder",
            ) from error

    def _statements(self, session: Session, step: Step, before: Snapshot, now: Snapshot) -> Effects:
        """Return the step's statements told apart by effect, where it can be rendered at all."""
        if step.kind not in {"upgrade", "downgrade"}:
            return NO_EFFECTS
        try:
            rendered = session.render([step], at_most=_RENDER_SECONDS)
        except OrchestrateError:
            # It only helps the person who decides; the differences are told in any case.
            return NO_EFFECTS
        way = "up" if step.kind == "upgrade" else "down"
        sql = "\n".join(one[way] or "" for one in rendered.values())
        table = self.plan.basis[0].version_table.rpartition(".")[2]
        return sorted_by_effect(sql, before, now, version_table=table)


def _new_keys(before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
    return {name: remedy for name, remedy in now.items() if name not in before}


def _among(text: str, cut: Iterable[str]) -> bool:
    """Tell whether a statement is one of others that may have been cut at their end."""
    told = " ".join(text.split())
    return any(told.startswith(" ".join(one.removesuffix("…").split())) for one in cut)


def _half_applied(step: Step, *, changed: bool) -> str:
    if step.kind == "hook":
        return f"step {step.id}, `{step.title}`, did not end well and the schema has changed"
    what = "the schema has changed" if changed else "rows that it changed are committed"
    return (
        f"step {step.id} is half applied: the version table still says "
        f"{words(step.from_heads)}, {what}"
    )


def _rest(steps: tuple[Step, ...], heads: tuple[str, ...]) -> tuple[Step, ...]:
    """Return the steps to run; of a `native` one that env.py did in part, what is left of it."""
    first = steps[0]
    for number, part in enumerate(first.parts):
        if sorted(part.to_heads) == sorted(heads):
            rest = replace(first, parts=first.parts[number + 1 :], from_heads=heads)
            return (rest, *steps[1:])
    return steps
