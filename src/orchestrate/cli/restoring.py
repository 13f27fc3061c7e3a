"""The way of a restore: which copy, into what, a safety copy first, and a run of its own."""

from __future__ import annotations

from orchestrate import __version__
from orchestrate.cli.backing_up import order_for
from orchestrate.cli.beginning import Others
from orchestrate.cli.blocking import blocked_event
from orchestrate.cli.carrying import carry_out
from orchestrate.cli.gates import check_overrides, gated, overrides, refuse_closed
from orchestrate.cli.gating import (
    check_identity,
    confirm,
    looked_at,
    refuse_unfinished,
    retries_of,
    show_plan,
)
from orchestrate.cli.resuming import choose_run, nothing_unfinished
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.backups import Backup
from orchestrate.domain.findings import Finding
from orchestrate.domain.names import did_you_mean
from orchestrate.domain.observation import Observation
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.actions import around_of
from orchestrate.planning.backups import in_place_finding, restore_step
from orchestrate.planning.plan_maker import Wish, assembled
from orchestrate.planning.staleness import is_empty, words
from orchestrate.run.access import Access
from orchestrate.run.backups import all_backups, kept_at
from orchestrate.run.exchanging import exchange_of, obstacle
from orchestrate.run.observe import observe_one
from orchestrate.run.session import Session
from orchestrate.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """What a person wants put back."""

    backup: str
    replace: bool
    """What is in the database may go."""
    yes: bool
    ends: str | None = None
    """The unfinished run that is over afterwards."""
    command: str | None = None
    """What was typed in place of `restore`, for the journal."""


def restore_environment(bench: Workbench, environment: Environment, wanted: Restoring) -> int:
    """Put a copy into an environment's database; return the exit status.

    Raises `unknown-backup`, `backup-broken`, `target-not-empty`, and what the gates of every run
    raise.
    """
    check_overrides(bench)
    bench.refuse_unenforced(environment)
    copy = find_backup(bench, wanted.backup)
    seen = observe_one(bench.access(environment), bench.graphs)
    if seen.session is None or seen.access is None:
        raise AssertionError
    with seen.session as session:
        observation, chain = looked_at(bench, seen)
        verdict = check_identity(bench, observation)
        refuse_unfinished(bench, observation, but=(wanted.ends,))
        _refuse_unfit(seen.access, copy, observation)
        if not (is_empty(observation) or wanted.replace):
            raise OrchestrateError(
                "target-not-empty",
                f"{environment.name} is not empty: it is at {words(observation.heads)} and has "
                f"{observation.tables} tables; nothing was changed",
                where=environment.name,
                hint="`--replace` copies what is there and then replaces all of it",
            )
        order = order_for(environment, seen.access)
        wish = Wish(
            environment=environment.name,
            direction="restore",
            to=copy.id,
            transactions="session",
            spec_digest=bench.spec.spec_digest(environment),
            backup=None if "backup" in overrides(bench) else order,
            around=around_of(environment),
        )
        now = bench.clock.now()
        exchange, findings = _way_of(bench, session, copy)
        plan = assembled(
            wish,
            observation,
            "session",
            (restore_step(order, copy, observation, number=1, exchange=exchange),),
            findings=findings,
            plan_id=bench.identifier("plan", now),
            now=now,
            tool_version=__version__,
        )
        plan = gated(bench, environment, seen, plan, verdict)
        show_plan(bench, plan, yes=wanted.yes)
        refuse_closed(bench, plan)
        confirm(bench, plan, yes=wanted.yes)
        return carry_out(
            bench,
            plan,
            session,
            chain,
            run=None,
            lock_retries=retries_of(environment),
            command=wanted.command,
            others=Others(ends=wanted.ends),
        )


def _way_of(bench: Workbench, session: Session, copy: Backup) -> tuple[bool, tuple[Finding, ...]]:
    """Return whether the copy is exchanged with what is there, and what is to be said if not."""
    if exchange_of(session.access) is None or copy.strategy == "command":
        return False, ()
    why = obstacle(session, bench.state, copy)
    return why is None, () if why is None else (in_place_finding(why),)


def find_backup(bench: Workbench, identifier: str) -> Backup:
    """Return the copy of a name. Raises `unknown-backup`, or `backup-broken` if it is not good."""
    catalogue = {one.id: one for one in all_backups(bench.state)}
    found = catalogue.get(identifier)
    if found is None:
        there = [one.id for one in catalogue.values() if one.removed_at is None]
        near = did_you_mean(identifier, there)
        raise OrchestrateError(
            "unknown-backup",
            f"The catalogue has no backup `{identifier}`",
            hint=near or "`orchestrate backups` lists them",
        )
    if not found.good:
        why = found.broken or "it was removed"
        raise OrchestrateError(
            "backup-broken",
            f"{identifier} cannot be put back: {why}",
            hint="`orchestrate backups` lists the others",
        )
    return found


def _refuse_unfit(access: Access, copy: Backup, observation: Observation) -> None:
    """Raise what can be known before anything is touched."""
    if copy.dialect != observation.dialect:
        raise OrchestrateError(
            "usage",
            f"{copy.id} is a copy of {copy.server_version} and {observation.environment} is "
            f"{observation.server_version}",
        )
    if copy.strategy == "command":
        return
    with kept_at(access, copy) as destination:
        size = destination.size(copy.file)
    if size != copy.bytes:
        found = "is not there" if size is None else f"has {size} bytes, and had {copy.bytes}"
        raise OrchestrateError(
            "backup-broken",
            f"{copy.location} {found}",
            hint="`orchestrate backups verify` tells which copies are good",
        )


def restore_of_run(bench: Workbench, *, run: str | None, environment: str | None, yes: bool) -> int:
    """Put back the copy that an unfinished run began with, and end that run; return the status."""
    chosen = choose_run(bench, run=run, environment=environment)
    if chosen is None:
        return nothing_unfinished(bench)
    with blocked_event(bench, chosen.environment):
        copies = [one for one in all_backups(bench.state) if one.run == chosen.id and one.good]
        if not copies:
            raise OrchestrateError(
                "unknown-backup",
                f"{chosen.id} made no backup that could be put back",
                where=chosen.environment,
                hint=f"`orchestrate backups {chosen.environment}` lists others, which "
                f"`orchestrate restore {chosen.environment} BACKUP --replace` puts back after "
                f"`orchestrate abort {chosen.id}`",
            )
        wanted = Restoring(
            backup=copies[-1].id,
            replace=True,
            yes=yes,
            ends=chosen.id if chosen.unfinished else None,
            command=f"resume {chosen.id} --restore",
        )
        return restore_environment(bench, bench.environment(chosen.environment), wanted)
