"""Secrets do not come through, in any form in which programs write them."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import quoteattr

import markupsafe
import pytest
import sqlalchemy

from orchestrate.adapters.redaction import Redactor
from orchestrate.domain.secrets import Secret

PASSWORD = "s3cret@/:%{{x}}' + <&> ü\"\\tester"


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
        quote(PASSWORD, safe="").replace("%", "%%"),
        sqlalchemy.URL.create("postgresql", "app", PASSWORD).render_as_string(hide_password=False),
        json.dumps(PASSWORD),
        json.dumps(PASSWORD, ensure_ascii=False),
        repr(PASSWORD),
        ascii(PASSWORD),
        repr(PASSWORD.encode()),
        html.escape(PASSWORD),
        html.escape(PASSWORD, quote=False),
        str(markupsafe.escape(PASSWORD)),
        quoteattr(PASSWORD + '"'),
        PASSWORD.replace("%", "%%"),
        PASSWORD.replace("'", "''"),
        PASSWORD.replace("'", "''").replace("%", "%%"),
        PASSWORD.replace("\\", r"\\").replace("'", r"\'"),
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


def test_user_and_password_in_base64() -> None:
    """As they are in the header of an HTTP request."""
    made = redactor(url="https://app:p%40ss-word@hooks.example.com/x")
    header = base64.b64encode(b"app:p@ss-word").decode()
    assert made.redact(f"Authorization: Basic {header}") == "Authorization: Basic ***"


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


OWN = [
    "2026-11-21",
    "2026-11-21T18:01:23.123456+00:00",
    "2026-11-21 18:01:23 UTC",
    "run-20261121-180123-1234",
    "sha256:" + "0123" * 16,
    "0123" * 16,
    "0123" * 10,
    "ae1027a6123f",
]


@pytest.mark.parametrize("own", OWN)
def test_a_short_password_is_part_of_a_digest_by_chance(own: str) -> None:
    """What machines make is left alone; everything else with the same digits is not."""
    made = redactor("123", "2026", "026-11-", url="postgresql://app:1234@db/shop")
    assert made.redact(f"at {own}: 123") == f"at {own}: ***"
    assert made.redact_value({"a": [own]}) == {"a": [own]}
    assert made.redact(f"{own}123") != f"{own}123"
    assert made.redact("password 2026, 1234, e123") == "password ***, ***, e***"


def test_a_long_secret_is_replaced_wherever_it_is() -> None:
    """Also where it has the form of something that machines make, or is most of it."""
    for own in OWN:
        assert redactor(own).redact(f"at {own}.") == "at ***."
    assert redactor("01230123").redact("0123" * 16) == "***" * 8


def test_a_secret_that_was_broken_into_lines() -> None:
    """A passphrase has spaces, at which texts are wrapped and indented."""
    made = redactor("correct horse battery")
    assert made.redact("is correct\n      horse battery.") == "is ***."
    assert made.redact("correct horses battery") == "correct horses battery"
    assert redactor(" 1 2").redact("a 1 2") == "a***"


def test_a_secret_with_signs_that_nobody_sees() -> None:
    """What is told of a driver's words has none that move a cursor or turn a line's direction."""
    made = redactor("hid\u200bden\u202e pass\u00a0word\x1b")
    assert made.redact("hid\u200bden\u202e pass\u00a0word\x1b") == "***"
    assert made.redact("password hidden pass word refused") == "password *** refused"
