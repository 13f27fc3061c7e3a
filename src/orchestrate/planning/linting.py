"""Judging one revision by everything that is known of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.revision_source import RevisionSource
from orchestrate.domain.statements import Statement
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
    statements: Mapping[str, tuple[Statement, ...]]
    """What stands in that SQL (`statements_of`)."""
    squawked: Mapping[str, Sequence[Finding]] | None = None
    """What squawk says, by revision; None where it was not asked."""


def statements_of(
    rendered: Mapping[str, Rendered], grammar: str
) -> Mapping[str, tuple[Statement, ...]]:
    """Read the SQL of revisions, as far as some rule is about it: most of the work of judging."""
    return {
        revision: read_statements(one.sql, grammar)
        for revision, one in rendered.items()
        if one.sql is not None and _matters(one.sql)
    }


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
    return tuple(
        finding
        for source in sources
        for finding in _of_one(source, views, local=local, everywhere=everywhere)
    )


def _of_one(
    source: RevisionSource, views: Sequence[View], *, local: Collection[str], everywhere: bool
) -> tuple[Finding, ...]:
    remarks = [Remark(finding=one) for one in source_findings(source, local=local)]
    seen = {(one.finding.code, one.finding.where, one.finding.message) for one in remarks}
    unrendered = False
    for view in views:
        rendered = view.rendered.get(source.revision or "")
        unrendered |= rendered is None or rendered.sql is None
        for remark in _in_view(source, view, rendered):
            key = (remark.finding.code, remark.finding.where, remark.finding.message)
            if key not in seen:
                seen.add(key)
                remarks.append(remark)
    judged = _judged(views, everywhere=everywhere, unrendered=unrendered)
    return heeded(source, remarks, judged)


def _in_view(source: RevisionSource, view: View, rendered: Rendered | None) -> Iterable[Remark]:
    if source.problem is not None:
        return
    grammar = view.server.grammar
    if rendered is None or rendered.sql is None:
        statements = statements_of_calls(source, grammar)
    else:
        statements = view.statements.get(source.revision or "", ())
    yield from statement_remarks(source, statements, view.server)
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


def _matters(sql: str) -> bool:
    """Return whether there is a word in the SQL that some rule is about: most have new tables."""
    return _WORDS.search(sql) is not None


_WORDS: Final = re.compile(
    r"alter|drop|index|truncate|delete|update|insert|vacuum|reindex|cluster|database|tablespace",
    re.IGNORECASE,
)


def _first(problem: str) -> str:
    """Return the beginning of what Alembic says: the rest of it is advice on offline mode."""
    return re.split(r"[;.] ", problem, maxsplit=1)[0]


def _judged(views: Sequence[View], *, everywhere: bool, unrendered: bool) -> frozenset[str]:
    """Return the codes of which it can be said that nothing was found."""
    codes = {code for code, rule in RULES.items() if rule.needs == "source"}
    if everywhere and views and not unrendered:
        codes |= {code for code, rule in RULES.items() if rule.needs == "sql"}
    return frozenset(codes)


def placed_squawk(
    source: RevisionSource, rule: str, message: str, help_text: str | None, line: int
) -> Finding:
    """Return a remark of squawk's as a finding of ours."""
    return replace(
        found(SQUAWK + rule, message, where=source.at(line)),
        hint=help_text,
        severity="error" if rule == "syntax-error" else "warning",
    )
