"""Secrets do not come through, in any form in which programs write them."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import quoteattr

import markupsafe
import pytest

from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.secrets import Secret

PASSWORD = "s3cret@/:%{{x}}' <&> ü\"\\tester"


def redactor(*secrets: str, url: str | None = None) -> Redactor:
    made = Redactor(Secret(one) for one in secrets)
    if url is not None:
        made.add_url(Secret(url))
    return made


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        quote(PASSWORD, safe="").lower(),
        quote_plus(PASSWORD),
        json.dumps(PASSWORD),
        json.dumps(PASSWORD, ensure_ascii=False),
        repr(PASSWORD),
        html.escape(PASSWORD),
        html.escape(PASSWORD, quote=False),
        str(markupsafe.escape(PASSWORD)),
        quoteattr(PASSWORD + '"'),
    ],
)
def test_every_spelling_is_replaced(form: str) -> None:
    """As it is, in URLs, in JSON, in HTML, in Python's `repr`."""
    text = redactor(PASSWORD).redact(f"before {form} after")
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert "***" in text
    assert "tester" not in text


def test_a_urls_password_is_found_in_the_url() -> None:
    """Encoded in the URL, plain in a driver's message."""
    made = redactor(url=f"postgresql://app:{quote(PASSWORD, safe='')}@db:5432/shop?x=1")
    assert (
        made.redact(f"password {PASSWORD} for app at db/shop") == "password *** for app at db/shop"
    )


@pytest.mark.parametrize("password", ["app", "db", "shop", "pw"])
def test_a_password_that_is_a_common_word_is_replaced_in_urls_alone(password: str) -> None:
    """Else every message about that user, host or database would be asterisks."""
    url = f"postgresql://app:{password}@db/shop"
    made = redactor(url=url)
    assert made.redact("app at db has shop and pw") == "app at db has shop and pw"
    assert made.redact(f"cannot open {url}") == "cannot open postgresql://app:***@db/shop"


def test_an_unknown_urls_password_is_replaced() -> None:
    """A project may print URLs of its own."""
    assert redactor().redact("redis://:hunter2@cache/0") == "redis://:***@cache/0"


def test_values_are_redacted_all_through() -> None:
    """Lists, mappings and numbers keep their shape."""
    value = {"a": ["x hunter22 y", 1, None], "b": {"c": "hunter22"}}
    assert redactor("hunter22").redact_value(value) == {
        "a": ["x *** y", 1, None],
        "b": {"c": "***"},
    }


def test_short_secrets_do_not_change_data() -> None:
    """Rows are compared with rows: a password `test` must not rename tables."""
    rows = {"tables": [["test", "test_results", "hunter22"]]}
    made = redactor("test", "hunter22")
    assert made.redact_data(rows) == {"tables": [["test", "test_results", "***"]]}
    assert made.redact("test") == "***"


def test_a_secret_may_be_learned_later() -> None:
    """Environments are read one after the other."""
    made = redactor("first-one")
    made.add(Secret("second-one"))
    assert made.redact("first-one second-one") == "*** ***"
