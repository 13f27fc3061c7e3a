"""Reading SQL: from a text to statements that rules can judge. Pure.

sqlglot's tokenizers cut the text, because they know how each dialect quotes, escapes and comments.
Its parser is not asked: most forms of `ALTER` that matter here come out of it as opaque text. The
library is imported at the first text, which `plan` and `apply` never have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from orchestrate.domain.statements import Statement, Table, Words, keywords

_QUOTED: Final = '""'
_TEXT: Final = "''"
_NUMBER: Final = "0"
_MODIFIERS: Final = keywords(
    "OR REPLACE TEMP TEMPORARY UNLOGGED GLOBAL LOCAL UNIQUE FULLTEXT SPATIAL CLUSTERED NONCLUSTERED"
    " FOREIGN EXTERNAL MATERIALIZED VIRTUAL ONLINE OFFLINE IGNORE RECURSIVE EVENT"
)
_BEFORE_A_NAME: Final = keywords(
    "IF NOT EXISTS ONLY CONCURRENTLY INTO FROM TABLE IGNORE LOW_PRIORITY HIGH_PRIORITY DELAYED"
    " QUICK OR REPLACE ABORT FAIL ROLLBACK OVERWRITE"
)
_CHANGES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
_OPAQUE: Final = frozenset({"DO", "CALL", "EXECUTE", "PREPARE", "EXPLAIN", "DECLARE"})


def read_statements(sql: str, grammar: str) -> tuple[Statement, ...]:
    """Return the statements of a text in a dialect, by sqlglot's name of it.

    What begins and ends transactions is left out, and told by each statement's `outside`. A text
    that cannot be cut into words gives one statement without a verb.
    """
    found = []
    outside = False
    for words in _cut(sql, grammar):
        verb = words.keys[0]
        if verb in {"COMMIT", "BEGIN"} or words.begins("START", "TRANSACTION"):
            outside = verb == "COMMIT"
            continue
        found.append(_statement(words, outside=outside))
    return tuple(found)


def _cut(sql: str, grammar: str) -> Iterator[Words]:
    from sqlglot.errors import SqlglotError  # noqa: PLC0415  (see the module)

    try:
        tokens = _tokenizer(grammar).tokenize(sql)
    except (SqlglotError, ValueError):
        yield Words((_TEXT,), (" ".join(sql.split()),))
        return
    keys: list[str] = []
    texts: list[str] = []
    for key, text in _words(tokens, grammar):
        if key != ";":
            keys.append(key)
            texts.append(text)
        elif keys:
            yield Words(tuple(keys), tuple(texts))
            keys, texts = [], []
    if keys:
        yield Words(tuple(keys), tuple(texts))


@lru_cache(maxsize=8)
def _tokenizer(grammar: str) -> Any:
    from sqlglot.dialects.dialect import Dialect  # noqa: PLC0415  (see the module)

    return Dialect.get_or_raise(grammar).tokenizer()


def _words(tokens: Iterable[Any], grammar: str) -> Iterator[tuple[str, str]]:
    previous = ""
    for token in list(tokens):
        kind, text = token.token_type.name, token.text
        if kind == "IDENTIFIER":
            yield _QUOTED, text
        elif kind == "STRING" and previous in {"COMMAND", "RENAME", "REPLACE", "SHOW"}:
            # What follows the first word of a statement that sqlglot does not look into.
            yield from _rest(text, grammar)
        elif kind.endswith("STRING"):
            yield _TEXT, f"'{text}'"
        elif kind == "NUMBER":
            yield _NUMBER, text
        elif text[:1].isalpha() or text[:1] == "_":
            # `PRIMARY KEY` is one token.
            for word in text.split():
                yield word.upper(), word
        else:
            yield text, text
        previous = kind


def _rest(text: str, grammar: str) -> Iterator[tuple[str, str]]:
    from sqlglot.errors import SqlglotError  # noqa: PLC0415  (see the module)

    try:
        # A sign in front: a first word might be a command again, and swallow what follows it.
        inner = list(_tokenizer(grammar).tokenize(f", {text}"))[1:]
    except (SqlglotError, ValueError):
        yield _TEXT, text
        return
    yield from _words(inner, grammar)


def _statement(words: Words, *, outside: bool) -> Statement:
    verb = words.keys[0]
    if verb == "WITH":
        return _after_with(words, outside=outside)
    if verb in {"CREATE", "ALTER", "DROP"}:
        return _about_an_object(words, verb, outside=outside)
    tables: tuple[Table, ...] = ()
    rest = len(words)
    if verb in _CHANGES or verb == "TRUNCATE":
        tables, rest = _names(words, _skip(words, 1, _BEFORE_A_NAME))
    return Statement(
        verb="INSERT" if verb == "REPLACE" else verb,
        kind="",
        modifiers=("CONCURRENTLY",) if verb not in _OPAQUE and words.has("CONCURRENTLY") else (),
        tables=tables,
        name="",
        actions=(words.cut(rest),) if rest < len(words) else (),
        words=words,
        outside=outside,
    )


def _after_with(words: Words, *, outside: bool) -> Statement:
    """Return the statement that follows the common table expressions, or that one of them is."""
    changes = [at for at, key in enumerate(words.keys) if key in _CHANGES and _begins(words, at)]
    outermost = {at for at, _ in _top_level(words)}
    start = next((at for at in changes if at in outermost), changes[0] if changes else None)
    if start is None:
        return Statement(
            verb="SELECT",
            kind="",
            modifiers=(),
            tables=(),
            name="",
            actions=(),
            words=words,
            outside=outside,
        )
    return _statement(words.cut(start), outside=outside)


def _begins(words: Words, at: int) -> bool:
    """Return whether a word of a change begins one: `FOR UPDATE` and `ON DELETE` do not."""
    return at > 0 and words.keys[at - 1] in {"(", ")"}


def _top_level(words: Words) -> Iterator[tuple[int, str]]:
    depth = 0
    for at, key in enumerate(words.keys):
        depth += {"(": 1, ")": -1}.get(key, 0)
        if depth == 0:
            yield at, key


def _about_an_object(words: Words, verb: str, *, outside: bool) -> Statement:
    at = _skip(words, 1, _MODIFIERS)
    modifiers = [*words.keys[1:at]]
    kind = words.keys[at] if at < len(words) else ""
    start = _skip(words, at + 1, frozenset({"IF", "NOT", "EXISTS", "ONLY", "CONCURRENTLY"}))
    modifiers += [one for one in words.keys[at + 1 : start] if one == "CONCURRENTLY"]
    names, rest = _names(words, start, several=verb == "DROP")
    tables = names if kind == "TABLE" else ()
    name = "" if kind == "TABLE" or not names else names[0][1]
    if kind == "INDEX":
        on = words.find("ON")
        if on is not None:
            tables, rest = _names(words, _skip(words, on + 1, frozenset({"ONLY"})), several=False)
        name = "" if start == on else name
    return Statement(
        verb=verb,
        kind=kind,
        modifiers=tuple(modifiers),
        tables=tables,
        name=name,
        actions=tuple(_split(words.cut(rest))),
        words=words,
        outside=outside,
    )


def _skip(words: Words, start: int, skipped: frozenset[str]) -> int:
    at = start
    while at < len(words) and words.keys[at] in skipped:
        at += 1
    return at


def _names(words: Words, start: int, *, several: bool = True) -> tuple[tuple[Table, ...], int]:
    """Return the names that stand at a place, separated by commas, and where they end."""
    found: list[Table] = []
    at = start
    while at < len(words):
        parts = [words.texts[at]] if _is_name(words.keys[at]) else []
        at += len(parts)
        while parts and at + 1 < len(words) and words.keys[at] == ".":
            parts.append(words.texts[at + 1])
            at += 2
        if parts:
            found.append((parts[-2] if len(parts) > 1 else None, parts[-1]))
        if not parts or not several or at >= len(words) or words.keys[at] != ",":
            break
        at += 1
    return tuple(found), at


def _is_name(key: str) -> bool:
    return key == _QUOTED or key[:1].isalpha() or key[:1] == "_"


def _split(words: Words) -> Iterator[Words]:
    """Cut at the commas that stand in no parentheses."""
    start = 0
    commas = [at for at, key in _top_level(words) if key == ","]
    for end in (*commas, len(words)):
        if end > start:
            yield words.cut(start, end)
        start = end + 1


def name_in(words: Words, start: int) -> str | None:
    """Return the last part of the name that stands at a place, behind `IF EXISTS` and the like."""
    at = _skip(words, start, frozenset({"IF", "NOT", "EXISTS", "COLUMN"}))
    names, _ = _names(words, at, several=False)
    return names[0][1] if names else None


def table_in(words: Words, start: int) -> Table | None:
    """Return the name that stands at a place as a table's."""
    names, _ = _names(words, start, several=False)
    return names[0] if names else None


def tables_named(words: Words, after: Sequence[str] = ("FROM", "JOIN", "USING")) -> set[Table]:
    """Return the tables that stand behind such words."""
    found: set[Table] = set()
    for at, key in enumerate(words.keys):
        if key in after:
            found.update(_names(words, at + 1)[0])
    return found
