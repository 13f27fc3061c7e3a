"""Rules over revision files, over all of them together, and over what the journal knows. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from orchestrate.domain.findings import Finding
from orchestrate.domain.revision_source import OperationCall, RevisionSource, TypeText
from orchestrate.domain.revisions import Graph
from orchestrate.planning.deeds import Deeds, Within
from orchestrate.planning.rules import found
from orchestrate.planning.troubles import merge_command
from orchestrate.values import dataclass

_OUTSIDE_IMPORTS: Final = frozenset({"alembic", "sqlalchemy", "__future__"})
_ORM: Final = frozenset({"Session", "sessionmaker", "declarative_base", "DeclarativeBase"})
_NUMBER: Final = re.compile(r"(?P<number>\d{1,5})[_-](?!\d)")
_EMPTY_TITLES: Final = frozenset({"", "empty message", "."})
_LENGTHS: Final = ("String", "VARCHAR", "Unicode", "CHAR", "NVARCHAR", "NCHAR", "LargeBinary")
_UNBOUNDED: Final = frozenset({"Text", "TEXT", "UnicodeText", "CLOB", "LONGTEXT", "MEDIUMTEXT"})
_WHOLE: Final[Mapping[str, int]] = {
    "BigInteger": 8,
    "BIGINT": 8,
    "Integer": 4,
    "INTEGER": 4,
    "SmallInteger": 2,
    "SMALLINT": 2,
}
_MOMENTS: Final = frozenset({"DateTime", "TIMESTAMP", "DATETIME"})
_DAYS: Final = frozenset({"Date", "DATE"})
_EXACT: Final = frozenset({"Numeric", "NUMERIC", "DECIMAL"})
_FIELDS_OF_EXACT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A revision among all those of its project."""

    revision: str
    file: str
    sha256: str
    down: tuple[str, ...]
    depends_on: tuple[str, ...]
    labels: tuple[str, ...]


def listed_sources(sources: Iterable[RevisionSource]) -> tuple[Listed, ...]:
    """Return the revisions that files define, as far as they say their identifier literally."""
    return tuple(
        Listed(
            revision=one.revision,
            file=one.file,
            sha256=one.sha256,
            down=one.down,
            depends_on=one.depends_on,
            labels=one.labels,
        )
        for one in sources
        if one.revision is not None
    )


def listed_graph(graph: Graph) -> tuple[Listed, ...]:
    """Return the revisions of a graph."""
    return tuple(
        Listed(
            revision=one.id,
            file=one.file,
            sha256=one.sha256,
            down=one.down,
            depends_on=one.depends_on,
            labels=one.labels,
        )
        for one in graph.revisions
    )


def ancestry(revisions: Sequence[Listed]) -> Within:
    """Return what tells which revisions are applied when these are the rows."""
    known = {one.revision: one for one in revisions}

    def within(heads: Collection[str]) -> Collection[str]:
        reached: set[str] = set()
        waiting = list(heads)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += [*known[name].down, *known[name].depends_on] if name in known else ()
        return reached

    return within


def source_findings(source: RevisionSource, *, local: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return what one file's text gives reason to say.

    `local` are names of modules that lie beside the project: its application.
    """
    if source.problem is not None:
        return (
            found("unreadable-revision", f"cannot be read: {source.problem}", where=source.file),
        )
    return (
        *_way_back(source),
        *_message(source),
        *_imported(source, local),
        *_mixed(source),
        *_narrowed(source),
    )


def _way_back(source: RevisionSource) -> Iterator[Finding]:
    # A merge joins branches and changes nothing, so there is nothing to undo either.
    if source.downgrade == "present" or (source.downgrade == "empty" and not source.changes):
        return
    word = {
        "missing": "has no downgrade",
        "empty": "has an empty downgrade",
        "raises": "has a downgrade that refuses",
    }[source.downgrade]
    yield found(
        "missing-downgrade",
        f"{word}: the way back is a backup",
        where=source.at(source.downgrade_line),
        hint="Write what undoes `upgrade()`; if nothing can, say why in an ignore comment",
    )


def _message(source: RevisionSource) -> Iterator[Finding]:
    if source.title.lower() in _EMPTY_TITLES or source.title.startswith("Revision ID"):
        yield found(
            "empty-message",
            "says nothing of what it does",
            where=source.at(1),
            hint="Begin its docstring with what it changes; plans and runs are read by that line",
        )


def _imported(source: RevisionSource, local: Collection[str]) -> Iterator[Finding]:
    for one in source.imports:
        root = one.module.split(".")[0]
        if one.module.startswith(".") or (root in local and root not in _LEANING):
            yield found(
                "application-import",
                f"imports `{one.module}`, which is this application's own",
                where=source.at(one.line),
                hint="A revision has to do for ever what it does today: write the tables and "
                "values that it needs into it",
            )
        elif one.module.startswith("sqlalchemy.orm") or (
            root == "sqlalchemy" and not _ORM.isdisjoint(one.names)
        ):
            yield found(
                "orm-in-revision",
                f"imports `{one.module}`: it reads and writes through the ORM",
                where=source.at(one.line),
                hint="Use `sa.table()` and SQL: models move on, and the ORM goes row by row",
            )


def leans_on_libraries(source: RevisionSource) -> bool:
    """Return whether a file imports nothing but Alembic, SQLAlchemy and what Python brings."""
    return all(one.module.split(".")[0] in _LEANING for one in source.imports)


_LEANING: Final = sys.stdlib_module_names | _OUTSIDE_IMPORTS


def _mixed(source: RevisionSource) -> Iterator[Finding]:
    outside = [one for one in source.calls if one.autocommit]
    # The context's own block is no operation.
    inside = [one for one in source.calls if not one.autocommit and one.name not in _NO_CHANGE]
    if outside and inside:
        yield found(
            "mixed-transaction",
            f"works partly outside a transaction (`{outside[0].name}`) and partly inside one "
            f"(line {inside[0].line}): if it fails, a part of it stays",
            where=source.at(outside[0].line),
            hint="Give what stands in `autocommit_block()` a revision of its own",
        )


_NO_CHANGE: Final = frozenset({"get_bind", "get_context", "f", "inline_literal"})


def _narrowed(source: RevisionSource) -> Iterator[Finding]:
    for call in source.calls_of("alter_column"):
        before, after = call.type_of("existing_type"), call.type_of("type_")
        if before is not None and after is not None and is_narrower(after, before):
            yield found(
                "narrows-type",
                f"makes {_column(call)} narrower, from {_said(before)} to {_said(after)}: values "
                "that do not fit are refused or cut",
                where=source.at(call.line),
                hint="Look for values that do not fit first; the way back does not restore them",
            )


def is_narrower(after: TypeText, before: TypeText) -> bool:
    """Return whether a type holds less than another, as far as their names tell."""
    if after.name in _WHOLE and before.name in _WHOLE:
        return _WHOLE[after.name] < _WHOLE[before.name]
    if after.name in _LENGTHS and after.arguments:
        if before.name in _UNBOUNDED and not before.arguments:
            return True
        return before.name in {*_LENGTHS, *_UNBOUNDED} and (
            not before.arguments or after.arguments[0] < before.arguments[0]
        )
    if after.name in _EXACT and before.name in _EXACT:
        return _is_less_exact(after.arguments, before.arguments)
    return after.name in _DAYS and before.name in _MOMENTS


def _is_less_exact(after: Sequence[int], before: Sequence[int]) -> bool:
    if not after or not before:
        return bool(after)
    scale = after[1] if len(after) == _FIELDS_OF_EXACT else 0
    before_scale = before[1] if len(before) == _FIELDS_OF_EXACT else 0
    return scale < before_scale or after[0] - scale < before[0] - before_scale


def _column(call: OperationCall) -> str:
    return ".".join(part for part in (call.table, call.column) if part) or "a column"


def _said(kind: TypeText) -> str:
    arguments = ", ".join(str(one) for one in kind.arguments)
    return f"`{kind.name}({arguments})`" if arguments else f"`{kind.name}`"


def project_findings(revisions: Sequence[Listed]) -> tuple[Finding, ...]:
    """Return what shows only when all revisions of a project are seen together."""
    # Where a link is missing, what looks like another head is none.
    return (*(tuple(_gaps(revisions)) or _heads(revisions)), *_prefixes(revisions))


def _gaps(revisions: Sequence[Listed]) -> Iterator[Finding]:
    known = {one.revision for one in revisions}
    for one in revisions:
        for down in one.down:
            if down not in known:
                yield found(
                    "missing-file",
                    f"follows {down}, of which no file says that it is it",
                    where=one.file,
                    hint="Alembic loads nothing then: bring the file back, or name the revision "
                    "that comes before",
                )


def _heads(revisions: Sequence[Listed]) -> Iterator[Finding]:
    followed = {down for one in revisions for down in (*one.down, *one.depends_on)}
    heads = [one for one in revisions if one.revision not in followed]
    # A branch that carries a label is meant to stay apart.
    labelled = _labelled(revisions)
    joined = [one for one in heads if one.revision not in labelled]
    if len(heads) > 1 and joined:
        names = ", ".join(sorted(one.revision for one in heads))
        yield found(
            "multiple-heads",
            f"the project has {len(heads)} heads: {names}",
            where=joined[-1].file,
            hint=f"`{merge_command('ENV')}` joins them, if they are not meant to stay apart",
        )


def _labelled(revisions: Sequence[Listed]) -> frozenset[str]:
    """Return the revisions of branches with a label: those that have one, and what follows."""
    children: dict[str, list[str]] = {}
    for one in revisions:
        for down in one.down:
            children.setdefault(down, []).append(one.revision)
    reached: set[str] = set()
    waiting = [one.revision for one in revisions if one.labels]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += children.get(name, ())
    return frozenset(reached)


def _prefixes(revisions: Iterable[Listed]) -> Iterator[Finding]:
    seen: dict[tuple[str, str], Listed] = {}
    for one in sorted(revisions, key=lambda listed: listed.file):
        folder, _, name = one.file.rpartition("/")
        match = _NUMBER.match(name)
        # A revision's own identifier may begin with digits; it is unique by itself.
        if match is None or name.startswith(one.revision):
            continue
        first = seen.setdefault((folder, match["number"]), one)
        if first is not one:
            yield found(
                "duplicate-prefix",
                f"has the number {match['number']} like `{first.file.rpartition('/')[2]}`",
                where=one.file,
                hint="Number it anew: the order in a listing is not the order they run in",
            )


def journal_findings(
    revisions: Sequence[Listed], done: Deeds, *, complete: bool = True
) -> tuple[Finding, ...]:
    """Return which revisions are not any more what was applied, with where that was.

    Unless all files could be read (`complete`), none is said to be gone.
    """
    known = {one.revision: one for one in revisions}
    changed: dict[str, list[str]] = {}
    gone: dict[str, list[str]] = {}
    applied = [
        (environment, deed)
        for environment, mine in done.items()
        for deed in mine.values()
        if deed.applied and deed.sha256
    ]
    for environment, deed in applied:
        there = known.get(deed.revision)
        if there is not None and there.sha256 != deed.sha256:
            changed.setdefault(deed.revision, []).append(environment)
        elif there is None and complete:
            gone.setdefault(deed.revision, []).append(environment)
    edited = (
        found(
            "edited-revision",
            f"was edited after it was applied to {_listed(places)}: elsewhere it does something "
            "else",
            where=known[name].file,
            hint="Put it back as it was (`git log -p` shows it) and write a new revision",
        )
        for name, places in changed.items()
    )
    deleted = (
        found(
            "deleted-revision",
            f"{name} is applied to {_listed(places)} and no file has it",
            where=places[0],
            hint=f"`git log --all --diff-filter=D -- '*{name}*'` finds when it went; put it back",
        )
        for name, places in gone.items()
    )
    return (*edited, *deleted)


def _listed(places: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(places))
