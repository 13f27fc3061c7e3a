"""Every way in which the store's database can fail, in our words: `state-unavailable`.

The driver's text is shown, because it knows best; SQLAlchemy's statement and parameters are not,
and whatever the URL holds as a password is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL

from orchestrate.domain.secrets import MASK
from orchestrate.errors import OrchestrateError
from orchestrate.values import dataclass

_SPACE: Final = (
    "has no space left to write to",
    "Free some space and try again; what was recorded before is intact",
)
_READ_ONLY: Final = (
    "can be read but not written",
    "The file, its folder or the account has no right to write, or the server is a replica",
)
_REFUSED: Final = (
    "refused the account",
    "Check the user and the password that the source of `state` gives",
)
_RIGHTS: Final = (
    "does not let the account do this",
    "The account has to read and write tables named `orchestrate_…`, and to create them once",
)
_ABSENT: Final = (
    "does not exist on its server",
    "Create the database, or correct its name in `state`",
)
_BUSY: Final = (
    "stayed locked by somebody else for too long",
    "Look for a program that keeps a transaction open on it; nothing was written, try again",
)
_NOT_A_DATABASE: Final = (
    "is no SQLite database",
    "Name another file in `state`; this one was left as it is",
)
_DAMAGED: Final = (
    "is damaged",
    "Keep a copy of the file with its `-wal` and `-shm`, then put a backup in its place",
)
_FILE: Final = (
    "cannot be opened",
    "Check that the path is a file in a folder that is yours and can be written",
)
_UNREACHABLE: Final = (
    "cannot be reached or used",
    "Check that the server runs, and what `state` says of host, port, user and database",
)

# By SQLite's error names (a beginning is enough), SQLSTATE, and MySQL's numbers.
_KNOWN: Final[tuple[tuple[str, tuple[str, str]], ...]] = (
    ("SQLITE_FULL", _SPACE),
    ("SQLITE_READONLY", _READ_ONLY),
    ("SQLITE_CANTOPEN", _FILE),
    ("SQLITE_NOTADB", _NOT_A_DATABASE),
    ("SQLITE_CORRUPT", _DAMAGED),
    ("SQLITE_IOERR", _FILE),
    ("SQLITE_BUSY", _BUSY),
    ("SQLITE_LOCKED", _BUSY),
    ("28", _REFUSED),
    ("3D000", _ABSENT),
    ("42501", _RIGHTS),
    ("53100", _SPACE),
    ("25006", _READ_ONLY),
    ("55P03", _BUSY),
    ("mysql:1044", _RIGHTS),
    ("mysql:1045", _REFUSED),
    ("mysql:1049", _ABSENT),
    ("mysql:1142", _RIGHTS),
    ("mysql:1021", _SPACE),
    ("mysql:1114", _SPACE),
    ("mysql:1290", _READ_ONLY),
    ("mysql:1205", _BUSY),
)
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Makes the errors of one store; knows what has to be kept out of them."""

    safe_url: str
    hidden: tuple[str, ...] = ()

    def of(self, error: BaseException, *, committing: bool = False) -> OrchestrateError:
        """Return the error to raise in place of a library's.

        Args:
            error: What the library raised.
            committing: Whether it came in answer to COMMIT, so that the outcome is not known.
        """
        original: BaseException = getattr(error, "orig", None) or error
        text = self.clean(_text(original))
        reason, hint = _known(_code(original), text)
        return self.make(
            f"The state store `{self.safe_url}` {reason}: {text}",
            hint=hint,
            outcome="unknown" if committing else "not written",
        )

    def make(
        self, message: str, *, hint: str | None = None, outcome: str = "not written"
    ) -> OrchestrateError:
        """Return a `state-unavailable` of our own making."""
        return OrchestrateError(
            "state-unavailable",
            message,
            hint=hint,
            details={"state": self.safe_url, "outcome": outcome},
        )

    def cause(self, error: BaseException) -> BaseException | None:
        """Return the error to chain to: none if its text would show a secret in a traceback."""
        shown: BaseException | None = error
        while shown is not None:
            if any(secret in f"{shown} {shown!r}" for secret in self.hidden):
                return None
            shown = shown.__cause__ or shown.__context__
        return error

    def clean(self, text: str) -> str:
        """Return a driver's text in one line, of bearable length, without secrets."""
        line = "; ".join(part.strip() for part in text.splitlines() if part.strip())
        for secret in self.hidden:
            line = line.replace(secret, MASK)
        return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


# libpq gives no SQLSTATE for what happens while it connects.
_KNOWN_TEXTS: Final = (
    (re.compile("password authentication failed|no password supplied"), _REFUSED),
    (re.compile('FATAL:  database ".*" does not exist'), _ABSENT),
)
_SECRET_KEYS: Final = re.compile("pass|secret|token|key", re.IGNORECASE)


def hidden_parts(url: URL) -> tuple[str, ...]:
    """Return every text of a URL that no message may show, longest first."""
    found: set[str] = set()
    if url.password:
        found.update(_spellings(str(url.password)))
    for key, value in url.query.items():
        if _SECRET_KEYS.search(key):
            for one in (value,) if isinstance(value, str) else value:
                found.update(_spellings(one))
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _spellings(secret: str) -> Iterable[str]:
    # A quoted representation (`repr`) doubles backslashes and escapes quotes.
    return {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]} - {""}


def _known(code: str, text: str) -> tuple[str, str]:
    for pattern, words in _KNOWN_TEXTS:
        if pattern.search(text):
            return words
    return next((words for known, words in _KNOWN if code.startswith(known)), _UNREACHABLE)


def _code(original: BaseException) -> str:
    """Return what the driver calls the error, of the forms that `_KNOWN` lists."""
    if original.args and isinstance(original.args[0], int):
        return f"mysql:{original.args[0]}"
    anything: Any = original
    for name in ("sqlite_errorname", "sqlstate", "pgcode"):
        found = getattr(anything, name, None)
        if isinstance(found, str):
            return found
    return ""


def _text(original: BaseException) -> str:
    """Return the driver's words; MySQL's drivers put a number before them."""
    match original.args:
        case (int(), str() as words):
            return words
        case _:
            return str(original)
