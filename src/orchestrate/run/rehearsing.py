"""Carrying a plan's revisions out on a clone: forward, back and forward again, measured.

Nothing is recorded as a run, no lease is taken, the target is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from orchestrate.adapters.agent_process import Message
from orchestrate.dialects.difference import compare, describe
from orchestrate.dialects.measures import contents_from
from orchestrate.domain.plan import Plan, Step
from orchestrate.domain.rehearsals import (
    CloneState,
    Contents,
    RehearsalTrouble,
    RehearsedStep,
    Verdict,
)
from orchestrate.domain.snapshot import GRANTS
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import not_expected
from orchestrate.planning.chain import Chain
from orchestrate.planning.rehearsals import (
    Lost,
    backwards,
    contents_of,
    judged,
    lost,
)
from orchestrate.planning.touched_tables import SizesByName, by_name
from orchestrate.run.access import Access
from orchestrate.run.explaining import explained_step
from orchestrate.run.measured_steps import measured
from orchestrate.run.observe import open_session
from orchestrate.run.scratch import carried
from orchestrate.run.session import Session
from orchestrate.run.table_sizes import clone_sizes
from orchestrate.values import dataclass

_NEVER_RUN = {
    "missing": "it has no downgrade",
    "raises": "its downgrade refuses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What came of it."""

    steps: tuple[RehearsedStep, ...]
    trouble: RehearsalTrouble | None
    remarks: tuple[str, ...]


def rehearsed(
    session: Session,
    plan: Plan,
    chain: Chain,
    say: Callable[[str], None],
    *,
    forward_only: bool = False,
    rows: str | None = None,
) -> Rehearsed:
    """Carry a plan's revisions out on the clone that this agent has seen, and end the agent.

    `rows` says what the clone's rows are, where they are not the target's.
    """
    stage = _Stage(
        access=session.access,
        plan=plan,
        chain=chain,
        say=say,
        session=session,
        sizes=by_name(clone_sizes(session)),
        forward_only=forward_only,
        rows=rows,
    )
    try:
        stage.forward()
        if stage.trouble is None:
            stage.check()
            if not forward_only:
                say("  the way back, and forward again")
                stage.back()
                stage.again()
    finally:
        stage.session.kill()
    steps = tuple(stage.told[step.id] for step in stage.steps)
    return Rehearsed(steps=steps, trouble=stage.trouble, remarks=tuple(stage.remarks))


@dataclass(slots=True, kw_only=True)
class _Stage:
    """A clone on which a plan is at work."""

    access: Access
    plan: Plan
    chain: Chain
    say: Callable[[str], None]
    session: Session
    sizes: SizesByName
    """How large the clone's tables are before the first step, where that can be asked."""
    forward_only: bool
    rows: str | None
    told: dict[str, RehearsedStep] = field(default_factory=dict)
    states: list[CloneState] = field(default_factory=list)
    """Before the first step and after each."""
    undone: list[Step] = field(default_factory=list)
    """Steps that the way back has taken back, the last one first."""
    trouble: RehearsalTrouble | None = None
    remarks: list[str] = field(default_factory=list)
    stuck: bool = False
    """The way back ended where nothing can be run again."""
    unreadable: bool = False
    """What columns hold could not be read: it is not tried again."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps that run revisions."""
        return tuple(step for step in self.plan.steps if step.kind == "upgrade")

    # --- forward ------------------------------------------------------------------------------

    def forward(self) -> None:
        """Run every step and measure it; the first that fails ends it."""
        for step in self.steps:
            self.told[step.id] = RehearsedStep(
                step=step.id,
                revision=step.revision,
                title=step.title,
                file=step.file,
                file_sha256=step.file_sha256,
                contents=contents_of(step),
                seconds=None,
            )
        before = [step for step in self.plan.steps if step.kind == "stamp" or step.command]
        self.session = carried(self.session, before, self.plan.mode)
        self._remember()
        # What the clone holds is read between steps, and then each needs a run of env.py.
        blocks = [self.steps] if self.forward_only else [(step,) for step in self.steps]
        for block in blocks:
            self._run_forward(block)
            if self.trouble is not None:
                return
            self._remember()

    def _run_forward(self, block: Sequence[Step]) -> None:
        """Run steps in one run of env.py, measuring each; the first that fails is the trouble."""
        numbers = {step.id: number for number, step in enumerate(self.steps, 1)}
        by_id = {step.id: step for step in block}
        running: Step | None = None
        try:
            for message in self._messages(block, measure=self._measure()):
                step = by_id.get(message.fields.get("step", ""))
                if step is None:
                    continue
                if message.event == "start":
                    running = step
                    number = f"{numbers[step.id]}/{len(self.steps)}"
                    self.say(f"  {number} {step.revision} {step.title}")
                elif message.event == "committed":
                    self.told[step.id] = measured(
                        self.told[step.id],
                        message.fields,
                        self.access.dialect.measures,
                        self.sizes,
                        version_table=self._version_table(),
                    )
                    running = None
            left = self._left(block)
            if left is not None:
                raise OrchestrateError("agent-failed", f"step {left.id} was not carried out")
        except OrchestrateError as error:
            # What fails before a step is announced, or after the last one, is the nearest one's.
            self.trouble = self._explained(running or self._left(block) or block[-1], error)

    def _left(self, block: Sequence[Step]) -> Step | None:
        """Return the first step that was not carried out."""
        return next((step for step in block if self.told[step.id].seconds is None), None)

    def _measure(self) -> Mapping[str, str | Mapping[str, str] | None]:
        """Return what the agent is to measure, where that can be read of this kind of server."""
        measures = self.access.dialect.measures
        facts = {name: getattr(measures, name, None) for name in ("files", "written")}
        return {
            "locks": measures.locks if measures else None,
            "facts": {name: query for name, query in facts.items() if query},
        }

    def _run(self, step: Step) -> Mapping[str, Any]:
        """Carry one step out and return what the agent tells of it once it is committed."""
        found: Mapping[str, Any] | None = None
        for message in self._messages((step,)):
            if message.event == "committed":
                found = message.fields
        if found is None:
            raise OrchestrateError("agent-failed", f"step {step.id} was not carried out")
        return found

    def _messages(
        self,
        steps: Sequence[Step],
        *,
        measure: Mapping[str, str | Mapping[str, str] | None] | None = None,
    ) -> Iterator[Message]:
        """Carry steps out, yielding what happens; each goes on at once."""
        if not steps:
            return
        try:
            for message in self.session.run(
                steps, mode=self.plan.mode, snapshots=False, measure=measure
            ):
                yield message
                if message.event in {"start", "leaving-transaction", "rows-stay"}:
                    self.session.go()
        except OrchestrateError:
            self.session.kill()  # it is of no use after an error
            raise

    def _explained(self, step: Step, error: OrchestrateError) -> RehearsalTrouble:
        dialect, environment = self.access.dialect, self.plan.environment
        told = explained_step(error, step, dialect, environment=environment, rows=self.rows)
        failing = error.details.get("failing")
        return RehearsalTrouble(
            step=step.id,
            code=told.code,
            message=told.message,
            hint=told.hint,
            statement=failing if isinstance(failing, str) else None,
        )

    def _version_table(self) -> str:
        observation = self.session.observation
        return observation.version_table if observation else "alembic_version"

    # --- checks -------------------------------------------------------------------------------

    def check(self) -> None:
        """Ask the queries of `verify` on the clone; what does not hold there is a remark."""
        for step in self.plan.steps:
            action = step.action
            if step.kind != "verify" or action is None:
                continue
            if action.sql is None:
                self.remarks.append(f"`{step.title}` was not run: it would not see the clone")
                continue
            try:
                found = self.session.statement(action.sql, read_only=True, seconds=action.seconds)
            except OrchestrateError as error:
                self.remarks.append(
                    f"the check `{step.title}` could not be asked on the clone: {error.message}"
                )
                self._start_afresh()
                continue
            problem = found["problem"] or not_expected(action, found["rows"], more=found["more"])
            if problem:
                told = self.access.redactor.redact(problem)
                self.remarks.append(f"the check `{step.title}` does not hold on the clone: {told}")

    # --- back and forward again ---------------------------------------------------------------

    def back(self) -> None:
        """Take the steps back, the last one first, as far as there is a way."""
        already = Lost()
        for number in range(len(self.steps) - 1, -1, -1):
            step = self.steps[number]
            never = self._never(step)
            if never:
                self._judge(step, "irreversible", (never,), number)
                return
            try:
                done = self._run(backwards(step))
            except OrchestrateError as error:
                told = f"its downgrade fails: {self._explained(step, error).message}"
                self._judge(step, "irreversible", (told,), number)
                self._take_up(step)
                return
            kind = self._downgrade(step)
            found = _lost(self.states[number], self._state())
            verdict, reasons = judged(kind, found, already)
            already = found
            self.told[step.id] = replace(
                self.told[step.id],
                verdict=verdict,
                reasons=reasons,
                back_seconds=float(done["seconds"]),
            )
            if verdict == "irreversible":
                # What is there is not what those before it, or after it, expect.
                self._judge(step, verdict, reasons, number)
                self.stuck = True
                return
            self.undone.append(step)

    def _take_up(self, step: Step) -> None:
        """Go on with another agent after a failure that the server has undone."""
        if self.access.dialect.transactional_ddl and step.transactional:
            self.session = open_session(self.access)
            self.session.observe()
        else:
            self.stuck = True

    def _never(self, step: Step) -> str | None:
        return _NEVER_RUN.get(self._downgrade(step))

    def _downgrade(self, step: Step) -> str:
        """Return the worst that the step's revisions have for a downgrade."""
        kinds = []
        for revision in contents_of(step):
            known = self.chain.by_id[revision]
            joins = len(known.down) > 1 and known.downgrade == "empty"
            kinds.append("present" if joins else known.downgrade)
        for one in ("missing", "raises", "empty"):
            if one in kinds:
                return one
        return "present"

    def _judge(self, step: Step, verdict: Verdict, reasons: Sequence[str], number: int) -> None:
        """Note a verdict, and that the steps before this one were not reached."""
        self.told[step.id] = replace(self.told[step.id], verdict=verdict, reasons=tuple(reasons))
        for other in self.steps[:number]:
            self.told[other.id] = replace(
                self.told[other.id],
                verdict="unreached",
                reasons=(f"the way back ends at {step.revision}",),
            )

    def again(self) -> None:
        """Run forward once more what was taken back; what fails then has no whole way back."""
        for step in reversed(() if self.stuck else self.undone):
            try:
                done = self._run(step)
            except OrchestrateError as error:
                told = f"after its downgrade it fails: {self._explained(step, error).message}"
                was = self.told[step.id]
                self.told[step.id] = replace(
                    was, verdict="irreversible", reasons=(*was.reasons, told)
                )
                return
            self.told[step.id] = replace(self.told[step.id], again_seconds=float(done["seconds"]))

    # --- what the clone holds -----------------------------------------------------------------

    def _remember(self) -> None:
        """Keep what the clone holds now, for the way back: reading it takes long."""
        if not self.forward_only:
            self.states.append(self._state())

    def _state(self) -> CloneState:
        return CloneState(schema=self.session.snapshot(), contents=self._contents())

    def _contents(self) -> Contents | None:
        """Return what columns hold; None, with a remark, where that cannot be read."""
        measures = self.access.dialect.measures
        if measures is None or self.unreadable:
            return None
        try:
            columns = self.session.query({"columns": measures.columns})["columns"]
            queries, places = measures.contents(columns)
            return contents_from(places, self.session.query(queries))
        except OrchestrateError as error:
            self.unreadable = True
            self.remarks.append(f"rows and values were not compared: {error.message}")
            self._start_afresh()
            return None

    def _start_afresh(self) -> None:
        """Go on with another agent: one that failed is of no use any more."""
        self.session.kill()
        self.session = open_session(self.access)
        self.session.observe()


def _lost(before: CloneState, after: CloneState) -> Lost:
    differences = compare(before.schema, after.schema, without=GRANTS)
    told = [describe(one) for one in differences if one.object != "column order"]
    return lost(told, before.contents, after.contents)
