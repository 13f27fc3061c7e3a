"""From what was found of an environment to checks, each with one sentence and a remedy.

Pure. A problem keeps `plan` or `apply` from working; a warning is what will surprise somebody.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from orchestrate.domain.diagnosis import Check, Interpreter, Survey
from orchestrate.domain.equipment import Program
from orchestrate.domain.observation import Observation
from orchestrate.planning.chain import Chain
from orchestrate.planning.env_reading import Reading
from orchestrate.planning.standing import tables_missing, unversioned
from orchestrate.planning.troubles import merge_command

_OLDEST: Final = {"Python": (3, 8), "alembic": (1, 8), "sqlalchemy": (1, 4)}
_SHADOWED: Final = frozenset({"alembic", "sqlalchemy", *sys.stdlib_module_names})


def version_of(text: str) -> tuple[int, ...]:
    """Return the numbers at the beginning of a version: `2.1.0b1` is (2, 1, 0)."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def check_interpreter(found: Interpreter, *, here: str) -> Iterator[Check]:
    """Say which Python it is and whether it and its packages are supported."""
    place = f" on {found.host}" if found.host != here else ""
    yield _version("interpreter", "Python", found.python, f" at {found.executable}{place}")
    yield _version("alembic", "alembic", found.alembic)
    yield _version("sqlalchemy", "sqlalchemy", found.sqlalchemy)


def _version(check: str, name: str, version: str, more: str = "") -> Check:
    oldest = _OLDEST[name]
    shown = {"alembic": "Alembic", "sqlalchemy": "SQLAlchemy"}.get(name, name)
    if version_of(version)[:2] >= oldest:
        return Check(check=check, status="ok", message=f"{shown} {version}{more}")
    wanted = ".".join(str(part) for part in oldest)
    return Check(
        check=check,
        status="problem",
        message=f"{shown} {version}{more} is older than {wanted}, the oldest that is supported",
        hint=f"`pip install '{name}>={wanted}'` there"
        if name != "Python"
        else "Point `runner` at a newer Python with the project's packages",
    )


def check_project(survey: Survey, sight: Observation | None) -> Iterator[Check]:
    """Say where the scripts are, and what of them Alembic will not see (P6, P11)."""
    if survey.trouble is not None:
        yield Check(
            check="project",
            status="problem",
            message=survey.trouble,
            hint="`config`, `section`, `directory` and `script_location` under `project` say where "
            "the Alembic project is",
        )
        return
    message = f"Scripts in {survey.script_location}"
    if survey.env is None:
        yield Check(
            check="project",
            status="problem",
            message=f"There is no env.py in {survey.script_location}",
            hint="`script_location` names the folder that has it",
        )
    else:
        yield Check(check="project", status="ok", message=message)
    yield from _strays(survey, sight)
    beside = survey.folders.get(survey.directory, ())
    shadowing = sorted(_SHADOWED & set(beside) - {"__init__"})
    if shadowing:
        names = ", ".join(f"`{name}`" for name in shadowing)
        yield Check(
            check="names",
            status="warning",
            message=f"{names} in {survey.directory} has the name of a library: it hides the "
            "library where Python starts in that folder",
            hint="orchestrate puts the folder last on `sys.path`, so that nothing is hidden here; "
            "plain `alembic` and `python` there may need another name for it",
        )


def _strays(survey: Survey, sight: Observation | None) -> Iterator[Check]:
    """Tell of revision files that no version location has."""
    places = sight.version_locations if sight else survey.version_locations
    strays = {
        folder: count
        for folder, count in survey.strays.items()
        if not any(_same_place(folder, place) for place in places)
    }
    by_env = sight is not None and any(
        not any(_same_place(one, place) for place in survey.version_locations) for one in places
    )
    for folder, count in strays.items():
        if by_env:
            yield Check(
                check="version-locations",
                status="ok",
                message=f"env.py chooses the version locations; {count} revision files in {folder} "
                "are not for this database",
            )
        else:
            yield Check(
                check="version-locations",
                status="warning",
                message=f"{folder} has {count} file{'' if count == 1 else 's'} that look like "
                "revisions, and Alembic does not read that folder",
                hint="If they belong to the chain, name the folder in `version_locations` under "
                "`project`, or have a `hook` do what the project's own program does",
            )


def _same_place(one: str, other: str) -> bool:
    return PurePath(one) == PurePath(other)


def check_database(sight: Observation) -> Iterator[Check]:
    """Say which server it is, and what stands between."""
    yield Check(check="database", status="ok", message=f"{sight.server_version}: {sight.identity}")
    if sight.pooled:
        yield Check(
            check="pooler",
            status="warning",
            message="A connection pooler gives each transaction another server session: locks and "
            "timeouts of a session mean nothing there",
            hint="Migrate through the server's own port, past the pooler",
        )


def check_version_table(sight: Observation, environment: str) -> Check:
    """Say which version table it is, whether it is there, and whether it stands alone."""
    name = f"`{sight.version_table}`"
    alone = tables_missing(sight)
    if alone is not None:
        return Check(
            check="version-table",
            status="problem",
            message=f"{alone[0].upper()}{alone[1:]}",
            hint=f"`orchestrate stamp {environment} base` if it is to begin anew, else restore a "
            "backup",
            trouble="tables-missing",
        )
    if sight.heads or (sight.has_version_table and not sight.tables):
        rows = f"{len(sight.heads)} row{'' if len(sight.heads) == 1 else 's'}"
        heads = f": {', '.join(sight.heads)}" if sight.heads else ""
        return Check(check="version-table", status="ok", message=f"{name} has {rows}{heads}")
    if sight.tables:
        found = unversioned(sight)
        return Check(
            check="version-table",
            status="warning",
            message=f"{found[0].upper()}{found[1:]} in {name}",
            hint=f"If the schema is at a revision already, `orchestrate stamp {environment} REV` "
            "records it; upgrading from the beginning would find tables that exist",
            trouble="unversioned",
        )
    return Check(
        check="version-table", status="ok", message=f"{name} will be made: the database is empty"
    )


def check_transactions(sight: Observation, reading: Reading, mode: str) -> Check:
    """Say how revisions are committed, and what a failure leaves (P3, P15)."""
    habits = sight.habits
    if habits.external_transaction and mode != "native":
        if reading.commits:
            return Check(
                check="transactions",
                status="ok",
                message="env.py opens a transaction of its own before `configure()`: env.py is run "
                "once for each revision, so that each is committed by itself",
            )
        return Check(
            check="transactions",
            status="warning",
            message="A transaction is open before `configure()` and env.py commits none of its "
            "own: revisions may run and never be committed (`not-committed`)",
            hint="Mostly a statement before `context.configure()` that begins a transaction by "
            "itself: commit it there, or use `with connectable.begin() as connection:`",
            trouble="external-transaction",
        )
    if mode == "native":
        text = "As env.py has it (`transactions: native`): all revisions of a run or none"
    elif habits.transaction_per_migration:
        text = "env.py commits each revision by itself"
    else:
        text = "A commit after each revision, where env.py alone would commit all of them at once"
    if not habits.transactional_ddl:
        text += "; the server does not undo DDL, so a revision that fails may be half applied"
    return Check(check="transactions", status="ok", message=text)


def check_engine(sight: Observation) -> Check:
    """Say whether env.py is asynchronous, and with which driver."""
    kind = "asynchronous" if sight.habits.asynchronous else "synchronous"
    return Check(
        check="engine", status="ok", message=f"env.py is {kind}, with the driver {sight.driver}"
    )


def check_revisions(chain: Chain, sight: Observation, *, environment: str) -> Iterator[Check]:
    """Say how many revisions and which heads there are (P6)."""
    count = len(chain.graph.revisions)
    if not count:
        yield Check(
            check="revisions",
            status="problem",
            message="The project has no revision, as Alembic loads it",
            hint="A new project gets one by `alembic revision`. If it has some, its own program "
            "sets `version_locations`: say them under `project`, or have a `hook` do it",
        )
        return
    revisions = f"{count} revision{'' if count == 1 else 's'}"
    if len(chain.heads) > 1:
        heads = ", ".join(f"`{one}`" for one in chain.heads)
        labels = {label for one in chain.graph.revisions for label in one.labels}
        yield Check(
            check="heads",
            status="ok" if labels else "warning",
            message=f"{revisions} with {len(chain.heads)} heads: {heads}",
            hint=None
            if labels
            else f"If they are not meant as branches: `{merge_command(environment)}`",
            trouble=None if labels else "multiple-heads",
        )
    elif not chain.unknown(sight.heads):
        known = f", and knows {', '.join(sight.heads)}" if sight.heads else ""
        yield Check(
            check="revisions", status="ok", message=f"{revisions} up to {chain.heads[0]}{known}"
        )


def check_traces(sight: Observation) -> Iterator[Check]:
    """Tell what running env.py leaves behind beside the target (P12)."""
    made = [f"`{name}`" for name in sight.made_files]
    if made:
        yield Check(
            check="side-effects",
            status="warning",
            message=f"While env.py ran, {', '.join(made)} appeared in the project's directory",
            hint="What env.py imports has effects of its own: give it its settings by `env` under "
            "`inject`, or a `directory` where they do no harm",
        )
    unmade = [f"`{name}`" for name in sight.unmade_databases]
    if unmade:
        yield Check(
            check="side-effects",
            status="warning",
            message=f"env.py, or what it imports, opens {', '.join(unmade)} as well, which is not "
            "the target; it was kept from creating it",
            hint="It takes a default where it finds no setting: name the variable in `env` under "
            "`inject`",
        )


def check_programs(
    programs: Sequence[Program], versions: Mapping[str, str | None], server: str
) -> Iterator[Check]:
    """Say whether the programs that backups need are there, and not older than the server."""
    wanted = version_of(server.rpartition(" ")[2])
    found, missing = [], []
    for program in programs:
        name = next((name for name in program.names if versions.get(name) is not None), None)
        if name is None:
            missing.append(program.names[0])
            continue
        match = re.search(program.version, versions[name] or "")
        version = match[1] if match else ""
        found.append(f"{name} {version}".rstrip())
        if version and version_of(version)[: program.parts] < wanted[: program.parts]:
            yield Check(
                check="programs",
                status="warning",
                message=f"{name} {version} is older than the server ({server}): it may refuse to "
                "copy it, or leave out what it does not know",
                hint="Install the client programs of the server's version",
            )
            found.pop()
    if missing:
        yield Check(
            check="programs",
            status="warning",
            message=f"There is no {' or '.join(missing)} where the project runs",
            hint="Backups need the server's client programs; migrations do not",
        )
    if found:
        yield Check(check="programs", status="ok", message=", ".join(found))


def check_heads_by_dialect(
    heads: Mapping[str, tuple[str, tuple[str, ...]]], environment: str
) -> Check | None:
    """Tell when environments of one project have other heads because of their server (P7).

    `heads` has dialect and heads of each environment of the project.
    """
    dialect, mine = heads[environment]
    others = {kind: ends for kind, ends in heads.values() if kind != dialect and ends != mine}
    if not others:
        return None
    told = "; ".join(f"{', '.join(ends)} on {kind}" for kind, ends in others.items())
    return Check(
        check="heads-by-dialect",
        status="warning",
        message=f"The chain ends at {', '.join(mine)} on {dialect}, and at {told}",
        hint="One `to: REVISION` does not fit all: leave it at `heads`, and do not promote from "
        "one to the other with `after`",
    )
