"""Runbooks from literal plans: what stands in them, and what a template may and may not do."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from orchestrate.domain.backups import Backup
from orchestrate.domain.findings import Finding
from orchestrate.domain.plan import Gate
from orchestrate.domain.runbook import Runbook, Template
from orchestrate.domain.spec import Environment
from orchestrate.errors import OrchestrateError
from orchestrate.planning.run_state import RunState, StepState
from orchestrate.planning.runbooks import Circumstances, make_runbook
from orchestrate.reports.runbooks import TEMPLATES, check_template, runbook_text
from orchestrate.stores.runbook_templates import shipped
from tests.support.values import NOON, basis, plan, step

ENVIRONMENT = Environment.model_validate(
    {
        "name": "dev",
        "url": "sqlite:///dev.db",
        "lock_timeout": "5s",
        "lock_retries": 3,
        "approval": {"required": 1, "approvers": ["ann@example.com"]},
        "runbook": {"contacts": ["Ann: 5550 100"]},
    }
)
PLAN = plan(
    replace(step(2), estimate_seconds=90.0, sql="SELECT '```'", sql_back="DROP TABLE a"),
    replace(
        step(3, transactional=False),
        title="<b>drop</b> *all*",
        sql_error="it reads from the database",
        findings=(
            Finding(code="missing-downgrade", severity="warning", message="has no downgrade"),
        ),
    ),
    basis=(basis("r1", dialect="postgresql", identity="postgresql system=1 database=2"),),
    gates=(
        Gate(kind="identity", state="open", detail="known"),
        Gate(kind="window", state="closed", detail="opens Sat 01:00"),
        Gate(kind="approval", state="closed", detail="0 of 1"),
    ),
)
RUN = RunState(
    id="run-1",
    environment="dev",
    plan_id="plan-1",
    plan_digest="",
    direction="upgrade",
    by="ann@host",
    host="host",
    pid=1,
    status="stopped",
    started_at=NOON,
    overrides={"window": "it burns"},
    steps={
        "002-r2": StepState(
            id="002-r2", revision="r2", status="finished", started_at=NOON, seconds=75.0
        )
    },
)


def written(run: RunState | None = None, **more: Any) -> Runbook:
    around = Circumstances(
        environment=ENVIRONMENT, written_by="bob@host", written_at=NOON, run=run, **more
    )
    return make_runbook(PLAN, around)


def text(runbook: Runbook, format_: str, own: dict[str, str] | None = None) -> str:
    original = shipped()
    templates = {**original, **{f"original/{name}": one for name, one in original.items()}}
    for name, body in (own or {}).items():
        templates[name] = Template(text=body, file=f"mine/{name}")
    return runbook_text(runbook, format_, templates)


def test_before_a_run() -> None:
    """Gates with their way through, times with their origin, and the way back of each step."""
    runbook = written(plan_file="my plan.json", sessions="SELECT 1")
    opens = {gate.kind: gate.opens for gate in runbook.gates}
    assert opens["identity"] == ""
    assert opens["window"].startswith("`orchestrate apply 'my plan.json' --wait` waits for it")
    assert opens["approval"] == "`orchestrate approve 'my plan.json'`, by whoever may"
    assert (runbook.expected, runbook.never_timed) == ("1 min 30 s", 1)
    first, second = runbook.steps
    assert first.way_back.command == "orchestrate rollback dev --to r1"
    assert first.way_back.sql == "DROP TABLE a"
    assert "no downgrade" in second.way_back.text
    assert second.way_back.command is None
    assert (first.done, second.done) == (False, False)
    assert not any(box.done for box in (*runbook.before, *runbook.worked))
    assert "3 times at most" in runbook.waits


def test_during_a_run() -> None:
    """The journal ticks what it knows; the copy that was made is named."""
    copy = Backup(
        id="backup-1",
        environment="dev",
        target="dev",
        created_at=NOON,
        strategy="pg_dump",
        format="custom",
        destination="backups/",
        file="x",
        location="backups/x",
        bytes=1,
        sha256="",
        heads=("r1",),
        identity="",
        dialect="postgresql",
        server_version="",
        version_table="",
        snapshot=None,
    )
    runbook = written(RUN, copies=(copy,))
    assert [one.done for one in runbook.steps] == [True, False]
    assert runbook.steps[0].took == "1 min 15 s"
    assert [one.command for one in runbook.way_back] == [
        "orchestrate rollback dev --run run-1",
        "orchestrate rollback dev --backup backup-1",
    ]
    window = next(box for box in runbook.before if "window" in box.text)
    assert (window.done, window.remark) == (True, "overridden: it burns")
    assert not any(box.done for box in runbook.worked)
    ended = written(replace(RUN, status="succeeded", finished_at=NOON))
    assert ended.worked[0].done
    assert not ended.worked[-1].done  # only a person knows


def test_markdown_is_not_broken_by_what_it_shows() -> None:
    """Titles are text, SQL with backticks stays inside of its fence."""
    page = text(written(), "markdown")
    assert "\\<b\\>drop\\</b\\> \\*all\\*" in page
    assert "````sql\nSELECT '```'\n````" in page
    assert "Its SQL cannot be shown: it reads from the database" in page
    assert "\n\n\n" not in page


def test_html_is_whole_and_needs_no_network() -> None:
    """Every tag is closed, nothing is loaded, what people wrote is text."""
    for runbook in (written(), written(RUN)):
        page = text(runbook, "html")
        assert _Tags.left_open(page) == []
        assert not any(
            word in page for word in ("http:", "https:", "src=", "href=", "url(", "@import")
        )
        assert "&lt;b&gt;drop&lt;/b&gt;" in page
        assert "<b>drop" not in page


class _Tags(HTMLParser):
    """What is open, and what was closed that was not."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @classmethod
    def left_open(cls, page: str) -> list[str]:
        parser = cls()
        parser.feed(page)
        return parser.open


@pytest.mark.parametrize(
    ("body", "where", "said"),
    [
        ("one\n{{ runbook.nothing }}", "mine/runbook.md.j2:2", "no attribute 'nothing'"),
        ("one\ntwo\n{% for %}", "mine/runbook.md.j2:3", "Expected"),
        ("{% include 'other.j2' %}", "mine/runbook.md.j2:1", "no template `other.j2`"),
        ("{{ runbook.environment.__class__ }}", "mine/runbook.md.j2:1", "unsafe"),
        ("{{ 1 / 0 }}", "mine/runbook.md.j2:1", "division"),
        ("{{ nobody }}", "mine/runbook.md.j2:1", "'nobody' is undefined"),
    ],
)
def test_a_mistake_in_a_template_has_file_and_line(body: str, where: str, said: str) -> None:
    """Whatever is wrong is an error of ours, and the sandbox holds."""
    with pytest.raises(OrchestrateError) as caught:
        text(written(), "markdown", {"runbook.md.j2": body})
    assert (caught.value.code, caught.value.where) == ("template-invalid", where)
    assert said in caught.value.message


def test_a_block_can_be_replaced(tmp_path: Path) -> None:
    """A template that extends the original uses its macros and filters."""
    own = '{% extends "original/runbook.html.j2" %}{% block people %}{{ box(runbook.before[0]) }}{% endblock %}'
    page = text(written(), "html", {"runbook.html.j2": own})
    assert "whom to call" not in page
    assert page.count("The database above is the one that is meant") == 2
    with pytest.raises(OrchestrateError):
        check_template("runbook.md.j2", {"runbook.md.j2": Template(text="{% x %}", file="f")})


def test_a_page_escapes_what_any_template_writes() -> None:
    """Also in one whose name says nothing of HTML; Markdown has no entities."""
    part = {"title.j2": "{{ '<b>' ~ runbook.environment }}"}
    for format_, written_as in (("html", "&lt;b&gt;dev"), ("markdown", "<b>dev")):
        name = TEMPLATES[format_]
        assert text(written(), format_, {name: "{% include 'title.j2' %}", **part}) == written_as
