"""A snapshot as canonical text for the state store, and back: equal schemas, equal text."""

from __future__ import annotations

import json
from typing import Final

from orchestrate.domain.snapshot import SchemaObject, Snapshot, is_own
from orchestrate.errors import OrchestrateError
from orchestrate.planning.digests import canonical_json

_FORMAT: Final = "orchestrate.snapshot/1"


def snapshot_text(snapshot: Snapshot) -> str:
    """Return the canonical text of a snapshot."""
    return canonical_json(
        {
            "format": _FORMAT,
            "dialect": snapshot.dialect,
            "objects": [[one.kind, one.name, one.definition] for one in snapshot.objects],
            **({"version": snapshot.version} if snapshot.version > 1 else {}),
            **({"hidden": list(snapshot.hidden)} if snapshot.hidden else {}),
        }
    )


def snapshot_from_text(text: str) -> Snapshot:
    """Return the snapshot that a text of ours describes; raises `state-unavailable` for others."""
    value = json.loads(text)
    if value.get("format") != _FORMAT:
        raise OrchestrateError(
            "state-unavailable",
            f"A stored snapshot has the format {value.get('format')!r}, not {_FORMAT!r}",
            hint="It was written by another version of orchestrate; use that one to resume",
        )
    return Snapshot(
        dialect=value["dialect"],
        objects=tuple(
            one
            for kind, name, definition in value["objects"]
            for one in [SchemaObject(kind=kind, name=name, definition=definition)]
            if not is_own(one)  # earlier versions kept them
        ),
        version=value.get("version", 1),
        hidden=tuple(value.get("hidden", ())),
    )
