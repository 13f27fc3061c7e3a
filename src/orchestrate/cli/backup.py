"""`orchestrate backup` and `backups`: a copy by hand, and the catalogue of all copies."""

from __future__ import annotations

import click

from orchestrate.cli.invocation import (
    Invocation,
    environment_argument,
    global_options,
    one_environment,
)
from orchestrate.errors import OrchestrateError


@click.command()
@environment_argument
@global_options
@click.pass_obj
def backup(
    invocation: Invocation, *, environment: str | None, environment_option: str | None
) -> int:
    """Copy the database of ENV now, as its `backup` says, and prove the copy.

    Without `backup` in the spec, the server's own program copies it to the folder `backups`.
    """
    from orchestrate.cli.backing_up import backup_environment  # noqa: PLC0415  (`--help` is quick)
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    bench = Workbench(invocation)
    declared = bench.environment(one_environment(environment, environment_option))
    return backup_environment(bench, declared)


@click.command()
@click.argument("words", nargs=-1, metavar="[verify|prune] [ENV|BACKUP]...")
@click.option("--env", "environment", metavar="ENV", help="Those of this environment alone.")
@click.option("--all", "removed_too", is_flag=True, help="List removed copies as well.")
@click.option("--restore", is_flag=True, help="verify: restore each copy into a scratch database.")
@click.option("--keep", type=click.IntRange(min=1), help="prune: how many, in place of the spec's.")
@click.option("--yes", is_flag=True, help="prune: do not ask.")
@global_options
@click.pass_obj
def backups(
    invocation: Invocation,
    *,
    words: tuple[str, ...],
    environment: str | None,
    removed_too: bool,
    restore: bool,
    keep: int | None,
    yes: bool,
) -> int:
    """List the copies of all environments, or of ENV, newest first.

    `backups verify` reads every copy to its end and compares it with what was recorded; with
    `--restore` it is put back into a scratch database and compared there. `backups prune` removes
    what the spec's `keep` does not keep, never the last good one.
    """
    from orchestrate.cli.backing_up import list_backups, prune_backups, verify_backups  # noqa: PLC0415
    from orchestrate.cli.workbench import Workbench  # noqa: PLC0415

    action = words[0] if words and words[0] in {"verify", "prune"} else "list"
    named = (*(words[1:] if action != "list" else words), *([environment] if environment else ()))
    _refuse_foreign(action, restore=restore, keep=keep, yes=yes, removed_too=removed_too)
    bench = Workbench(invocation)
    match action:
        case "verify":
            return verify_backups(bench, named, restore=restore)
        case "prune":
            return prune_backups(bench, named, keep=keep, yes=yes)
        case _:
            return list_backups(bench, named, removed_too=removed_too)


def _refuse_foreign(
    action: str, *, restore: bool, keep: int | None, yes: bool, removed_too: bool
) -> None:
    given = {
        "--restore": (restore, "verify"),
        "--keep": (keep is not None, "prune"),
        "--yes": (yes, "prune"),
        "--all": (removed_too, "list"),
    }
    for option, (is_given, owner) in given.items():
        if is_given and action != owner:
            command = "backups" if owner == "list" else f"backups {owner}"
            raise OrchestrateError("usage", f"`{option}` goes with `orchestrate {command}`")
