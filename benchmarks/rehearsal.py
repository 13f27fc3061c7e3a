"""A rehearsal's upgrade, against plain `alembic upgrade head` on an equal clone, on PostgreSQL.

"A rehearsal adds at most 20% to the time of the same upgrade on the same clone by plain Alembic" is
read as a person would who waits for both: from the moment when the clone is there to the end of the
command, with the agent's start, everything that is measured, the clone's removal and the report,
against the whole `alembic upgrade head`. Making the clone and the way back (`--forward-only` leaves
it out) are no part of an upgrade. Beside it stand the seconds that the rehearsal itself reports for
the revisions, which measuring must not lengthen, and the whole command.

Both clones are made in the same way, by `pg_dump` and `pg_restore`. The chain has what real ones
have: most revisions are small, some write a table anew, build an index or change every row, and one
sends a thousand statements.

`python -m benchmarks.rehearsal [ROWS]`: 200,000 rows in each table unless told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import yaml
from sqlalchemy import make_url

from benchmarks.measuring import ratio, seconds
from benchmarks.projects import alembic, orchestrate
from benchmarks.table import Line, median, slower, table
from tests.support.postgresql_server import PostgresqlServer
from tests.support.projects import Project

ROUNDS: Final = 3
_REVISIONS: Final = 50
_ROWS_EACH: Final = 200_000
_GOAL: Final = 1.2
_COMPARED: Final = "from the clone to the end"
"""The reading that the goal is about."""
_CLONED: Final = "made from"
"""Stands in the line that the command prints when its clone is there."""
_TABLES: Final = ("customers", "orders", "items", "events")
_FIRST: Final = """\
op.create_table(
    "{table}",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("note", sa.Text),
)"""
_ROWS: Final = """\
INSERT INTO {table} (id, number, name, note)
SELECT one, one % 1000, 'name ' || one, repeat(md5(one::text), 3)
FROM generate_series(1, {rows}) AS one"""
# By turns; each has a table of its own to work on. `{number}` makes names unique.
_SMALL: Final = (
    'op.create_table("small_{number}", sa.Column("id", sa.Integer, primary_key=True))',
    'op.add_column("{table}", sa.Column("added_{number}", sa.Integer))',
    'op.create_table_comment("{table}", "As of {number}")',
    'op.add_column("{table}", sa.Column("flag_{number}", sa.Boolean, server_default="false"))',
)
_LARGE: Final = (
    'op.alter_column("{table}", "number", type_=sa.BigInteger)',
    "op.execute(\"UPDATE {table} SET note = upper(note) || '{number}'\")",
    'op.create_index("ix_{number}", "{table}", ["name", "number"])',
    'op.execute("DELETE FROM {table} WHERE number % 10 = {number} % 10")',
)
_MANY: Final = """\
for one in range(1, 1001):
    op.execute(f"UPDATE {table} SET name = 'renamed {{one}}' WHERE id = {{one}}")"""
_LARGE_EVERY: Final = 4
_MANY_AT: Final = 30


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the table: a line for each reading."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal", description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=_ROWS_EACH)
    options = parser.parse_args(arguments)
    print(table(rehearsal_lines(options.rows)))
    return 0


def rehearsal_lines(rows: int = _ROWS_EACH) -> Iterator[Line]:
    """Measure with so many rows in each table."""
    server = PostgresqlServer()
    try:
        with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
            taken = _measured(server, Path(name), rows)
    finally:
        server.close()
    plain = taken.pop("plain")
    for way, times in taken.items():
        shown = f"`rehearse --forward-only`, {_REVISIONS} revisions, {rows:,} rows a table: {way}"
        figure = ratio(times, plain)
        yield (
            slower(shown, median(plain), median(times), figure, goal=_GOAL)
            if way == _COMPARED
            else Line(
                what=shown,
                today=median(plain),
                ours=median(times),
                figure=f"{figure:.2f} times the time",
            )
        )


def _measured(server: PostgresqlServer, folder: Path, rows: int) -> dict[str, list[float]]:
    original = server.create_database()
    url = server.url(original)
    environ = {"PROD_URL": url}
    _project(folder, url)
    plain = alembic("alembic", "upgrade", "r001")
    seconds([plain], folder=folder, environ=environ)
    for name in _TABLES:
        server.execute(_ROWS.format(table=name, rows=rows), database=original)
    seconds([orchestrate("trust", "prod", "--yes")], folder=folder, environ=environ)
    taken: dict[str, list[float]] = {}
    for number in range(ROUNDS + 1):
        spent = {"plain": _by_alembic(server, folder, original), **_rehearsed(folder, environ)}
        for way, one in spent.items():
            if number:  # the first round warms up
                taken.setdefault(way, []).append(one)
    return taken


def _project(folder: Path, url: str) -> None:
    project = Project(folder).configure(url=url)
    first = "\n".join(_FIRST.format(table=one) for one in _TABLES)
    project.revision("r001", down=None, upgrade=first)
    for number in range(2, _REVISIONS + 2):
        # A large one meets another table each time.
        name = _TABLES[(number // 4 + number // 16) % len(_TABLES)]
        body = _body(number).format(number=number, table=name)
        project.revision(f"r{number:03}", down=f"r{number - 1:03}", upgrade=body)
    spec = {
        "version": 1,
        "project": {"config": "alembic.ini"},
        "environments": {"prod": {"url": {"env": "PROD_URL"}}},
    }
    (folder / "migrations.yaml").write_text(yaml.safe_dump(spec))


def _body(number: int) -> str:
    if number == _MANY_AT:
        return _MANY
    if number % _LARGE_EVERY == 0:
        return _LARGE[number // _LARGE_EVERY % len(_LARGE)]
    return _SMALL[number % len(_SMALL)]


def _by_alembic(server: PostgresqlServer, folder: Path, original: str) -> float:
    """Return what plain Alembic takes on a clone, whose making is not measured."""
    clone = server.create_database()
    url = make_url(server.url(original))
    place = f"-h {url.host} -p {url.port} -U {url.username}"
    copying = f"pg_dump -Fc {place} {original} | pg_restore {place} -d {clone}"
    password = {"PGPASSWORD": unquote(str(url.password))}
    seconds([["sh", "-c", copying]], folder=folder, environ=password)
    ini = folder / "alembic.ini"
    text = ini.read_text()
    ini.write_text(text.replace(original, clone))
    try:
        return seconds([alembic("alembic", "upgrade", "head")], folder=folder, environ={})
    finally:
        ini.write_text(text)
        server.drop(clone)


def _rehearsed(folder: Path, environ: Mapping[str, str]) -> dict[str, float]:
    """Return what a rehearsal takes, by the ways to read that."""
    command = orchestrate(
        "--format", "json", "rehearse", "prod", "--from", "live", "--forward-only"
    )
    # Into a file: a report may be more than a pipe holds while nobody reads it.
    with tempfile.TemporaryFile("w+") as report:
        began = cloned = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=report,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = []
        for line in process.stderr or ():
            said.append(line)
            if _CLONED in line:
                cloned = time.perf_counter()
        status = process.wait()
        ended = time.perf_counter()
        if status != 0 or cloned == began:
            raise RuntimeError(f"{command} ended with {status}:\n{''.join(said)}")
        report.seek(0)
        steps = json.load(report)["steps"]
    return {
        _COMPARED: ended - cloned,
        "the revisions, as it reports them": sum(one["seconds"] for one in steps),
        "the whole command": ended - began,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
