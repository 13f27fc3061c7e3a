"""The page of a drift report: complete, escaped, readable without eyes, in a real browser."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrate.cli.drift_pages import page_template
from orchestrate.domain.drift import EnvironmentDrift, TargetTrouble
from orchestrate.domain.drift_page import DriftPage, ProjectGraph
from orchestrate.domain.revisions import Graph
from orchestrate.reports.drift_page import drift_html
from orchestrate.reports.drift_secrets import redacted_report
from tests.support import drift_values
from tests.support.browser import looked_at
from tests.support.drift_values import HOSTILE, IMAGE, page
from tests.support.servers import MissingServerError
from tests.support.values import revision

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Reader(HTMLParser):
    """Reads a page, and insists that every element is closed where it has to be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"
        if tag in {"td", "th"}:
            self.text += " "

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def text() -> str:
    """Return the page with a bit of everything."""
    return drift_html(page(), page_template())


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    """Return the page as it is read."""
    return Reader(text)


def test_it_says_all_of_the_report(read: Reader) -> None:
    """Who is where, what differs and how, what is known until when, what is gone, what was run."""
    words = " ".join(read.text.split())
    for told in (
        "Drift in production: 1 difference new",
        "production ↓ behind r35 8 3, 1 new snapshot succeeded 2026-11-21",
        "staging is at f00d, which this checkout does not have.",
        "43 revisions, newest first",
        "● production is here:",
        "28 revisions r2 to r29",
        "merges r40, b2",
        "~ index orders.ix_total altered",
        "ALTER TABLE orders DROP COLUMN note",
        "made by the nightly load",
        "2027-01-31",
        "1 gone since the last report",
        "may not see all of it or an earlier version recorded it otherwise: grants.",
        "Could not be read: refused",
        "run-3 production upgrade in-doubt",
    ):
        assert told in words, told
    labels = [str(one["aria-label"]) for one in read.named("svg") if "aria-label" in one]
    assert "production: drift from 0 to 1 over 10 reports, at most 3" in labels
    assert "production: 6 runs, the last one running" in labels


def test_what_strangers_wrote_is_text(text: str, read: Reader) -> None:
    """Names and messages are escaped; what turns the text around it is shown by its number."""
    assert {"script", "img"}.isdisjoint(tag for tag, _ in read.tags)
    assert HOSTILE.replace("\u202e", "\\u202e") in read.text
    assert read.text.count(IMAGE) == 1 + 1 + 1 + 1 + 1 + 6
    assert "\u202e" not in text


def test_nothing_is_fetched(text: str, read: Reader) -> None:
    """One file: no address, no style sheet or script of others, and a policy that forbids them."""
    assert re.findall(r"(?:https?:|url\(|@import|src=)", text.replace("src=x", "")) == []
    assert {one.get("href", "#")[:1] for one in read.named("a")} == {"#"}  # type: ignore[index]
    (policy,) = [one for one in read.named("meta") if "http-equiv" in one]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_it_can_be_heard(read: Reader) -> None:
    """Landmarks, one first heading and no level left out, scopes, names, links that lead somewhere."""
    names = [tag for tag, _ in read.tags]
    assert [names.count(one) for one in ("main", "header", "footer", "nav", "h1")] == [1] * 5
    levels = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(one.get("scope") in {"col", "row"} for one in read.named("th"))
    ids = [one["id"] for _, one in read.tags if "id" in one]
    assert len(ids) == len(set(ids))
    wanted = [one["href"] for one in read.named("a")]
    wanted += [f"#{one['aria-labelledby']}" for _, one in read.tags if "aria-labelledby" in one]
    assert {str(one)[1:] for one in wanted} <= set(ids)
    regions = [one for _, one in read.tags if one.get("role") == "region"]
    assert len(regions) > 1
    assert all(one["tabindex"] == "0" for one in regions)
    assert all("aria-label" in one for one in read.named("svg") if one.get("role") == "img")


def test_secrets_are_taken_out_before_escaping() -> None:
    """A secret with a character of HTML's is not found any more once it is escaped."""
    target = replace(page().report.targets[0], remarks=("it is s3<cr>&t",))
    environment = replace(page().report.environments[0], targets=(target,))
    report = replace(page().report, environments=(environment,))
    found = drift_html(
        DriftPage(report=report),
        page_template(),
        redacted=lambda one: one.replace("s3<cr>&t", "***"),
    )
    assert "it is ***" in found
    assert "cr&gt;" not in found


def test_a_secret_that_is_taken_apart() -> None:
    """Where it differs from what is expected it stands in pieces, of which none is the secret."""
    one = replace(drift_values.NOTE, expected="text DEFAULT 's3-cr'", actual="text DEFAULT 's3-xx'")
    error = TargetTrouble(code="unreachable", message="it is `s3-cr`")
    target = replace(drift_values.TARGET, differences=(one,), error=error, remarks=("say s`3",))
    whole = replace(page().report, environments=(EnvironmentDrift(name="dev", targets=(target,)),))

    def redact(text: str) -> str:
        return text.replace("s3-cr", "***").replace("s`3", "***")

    found = drift_html(
        DriftPage(report=redacted_report(whole, redact)), page_template(), redacted=redact
    )
    text = Reader(found).text
    assert "s3-cr" not in text
    assert "-cr" not in text
    assert "it is ***" in text
    assert "say ***" in text


def test_a_password_of_digits_breaks_no_drawing() -> None:
    """Geometry, classes and numbers of the page are not what a project wrote."""
    found = drift_html(page(), page_template(), redacted=lambda text: re.sub(r"\d", "x", text))
    kept = {"d", "width", "height", "x", "y", "cx", "cy", "r", "rx", "viewbox", "class", "id"}
    masked, plain = (
        [(tag, {key: value for key, value in more.items() if key in kept}) for tag, more in one]
        for one in (Reader(found).tags, Reader(drift_html(page(), page_template())).tags)
    )
    assert masked == plain


def test_a_report_without_anything_else() -> None:
    """The first report of a state store that cannot be read is a page, too."""
    report = replace(page().report, environments=(), previous=None)
    words = Reader(drift_html(DriftPage(report=report), page_template())).text
    assert "No drift" in words
    assert "the first report of its kind" in words


def test_many_branches_beside_each_other() -> None:
    """A hundred branches of twenty revisions are some hundred kilobytes, and one path a row."""
    line = [revision("base")]
    for branch in range(100):
        for number in range(20):
            down = f"b{branch}x{number - 1}" if number else "base"
            line.append(revision(f"b{branch}x{number}", down))
    wide = ProjectGraph(graph=Graph(digest="w", revisions=tuple(line)), environments=("dev",))
    found = drift_html(replace(page(), projects=(wide,)), page_template())
    assert len(found) < 1_000_000
    drawn = [one for one in Reader(found).named("path") if str(one["d"]).count("M") > 50]
    assert len(drawn) > 100
    assert "85 older places left out" in found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(text: str, tmp_path: Path, scheme: str) -> None:
    """A phone scrolls one way only, every text stands out from its ground, nothing hostile runs."""
    try:
        found = looked_at(text, tmp_path, widths=(360, 1280), scheme=scheme)  # type: ignore[arg-type]
    except MissingServerError as error:
        pytest.fail(str(error), pytrace=False)
    phone, wide = found
    assert (phone["stacked"], wide["stacked"]) == ("block", "table-cell")
    for one in found:
        assert one["needed"] <= one["width"], one
        assert one["faint"] == []
        assert (one["opened"], one["hit"]) == (True, None)
        assert (one["background"] < 0.05) == (scheme == "dark")
    assert (phone["width"], wide["width"]) == (360, 1280)
