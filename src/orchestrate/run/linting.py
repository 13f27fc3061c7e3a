"""What lint needs to know: revision files as text, their SQL rendered offline, sizes, the journal.

Nothing is written to any database, and without an environment none is reached.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from orchestrate.adapters.agent_process import Message
from orchestrate.adapters.squawk import Squawk, squawk_at_work
from orchestrate.domain.findings import Finding
from orchestrate.domain.locks import TableSize, version_numbers
from orchestrate.domain.observation import Observation
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.errors import OrchestrateError
from orchestrate.planning.linting import Rendered, placed_squawk
from orchestrate.planning.revision_places import statement_line
from orchestrate.planning.revision_sources import read_revision
from orchestrate.planning.squawk_rules import is_told
from orchestrate.planning.staleness import is_empty
from orchestrate.planning.statement_rules import Server
from orchestrate.planning.statements import read_statements
from orchestrate.planning.troubles import explain_rendering
from orchestrate.run.access import Access
from orchestrate.run.session import Session
from orchestrate.run.table_sizes import sizes_from
from orchestrate.values import dataclass

_SETTINGS: Final = ".squawk.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A project's files as they lie here."""

    sources: tuple[RevisionSource, ...]
    local: frozenset[str]
    """Names of modules that lie beside the project."""


def survey_files(session: Session) -> Mapping[str, Any]:
    """Ask where the revisions lie; neither env.py nor a revision is run, no database reached.

    Raises `project-unreadable`.
    """
    found = session.ask("survey", modules=[], programs=[])
    if found["trouble"]:
        raise OrchestrateError("project-unreadable", str(found["trouble"]))
    return found


def local_locations(found: Mapping[str, Any], project: Path) -> list[Path]:
    """Return where the version locations that a survey told of are on this machine.

    In a container they have other paths: there they are looked for below the project's folder here.
    """
    places = []
    for location in found["version_locations"]:
        here = Path(location)
        if not here.is_dir():
            here = project / os.path.relpath(location, found["directory"])
        places.append(here)
    return places


def read_checkout(locations: Iterable[Path], found: Mapping[str, Any], folder: Path) -> Checkout:
    """Read the revisions of the locations; those at a far end are not here to be read."""
    paths = [path for location in locations for path in sorted(location.glob("*.py"))]
    names = {name for names in found["folders"].values() for name in names}
    return Checkout(sources=read_files(paths, folder), local=frozenset(names))


def read_files(paths: Iterable[Path], folder: Path) -> tuple[RevisionSource, ...]:
    """Read revision files as text; what is no revision, or is not there, is left out."""
    found = []
    base = f"{folder.resolve()}{os.sep}"
    places: dict[Path, str] = {}
    for path in paths:
        if path.parent not in places:
            places[path.parent] = f"{path.parent.resolve()}{os.sep}".removeprefix(base)
        try:
            content = path.read_bytes()
        except OSError:
            continue
        shown = f"{places[path.parent]}{path.name}"
        source = read_revision(shown.replace(os.sep, "/"), content)
        if source is not None:
            found.append(source)
    return tuple(found)


def render_soon(session: Session) -> Iterator[Mapping[str, Rendered]]:
    """Have all revisions rendered while we read them; make no other request before the end.

    Yields what is rendered, some revisions at a time, so that it can be read meanwhile.
    """
    messages = session.agent.begin(
        "render",
        deadline=session.access.agent_timeout,
        **session.access.common,
        steps=None,
        only_plain=True,
        ways=["up"],
        soon=True,
    )
    return _batches(messages)


def _batches(messages: Iterable[Message]) -> Iterator[Mapping[str, Rendered]]:
    for message in messages:
        if message.event == "rendered":
            yield _rendered(message.fields["sql"])
        elif message.event == "result":
            yield _rendered(message.fields["result"]["sql"])


def render(session: Session, revisions: Sequence[str]) -> Mapping[str, Rendered]:
    """Have some revisions rendered."""
    return _rendered(session.render_upgrades(revisions))


def _rendered(found: Mapping[str, Any]) -> dict[str, Rendered]:
    return {
        revision: Rendered(
            sql=one["up"] if one["up_error"] is None else None,
            problem=explain_rendering(one["up_error"]) if one["up_error"] else None,
        )
        for revision, one in found.items()
    }


def server_unseen(access: Access) -> Server:
    """Return the server of an environment that nobody asked anything."""
    dialect = access.dialect
    return Server(title=dialect.title, grammar=dialect.grammar, locks=dialect.locks)


def server_seen(access: Access, session: Session, observation: Observation) -> Server:
    """Return the server of an environment, with how large its tables are.

    The last thing that is asked of a session: what the server refuses ends it.
    """
    dialect = access.dialect
    return Server(
        title=observation.server_version,
        grammar=dialect.grammar,
        locks=dialect.locks,
        version=observation.server_version,
        sizes=() if is_empty(observation) else _sizes(session, dialect.table_sizes),
        version_table=observation.version_table,
    )


def _sizes(session: Session, text: str | None) -> tuple[TableSize, ...] | None:
    if text is None:
        return None
    try:
        rows = session.query({"sizes": text})["sizes"]
    except OrchestrateError:
        return None  # SQLite without `dbstat`, a user without rights: then nobody knows
    return sizes_from(rows)


@contextmanager
def squawking(program: str, server: Server, folder: Path) -> Iterator[Squawking]:
    """Yield a squawk that judges revisions' SQL while the body does something else."""
    numbers = version_numbers(server.version)
    version = ".".join(str(one) for one in numbers[:2]) if numbers else None
    with squawk_at_work(program, folder=folder, version=version) as squawk:
        yield Squawking(squawk, server, configured=(folder / _SETTINGS).exists())


class Squawking:
    """What squawk says of revisions."""

    def __init__(self, squawk: Squawk, server: Server, *, configured: bool) -> None:
        self._squawk = squawk
        self._server = server
        self._configured = configured
        self._texts: dict[str, str] = {}

    def give(self, rendered: Mapping[str, Rendered]) -> None:
        """Have the SQL of revisions judged. Raises `command-failed`."""
        texts = {revision: one.sql for revision, one in rendered.items() if one.sql}
        self._texts.update(texts)
        self._squawk.give(texts)

    def told(self, sources: Iterable[RevisionSource]) -> Mapping[str, Sequence[Finding]]:
        """Wait for what it says, and return it by revision. Raises `command-failed`."""
        by_revision = {one.revision: one for one in sources}
        found: dict[str, list[Finding]] = {}
        for one in self._squawk.remarks():
            if one.key in by_revision and is_told(one.rule, configured=self._configured):
                source = by_revision[one.key]
                line = _line(source, self._texts[one.key], one.line, self._server)
                found.setdefault(one.key, []).append(
                    placed_squawk(source, one.rule, one.message, one.help, line)
                )
        return found


def _line(source: RevisionSource, sql: str, line: int, server: Server) -> int:
    """Return the line of the file whose call made the statement on a line of the SQL."""
    lines = sql.splitlines()
    end = next(
        (number for number in range(line - 1, len(lines)) if lines[number].rstrip().endswith(";")),
        len(lines) - 1,
    )
    statements = read_statements("\n".join(lines[line - 1 : end + 1]), server.grammar)
    return statement_line(source, statements[0]) if statements else source.upgrade_line
