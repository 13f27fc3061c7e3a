"""MariaDB's and MySQL's statements that bring back what should be there, without losing data."""

from __future__ import annotations

import re
from typing import Final

from orchestrate.dialects.remedies import both_ways, dotted, identifier, several_lines
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.snapshot import place_and_name

_INDEX: Final = re.compile(
    r"(?P<unique>UNIQUE )?\((?P<columns>[\w]+(?:, [\w]+)*)\) USING (?P<method>BTREE|HASH)"
)
_FOREIGN_KEY: Final = re.compile(
    r"FOREIGN KEY \([\w, ]+\) REFERENCES [\w.]+ \([\w, ]+\)"
    r" ON UPDATE [A-Z ]+? ON DELETE [A-Z ]+"
)
_VIEW: Final = re.compile(r"SQL SECURITY (?P<security>\w+) AS (?P<body>.+)", re.DOTALL)
_TRIGGER: Final = re.compile(
    r"(?P<moment>(?:BEFORE|AFTER) (?:INSERT|UPDATE|DELETE)) (?P<body>(?!ORDER ).+)", re.DOTALL
)


def remedy(one: DriftDifference) -> str | None:
    """Return the statement, or None where none is known to be safe."""
    if one.renamed_to:
        return _renamed(one, one.renamed_to)
    if one.rename_of:
        return None
    table, own = place_and_name(one.name)
    name, on = identifier(own, "`"), dotted(table, "`")
    match one.object:
        case "index":
            return both_ways(
                one, create=_index(one.expected, name, on), drop=f"DROP INDEX {name} ON {on}"
            )
        case "constraint":
            return _constraint(one, name, on)
        case "view":
            found = _VIEW.fullmatch(one.expected or "")
            create = (
                f"CREATE OR REPLACE SQL SECURITY {found['security']} VIEW {dotted(one.name, '`')} "
                f"AS {found['body']}"
                if found and " CHECK OPTION" not in found["body"]
                else None
            )
            return both_ways(
                one, create=create, drop=f"DROP VIEW {dotted(one.name, '`')}", replaces=True
            )
        case "trigger":
            found = _TRIGGER.fullmatch(one.expected or "")
            create = (
                f"CREATE TRIGGER {name} {found['moment']} ON {on} FOR EACH ROW "
                f"{several_lines(found['body'])}"
                if found
                else None
            )
            return both_ways(one, create=create, drop=f"DROP TRIGGER {name}")
        case "function" | "procedure" | "event" if one.change == "added":
            return f"DROP {one.object.upper()} {dotted(one.name, '`')}"
        case _:
            return None


def _renamed(one: DriftDifference, new: str) -> str | None:
    table, old = place_and_name(one.name)
    name, now = identifier(old, "`"), identifier(place_and_name(new)[1], "`")
    match one.object:
        case "column" | "index":
            return f"ALTER TABLE {dotted(table, '`')} RENAME {one.object.upper()} {now} TO {name}"
        case "table":
            return f"RENAME TABLE {now} TO {name}"
        case _:
            return None


def _index(expected: str | None, name: str, on: str) -> str | None:
    found = _INDEX.fullmatch(expected or "")
    if found is None:
        return None
    columns = ", ".join(identifier(one, "`") for one in found["columns"].split(", "))
    return f"CREATE {found['unique'] or ''}INDEX {name} ON {on} ({columns})"


def _constraint(one: DriftDifference, name: str, on: str) -> str | None:
    alter = f"ALTER TABLE {on}"
    told = one.expected or one.actual or ""
    if told.startswith("PRIMARY KEY"):
        return None
    is_key = told.startswith("FOREIGN KEY")
    fits = told.startswith("CHECK (") and told.endswith(")")
    if is_key:
        fits = bool(_FOREIGN_KEY.fullmatch(one.expected or ""))
    create = f"{alter} ADD CONSTRAINT {name} {one.expected}" if fits else None
    return both_ways(
        one,
        create=create,
        drop=f"{alter} DROP {'FOREIGN KEY' if is_key else 'CONSTRAINT'} {name}",
    )
