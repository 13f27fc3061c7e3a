"""What leaves a call holds no secret, and JSON stays JSON."""

from __future__ import annotations

import json

import pytest

from orchestrate.api.calling import Collecting
from orchestrate.cli.invocation import Invocation
from orchestrate.domain.secrets import Secret

VALUE = {"count": 123, "at": "123", "list123": [1.123, None, 'open "123"']}
CLEAN = {"count": 123, "at": "***", "list123": [1.123, None, 'open "***"']}


def test_a_password_of_digits_breaks_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    """It is taken out of texts; numbers and keys stay what they are."""
    invocation = Invocation()
    invocation.redactor.add(Secret("123"))
    invocation.json(VALUE)
    invocation.event(VALUE)
    invocation.error(VALUE)
    printed = capsys.readouterr()
    value, event = printed.out[: printed.out.rindex('{"count"')], printed.out.splitlines()[-1]
    assert json.loads(value) == CLEAN
    assert json.loads(event) == CLEAN
    assert json.loads(printed.err) == {"error": CLEAN}


def test_nor_does_it_in_the_api() -> None:
    """Events and errors are told as values."""
    call = Collecting(spec=None, on_event=None, on_message=None, heeding=Invocation().heeding)
    call.redactor.add(Secret("123"))
    call.json(VALUE)
    call.event(VALUE)
    call.error(VALUE)
    assert json.loads(call.texts[0]) == CLEAN
    assert call.events == [CLEAN]
    assert call.errors == [CLEAN]
