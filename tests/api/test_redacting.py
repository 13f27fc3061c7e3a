"""No secret comes out of the API in a value or an error."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import make_url

from orchestrate import OrchestrateError, Orchestrator
from orchestrate.api.redacting import clean_error, without_secrets
from orchestrate.domain.findings import Finding
from orchestrate.domain.observation import Unreachable
from tests.support.databases import NewDatabase
from tests.support.values import observation, step
from tests.support.workspace import Workspace

FINDING = Finding(code="c", severity="error", message="open: hunter2", where="a")


def redact(text: str) -> str:
    return text.replace("hunter2", "***")


def test_every_text_of_a_value() -> None:
    """However deep it lies; what has no secret stays the very same value."""
    held = replace(step(), findings=(FINDING,), command=("run", "hunter2"))
    clean = without_secrets({"steps": [held], "count": 2}, redact)
    assert "hunter2" not in str(clean)
    assert clean["steps"][0].findings[0].message == "open: ***"
    assert clean["count"] == 2
    plain = (observation("r1"), step())
    assert without_secrets(plain, redact) is plain


def test_every_word_of_an_error() -> None:
    """Its code and place in the program are kept, what it was raised from is not."""
    error = OrchestrateError(
        "unreachable", "no hunter2", hint="hunter2?", details={"x": "hunter2"}, findings=(FINDING,)
    )
    clean = clean_error(error, redact)
    assert (clean.code, clean.message, clean.hint) == ("unreachable", "no ***", "***?")
    assert "hunter2" not in f"{clean} {clean.details} {clean.findings}"


def test_an_env_that_says_too_much(
    workspace: Workspace, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails with its URL in the message: neither a row nor an error has the password."""
    url = new_database("postgresql").url
    password = make_url(url).password
    assert password
    monkeypatch.setenv("DEV_URL", url)
    workspace.project.linear(1)
    env = workspace.project.scripts / "env.py"
    env.write_text(
        "from alembic import context\n"
        "raise RuntimeError('cannot open ' + context.config.get_main_option('sqlalchemy.url'))\n"
    )
    workspace.environment("dev", url={"env": "DEV_URL"})
    one = Orchestrator(workspace.folder)
    row = one.status("dev")[0]
    assert isinstance(row.sight, Unreachable)
    assert "cannot open" in row.sight.message
    assert password not in str(row)
    with pytest.raises(OrchestrateError) as caught:
        one.plan("dev")
    assert "cannot open" in caught.value.message
    assert password not in f"{caught.value} {caught.value.details}"
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
