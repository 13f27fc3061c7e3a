"""`docs/compatibility.md`, written from recipes and results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from wild.recipes import Chain
from wild.results import Entry

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "compatibility.md"

_HEAD: Final = """\
# Compatibility

Written by `make wild`. It installs each of these projects from the package index, as it is, into an
environment of its own, and drives its revisions with `orchestrate`'s command line on private
servers: `doctor`, `plan` from an empty database, `apply`, `status`, `plan` again (nothing to do),
the last revision down and up again, `apply` killed in the middle and `resume`. Each time schema and
version table have to be, object by object, what plain Alembic leaves.

`apply` is the whole command from an empty database, `alembic` a script in the project's own Python
that calls `command.upgrade(config, "heads")`; both with the start of their interpreters. The
figure: `apply` takes at most 1.3 times `alembic` plus 2 seconds.
"""
_TABLE: Final = """
## What reaches head

| chain | dialect | revisions | alembic | apply | ratio | figure | down and up | when |
|---|---|--:|--:|--:|--:|---|---|---|
"""
_LIMITS: Final = """
## What cannot work, and whose limit it is

Here plain Alembic fails too. `orchestrate` ends with the same message, what was committed before is
recorded, and the database is where the journal says.

| chain | dialect | reached | what the database or the project says | whose limit |
|---|---|---|---|---|
"""


def render(chains: Mapping[str, Chain], entries: Mapping[str, Entry]) -> str:
    """Return the document."""
    known = [entry for entry in entries.values() if entry.chain in chains]
    order = {name: number for number, name in enumerate(chains)}
    known.sort(
        key=lambda one: (order[one.chain], chains[one.chain].all_dialects.index(one.dialect))
    )
    works = [_row(one) for one in known if one.verdict == "works"]
    limits = [_limit(one, chains[one.chain]) for one in known if one.verdict == "limit"]
    bad = [one for one in known if one.verdict == "misbehaves"]
    parts = [_HEAD, _TABLE, *works, _LIMITS, *limits]
    if bad:
        parts += ["\n## What misbehaves\n\n", *(_problem(one) for one in bad)]
    parts += [
        "\n## What each project needs in its spec\n",
        *(_needs(chain, known) for chain in chains.values()),
    ]
    return "".join(parts)


def _row(entry: Entry) -> str:
    seconds = entry.seconds
    if "plain" in seconds and "apply" in seconds:
        plain, apply = seconds["plain"], seconds["apply"]
        met = "met" if apply <= plain * 1.3 + 2 else "missed"
        times = [f"{plain:.1f} s", f"{apply:.1f} s", f"{apply / plain:.2f}", met]
    else:
        times = ["", "", "", "not measured"]
    way = "yes" if "down, up" in entry.checks else _way(entry)
    cells = [
        entry.chain,
        entry.dialect,
        str(entry.facts.get("revisions", "")),
        *times,
        way,
        entry.date,
    ]
    return f"| {' | '.join(cells)} |\n"


def _way(entry: Entry) -> str:
    """Return why a revision was not taken back and carried out again."""
    said = entry.facts.get("no_way_down") or entry.facts.get("no_way_up_again") or ""
    return f"no, nor with Alembic: {_cell(str(said))}" if said else "no"


def _limit(entry: Entry, chain: Chain) -> str:
    reached = f"{entry.facts.get('reached', 0)} of {entry.facts.get('revisions', '?')}"
    message = _cell(str(entry.facts.get("message", "")))
    whose = chain.limits[entry.dialect].whose
    return f"| {entry.chain} | {entry.dialect} | {reached} | {message} | {_cell(whose)} |\n"


def _problem(entry: Entry) -> str:
    return f"- {entry.chain} on {entry.dialect}: {_cell(entry.problem)}\n"


def _needs(chain: Chain, known: list[Entry]) -> str:
    versions = next((one.versions for one in known if one.chain == chain.name), {})
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "server")
    text = yaml.safe_dump({"project": dict(chain.project)}, sort_keys=False)
    notes = f"\n{chain.notes.strip()}\n" if chain.notes else ""
    return f"\n### {chain.name}\n\n{told}\n{notes}\n```yaml\n{text}```\n"


def _cell(text: str) -> str:
    """Return a text that stays within its cell."""
    return " ".join(text.split()).replace("|", "\\|")
