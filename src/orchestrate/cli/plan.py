"""`orchestrate plan`: what would be done, why, and how risky it is; nothing is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrate.cli.given import PLACE, TEXT
from orchestrate.cli.invocation import Invocation, environments_argument, global_options
from orchestrate.errors import ExitStatus, OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.plan import Plan
    from orchestrate.domain.spec import Environment
    from orchestrate.run.observe import Seen


@click.command()
@environments_argument
@click.option("--to", type=TEXT, help="Where to: whatever `alembic upgrade` takes.")
@click.option("--out", type=PLACE, help="Save the plan for `apply FILE`.")
@click.option(
    "--sql",
    "sql_folder",
    type=PLACE,
    help="Write each revision's SQL, up and down, into this folder.",
)
@click.option("--lint", is_flag=True, help="Say what the revisions lose and lock there.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when something is pending.")
@global_options
@click.pass_obj
def plan(
    invocation: Invocation,
    *,
    environments: tuple[str, ...],
    environment_options: tuple[str, ...],
    to: str | None,
    out: Path | None,
    sql_folder: Path | None,
    lint: bool,
    exit_code: bool,
) -> int:
    """Show what `apply ENV` would do: each revision, in order, and why.

    Several ENV are planned at the same time. Nothing is written to any database.
    """
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415  (`--help` is quick)

    names = (*environments, *environment_options)
    if not names:
        raise OrchestrateError(
            "usage",
            "No environment was named, and there is no default one",
            hint="`orchestrate status` lists them",
        )
    bench = Workbench(invocation)
    chosen = bench.chosen(names)
    if out is not None and len(chosen) > 1:
        raise OrchestrateError(
            "usage",
            "`--out` saves one plan and several environments were named",
            hint="Plan one environment at a time with `--out`",
        )
    plans, trouble = _make(bench, chosen, to=to, render=sql_folder is not None, lint=lint)
    _write(bench, plans, out=out, sql_folder=sql_folder, several=len(chosen) > 1)
    _print(bench, plans, to=to, several=len(chosen) > 1)
    if trouble is not None:
        raise trouble
    pending = any(one.steps for one in plans)
    return int(ExitStatus.DIFFERENCE if exit_code and pending else ExitStatus.DONE)


def _make(
    bench: Workbench,
    chosen: list[Environment],
    *,
    to: str | None,
    render: bool,
    lint: bool,
) -> tuple[list[Plan], OrchestrateError | None]:
    """Return the plans that could be made, and the first trouble among the rest."""
    for environment in chosen:
        bench.refuse_unenforced(environment)
    if len(chosen) == 1:
        # One environment: its trouble is the answer, told with its own code.
        return [_make_one(bench, chosen[0], to=to, render=render, lint=lint)], None
    from orchestrate.cli.looking import look  # noqa: PLC0415

    seen = look(bench, chosen)
    plans: list[Plan] = []
    troubles: list[OrchestrateError] = []
    for environment in chosen:
        try:
            plans.append(
                _plan_of(bench, environment, seen[environment.name], to=to, seen=seen, lint=lint)
                if not render
                else _make_one(bench, environment, to=to, render=True, lint=lint)
            )
        except OrchestrateError as error:
            if troubles:
                bench.invocation.say(f"{environment.name}: {error.message} [{error.code}]")
            troubles.append(error)
    return plans, troubles[0] if troubles else None


def _make_one(
    bench: Workbench, environment: Environment, *, to: str | None, render: bool, lint: bool
) -> Plan:
    from orchestrate.cli.rendering import with_sql  # noqa: PLC0415
    from orchestrate.run.observe import observe_one  # noqa: PLC0415

    access = bench.access(environment)
    bench.load_libraries_meanwhile()
    seen = observe_one(access, bench.graphs)
    if seen.session is None:
        raise AssertionError
    with seen.session as session:
        made = _plan_of(bench, environment, seen, to=to, seen={}, lint=lint)
        return with_sql(made, session) if render else made


def _plan_of(
    bench: Workbench,
    environment: Environment,
    one: Seen,
    *,
    to: str | None,
    seen: dict[str, Seen],
    lint: bool,
) -> Plan:
    from orchestrate.cli.gates import gated  # noqa: PLC0415
    from orchestrate.cli.gating import prepare  # noqa: PLC0415
    from orchestrate.domain.observation import Observation  # noqa: PLC0415

    others = tuple(other.sight for other in seen.values() if isinstance(other.sight, Observation))
    made = prepare(
        bench, environment, one, direction="upgrade", to=to or environment.to, others=others
    )
    plan = made.plan
    if lint:
        from orchestrate.cli.policing import with_rules  # noqa: PLC0415  (only who asks pays)

        plan = with_rules(bench, environment, one, plan)
    return gated(bench, environment, one, plan, made.verdict)


def _write(
    bench: Workbench,
    plans: list[Plan],
    *,
    out: Path | None,
    sql_folder: Path | None,
    several: bool,
) -> None:
    from orchestrate.cli.rendering import write_sql  # noqa: PLC0415
    from orchestrate.planning.trouble_pages import page_path  # noqa: PLC0415
    from orchestrate.reports.plans import plan_json  # noqa: PLC0415
    from orchestrate.stores.written_files import write_file  # noqa: PLC0415

    if sql_folder is not None:
        for one in plans:
            folder = sql_folder / one.environment if several else sql_folder
            count = write_sql(one, folder, bench.invocation.redacted)
            bench.invocation.say(f"{count} files of SQL in {folder}")
            missing = [step.revision for step in one.steps if step.sql_error]
            if missing:
                bench.invocation.say(
                    f"Not rendered, for a reason that stands in its file: {', '.join(missing)}; "
                    f"`apply` runs it all the same ({page_path('not-rendered')})"
                )
    if out is not None and plans:
        plan = _proposed(bench, plans[0])
        write_file(out, bench.invocation.as_json(plan_json(plan), indent=2) + "\n")
        bench.invocation.say(f"Saved as {out}; `orchestrate apply {out}` carries out exactly this")
        if plans[0].steps:
            _tell_planned(bench, plans[0], out)


def _tell_planned(bench: Workbench, plan: Plan, out: Path) -> None:
    from orchestrate.cli.notifying import Notices  # noqa: PLC0415

    notices = Notices(bench, bench.environment(plan.environment), run=None)
    notices.planned(plan, file=out.name)
    notices.finish()


def _proposed(bench: Workbench, plan: Plan) -> Plan:
    """Return a plan that is to be saved; one that needs approvals with its author, journalled."""
    if not any(gate.kind == "approval" for gate in plan.gates):
        return plan
    from dataclasses import replace  # noqa: PLC0415

    from orchestrate.cli.agreeing import waiting  # noqa: PLC0415
    from orchestrate.run.approvals import person  # noqa: PLC0415

    plan = replace(plan, author=person(bench.spec.folder))
    waiting(bench, plan)
    return plan


def _print(bench: Workbench, plans: list[Plan], *, to: str | None, several: bool) -> None:
    from orchestrate.reports.plans import plan_json, plan_markdown, plan_text  # noqa: PLC0415

    match bench.invocation.format:
        case "json" if several:
            bench.invocation.json({"plans": [plan_json(one) for one in plans]})
        case "json":
            for one in plans:
                bench.invocation.json(plan_json(one))
        case "markdown":
            bench.invocation.data("\n".join(plan_markdown(one) for one in plans))
        case "text":
            bench.invocation.data("\n\n".join(plan_text(one) for one in plans))
            if any(one.steps for one in plans):
                names = plans[0].environment if not several else "ENV"
                names += f" --to {to}" if to else ""
                bench.invocation.say(
                    f"\nNothing was changed. `orchestrate apply {names}` carries it out"
                )
