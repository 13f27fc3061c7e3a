"""PostgreSQL's statements that bring back what should be there, without losing data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from orchestrate.dialects.remedies import (
    both_ways,
    dotted,
    identifier,
    outside_quotes,
    several_lines,
)
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.snapshot import place_and_name

_STATE: Final = re.compile(
    r" (INVALID|NOT READY|CLUSTERED|REPLICA IDENTITY|DISABLED|ENABLED|COMMENT|WITH|TABLESPACE)\b"
)
"""What the description adds to the server's own text, or where another clause has to stand."""
_COMMENT: Final = re.compile(r" ?COMMENT '(?:[^']|'')*'\Z")
_GRANTED: Final = re.compile(r"(?P<object>[^()]+) to (?P<grantee>\S+)")
_DEFAULT: Final = re.compile(r" DEFAULT (?P<value>.+)\Z")
_AFTER_DEFAULT: Final = re.compile(r" (STORAGE|COMPRESSION|STATISTICS|WITH|OPTIONS|COMMENT) ")


def remedy(one: DriftDifference) -> str | None:
    """Return the statement, or None where none is known to be safe."""
    if one.renamed_to:
        return _renamed(one, one.renamed_to)
    make = _MAKERS.get(one.object)
    if make is None or one.rename_of or _same_but_for_comment(one):
        return None
    return make(one)


def _same_but_for_comment(one: DriftDifference) -> bool:
    """Tell whether only a comment differs, for which nothing has to be made anew."""
    return one.change == "altered" and (
        _COMMENT.sub("", one.expected or "") == _COMMENT.sub("", one.actual or "")
    )


def _is_plain(text: str | None) -> bool:
    """Tell whether a definition is the server's own text and nothing of ours."""
    return bool(text) and not _STATE.search(outside_quotes(text or ""))


def _renamed(one: DriftDifference, new: str) -> str | None:
    place, old = place_and_name(one.name)
    name, now = identifier(old), identifier(place_and_name(new)[1])
    match one.object:
        case "column" | "constraint":
            return f"ALTER TABLE {dotted(place)} RENAME {one.object.upper()} {now} TO {name}"
        case "table" | "view" | "materialized view" | "sequence":
            return f"ALTER {one.object.upper()} {dotted(new)} RENAME TO {name}"
        case "index":
            return f"ALTER INDEX {_index_name(new)} RENAME TO {name}"
        case _:
            return None


def _index_name(name: str) -> str:
    """Return an index's name in its schema: its table is no part of it."""
    table, own = place_and_name(name)
    schema = place_and_name(table)[0]
    return f"{dotted(schema)}.{identifier(own)}" if schema else identifier(own)


def _index(one: DriftDifference) -> str | None:
    table, own = place_and_name(one.name)
    create = None
    if _is_plain(one.expected):
        body = (one.expected or "").removeprefix("UNIQUE ")
        unique = "UNIQUE " if body != one.expected else ""
        create = f"CREATE {unique}INDEX {identifier(own)} ON {dotted(table)} USING {body}"
    return both_ways(one, create=create, drop=f"DROP INDEX {_index_name(one.name)}")


def _constraint(one: DriftDifference) -> str | None:
    table, own = place_and_name(one.name)
    alter = f"ALTER TABLE {dotted(table)}"
    name = identifier(own)
    create = f"{alter} ADD CONSTRAINT {name} {one.expected}" if _is_plain(one.expected) else None
    drop = f"{alter} DROP CONSTRAINT {name}"
    if one.change == "altered" and one.actual == f"{one.expected} NOT VALID":
        return f"{alter} VALIDATE CONSTRAINT {name}"
    return both_ways(one, create=create, drop=drop)


def _column(one: DriftDifference) -> str | None:
    """Return what sets a default or NOT NULL again; types and columns are left to people."""
    if one.change != "altered" or one.expected is None or one.actual is None:
        return None
    table, own = place_and_name(one.name)
    alter = f"ALTER TABLE {dotted(table)} ALTER COLUMN {identifier(own)}"
    if one.expected.replace(" NOT NULL", "", 1) == one.actual:
        return f"{alter} SET NOT NULL"
    if one.actual.replace(" NOT NULL", "", 1) == one.expected:
        return f"{alter} DROP NOT NULL"
    if _DEFAULT.sub("", one.expected) != _DEFAULT.sub("", one.actual):
        return None
    if any(_AFTER_DEFAULT.search(outside_quotes(text)) for text in (one.expected, one.actual)):
        return None
    found = _DEFAULT.search(one.expected)
    return f"{alter} SET DEFAULT {found['value']}" if found else f"{alter} DROP DEFAULT"


def _view(one: DriftDifference) -> str | None:
    name = dotted(one.name)
    create = None
    if one.expected and one.expected.startswith("AS ") and one.expected.endswith(";"):
        create = f"CREATE OR REPLACE VIEW {name} {one.expected.rstrip(';')}"
    return both_ways(one, create=create, drop=f"DROP VIEW {name}", replaces=True)


def _function(one: DriftDifference) -> str | None:
    create = several_lines(one.expected or "") if _is_plain(one.expected) else None
    return both_ways(
        one, create=create, drop=f"DROP {one.object.upper()} {one.name}", replaces=True
    )


def _on_table(one: DriftDifference) -> str | None:
    table, own = place_and_name(one.name)
    word, name, on = one.object.upper(), identifier(own), dotted(table)
    create = None
    if one.object == "trigger" and _is_plain(one.expected):
        body = (one.expected or "").removeprefix("CONSTRAINT ")
        kind = "CONSTRAINT TRIGGER" if body != one.expected else word
        create = f"CREATE {kind} {name} {body}"
    elif one.object == "policy" and " COMMENT " not in outside_quotes(one.expected or ""):
        create = f"CREATE POLICY {name} ON {on} AS {one.expected}"
    return both_ways(one, create=create, drop=f"DROP {word} {name} ON {on}")


def _grant(one: DriftDifference) -> str | None:
    """Return what grants again or takes back; what every new object grants is left to people."""
    found = _GRANTED.fullmatch(one.name)
    told = f"{one.expected} {one.actual}"
    if found is None or one.change == "altered" or "NOTHING" in told or "OPTION" in told:
        return None
    name = found["object"]
    kind, _, own = name.partition(" ")
    on = f"{kind.upper()} {own}" if own else dotted(name)
    if not own and "USAGE" in told:
        on = f"SEQUENCE {on}"
    return both_ways(
        one,
        create=f"GRANT {one.expected} ON {on} TO {found['grantee']}",
        drop=f"REVOKE {one.actual} ON {on} FROM {found['grantee']}",
    )


_MAKERS: Final[Mapping[str, Callable[[DriftDifference], str | None]]] = {
    "column": _column,
    "constraint": _constraint,
    "function": _function,
    "grant": _grant,
    "index": _index,
    "policy": _on_table,
    "procedure": _function,
    "trigger": _on_table,
    "view": _view,
}
