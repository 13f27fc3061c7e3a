"""SQLite's own SQL text, taken apart: nowhere else is all of a table written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<skip> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<literal> [xX]?'(?:[^']|'')*' )
  | (?P<name> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
  | (?P<word> [^\W\d]\w*\$?\w* )
  | (?P<number> (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\w* )
  | (?P<sign> <> | != | <= | >= | == | << | >> | \|\| | ->> | -> | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_SIMPLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SPACED_WORDS: Final = (
    "AND AS BETWEEN BY CHECK ELSE EXISTS FROM IN INTO IS JOIN LIKE LIMIT NOT ON OR OVER RETURNING"
    " SELECT SET THEN UNION USING VALUES WHEN WHERE WITH"
)
_SPACED: Final = frozenset(_SPACED_WORDS.split())
"""Words that keep their space before a bracket, so that the line reads as people write it."""
_OTHER_WORDS: Final = (
    "ABORT ADD ALL ALTER ASC AUTOINCREMENT BEGIN CASCADE CASE COLLATE COMMIT CONSTRAINT CREATE"
    " CROSS CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DEFAULT DEFERRABLE DEFERRED DELETE DESC"
    " DISTINCT DROP END ESCAPE EXCEPT FOREIGN FULL GENERATED GROUP HAVING INDEX INNER INSERT"
    " INTERSECT ISNULL KEY LEFT NATURAL NO NOTHING NOTNULL NULL OFFSET ORDER OUTER PRIMARY"
    " REFERENCES RESTRICT RIGHT ROLLBACK ROW ROWS TABLE TEMP TO TRANSACTION TRIGGER UNIQUE"
    " UPDATE VIEW"
)
_KEYWORDS: Final = _SPACED | frozenset(_OTHER_WORDS.split())
"""Words that mean something without quotes: a name that is one of them keeps its quotes."""


def tokens(sql: str) -> list[str]:
    """Return the tokens of a statement, without white space and comments.

    A name in quotes of any kind becomes a plain word where it can: SQLite quotes the new name when
    it renames, and `RENAME a TO b` followed by `RENAME b TO a` is no change.
    """
    return list(_tokens(sql))


def _tokens(sql: str) -> Iterator[str]:
    for found in _TOKEN.finditer(sql):
        piece = found[0]
        if found["skip"] is not None:
            continue
        if found["name"] is not None:
            yield quote_name(unquote(piece))
        else:
            yield piece


def unquote(piece: str) -> str:
    """Return the name that a piece means."""
    if piece[:1] == "[":
        return piece[1:-1]
    if piece[:1] in {'"', "`", "'"} and len(piece) > 1:
        return piece[1:-1].replace(piece[0] * 2, piece[0])
    return piece


def quote_name(name: str) -> str:
    """Return a name as a piece: in double quotes where it needs them."""
    if _SIMPLE.match(name) and name.upper() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def render(pieces: Sequence[str]) -> str:
    """Return tokens as one line: `numeric(10,2) NOT NULL CHECK (total > 0)`."""
    line: list[str] = []
    before = ""
    for piece in pieces:
        if line and _space(before, piece):
            line.append(" ")
        line.append(piece)
        before = piece
    return "".join(line).replace("\r", "\\r").replace("\n", "\\n")


def _space(before: str, piece: str) -> bool:
    """Tell whether a space stands between two tokens."""
    if before in {"(", "."} or piece in {")", ",", ".", ";"}:
        return False
    if piece == "(":
        # A word and its bracket belong together: a type, a function, a table's columns.
        return not (before[:1].isalnum() or before[:1] in {"_", '"'}) or before.upper() in _SPACED
    # The two numbers of a type.
    return not (before == "," and piece[:1].isdigit())


def split(pieces: Sequence[str], separator: str = ",") -> list[list[str]]:
    """Return the parts between separators that stand outside all brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for piece in pieces:
        depth += (piece == "(") - (piece == ")")
        if piece == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(piece)
    return parts


def bracket(pieces: Sequence[str], start: int) -> int:
    """Return the index of the bracket that closes the one at `start`, or the last index."""
    depth = 0
    for index in range(start, len(pieces)):
        depth += (pieces[index] == "(") - (pieces[index] == ")")
        if depth == 0:
            return index
    return len(pieces) - 1
