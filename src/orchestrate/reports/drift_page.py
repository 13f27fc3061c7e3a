"""A report of drift as one HTML page that needs no network. Pure: its template comes in as text.

Names of tables, comments and messages are written by strangers: the template escapes whatever it is
given, and what cannot be seen, or would turn the text around it, is shown by its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from orchestrate.domain.drift import DriftDifference, TargetDrift
from orchestrate.domain.drift_page import DriftPage, ProjectGraph
from orchestrate.domain.durations import duration
from orchestrate.reports.drift import drifted_words, said, shown
from orchestrate.reports.drift_history import HEIGHT, timeline, trends
from orchestrate.reports.drift_matrix import Matrix, matrix
from orchestrate.reports.revision_map import Line, RevisionMap, Row, lay_out
from orchestrate.reports.side_by_side import Piece, side_by_side
from orchestrate.reports.tables import counted, short, stamp
from orchestrate.values import dataclass

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE: Final = "drift.html.j2"
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, and those that turn or hide the text beside them."""
_ROW: Final = 44
_NARROWEST, _WIDEST, _DRAWN = 3, 16, 150
_SIGNS: Final = {"added": "+", "removed": "\N{MINUS SIGN}", "altered": "~"}
_STATES: Final = {
    "current": ("\N{CHECK MARK}", "good"),
    "behind": ("\N{DOWNWARDS ARROW}", "wait"),
    "ahead": ("\N{UPWARDS ARROW}", "bad"),
    "diverged": ("\N{NOT EQUAL TO}", "bad"),
    "unknown-revision": ("?", "bad"),
    "unversioned": ("?", "wait"),
    "empty": ("\N{WHITE CIRCLE}", "wait"),
    "unreachable": ("\N{MULTIPLICATION X}", "bad"),
}
"""Sign and mood of each state: no information by colour alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """What one target's part of the page shows."""

    target: TargetDrift
    title: str
    headline: str
    drift: tuple[DriftDifference, ...]
    known: tuple[DriftDifference, ...]
    news: int
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Project:
    """One project's matrix and drawing."""

    title: str
    matrix: Matrix
    map: RevisionMap
    lane: float
    """Pixels from lane to lane."""
    here: dict[str, tuple[str, ...]]
    """Who stands at a revision."""
    heads: frozenset[str]
    unknown: tuple[tuple[str, str], ...]
    """Environment and row of those at revisions that this checkout lacks."""
    count: int

    @property
    def width(self) -> float:
        """Return the pixels that the lanes take."""
        return self.lane * (self.map.lanes + 1)

    def at(self, lane: int) -> float:
        """Return where a lane is."""
        return round(self.lane * (lane + 1), 1)

    def paths(self, row: Row, height: float) -> tuple[tuple[bool, str], ...]:
        """Return a row's lines as the data of SVG paths, dashed ones and others: one path each."""
        return _by_kind(
            *((one.dashed, self._path(one, 0, height / 2)) for one in row.above),
            *((one.dashed, self._path(one, height / 2, height)) for one in row.below),
        )

    def rest(self, row: Row) -> tuple[tuple[bool, str], ...]:
        """Return what goes on under a row whose text is higher than its drawing."""
        places = {(one.dashed, one.end) for one in row.below}
        return _by_kind(*((dashed, f"M{self.at(end)} 0v1") for dashed, end in sorted(places)))

    def _path(self, line: Line, top: float, bottom: float) -> str:
        begin, end, middle = self.at(line.begin), self.at(line.end), (top + bottom) / 2
        if begin == end:
            return f"M{begin} {top:g}V{bottom:g}"
        return f"M{begin} {top:g}C{begin} {middle:g} {end} {middle:g} {end} {bottom:g}"


def _by_kind(*parts: tuple[bool, str]) -> tuple[tuple[bool, str], ...]:
    found: dict[bool, str] = {}
    for dashed, path in parts:
        found[dashed] = found.get(dashed, "") + path
    return tuple(found.items())


def drift_html(
    page: DriftPage, template: str, *, redacted: Callable[[str], str] = lambda text: text
) -> str:
    """Return the page: all of the report, what is news being marked.

    `redacted` takes secrets out of each text before it is escaped, after which they have another
    spelling.
    """
    report = page.report
    sections = tuple(_section(one) for one in report.targets)
    text = (
        _environment(redacted)
        .from_string(template)
        .render(
            report=report,
            verdict=_verdict(page),
            sections=sections,
            projects=_projects(page),
            trends=trends(page.looks),
            timeline=timeline(page.runs, report.created_at),
            bar_height=HEIGHT,
            row=_ROW,
            signs=_SIGNS,
            states=_STATES,
        )
    )
    # A blank line is nothing to see, and a large page has thousands of them.
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _environment(redacted: Callable[[str], str]) -> Environment:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  (only a page pays for it)

    def visible(value: object) -> object:
        if type(value) is not str:  # what is marked as safe has been through this in its parts
            return value
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", redacted(value))

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["stamp"] = stamp
    environment.filters["iso"] = datetime.isoformat
    environment.filters["said"] = said
    environment.filters["short"] = lambda text: short(text, 14)
    environment.filters["counted"] = counted
    environment.filters["duration"] = duration
    environment.filters["told"] = drifted_words
    environment.filters["title_of"] = _title
    environment.filters["sides"] = _sides
    return environment


def _sides(one: DriftDifference) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if one.expected and one.actual:
        return side_by_side(one.expected, one.actual)
    expected, actual = (
        (Piece(text, False),) if text else ()  # noqa: FBT003  (a value)
        for text in (one.expected, one.actual)
    )
    return expected, actual


def _verdict(page: DriftPage) -> str:
    report = page.report
    drifted = [one for one in report.targets if one.drifted]
    news = sum(len(one.news) for one in report.targets)
    if drifted:
        names = ", ".join(dict.fromkeys(one.environment for one in drifted))
        return f"Drift in {names}" + (f": {counted(news, 'difference')} new" if news else "")
    unknown = [one.environment for one in report.targets if one.compared_with is None]
    if unknown:
        return f"No drift found; {', '.join(dict.fromkeys(unknown))} not compared"
    return "No drift"


def _section(target: TargetDrift) -> _Section:
    differences = shown(target.differences)
    known = tuple(one for one in differences if one.known)
    parts = [counted(len(target.drift), "difference")] if target.drift else []
    parts += [f"{len(known)} known"] if known else []
    parts += [f"{len(target.gone)} gone"] if target.gone else []
    return _Section(
        target=target,
        title=_title(target),
        headline=", ".join(parts) or drifted_words(target),
        drift=tuple(one for one in differences if not one.known),
        known=known,
        news=len(target.news),
        first=target.previous is None,
    )


def _title(target: TargetDrift) -> str:
    plain = target.name in {"", target.environment}
    return target.environment if plain else f"{target.environment}: {target.name}"


def _projects(page: DriftPage) -> tuple[_Project, ...]:
    return tuple(_project(one, page.report.targets) for one in page.projects)


def _project(project: ProjectGraph, targets: Sequence[TargetDrift]) -> _Project:
    mine = [one for one in targets if one.environment in project.environments]
    ids = {one.id for one in project.graph.revisions}
    here: dict[str, tuple[str, ...]] = {}
    unknown = []
    for one in mine:
        for head in one.heads:
            if head in ids:
                here[head] = (*here.get(head, ()), _title(one))
            else:
                unknown.append((_title(one), head))
    drawing = lay_out(project.graph, here)
    followed = {parent for one in project.graph.revisions for parent in one.down}
    lane = min(_WIDEST, max(_NARROWEST, _DRAWN / drawing.lanes))
    return _Project(
        title=", ".join(project.environments),
        matrix=matrix(project, mine),
        map=drawing,
        lane=round(lane, 1),
        here=here,
        heads=frozenset(ids - followed),
        unknown=tuple(unknown),
        count=len(ids),
    )
