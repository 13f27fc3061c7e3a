"""The way of a runbook: which plan is meant, what is known of it, and where the page goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrate.cli.gates import gated
from orchestrate.cli.gating import check_identity, looked_at, prepare
from orchestrate.cli.invocation import Invocation
from orchestrate.cli.policing import with_rules
from orchestrate.cli.rendering import with_sql
from orchestrate.cli.workbench import Workbench
from orchestrate.dialects.watching import sessions_statement
from orchestrate.domain.plan import Plan
from orchestrate.domain.runbook import Runbook
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.run_state import RunState
from orchestrate.planning.runbooks import Circumstances, make_runbook
from orchestrate.planning.staleness import changed_files
from orchestrate.reports.plans import plan_text
from orchestrate.reports.runbooks import runbook_json, runbook_text
from orchestrate.run.backups import all_backups
from orchestrate.run.journal import all_runs, run_with_steps
from orchestrate.run.lease_keeper import this_person
from orchestrate.run.observe import observe_one
from orchestrate.stores.plan_files import plan_from_text, read_plan
from orchestrate.stores.runbook_templates import eject, templates_for
from orchestrate.stores.written_files import write_file
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants to read: of an environment, of a plan's file, or of a run."""

    name: str | None
    to: str | None = None
    run: str | None = None
    out: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A plan, and what is known of it."""

    plan: Plan
    file: str | None = None
    run: RunState | None = None
    no_sql: str | None = None
    remarks: tuple[str, ...] = ()


def write_runbook(bench: Workbench, asked: Asked) -> int:
    """Write the runbook that is asked for; return the exit status.

    Raises `plan-unreadable`, `unknown-run`, `template-invalid`, and what making a plan raises.
    """
    found = find_plan(bench, asked)
    if not found.plan.steps:
        bench.invocation.say(f"{plan_text(found.plan)}; there is nothing to write a runbook of")
        return 0
    environment = bench.environment(found.plan.environment)
    runbook = _runbook(bench, environment, found)
    format_ = _format(bench.invocation, asked.out)
    if format_ == "json":
        bench.invocation.json(runbook_json(runbook))
        return 0
    templates = templates_for(bench.spec, environment)
    # The finished text, since templates may be the user's own and do anything with a value.
    text = bench.invocation.redacted(runbook_text(runbook, format_, templates))
    if asked.out is None:
        bench.invocation.data(text.rstrip("\n"))
    else:
        write_file(asked.out, text)
        bench.invocation.say(f"Written to {asked.out}")
    return 0


def _format(invocation: Invocation, out: Path | None) -> str:
    if invocation.format != "text":
        return invocation.format
    return "html" if out is not None and out.suffix in {".html", ".htm"} else "markdown"


def _runbook(bench: Workbench, environment: Environment, found: _Found) -> Runbook:
    run = found.run
    copies = [one for one in all_backups(bench.state) if run and one.run == run.id and one.good]
    return make_runbook(
        found.plan,
        Circumstances(
            environment=environment,
            written_by=this_person(),
            written_at=bench.clock.now(),
            plan_file=found.file,
            run=run,
            copies=tuple(copies),
            sessions=sessions_statement(found.plan.basis[0].dialect),
            no_sql=found.no_sql,
            remarks=found.remarks,
        ),
    )


# --- which plan -----------------------------------------------------------------------------------


def find_plan(bench: Workbench, asked: Asked) -> _Found:
    """Return the plan that is meant, with its SQL where it can be rendered."""
    if asked.run is not None:
        return _rendered(bench, _of_run(bench, asked.run))
    if asked.name is not None and asked.name.endswith(".json"):
        return _of_file(bench, asked)
    environment = bench.environment(asked.name or "")
    mine = [one for one in all_runs(bench.state) if one.environment == environment.name]
    unfinished = [one for one in mine if one.unfinished]
    if unfinished and asked.to is None:
        return _rendered(bench, _of_run(bench, unfinished[-1].id))
    plan = _pending(bench, environment, to=asked.to)
    if plan.steps or not mine:
        return _Found(plan=plan)
    return _rendered(bench, _of_run(bench, mine[-1].id))


def _of_run(bench: Workbench, name: str) -> _Found:
    run = run_with_steps(bench.state, name)
    if run is None:
        raise OrchestrateError(
            "unknown-run",
            f"The journal has no run `{name}`",
            hint="`orchestrate history` lists them",
        )
    text = bench.state.load_plan(run.plan_id)
    return _Found(plan=plan_from_text(text, where=f"plan {run.plan_id}"), run=run)


def _of_file(bench: Workbench, asked: Asked) -> _Found:
    if asked.to is not None:
        raise OrchestrateError(
            "usage", "A saved plan has its destination in it; `--to` goes with an environment"
        )
    plan = read_plan(Path(asked.name or ""))
    bench.environment(plan.environment)
    for one in all_runs(bench.state):
        if one.plan_id == plan.id:
            ran = replace(_of_run(bench, one.id), file=asked.name)
            return _rendered(bench, ran)
    return _rendered(bench, _Found(plan=plan, file=asked.name))


def _pending(bench: Workbench, environment: Environment, *, to: str | None) -> Plan:
    """Return what `plan` would make, with its SQL and what the rules say of it."""
    bench.refuse_unenforced(environment)
    access = bench.access(environment)
    bench.load_libraries_meanwhile()
    seen = observe_one(access, bench.graphs)
    if seen.session is None:
        raise AssertionError
    with seen.session as session:
        made = prepare(bench, environment, seen, direction="upgrade", to=to or environment.to)
        plan = gated(bench, environment, seen, made.plan, made.verdict)
        return with_rules(bench, environment, seen, with_sql(plan, session))


def _rendered(bench: Workbench, found: _Found) -> _Found:
    """Return a plan that was made earlier with its SQL, and its gates as they are before a run.

    A target that cannot be looked at costs the page its SQL, and no more: it is read when something
    is wrong.
    """
    environment = bench.environment(found.plan.environment)
    try:
        access = bench.access(environment).given(found.plan.arguments)
        seen = observe_one(access, bench.graphs)
    except OrchestrateError as error:
        why = f"{environment.name} could not be looked at: {error.message}"
        return replace(found, no_sql=why, remarks=(*found.remarks, f"{why}; gates are as planned"))
    if seen.session is None:
        raise AssertionError
    with seen.session as session:
        observation, chain = looked_at(bench, seen)
        plan = found.plan
        if found.run is None:
            plan = gated(bench, environment, seen, plan, check_identity(bench, observation))
        edited = [one for step in plan.steps for one in changed_files(step, chain)]
        if edited:
            why = f"{'; '.join(edited)} since the plan was made"
            return replace(found, plan=plan, no_sql=why, remarks=(*found.remarks, why))
        try:
            plan = with_sql(plan, session)
            return replace(found, plan=with_rules(bench, environment, seen, plan))
        except OrchestrateError as error:
            return replace(found, plan=plan, no_sql=error.message)


# --- templates of one's own -----------------------------------------------------------------------


def eject_templates(invocation: Invocation, folder: Path) -> int:
    """Write the templates that are shipped into a folder, and say how they are used."""
    files = eject(folder)
    if invocation.format == "json":
        invocation.json({"files": [str(one) for one in files]})
        return 0
    for one in files:
        invocation.data(str(one))
    invocation.say(
        f"`runbook: {{templates: {folder}}}` in an environment, or in `defaults`, uses them; the "
        "path there is relative to the folder of migrations.yaml"
    )
    return 0
