"""`orchestrate alembic ENV -- ARGS`: any command of Alembic's, with everything filled in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from orchestrate.cli.invocation import (
    Invocation,
    environment_argument,
    global_options,
    override_options,
)
from orchestrate.errors import OrchestrateError

if TYPE_CHECKING:
    from orchestrate.cli.workbench import Workbench
    from orchestrate.domain.spec import Environment
    from orchestrate.planning.alembic_calls import Move, Stamp
    from orchestrate.run.access import Access
    from orchestrate.run.observe import Seen
    from orchestrate.run.session import Session


@click.command()
@environment_argument
@click.argument("arguments", nargs=-1, metavar="-- ARGS...", type=click.UNPROCESSED)
@click.option("--yes", is_flag=True, help="Do not ask for the environment's name.")
@override_options
@global_options
@click.pass_obj
def alembic(
    invocation: Invocation,
    *,
    environment: str | None,
    environment_option: str | None,
    arguments: tuple[str, ...],
    yes: bool,
) -> int:
    """Run `alembic ARGS` in the project of ENV, its own Python, URL and options filled in.

    What only looks or writes files is run as it is. What changes the database (`upgrade`,
    `downgrade`, `stamp`) is planned, confirmed, journalled and resumable, as with `apply` and
    `stamp`.
    """
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415  (`--help` is quick)

    name, typed = _split(environment, environment_option, arguments)
    bench = Workbench(invocation)
    return _run(bench, bench.environment(name), typed, yes=yes)


def _split(
    environment: str | None, option: str | None, arguments: tuple[str, ...]
) -> tuple[str, list[str]]:
    """Return the environment and what is Alembic's: with `--env` the first word is Alembic's."""
    typed = list(arguments)
    if option:
        if environment:
            typed.insert(0, environment)
        environment = option
    if not environment:
        raise OrchestrateError(
            "usage",
            "No environment was named, and there is no default one",
            hint="`orchestrate alembic ENV -- current`, for one",
        )
    if not typed:
        raise OrchestrateError(
            "usage",
            "No command of Alembic's was given",
            hint=f"`orchestrate alembic {environment} -- --help` lists them",
        )
    return environment, typed


def _run(bench: Workbench, environment: Environment, typed: Sequence[str], *, yes: bool) -> int:
    from orchestrate.cli.blocking import blocked_event  # noqa: PLC0415
    from orchestrate.planning.alembic_calls import Look, Stamp, judge_call  # noqa: PLC0415
    from orchestrate.run.explaining import explained  # noqa: PLC0415
    from orchestrate.run.observe import observe_one, open_session  # noqa: PLC0415

    echo = _Echo(bench.invocation)
    access = replace(bench.access(environment), on_output=echo)
    with open_session(access) as session:
        try:
            call = session.alembic_arguments(typed)
            if call.help_text is not None:
                bench.invocation.data(call.help_text)
                return 0
            meaning = judge_call(
                call,
                config=access.project["config"],
                section=access.project["section"],
                given_x=access.project["x"],
            )
            if isinstance(meaning, Look):
                return _look(bench, session, typed)
        except OrchestrateError as error:
            session.kill()
            told = explained(error, access)
            raise _placed(bench, environment, access, told) from error
        echo.wanted = bench.invocation.verbosity > 0
        with blocked_event(bench, environment.name):
            bench.refuse_unenforced(environment)
            session.access = session.access.given(meaning.arguments)
            seen = observe_one(session.access, bench.graphs, session=session)
            command = shlex.join(["alembic", *typed])
            if isinstance(meaning, Stamp):
                return _stamp(bench, environment, seen, meaning, yes=yes, command=command)
            return _move(bench, environment, seen, meaning, yes=yes, command=command)


def _placed(
    bench: Workbench, environment: Environment, access: Access, error: OrchestrateError
) -> OrchestrateError:
    """Return an error of Alembic's about where the database stands with where that is."""
    from orchestrate.cli.gating import looked_at, refuse_unknown  # noqa: PLC0415
    from orchestrate.planning.staleness import words  # noqa: PLC0415
    from orchestrate.planning.standing import judge  # noqa: PLC0415
    from orchestrate.planning.troubles import placed  # noqa: PLC0415
    from orchestrate.reports.tables import counted  # noqa: PLC0415
    from orchestrate.run.observe import observe_one  # noqa: PLC0415

    if error.trouble not in {"not-up-to-date", "unknown-database-revision"}:
        return error
    try:
        seen = observe_one(access, bench.graphs)
        if seen.session is not None:
            seen.session.agent.close()
        observation, chain = looked_at(bench, seen)
        refuse_unknown(bench, environment, observation, chain)
        pending = judge(observation, chain, to="heads").pending
    except OrchestrateError as other:
        return other if other.code == "unknown-database-revision" else error
    if not pending:
        return error
    where = f"at {words(observation.heads)}, {counted(pending, 'revision')} behind "
    return placed(error, environment.name, where + words(chain.heads))


class _Echo:
    """Shows what the project prints beside its data: Alembic shows it too, a run keeps it back."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self.wanted = True

    def __call__(self, line: str) -> None:
        if self.wanted:
            self._invocation.say(line)


def _look(bench: Workbench, session: Session, typed: Sequence[str]) -> int:
    lines = session.alembic(typed)
    if bench.invocation.format == "json":
        value = {"argv": list(typed), "output": "".join(f"{line}\n" for line in lines)}
        bench.invocation.json(value, indent=None)
        return 0
    for line in lines:
        bench.invocation.data(line)
    return 0


def _move(
    bench: Workbench,
    environment: Environment,
    seen: Seen,
    move: Move,
    *,
    yes: bool,
    command: str,
) -> int:
    from orchestrate.cli.applying import apply_environment  # noqa: PLC0415
    from orchestrate.cli.rolling_back import Wanted, roll_back  # noqa: PLC0415

    if move.direction == "downgrade":
        back = Wanted(to=move.to, command=command, arguments=move.arguments)
        return roll_back(bench, environment, seen, back, yes=yes)
    seen.load_pending()
    return apply_environment(
        bench,
        environment,
        seen,
        to=move.to,
        yes=yes,
        command=command,
        arguments=move.arguments,
    )


def _stamp(
    bench: Workbench,
    environment: Environment,
    seen: Seen,
    stamp: Stamp,
    *,
    yes: bool,
    command: str,
) -> int:
    from orchestrate.cli.stamping import Claim, stamp_environment  # noqa: PLC0415

    claim = Claim(
        revisions=stamp.revisions,
        purge=stamp.purge,
        command=command,
        arguments=stamp.arguments,
    )
    return stamp_environment(bench, environment, seen, claim, yes=yes)
