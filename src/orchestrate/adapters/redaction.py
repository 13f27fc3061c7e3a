"""Taking secrets out of text that comes from elsewhere: an agent, a driver, a project's output.

The last of several nets, since secrets have a type of their own: what a project prints is beyond
any type. Must not decide what is a secret.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from orchestrate.domain.secrets import MASK, Secret

SHORTEST: Final = 3
"""A shorter secret is replaced only where it stands as a password in a URL."""
SHORTEST_IN_DATA: Final = 8
"""In result rows a shorter one is left alone: a password `test` must not rename tables."""

_OWN: Final = re.compile(
    r"\b(?:\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[+-]\d{2}:\d{2})?)?"
    r"|(?:run|plan|drift|backup|rehearsal)-\d{8}-\d{6}-[0-9a-f]{4}"
    r"|(?:sha256:)?[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{12})\b"
)
"""A moment, a name of a run or a plan, a digest, a commit, a revision as Alembic names it.

Machines make them, of nothing that anybody keeps secret: a short password that is part of one is so
by chance, as `123` is in every tenth file with some digests. Masked, it would tell nobody less, and
a plan file could not be read any more. Any other number cannot be told from one that is the secret.
"""

_URL_PASSWORD: Final = re.compile(r"(://[^\s:/@'\"]*):[^\s@/]*@")
_URL_PARTS: Final = re.compile(
    r"://(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@(?P<host>[^:/?#]*)[^/?#]*(?:/(?P<database>[^?#]*))?"
)


class Redactor:
    """Replaces the secrets it was told, in every form in which programs write them."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._lock = threading.Lock()
        self._texts: set[str] = set()
        self._harmless: set[str] = set()
        self._in_text: re.Pattern[str] | None = None
        self._in_data: re.Pattern[str] | None = None
        self._short = False
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Have a text replaced from now on."""
        self._learn({secret.reveal()}, set())

    def add_url(self, url: Secret) -> None:
        """Have a URL's password replaced, unless it is also the user, host or database's name.

        Also where it stands with the user in base64.
        """
        parts = _URL_PARTS.search(url.reveal())
        if parts is None:
            return
        password = parts["password"] or ""
        harmless = {unquote(parts[name] or "") for name in ("user", "host", "database")}
        # As HTTP's basic authentication has them: https://www.rfc-editor.org/rfc/rfc7617#section-2
        both = f"{unquote(parts['user'])}:{unquote(password)}".encode("utf-8", "surrogateescape")
        pair = base64.b64encode(both).decode("ascii") if password else ""
        self._learn({password, unquote(password), pair}, harmless)

    def _learn(self, secrets: set[str], harmless: set[str]) -> None:
        with self._lock:
            self._texts |= secrets - {""}
            self._harmless |= harmless
            known = {one for one in self._texts if unquote(one) not in self._harmless}
            self._short = any(SHORTEST <= len(one) < SHORTEST_IN_DATA for one in known)
            self._in_text = _pattern(known, SHORTEST)
            self._in_data = _pattern(known, SHORTEST_IN_DATA)

    def redact(self, text: str) -> str:
        """Return a text for people without secrets."""
        if self._in_text is not None:
            own = [one.span() for one in _OWN.finditer(text)] if self._short else []
            text = self._in_text.sub(lambda found: _masked(found, own), text)
        return _URL_PASSWORD.sub(rf"\1:{MASK}@", text) if "://" in text else text

    def redact_value(self, value: Any) -> Any:
        """Return plain JSON for people, with every text in it redacted."""
        match value:
            case str():
                return self.redact(value)
            case Mapping():
                return {key: self.redact_value(one) for key, one in value.items()}
            case list() | tuple():
                return [self.redact_value(one) for one in value]
            case _:
                return value

    def redact_data(self, value: Any) -> Any:
        """Return rows, in which only long secrets are replaced, and a URL's password never is.

        They are compared with other rows, so a word that merely looks like a secret has to stay.
        """
        match value:
            case str():
                return value if self._in_data is None else self._in_data.sub(MASK, value)
            case Mapping():
                return {key: self.redact_data(one) for key, one in value.items()}
            case list() | tuple():
                return [self.redact_data(one) for one in value]
            case _:
                return value


def _masked(found: re.Match[str], own: Iterable[tuple[int, int]]) -> str:
    """Return what stands in the place of a secret: itself where it is one by chance."""
    by_chance = len(found[0]) < SHORTEST_IN_DATA and any(
        begin <= found.start() and found.end() <= end for begin, end in own
    )
    return found[0] if by_chance else MASK


def _pattern(secrets: Iterable[str], shortest: int) -> re.Pattern[str] | None:
    forms = {form for one in secrets if len(one) >= shortest for form in _forms(one)}
    if not forms:
        return None
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(_spaced(form) for form in longest_first))


def _spaced(form: str) -> str:
    """Return the pattern of a secret that may have been broken into lines where it has a space."""
    words = form.split()
    if not words or form != form.strip():
        return re.escape(form)
    return r"\s+".join(re.escape(word) for word in words)


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, in URLs, JSON, HTML, XML, SQL, shells, base64 and `repr`."""
    encoded = quote(secret, safe="")
    seen = "".join(one for one in secret if one.isprintable() or one.isspace())
    forms = {
        secret,
        encoded,
        quote(secret),
        quote(secret, safe=" +"),  # SQLAlchemy's way
        quote_plus(secret),
        re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded),
        seen,  # in messages, which hold nothing that moves a cursor
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        html.escape(secret, quote=False).replace('"', "&quot;"),
        html.escape(secret).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        repr(secret.encode("utf-8", "surrogateescape"))[2:-1],
        secret.replace("'", "''"),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        secret.replace("'", "'\"'\"'"),
        secret.replace("'", "'\\''"),
        base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode("ascii"),
    }
    # In ini files, and in statements as they are sent to drivers.
    return forms | {one.replace("%", "%%") for one in forms}
