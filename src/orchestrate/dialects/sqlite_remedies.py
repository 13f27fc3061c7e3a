"""SQLite's statements that bring back what should be there, without losing data."""

from __future__ import annotations

from orchestrate.dialects.remedies import both_ways, identifier
from orchestrate.domain.drift import DriftDifference
from orchestrate.domain.snapshot import place_and_name


def remedy(one: DriftDifference) -> str | None:
    """Return the statement, or None where none is known to be safe."""
    table, own = place_and_name(one.name)
    name, on = identifier(own), identifier(table)
    if one.renamed_to:
        now = identifier(place_and_name(one.renamed_to)[1])
        if one.object == "column":
            return f"ALTER TABLE {on} RENAME COLUMN {now} TO {name}"
        return f"ALTER TABLE {now} RENAME TO {name}" if one.object == "table" else None
    if one.rename_of:
        return None
    match one.object:
        case "index":
            body = (one.expected or "").removeprefix("UNIQUE ")
            unique = "UNIQUE " if body != one.expected else ""
            create = f"CREATE {unique}INDEX {name} ON {on} {body}" if one.expected else None
        case "view" | "trigger":
            create = f"CREATE {one.object.upper()} {name} {one.expected}" if one.expected else None
        case _:
            return None
    return both_ways(one, create=create, drop=f"DROP {one.object.upper()} {name}")
