"""Judging one revision by everything that is known of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.planning.ignoring import heeded
from orchestrate.planning.revision_places import statements_of_calls
from orchestrate.planning.revision_rules import source_findings
from orchestrate.planning.rules import RULES, SQUAWK, found
from orchestrate.planning.statement_rules import (
    Remark,
    Server,
    statement_remarks,
)
from orchestrate.planning.statements import read_statements
from orchestrate.values import dataclass

_OF_THE_FILE: Final = frozenset(
    {"there is no function `upgrade`", "it does more than call Alembic and SQLAlchemy"}
)
"""In the agent's words, what keeps a revision from being rendered and stands in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What Alembic renders of a revision's upgrade, or why it cannot."""

    sql: str | None
    problem: str | None = None

    @property
    def lasts(self) -> bool:
        """Return whether the file alone decided on it: rendered again it would be the same."""
        return self.problem in _OF_THE_FILE if self.problem else self.sql is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Revisions as one server would get them."""

    server: Server
    rendered: Mapping[str, Rendered]
    """By revision; one that is missing was not asked for."""
    remarks: Mapping[str, tuple[Remark, ...]]
    """What our rules say of that SQL, by file (`sql_remarks`)."""
    squawked: Mapping[str, Sequence[Finding]] | None = None
    """What squawk says, by revision; None where it was not asked."""


def sql_remarks(
    sources: Iterable[RevisionSource], rendered: Mapping[str, Rendered], server: Server
) -> Mapping[str, tuple[Remark, ...]]:
    """Return what our rules say of the SQL of revisions, by file: most of the work of judging.

    Those of the `sources` are left out that cannot be read or are not `rendered`.
    """
    found: dict[str, tuple[Remark, ...]] = {}
    for source in sources:
        sql = _sql(source, rendered)
        if sql is not None and source.problem is None:
            # No rule is about the SQL of most revisions, which have new tables.
            statements = read_statements(sql, server.grammar) if _WORDS.search(sql) else ()
            found[source.file] = statement_remarks(source, statements, server)
    return found


def _sql(source: RevisionSource, rendered: Mapping[str, Rendered]) -> str | None:
    one = rendered.get(source.revision or "")
    return one.sql if one is not None else None


def lint_revisions(
    sources: Iterable[RevisionSource],
    views: Sequence[View],
    *,
    local: Collection[str],
    everywhere: bool = False,
) -> tuple[Finding, ...]:
    """Return what is to be said of revisions, in their order, each thing once.

    `everywhere`: the views are all that the project is made for, so that a comment which silences
    nothing in any of them is not needed.
    """
    in_files = {code for code, rule in RULES.items() if rule.needs == "source"}
    in_sql = {code for code, rule in RULES.items() if rule.needs == "sql"}
    everything = in_files | in_sql if everywhere and views else in_files
    findings: list[Finding] = []
    for source in sources:
        remarks, rendered = _of_one(source, views, local=local)
        # That nothing was found can only be said of what was looked for.
        findings += heeded(source, remarks, everything if rendered else in_files)
    return tuple(findings)


def _of_one(
    source: RevisionSource, views: Sequence[View], *, local: Collection[str]
) -> tuple[list[Remark], bool]:
    """Return the remarks on one revision, each once, and whether every view has its SQL."""
    remarks = [Remark(finding=one) for one in source_findings(source, local=local)]
    seen = {(one.finding.code, one.finding.where, one.finding.message) for one in remarks}
    for view in views:
        for remark in _in_view(source, view):
            key = (remark.finding.code, remark.finding.where, remark.finding.message)
            if key not in seen:
                seen.add(key)
                remarks.append(remark)
    return remarks, all(_sql(source, view.rendered) is not None for view in views)


def _in_view(source: RevisionSource, view: View) -> Iterable[Remark]:
    if source.problem is not None:
        return
    rendered = view.rendered.get(source.revision or "")
    if rendered is None or rendered.sql is None:
        statements = statements_of_calls(source, view.server.grammar)
        yield from statement_remarks(source, statements, view.server)
    else:
        yield from view.remarks[source.file]
    if rendered is not None and rendered.problem is not None:
        yield Remark(
            finding=found(
                "not-rendered",
                f"has no SQL for {view.server.title} to look at: {_first(rendered.problem)}",
                where=source.at(source.upgrade_line),
            )
        )
    for one in (view.squawked or {}).get(source.revision or "", ()):
        yield Remark(finding=one)


_WORDS: Final = re.compile(
    r"alter|drop|index|truncate|delete|update|insert|vacuum|reindex|cluster|database|tablespace",
    re.IGNORECASE,
)


def _first(problem: str) -> str:
    """Return the beginning of what Alembic says: the rest of it is advice on offline mode."""
    return re.split(r"[;.] ", problem, maxsplit=1)[0]


def placed_squawk(
    source: RevisionSource, rule: str, message: str, help_text: str | None, line: int
) -> Finding:
    """Return a remark of squawk's as a finding of ours."""
    return replace(
        found(SQUAWK + rule, message, where=source.at(line)),
        hint=help_text,
        severity="error" if rule == "syntax-error" else "warning",
    )
