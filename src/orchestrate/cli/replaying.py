"""The schema that a project's own revisions make, on a scratch database beside a target."""

from __future__ import annotations

import secrets

from orchestrate.cli.workbench import Workbench
from orchestrate.domain.snapshot import Snapshot
from orchestrate.domain.spec import Environment
from orchestrate.planning.chain import Chain
from orchestrate.planning.staleness import words
from orchestrate.run.access import Access
from orchestrate.run.scratch import replayed, scratch_database


def replayed_schema(
    bench: Workbench,
    environment: Environment,
    access: Access,
    chain: Chain,
    heads: tuple[str, ...],
) -> Snapshot:
    """Return the schema of these rows, made anew beside the target of `access`.

    Raises `scratch-unavailable`, and what befalls a revision on an empty database.
    """
    project = bench.spec.project_of(environment)
    if bench.invocation.format != "json":
        bench.invocation.say(
            f"Comparing the schema of {environment.name} with {words(heads)}, "
            "made anew in a scratch database"
        )
    place = bench.scratch_place(environment, access)
    with scratch_database(place, secrets.token_hex(6)) as scratch:
        return replayed(
            scratch,
            chain,
            heads,
            transactions=project.transactions,
            baseline=project.baseline,
        )
