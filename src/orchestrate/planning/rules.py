"""Every rule of `orchestrate lint`: its code, what it says, and the policy that it is.

The one place where a code is given its severity and its policy. Pages: `docs/lint-rules.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from orchestrate.domain.findings import Finding, Severity
from orchestrate.values import dataclass

PolicyKey = Literal[
    "destructive",
    "long-lock",
    "missing-downgrade",
    "edited-revision",
    "multiple-heads",
    "outside-transaction",
    "not-rendered",
]
Needs = Literal["source", "project", "journal", "sql"]

PAGE: Final = "docs/lint-rules.md"
SQUAWK: Final = "squawk-"
"""What the codes of squawk's own rules begin with here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is known of a rule before it has found anything."""

    severity: Severity
    needs: Needs
    """What it judges: a revision's text, all revisions together, the journal, the rendered SQL."""
    title: str
    policy: PolicyKey | None = None


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        # The way back
        "missing-downgrade": Rule(
            severity="warning",
            needs="source",
            policy="missing-downgrade",
            title="The revision has no downgrade, an empty one, or one that refuses",
        ),
        # What was applied stays as it was
        "edited-revision": Rule(
            severity="error",
            needs="journal",
            policy="edited-revision",
            title="The file was edited after it was applied somewhere",
        ),
        "deleted-revision": Rule(
            severity="error",
            needs="journal",
            policy="edited-revision",
            title="A revision that was applied somewhere is gone",
        ),
        # The project as a whole
        "multiple-heads": Rule(
            severity="warning",
            needs="project",
            policy="multiple-heads",
            title="The project has several heads",
        ),
        "missing-file": Rule(
            severity="warning",
            needs="project",
            title="A revision follows one that has no file",
        ),
        "duplicate-prefix": Rule(
            severity="warning", needs="project", title="Two files have the same number in front"
        ),
        "empty-message": Rule(
            severity="warning", needs="source", title="The revision says nothing of what it does"
        ),
        "unreadable-revision": Rule(
            severity="error", needs="source", title="The file is no Python that can be read"
        ),
        # What a revision leans on
        "application-import": Rule(
            severity="warning",
            needs="source",
            title="The revision imports the application, which will change",
        ),
        "orm-in-revision": Rule(
            severity="warning", needs="source", title="The revision works through the ORM"
        ),
        # Transactions
        "mixed-transaction": Rule(
            severity="warning",
            needs="source",
            policy="outside-transaction",
            title="Statements outside a transaction stand among others",
        ),
        "needs-autocommit": Rule(
            severity="error",
            needs="sql",
            title="The server runs this statement only outside a transaction",
        ),
        "commits-rows": Rule(
            severity="warning",
            needs="sql",
            title="Rows are changed before the schema, and the server commits them there",
        ),
        # What is lost
        "drops-table": Rule(
            severity="warning", needs="sql", policy="destructive", title="A table is dropped"
        ),
        "drops-column": Rule(
            severity="warning", needs="sql", policy="destructive", title="A column is dropped"
        ),
        "deletes-rows": Rule(
            severity="warning", needs="sql", policy="destructive", title="Rows are deleted"
        ),
        "narrows-type": Rule(
            severity="warning",
            needs="source",
            policy="destructive",
            title="A column's type becomes narrower",
        ),
        "loses-data": Rule(
            severity="warning",
            needs="sql",
            policy="destructive",
            title="A way back deletes what is there (found by `rollback`)",
        ),
        # Locks
        "rewrites-table": Rule(
            severity="warning",
            needs="sql",
            policy="long-lock",
            title="The table is written anew while others wait",
        ),
        "checks-table": Rule(
            severity="warning",
            needs="sql",
            policy="long-lock",
            title="The whole table is read under a lock that keeps others out",
        ),
        "blocks-writes": Rule(
            severity="warning",
            needs="sql",
            policy="long-lock",
            title="Nobody can write to the table while an index is built",
        ),
        "unbatched-change": Rule(
            severity="warning",
            needs="sql",
            policy="long-lock",
            title="A data change takes all rows at once",
        ),
        "required-column": Rule(
            severity="error",
            needs="sql",
            title="A column that must be filled is added without a default",
        ),
        # What lint itself has to say
        "not-rendered": Rule(
            severity="info",
            needs="sql",
            policy="not-rendered",
            title="There is no SQL to look at; the Python was",
        ),
        "ignore-without-reason": Rule(
            severity="warning", needs="source", title="A remark is silenced without a reason"
        ),
        "unused-ignore": Rule(
            severity="warning", needs="source", title="A comment silences what nobody says"
        ),
    }
)


def policy_of(code: str) -> PolicyKey | None:
    """Return the policy of an environment that decides what a finding means, or None."""
    rule = RULES.get(code)
    return rule.policy if rule else None


def severity_of(code: str) -> Severity:
    """Return how bad a finding of this code is; squawk's are warnings."""
    rule = RULES.get(code)
    return rule.severity if rule else "warning"


def found(code: str, message: str, *, where: str | None, hint: str | None = None) -> Finding:
    """Return a finding of a rule, with the severity that the table gives it."""
    return Finding(code=code, severity=severity_of(code), message=message, hint=hint, where=where)


def page_for(code: str) -> str:
    """Return the page and section that explain a code."""
    return f"{PAGE}#{'squawk' if code.startswith(SQUAWK) else code}"
