"""`orchestrate history` and `show`: the journal, for people and as JSON."""

from __future__ import annotations

import click

from orchestrate.cli.invocation import Invocation, environment_argument, global_options
from orchestrate.errors import OrchestrateError


@click.command()
@environment_argument
@click.option("--verify", is_flag=True, help="Check the journal's hash chain.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="How many runs at the most.",
)
@global_options
@click.pass_obj
def history(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    verify: bool,
    limit: int,
) -> int:
    """List runs, newest first, of ENV or of all environments."""
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.reports.runs import history_text, runs_json  # noqa: PLC0415
    from orchestrate.run.journal import runs_with_steps  # noqa: PLC0415

    bench = Workbench(invocation)
    if verify:
        return _verify(bench)
    name = environment or environment_option
    wanted = bench.environment(name).name if name else None
    runs = [
        run for run in reversed(runs_with_steps(bench.state)) if wanted in {None, run.environment}
    ][:limit]
    if invocation.format == "json":
        invocation.json(runs_json(runs))
    else:
        invocation.data(history_text(runs, now=bench.clock.now()))
    return 0


def _verify(bench: object) -> int:
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415
    from orchestrate.run.journal import broken_chain  # noqa: PLC0415

    if not isinstance(bench, Workbench):
        raise TypeError
    report = bench.state.verify()
    broken = broken_chain(report)
    if broken:
        raise broken
    if bench.invocation.format == "json":
        bench.invocation.json({"verified": True, "events": report.count})
    else:
        bench.invocation.data(f"The hash chain holds: {report.count} events")
    return 0


@click.command()
@click.argument("run")
@global_options
@click.pass_obj
def show(invocation: Invocation, *, run: str) -> int:
    """Show RUN with all its steps, those that have not begun included."""
    from orchestrate.cli.put_back import left_by  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.reports.restores import LEFT  # noqa: PLC0415
    from orchestrate.reports.runs import run_json, run_text  # noqa: PLC0415
    from orchestrate.run.journal import run_with_steps  # noqa: PLC0415
    from orchestrate.stores.plan_files import plan_from_text  # noqa: PLC0415

    bench = Workbench(invocation)
    found = run_with_steps(bench.state, run)
    if found is None:
        raise OrchestrateError(
            "unknown-run",
            f"The journal has no run `{run}`",
            hint="`orchestrate history` lists them",
        )
    left = left_by(bench, found)
    if invocation.format == "json":
        invocation.json({**run_json(found), **({"left": left} if left else {})})
        return 0
    plan = plan_from_text(bench.state.load_plan(found.plan_id), where=f"plan {found.plan_id}")
    invocation.data(run_text(found, plan))
    if left:
        invocation.data(f"\nIt was cut off; {LEFT[left]}")
    return 0
