"""Which copy brings an environment back, for whoever has to offer it."""

from __future__ import annotations

from orchestrate.cli.workbench import Workbench
from orchestrate.domain.backups import Backup
from orchestrate.planning.chain import Chain
from orchestrate.planning.rollback import copy_to_restore
from orchestrate.run.backups import all_backups


def good_copy(
    bench: Workbench,
    chain: Chain,
    *,
    environment: str,
    heads: tuple[str, ...],
    run: str | None = None,
) -> Backup | None:
    """Return the copy to restore: the one that `run` made, else the newest of these rows or before.

    Raises `state-unavailable`.
    """
    return copy_to_restore(
        all_backups(bench.state), chain, environment=environment, heads=heads, run=run
    )
