"""Comments that silence rules: what they silence, and what is to be said of the comments. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from orchestrate.domain.findings import Finding
from orchestrate.domain.names import did_you_mean
from orchestrate.domain.revision_source import Ignore, RevisionSource
from orchestrate.planning.rules import RULES, SQUAWK, found
from orchestrate.planning.statement_rules import Remark


def heeded(
    source: RevisionSource, remarks: Sequence[Remark], judged: Collection[str]
) -> tuple[Finding, ...]:
    """Return the findings of one revision that no comment in it silences, and those on comments.

    A comment silences a code in its whole file. One without a reason silences nothing. `judged` are
    the codes that were looked for here: of others nobody can say that they are not there.
    """
    reasoned = [one for one in source.ignores if one.reason]
    silenced = {code for one in reasoned for code in one.codes}
    given = {one.finding.code for one in remarks}
    kept = (one.finding for one in remarks if one.told and one.finding.code not in silenced)
    return (*kept, *_on_comments(source, given, judged))


def _on_comments(
    source: RevisionSource, given: Collection[str], judged: Collection[str]
) -> Iterable[Finding]:
    for one in source.ignores:
        if not one.reason or not one.codes:
            yield found(
                "ignore-without-reason",
                f"`{_written(one)}` says not why" if one.codes else "`ignore[]` names no code",
                where=source.at(one.line),
                hint="Write the reason behind it: it is for those who read this later",
            )
            continue
        for code in one.codes:
            if code in given or (code not in judged and _is_known(code)):
                continue
            message, hint = f"`ignore[{code}]` silences nothing", "Take it out"
            if not _is_known(code):
                message = f"there is no rule `{code}` that could be ignored"
                hint = did_you_mean(code, tuple(RULES)) or hint
            yield found("unused-ignore", message, where=source.at(one.line), hint=hint)


def _is_known(code: str) -> bool:
    return code in RULES or code.startswith(SQUAWK)


def _written(ignore: Ignore) -> str:
    return f"ignore[{', '.join(ignore.codes)}]"
