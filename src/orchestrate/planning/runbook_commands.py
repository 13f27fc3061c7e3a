"""What a person types while a plan is carried out, and how each step is undone. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from orchestrate.domain.backups import Backup
from orchestrate.domain.plan import Gate, Plan, Step
from orchestrate.domain.runbook import Typed, WayBack
from orchestrate.planning.gates import OVERRIDABLE
from orchestrate.planning.run_state import RunState
from orchestrate.planning.staleness import words

_CHANGES_NOTHING = WayBack(text="It changes nothing that would have to be undone.")
_CLOSES_ON_THE_WAY = frozenset({"way-back", "proof"})
"""Gates of commands other than `apply` that can be overridden as well."""


def plan_argument(plan: Plan, plan_file: str | None) -> str:
    """Return what stands for the plan on a command line: its file, else its environment."""
    return shlex.quote(plan_file or plan.environment)


def apply_command(plan: Plan, plan_file: str | None) -> Typed:
    """Return the command that carries the plan out."""
    name = shlex.quote(plan.environment)
    if plan_file is not None:
        command = f"orchestrate apply {shlex.quote(plan_file)}"
        return Typed(command=command, purpose="carries out exactly this plan; asks for a yes first")
    destination = shlex.quote(plan.to)
    commands = {
        "upgrade": f"orchestrate apply {name}"
        + ("" if plan.to == "heads" else f" --to {destination}"),
        "downgrade": f"orchestrate rollback {name} --to {destination}",
        "stamp": f"orchestrate stamp {name} {plan.to}",
        "restore": f"orchestrate restore {name} {destination} --replace",
    }
    return Typed(
        command=commands[plan.direction],
        purpose="plans anew and carries it out if that is what it shows; asks for a yes first",
    )


def opens(gate: Gate, plan: Plan, plan_file: str | None) -> str:
    """Return how a closed gate is opened; nothing where it is open or overridden."""
    if gate.state != "closed":
        return ""
    name = shlex.quote(plan.environment)
    force = f'`--override {gate.kind} --reason "…"` goes through it, and the journal keeps that'
    ways = {
        "window": f"`{apply_command(plan, plan_file).command} --wait` waits for it; {force}",
        "promotion": f"apply these very revisions where they have to run first; {force}",
        "backup": f"`orchestrate backup {name}` tries it and tells more; {force}",
        "identity": f"`orchestrate trust {name}`, if the database was replaced on purpose",
        "approval": f"`orchestrate approve {plan_argument(plan, plan_file)}`, by whoever may",
        "policy": f"change what the findings tell of; {force}",
    }
    overridable = gate.kind in OVERRIDABLE | _CLOSES_ON_THE_WAY
    return ways.get(gate.kind, force if overridable else "what it says has to be so first")


def if_it_stops(plan: Plan, run: RunState | None) -> tuple[Typed, ...]:
    """Return what there is to do when the run ends early."""
    name, run_id = shlex.quote(plan.environment), run.id if run else "RUN"
    found = [
        Typed(
            command=f"orchestrate show {run_id}",
            purpose="tells how far it came and why it ended"
            + ("" if run else "; RUN is the name that `apply` printed"),
        ),
        Typed(
            command=f"orchestrate resume {run_id}",
            purpose="goes on where it stopped; nothing that is done is done twice",
        ),
    ]
    if not all(step.transactional for step in plan.steps):
        found.append(
            Typed(
                command=f"orchestrate resume {run_id} --retry",
                purpose="for a step in doubt that left nothing behind, or what was mended by hand; "
                "`--mark-applied` in its place if all of it is there",
            )
        )
    found.append(
        Typed(command=f"orchestrate abort {run_id}", purpose="gives it up, its state explained")
    )
    found.append(
        Typed(command=f"orchestrate doctor {name}", purpose="checks everything around the database")
    )
    return tuple(found)


def way_back(plan: Plan, run: RunState | None, copies: Sequence[Backup]) -> tuple[Typed, ...]:
    """Return the ways back of the whole plan, the gentlest first."""
    name = shlex.quote(plan.environment)
    found = []
    if plan.direction != "restore" and any(
        step.kind in {"upgrade", "downgrade", "stamp"} for step in plan.steps
    ):
        found.append(
            Typed(
                command=f"orchestrate rollback {name} --run {run.id if run else 'RUN'}",
                purpose="undoes exactly what the run did, tells first what is lost, and compares "
                "the schema afterwards with what it was",
            )
        )
    if copies:
        copy = copies[-1]
        found.append(
            Typed(
                command=f"orchestrate rollback {name} --backup {copy.id}",
                purpose=f"puts back the copy of {words(copy.heads)}; what was written since is "
                "lost, and is copied first",
            )
        )
    elif any(step.kind == "backup" for step in plan.steps):
        found.append(
            Typed(
                command=f"orchestrate rollback {name} --backup BACKUP",
                purpose="puts back the copy that the first step makes; what was written since is "
                f"lost, and is copied first (`orchestrate backups {name}` lists them)",
            )
        )
    return tuple(found)


def step_way_back(step: Step, plan: Plan) -> WayBack:
    """Return how one step is undone once it is done."""
    name = shlex.quote(plan.environment)
    match step.kind:
        case "backup" | "verify":
            return _CHANGES_NOTHING
        case "restore":
            return WayBack(text="What was there is in the copy that the step before it made.")
        case "hook":
            return WayBack(text="Only whoever wrote the command knows what it did.")
        case "stamp":
            return WayBack(
                text="The rows of the version table are set back; nothing else was changed.",
                command=f"orchestrate rollback {name} --run RUN",
            )
        case "downgrade":
            return WayBack(
                text="The revision is applied again; what the step deleted does not come back.",
                command=f"orchestrate apply {name} --to {_rows(step.from_heads)}"
                if len(step.from_heads) == 1
                else None,
                sql=step.sql_back,
            )
        case _:
            return _downgrade(step, plan)


def _downgrade(step: Step, plan: Plan) -> WayBack:
    if any(one.code == "missing-downgrade" for one in step.findings):
        backed_up = any(one.kind == "backup" for one in plan.steps)
        copy = "the copy that the first step makes" if backed_up else "none is part of this plan"
        return WayBack(text=f"It has no downgrade. The way back is a backup: {copy}.")
    name = shlex.quote(plan.environment)
    where = _rows(step.from_heads) if len(step.from_heads) <= 1 else None
    return WayBack(
        text="Its downgrade; what was written since into what it takes away is lost.",
        command=f"orchestrate rollback {name} --to {where}" if where else None,
        sql=step.sql_back,
    )


def _rows(heads: tuple[str, ...]) -> str:
    return shlex.quote(heads[0]) if heads else "base"
