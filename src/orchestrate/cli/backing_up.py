"""Copies by hand and the catalogue: making, listing, proving, pruning."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

import click

from orchestrate.cli.gating import check_identity, looked_at
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.backups import Backup, BackupOrder
from orchestrate.domain.spec import Environment
from orchestrate.errors import ExitStatus, OrchestrateError
from orchestrate.planning.backups import order_of, superfluous
from orchestrate.planning.staleness import is_empty
from orchestrate.reports.backups import backup_json, backup_text, backups_json, backups_text
from orchestrate.reports.tables import counted
from orchestrate.run.access import Access
from orchestrate.run.backups import all_backups, make_backup, needed_copies, retire
from orchestrate.run.lease_keeper import kept_lease, new_lease
from orchestrate.run.observe import observe_one
from orchestrate.run.proofs import prove
from orchestrate.run.readiness import obstacles
from orchestrate.run.row_counting import row_counts


def order_for(environment: Environment, access: Access) -> BackupOrder:
    """Return how copies of an environment are made: as declared, else by the server's program.

    Raises `backup-impossible` where nothing is declared and no program is known.
    """
    order = order_of(environment.backup)
    if order is not None:
        return order
    copies = access.dialect.copies
    if copies is None:
        raise OrchestrateError(
            "backup-impossible",
            f"How {access.dialect.title} is copied is not known",
            where=environment.name,
            hint="`backup: {strategy: command, command: [...]}` names a program that does it",
        )
    return BackupOrder(strategy=copies.strategy, destination="backups/")


def backup_environment(bench: Workbench, environment: Environment) -> int:
    """Copy an environment's database now; return the exit status."""
    seen = observe_one(bench.access(environment), bench.graphs)
    if seen.session is None or seen.access is None:
        raise AssertionError
    with seen.session as session:
        observation, _ = looked_at(bench, seen)
        check_identity(bench, observation)
        order = order_for(environment, seen.access)
        if is_empty(observation):
            raise OrchestrateError(
                "backup-impossible",
                "There is nothing to copy: the database is empty",
                where=environment.name,
            )
        found = obstacles(seen.access, order, seen.sight, session)
        if found:
            raise OrchestrateError("backup-impossible", "; ".join(found), where=environment.name)
        place = bench.scratch_place(environment, seen.access)
        wanted = new_lease(
            environment=environment.name,
            target=observation.target,
            target_key=observation.target_key,
            run=bench.identifier("backup", bench.clock.now()),
            clock=bench.clock,
            token=secrets.token_hex(6),
        )
        with kept_lease(bench.state, wanted, bench.clock) as lease:
            made = make_backup(
                place, session, order, reason="by-hand", run=None, stop=lambda: lease.lost
            )
            copies = seen.access.dialect.copies
            copy = prove(
                place,
                made,
                order,
                live_counts=(lambda: row_counts(session, copies)) if copies else None,
            )
            gone = retire(place, order, needed=needed_copies(bench.state) | {copy.id})
    if bench.invocation.format == "json":
        bench.invocation.json(backup_json(copy))
    else:
        bench.invocation.data(backup_text(copy))
        if gone:
            bench.invocation.say(f"Removed, as `keep` says: {', '.join(one.id for one in gone)}")
    return 0


def list_backups(bench: Workbench, named: Sequence[str], *, removed_too: bool) -> int:
    """Print the catalogue; return the exit status."""
    chosen = chosen_copies(bench, named, removed_too=removed_too)
    chosen.reverse()
    if bench.invocation.format == "json":
        bench.invocation.json(backups_json(chosen))
    else:
        bench.invocation.data(backups_text(chosen, now=bench.clock.now()))
    return 0


def verify_backups(bench: Workbench, named: Sequence[str], *, restore: bool) -> int:
    """Prove copies once more and print what came of it; return the exit status."""
    found: list[Backup] = []
    broken = 0
    for copy in chosen_copies(bench, named):
        try:
            environment = bench.environment(copy.environment)
            access = bench.access(environment)
            place = bench.scratch_place(environment, access)
            order = order_for(environment, access)
            found.append(prove(place, copy, order, how="restore" if restore else "list"))
        except OrchestrateError as error:
            broken += 1
            bench.invocation.complain(f"{copy.id}: {error.message} [{error.code}]")
    catalogue = {one.id: one for one in all_backups(bench.state)}
    shown = [catalogue[one.id] for one in chosen_copies(bench, named) if one.id in catalogue]
    shown.reverse()
    if bench.invocation.format == "json":
        bench.invocation.json(backups_json(shown))
    else:
        bench.invocation.data(backups_text(shown, now=bench.clock.now()))
    return int(ExitStatus.FAILED if broken else ExitStatus.DONE)


def prune_backups(bench: Workbench, named: Sequence[str], *, keep: int | None, yes: bool) -> int:
    """Remove what retention does not keep, once a person agreed; return the exit status."""
    environments = bench.chosen(named)
    needed = needed_copies(bench.state)
    everything = all_backups(bench.state)
    gone: list[Backup] = []
    for environment in environments:
        access = bench.access(environment)
        order = order_for(environment, access)
        rule = (keep, None) if keep is not None else (order.keep, order.keep_seconds)
        mine = [one for one in everything if one.environment == environment.name]
        going = [
            one
            for one in superfluous(mine, now=bench.clock.now(), keep=rule[0], keep_seconds=rule[1])
            if one.id not in needed
        ]
        if not going:
            continue
        _confirm(bench, environment, going, yes=yes)
        place = bench.scratch_place(environment, access)
        gone += retire(place, _keeping(order, rule), needed=needed)
    if bench.invocation.format == "json":
        bench.invocation.json({"removed": [one.id for one in gone]})
    elif gone:
        bench.invocation.data("\n".join(f"Removed {one.id}" for one in gone))
    else:
        bench.invocation.data("Nothing to remove")
    return 0


def _keeping(order: BackupOrder, rule: tuple[int | None, float | None]) -> BackupOrder:
    return replace(order, keep=rule[0], keep_seconds=rule[1])


def _confirm(
    bench: Workbench, environment: Environment, going: Sequence[Backup], *, yes: bool
) -> None:
    bench.invocation.say(backups_text(going, now=bench.clock.now()))
    if yes:
        return
    if not bench.invocation.may_ask:
        raise OrchestrateError(
            "no-input",
            f"Removing {counted(len(going), 'backup')} of {environment.name} has to be confirmed "
            "and nobody can be asked",
            hint="Say `--yes` where a machine decides",
        )
    typed = click.prompt(
        f"Type {click.style(environment.name, bold=True)} to remove these",
        default="",
        show_default=False,
        err=True,
    )
    if typed.strip() != environment.name:
        raise OrchestrateError("not-confirmed", "That is not its name; nothing was removed")


def chosen_copies(
    bench: Workbench, named: Sequence[str], *, removed_too: bool = False
) -> list[Backup]:
    """Return the copies of the environments, or with the names, that were given, oldest first."""
    everything = all_backups(bench.state)
    names = {one.id for one in everything}
    wanted: list[Callable[[Backup], bool]] = []
    for word in named:
        if word in names:
            wanted.append(lambda copy, word=word: copy.id == word)  # type: ignore[misc]
        else:
            name = bench.environment(word).name
            wanted.append(lambda copy, name=name: copy.environment == name)  # type: ignore[misc]
    return [
        copy
        for copy in everything
        if (removed_too or copy.removed_at is None or copy.id in named)
        and (not wanted or any(test(copy) for test in wanted))
    ]
