"""What both ways of lint have in common: what is asked, the journal, squawk, ranges, order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field
from pathlib import Path
from typing import Final, Self

from orchestrate.adapters.squawk import squawk_program
from orchestrate.adapters.url_sources import resolve_state_url
from orchestrate.cli.workbench import Workbench
from orchestrate.domain.findings import Finding
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.domain.revisions import Graph, Revision
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.deeds import Deeds, deeds
from orchestrate.planning.linting import Rendered, View, sql_remarks
from orchestrate.planning.revision_rules import (
    Listed,
    ancestry,
)
from orchestrate.planning.statement_rules import Remark, Server
from orchestrate.run.linting import (
    Squawking,
    squawking,
)
from orchestrate.values import dataclass

_ORDER: Final = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants to have judged."""

    environment: Environment | None = None
    range: str | None = None
    dialect: str | None = None
    squawk: bool = True


@dataclass(slots=True, kw_only=True)
class Linted:
    """What came of it."""

    findings: tuple[Finding, ...] = ()
    revisions: int = 0
    notes: list[str] = field(default_factory=list)
    """What could not be looked at, and why."""


def done_there(
    bench: Workbench,
    environments: Sequence[Environment],
    listed: Sequence[Listed],
    linted: Linted,
) -> Deeds:
    """Return what the journal says was done there; without a journal there is less to say."""
    try:
        if not _has_journal(bench):
            return {}
        from orchestrate.run.journal import recent  # noqa: PLC0415  (imports SQLAlchemy)

        found = deeds(recent(bench.state), ancestry(listed))
    except OrchestrateError as error:
        linted.notes.append(f"The journal was not looked at: {error.message}")
        return {}
    return {one.name: found[one.name] for one in environments if one.name in found}


def _has_journal(bench: Workbench) -> bool:
    """Return whether there may be runs: a state store that is not there yet is not made for us."""
    url = resolve_state_url(bench.spec)
    return not url.is_sqlite_file or Path(url.database or "").exists()


class Reading:
    """Revisions' SQL for one server, read as it comes: for our own rules, and by squawk."""

    def __init__(self, bench: Workbench, server: Server, asked: Asked, linted: Linted) -> None:
        self._server = server
        self._asked = asked
        self._linted = linted
        self._folder = bench.spec.folder
        self._chosen: Sequence[RevisionSource] = ()
        self._names: set[str | None] = set()
        self._rendered: dict[str, Rendered] = {}
        self._remarks: dict[str, tuple[Remark, ...]] = {}
        self._squawking: Squawking | None = None
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def choose(self, sources: Sequence[RevisionSource]) -> None:
        """Find those revisions that are asked about. Raises `unknown-revision`."""
        self._chosen = in_range(sources, self._asked.range)
        self._names = {one.revision for one in self._chosen}

    def take(self, rendered: Mapping[str, Rendered]) -> None:
        """Read the SQL of some revisions, as far as they are asked about.

        Raises `command-failed` for squawk.
        """
        known = {name: one for name, one in rendered.items() if name in self._names}
        if known and not self._rendered:
            self._call_squawk()
        if self._squawking is not None:
            self._squawking.give(known)
        self._rendered.update(known)
        sources = [one for one in self._chosen if one.revision in known]
        self._remarks.update(sql_remarks(sources, known, self._server))

    def forget(self) -> None:
        """Forget the SQL: not all of it is to be had."""
        self._rendered, self._remarks, self._squawking = {}, {}, None

    def view(self) -> View:
        """Return the revisions as the server would get them, with what squawk says of them.

        Raises `command-failed` for squawk.
        """
        return View(
            server=self._server,
            rendered=self._rendered,
            remarks=self._remarks,
            squawked=self._squawking.told(self._chosen) if self._squawking else None,
        )

    def _call_squawk(self) -> None:
        """Have squawk at work, where there is something for it; note that it is missing."""
        if self._server.grammar != _SQUAWKS or not self._asked.squawk:
            return
        program = squawk_program()
        if program is None:
            self._linted.notes.append(
                "squawk is not installed, so that its rules for PostgreSQL are left out: "
                "`pip install 'orchestrate[lint]'`, or `--no-squawk` to have it said no more"
            )
            return
        at_work = squawking(program, self._server, self._folder)
        self._squawking = self._exits.enter_context(at_work)


_SQUAWKS: Final = "postgres"
"""squawk knows PostgreSQL's grammar and no other."""


def in_range(sources: Sequence[RevisionSource], wanted: str | None) -> Sequence[RevisionSource]:
    """Return the revisions that an upgrade from A to B would run. Raises `unknown-revision`."""
    if wanted is None:
        return sources
    from orchestrate.planning.chain import Chain  # noqa: PLC0415  (imports Alembic)

    start, colon, end = wanted.partition(":")
    if not colon:
        raise OrchestrateError("usage", f"`--range {wanted}`: write it as A:B, A: or :B")
    chain = Chain(
        Graph(
            digest="",
            revisions=tuple(_revision(one) for one in sources if one.revision is not None),
        )
    )
    heads = chain.resolve(start) if start else ()
    moves = chain.moves(direction="upgrade", heads=heads, to=end or "heads")
    order = [move.revision.id for move in moves]
    by_revision = {one.revision: one for one in sources}
    return [by_revision[one] for one in order]


def _revision(source: RevisionSource) -> Revision:
    return Revision(
        id=source.revision or "",
        down=source.down,
        depends_on=source.depends_on,
        labels=source.labels,
        title=source.title,
        file=source.file,
        sha256=source.sha256,
        downgrade=source.downgrade,
        leaves_transaction=any(one.autocommit for one in source.calls),
    )


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by file and line, so that two calls say the same in the same order."""
    return tuple(sorted(dict.fromkeys(findings), key=_place))


def _place(finding: Finding) -> tuple[str, int, int, str]:
    file, _, line = (finding.where or "").rpartition(":")
    number = int(line) if line.isdigit() else 0
    return (file if number else finding.where or "", number, _ORDER[finding.severity], finding.code)
