"""Copies of a large database through us, against the program that people would type.

`python -m benchmarks.backups [MEGABYTES]`: 1,000 MB unless told.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import yaml
from sqlalchemy import make_url

from benchmarks.measuring import memory, ratio, seconds
from benchmarks.projects import orchestrate
from benchmarks.table import Line, median, slower, table
from tests.support.databases import Database, server_database, sqlite_database
from tests.support.mariadb_server import MariadbServer
from tests.support.postgresql_server import PostgresqlServer
from tests.support.projects import Project

ROUNDS: Final = 3
_MEGABYTES: Final = 1000
_GOAL: Final = 1.1
_MOST_MEMORY: Final = 120.0
_ROW_BYTES: Final = 1000
_STRATEGIES: Final = {"sqlite": "sqlite", "postgresql": "pg_dump", "mariadb": "mysqldump"}


def main(arguments: Sequence[str]) -> int:
    """Measure each dialect and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backups", description=__doc__)
    parser.add_argument("megabytes", type=int, nargs="?", default=_MEGABYTES)
    options = parser.parse_args(arguments)
    print(table(backup_lines(options.megabytes)))
    return 0


def backup_lines(megabytes: int = _MEGABYTES) -> Iterator[Line]:
    """Measure a database of that size on each dialect; yield two lines for each."""
    for measure in (_sqlite, _postgresql, _mariadb):
        yield from measure(megabytes)


def _sqlite(megabytes: int) -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
        database = sqlite_database(Path(name) / "large.db")
        plain = ["sqlite3", str(database.path), f".backup {name}/plain.db"]
        return _measured(database, Path(name), megabytes, "sqlite3 .backup", plain, {})


def _postgresql(megabytes: int) -> list[Line]:
    server = PostgresqlServer()
    try:
        return _on_server(
            server_database(server),
            megabytes,
            "pg_dump -Fc > file",
            lambda url: f"pg_dump -Fc -h {url.host} -p {url.port} -U {url.username} {url.database}",
            "PGPASSWORD",
        )
    finally:
        server.close()


def _mariadb(megabytes: int) -> list[Line]:
    server = MariadbServer()
    try:
        return _on_server(
            server_database(server),
            megabytes,
            "mariadb-dump > file",
            lambda url: (
                "mariadb-dump --single-transaction --quick --routines --triggers --events "
                f"-h {url.host} -P {url.port} -u {url.username} {url.database}"
            ),
            "MYSQL_PWD",
        )
    finally:
        server.close()


def _on_server(
    database: Database,
    megabytes: int,
    title: str,
    command: Callable[[Any], str],
    variable: str,
) -> list[Line]:
    url = make_url(database.url)
    with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
        plain = ["sh", "-c", f"{command(url)} > {name}/plain.dump"]
        environ = {variable: unquote(str(url.password))}
        return _measured(database, Path(name), megabytes, title, plain, environ)


def _measured(  # noqa: PLR0917
    database: Database,
    folder: Path,
    megabytes: int,
    title: str,
    plain: Sequence[str],
    environ: dict[str, str],
) -> list[Line]:
    work = folder / "work"
    Project(work).linear(1)
    order = {"strategy": _STRATEGIES[database.kind], "destination": str(folder / "copies")}
    spec = {
        "version": 1,
        "project": {"config": "alembic.ini"},
        "environments": {"prod": {"url": {"env": "PROD_URL"}, "backup": order}},
    }
    (work / "migrations.yaml").write_text(yaml.safe_dump(spec))
    ours = {"PROD_URL": database.url}
    seconds([orchestrate("apply", "prod", "--yes")], folder=work, environ=ours)
    _fill(database, megabytes)
    taken: dict[str, list[float]] = {"plain": [], "ours": []}
    for number in range(ROUNDS + 1):
        for way, command, variables in (
            ("plain", plain, environ),
            ("ours", orchestrate("backup", "prod"), ours),
        ):
            spent = seconds([command], folder=work, environ=variables)
            shutil.rmtree(folder / "copies", ignore_errors=True)
            if number:
                taken[way].append(spent)
    peak = memory(orchestrate("backup", "prod"), folder=work, environ=ours).own
    what = f"`backup` of {megabytes:,} MB; today `{title}`"
    return [
        slower(
            what,
            median(taken["plain"]),
            median(taken["ours"]),
            ratio(taken["ours"], taken["plain"]),
            goal=_GOAL,
        ),
        Line(
            what=f"peak memory, {what}",
            today="-",
            ours=f"{peak:.0f} MB",
            figure=f"{peak:.0f} MB",
            target=f"under {_MOST_MEMORY:.0f} MB",
            met=peak < _MOST_MEMORY,
        ),
    ]


def _fill(database: Database, megabytes: int) -> None:
    """Fill a table with rows that neither compress to nothing nor take for ever to make."""
    rows = megabytes * 1_000_000 // _ROW_BYTES
    database.execute("CREATE TABLE payload (id INTEGER PRIMARY KEY, body TEXT)")
    step = 1000
    with_values = [
        "('" + os.urandom(_ROW_BYTES // 4).hex() + "x" * (_ROW_BYTES // 2) + "')"
        for _ in range(step)
    ]
    for start in range(0, rows, step):
        values = ", ".join(
            f"({start + number}, {value[1:]}" for number, value in enumerate(with_values)
        )
        database.execute(f"INSERT INTO payload (id, body) VALUES {values}")  # noqa: S608


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
