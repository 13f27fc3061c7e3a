"""The catalogue of backups for people and as JSON (design, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

from orchestrate.domain.amounts import bytes_said
from orchestrate.domain.backups import Backup
from orchestrate.planning.staleness import words
from orchestrate.reports.tables import ago, coloured, counted, stamp, table

_NAMED: Final = 5
"""So many tables are named."""


def backups_text(copies: Sequence[Backup], *, now: datetime) -> str:
    """Return copies, newest first, one a line, each with the place where it is."""
    if not copies:
        return "No backup is in the catalogue"
    rows = [
        (
            copy.id,
            copy.environment,
            ago(copy.created_at, now),
            size(copy.bytes),
            words(copy.heads),
            _proof(copy),
            copy.location,
        )
        for copy in copies
    ]
    listed = table(["BACKUP", "ENVIRONMENT", "MADE", "SIZE", "REVISION", "PROVEN", "WHERE"], rows)
    doubtful = [f"{copy.id} is {_how(copy)}" for copy in copies if copy.good and copy.uncompared]
    return "\n".join([listed, *doubtful])


def backup_text(copy: Backup) -> str:
    """Return one copy that was just made, in a line."""
    proof = f", {_how(copy)}" if copy.verified else ""
    return (
        f"{click.style(copy.environment, bold=True)} at {words(copy.heads)} is saved as {copy.id}: "
        f"{size(copy.bytes)} at {copy.location}{proof}"
    )


def backups_json(copies: Sequence[Backup]) -> dict[str, Any]:
    """Return the catalogue by the names of the contract."""
    return {"backups": [backup_json(copy) for copy in copies]}


def backup_json(copy: Backup) -> dict[str, Any]:
    """Return one copy by the names of the contract."""
    return {
        "id": copy.id,
        "environment": copy.environment,
        "target": copy.target,
        "created_at": copy.created_at.isoformat(),
        "strategy": copy.strategy,
        "format": copy.format if copy.strategy == "pg_dump" else None,
        "location": copy.location,
        "bytes": copy.bytes,
        "sha256": copy.sha256,
        "heads": list(copy.heads),
        "dialect": copy.dialect,
        "server_version": copy.server_version,
        "identity": copy.identity,
        "run": copy.run,
        "verified": copy.verified,
        "verified_at": copy.verified_at.isoformat() if copy.verified_at else None,
        "uncompared": list(copy.uncompared),
        "broken": copy.broken,
        "removed_at": copy.removed_at.isoformat() if copy.removed_at else None,
        "rows": dict(copy.counts),
    }


def size(number: int | None) -> str:
    """Return a number of bytes in the largest binary unit that leaves a whole figure."""
    return "-" if number is None else bytes_said(number)


def _how(copy: Backup) -> str:
    how = {"list": "read to its end", "restore": "proven by a restore", None: "not proven"}
    if not copy.uncompared:
        return how[copy.verified]
    named = ", ".join(copy.uncompared[:_NAMED])
    more = ", …" if len(copy.uncompared) > _NAMED else ""
    tables = counted(len(copy.uncompared), "table")
    return f"{how[copy.verified]}, but the rows of {tables} were not compared ({named}{more})"


def _proof(copy: Backup) -> str:
    if copy.removed_at is not None:
        return f"removed {stamp(copy.removed_at)}"
    if copy.broken is not None:
        return coloured("broken")
    return copy.verified or "-"
