"""What is said of a database at a revision that this checkout lacks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrate.domain.sightings import Commit, Seen, Sighting
from orchestrate.errors import OrchestrateError

_MOST_BRANCHES: Final = 3


def unknown_rows(
    environment: str, unknown: Sequence[str], sightings: Mapping[str, Seen]
) -> OrchestrateError:
    """Return the error that names each row, where git has seen it, and how to have it again.

    `sightings` has an entry for what was searched for; one without was not, or could not be.
    """
    first = unknown[0]
    told = [f"`{one}`, which this checkout lacks{_seen(one, sightings)}" for one in unknown]
    message = f"{environment} is at {', and at '.join(told)}"
    return OrchestrateError(
        "unknown-database-revision",
        message,
        hint=_hint(environment, first, sightings),
        where=environment,
    )


def _seen(identifier: str, sightings: Mapping[str, Seen]) -> str:
    sighting = sightings.get(identifier)
    if sighting is None:
        return ""
    if sighting.on_disk:
        return f"; `{sighting.file}` has it, which the project does not read"
    added = f"; it was added{_on(sighting)} in {_commit(sighting.added)} as `{sighting.file}`"
    if sighting.deleted:
        return f"{added} and deleted here in {_commit(sighting.deleted)}"
    return added


def _on(sighting: Sighting) -> str:
    names = sighting.branches
    if not names or sighting.in_head:
        return ""
    rest = len(names) - _MOST_BRANCHES
    shown = ", ".join(names[:_MOST_BRANCHES]) + (f" and {rest} more" if rest > 0 else "")
    return f" on {'branch' if len(names) == 1 else 'branches'} {shown}"


def _commit(commit: Commit) -> str:
    return f"commit {commit.id} ({commit.date}, {commit.author})"


def _hint(environment: str, identifier: str, sightings: Mapping[str, Seen]) -> str:
    plan = f"then `orchestrate plan {environment}`"
    if identifier not in sightings:
        return (
            "The database was migrated from another branch or a newer checkout: use that one; "
            f"where there is a git clone, `git log --all -- '*{identifier}*'` finds the file"
        )
    sighting = sightings[identifier]
    if sighting is None:
        return (
            f"No commit of this clone has it: `git fetch --all`, {plan}; else ask who migrated "
            "it, from where"
        )
    if sighting.on_disk:
        return (
            "`version_locations` or `directory` in the spec say which folders the project reads, "
            f"{plan}"
        )
    if sighting.branches and not sighting.in_head:
        return f"`git checkout {sighting.branches[0]}`, or merge it, {plan}"
    return f"`git checkout {sighting.added.id} -- ':/{sighting.file}'` brings the file back, {plan}"
