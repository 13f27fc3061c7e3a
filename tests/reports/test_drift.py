"""Reports of drift, compared whole: for terminals, tickets and CI servers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree as ET

import click

from orchestrate.domain.drift import (
    DriftDifference,
    DriftReport,
    EnvironmentDrift,
    TargetTrouble,
)
from orchestrate.planning.drift_values import drift_from_value, drift_value
from orchestrate.reports.drift import drift_markdown, drift_text
from orchestrate.reports.junit import drift_junit
from tests.support import drift_values
from tests.support.values import NOON

TARGET = replace(
    drift_values.TARGET,
    heads=("r2",),
    project_heads=("r2",),
    identity="postgresql 1/2",
    server_version="PostgreSQL 15.1",
    basis="what run-1 left at r2",
    previous=None,
    last_run=None,
)
INDEX = replace(
    drift_values.NOTE,
    object="index",
    name="orders.ix_total",
    change="removed",
    expected="btree (total)",
    actual=None,
    remedy="CREATE INDEX ix_total ON orders USING btree (total)",
)
RENAMED = replace(
    INDEX,
    object="column",
    name="orders.total",
    expected="numeric",
    renamed_to="orders.amount",
    also=("view paid",),
    new=False,
    remedy="ALTER TABLE orders RENAME COLUMN amount TO total",
)
ADDED = replace(
    RENAMED,
    name="orders.amount",
    change="added",
    expected=None,
    actual="numeric",
    renamed_to=None,
    rename_of="orders.total",
    also=(),
    remedy=None,
)
KNOWN = replace(
    INDEX,
    name="orders.ix_|_load",
    change="added",
    known=True,
    reason="the <load>'s",
    until=date(2027, 1, 31),
    new=False,
)
REVISION = DriftDifference(
    kind="revision",
    object="revision",
    name="public.alembic_version",
    change="altered",
    expected="r2",
    actual="f00d",
    detail="at `f00d`, which this checkout lacks; it was added on branch feature",
)
REPORT = DriftReport(
    id="drift-2",
    created_at=NOON,
    against=None,
    environments=(
        EnvironmentDrift(name="dev", targets=(replace(TARGET, state="behind", pending=3),)),
        EnvironmentDrift(
            name="prod",
            targets=(
                replace(
                    TARGET,
                    environment="prod",
                    name="prod",
                    state="unknown-revision",
                    heads=("f00d",),
                    differences=(REVISION, INDEX, RENAMED, ADDED, KNOWN),
                    gone=(replace(INDEX, name="orders.ix_old"),),
                    previous="drift-1",
                    not_compared=("event",),
                ),
            ),
        ),
        EnvironmentDrift(
            name="away",
            targets=(
                replace(
                    TARGET,
                    environment="away",
                    name="away",
                    state="unreachable",
                    heads=(),
                    compared_with=None,
                    basis=None,
                    error=TargetTrouble(code="unreachable", message="nothing \x00 listens"),
                ),
            ),
        ),
    ),
    tool_version="1",
    previous="drift-1",
)

TEXT = """\
ENVIRONMENT  STATE             REVISION  PENDING  DRIFT      COMPARED WITH
dev          behind            r2        3        none       snapshot
prod         unknown-revision  f00d      0        4, 1 new   snapshot
away         unreachable       -         -        not known  -

prod: 4 differences, 1 known, 1 gone since the last report; the schema was
  compared with what run-1 left at r2
  ~ revision public.alembic_version altered
      expected r2
      found    f00d
      at `f00d`, which this checkout lacks; it was added on branch feature
  - index orders.ix_total removed (new)
      it was   btree (total)
      back: CREATE INDEX ix_total ON orders USING btree (total)
  - column orders.total renamed to orders.amount, it seems
      with it: view paid
      back: ALTER TABLE orders RENAME COLUMN amount TO total
  = index orders.ix_|_load added (known until 2027-01-31: the <load>'s)
  gone: index orders.ix_old removed
  not compared, as this credential may not see all of it or an earlier version
    recorded it otherwise: event

away: not compared
  nothing \x00 listens [unreachable]"""

MARKDOWN = """\
# Drift: prod

2026-11-21 12:00:00 UTC, report `drift-2`.

| environment | state | revision | pending | drift | compared with |
|---|---|---|---|---|---|
| dev | behind | r2 | 3 | none | snapshot |
| prod | unknown-revision | f00d | 0 | 4, 1 new | snapshot |
| away | unreachable | - | 0 | not known | - |

## prod: 4 differences, 1 known, 1 gone since the last report; the schema was compared with what \
run-1 left at r2

- revision `public.alembic_version` altered
  - expected `r2`
  - found `f00d`
  - at `f00d`, which this checkout lacks; it was added on branch feature
- index `orders.ix_total` removed **new**
  - expected `btree (total)`
  - back: `CREATE INDEX ix_total ON orders USING btree (total)`
- column `orders.total` renamed to orders.amount, it seems
  - with it: `view paid`
  - back: `ALTER TABLE orders RENAME COLUMN amount TO total`
- index `orders.ix_|_load` added (known until 2027-01-31: the &lt;load>'s)
- gone: index `orders.ix_old` removed
- not compared: event

## away: not compared

- nothing \x00 listens `unreachable`"""


def test_text() -> None:
    """One table, then what differs, within 80 columns."""
    text = click.unstyle(drift_text(REPORT))
    assert text == TEXT
    assert max(map(len, text.splitlines())) <= 80


def test_markdown() -> None:
    """The same parts, with names as code."""
    assert drift_markdown(REPORT) == MARKDOWN


def test_junit() -> None:
    """A suite for each environment, a case for each kind; what XML cannot hold is replaced."""
    root = ET.fromstring(drift_junit(REPORT))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("9", "2", "3")
    dev, prod, away = root
    assert [case.get("name") for case in dev] == ["identity", "revision", "schema"]
    assert [len(case) for case in dev] == [0, 0, 0]
    assert [[one.get("type") for one in case] for case in prod] == [
        [],
        ["revision-drift"],
        ["schema-drift"],
    ]
    told = prod[2][0].text or ""
    assert "index orders.ix_total removed (new)" in told
    assert "ix_|_load" not in told, "what is known is no failure"
    assert away[0][0].get("message") == "nothing \N{REPLACEMENT CHARACTER} listens"
    assert dev.get("timestamp") == "2026-11-21T12:00:00"


def test_junit_without_secrets() -> None:
    """Taken out of each text: a password of digits leaves counts and times as they are."""
    text = drift_junit(REPORT, redacted=lambda one: re.sub(r"[0-9]|ix_total", "***", one))
    assert "ix_total" not in text
    plain, masked = (
        [[one.get(name) for name in ("tests", "errors", "timestamp", "time")] for one in root]
        for root in (ET.fromstring(drift_junit(REPORT)), ET.fromstring(text))
    )
    assert masked == plain


def test_kept_and_read_again() -> None:
    """A report is the same after a while in the state store."""
    assert drift_from_value(drift_value(REPORT)) == REPORT
