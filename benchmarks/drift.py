"""Drift of a large schema, against `alembic check`; reading a schema, against `pg_dump`.

`python -m benchmarks.drift [TABLES...]`: 50, 500 and 2,000 tables unless told.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import yaml
from sqlalchemy import make_url

from benchmarks.measuring import ratio, seconds
from benchmarks.projects import orchestrate, program
from benchmarks.table import Line, faster, median, slower, table
from orchestrate.dialects.registry import dialect_for
from tests.support.databases import Database, server_database
from tests.support.postgresql_server import PostgresqlServer
from tests.support.projects import Project

ROUNDS: Final = 5
_GOALS: Final[dict[int, float | None]] = {50: None, 500: 3.0, 2000: 6.0}
"""By number of tables, how many times faster it should be."""
_TABLES_A_REVISION: Final = 100
"""A server has only so many locks for one transaction."""
_MODELS: Final = '''
"""Tables as people have them: nine columns, five constraints, two indexes each."""

import sqlalchemy as sa

metadata = sa.MetaData()
for number in range({tables}):
    sa.Table(
        f"table_{{number}}",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent", sa.ForeignKey(f"table_{{number // 2}}.id", name=f"fk_{{number}}")),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(200)),
        sa.Column("total", sa.Numeric(10, 2), server_default="0"),
        sa.Column("note", sa.Text),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
        sa.Column("updated_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("email", name=f"uq_{{number}}"),
        sa.CheckConstraint("total >= 0", name=f"ck_{{number}}_total"),
        sa.CheckConstraint("name <> ''", name=f"ck_{{number}}_name"),
        sa.Index(f"ix_{{number}}_name", "name"),
        sa.Index(f"ix_{{number}}_created", "created_at", "active"),
    )
'''


def main(arguments: Sequence[str]) -> int:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("tables", type=int, nargs="*", default=list(_GOALS))
    options = parser.parse_args(arguments)
    print(table(drift_lines(options.tables)))
    return 0


def drift_lines(sizes: Iterable[int] = _GOALS) -> Iterator[Line]:
    """Measure schemas of so many tables; yield two lines for each."""
    server = PostgresqlServer()
    try:
        for tables in sizes:
            yield from _measured(server, tables)
    finally:
        server.close()


def _measured(server: PostgresqlServer, tables: int) -> list[Line]:
    database = server_database(server)
    with tempfile.TemporaryDirectory(prefix="orchestrate-bench-") as name:
        folder = Path(name)
        environ = _project(folder, database, tables)
        seconds([orchestrate("apply", "prod", "--yes")], folder=folder, environ=environ)
        ways = {
            "alembic check": [program("alembic"), "check"],
            "drift": orchestrate("drift", "prod", "--against", "snapshot", "--exit-code"),
        }
        whole: dict[str, list[float]] = {way: [] for way in ways}
        reading: dict[str, list[float]] = {"pg_dump": [], "ours": []}
        for number in range(ROUNDS + 1):
            for way, command in ways.items():
                spent = seconds([command], folder=folder, environ=environ)
                whole[way] += [spent] if number else []
            dumped = seconds([_dump(database, folder)], folder=folder, environ=environ)
            reading["pg_dump"] += [dumped] if number else []
            reading["ours"] += [_read(database)] if number else []
    server.drop(database.name)
    check, drift = whole["alembic check"], whole["drift"]
    return [
        faster(
            f"`drift --against snapshot`, {tables:,} tables; today `alembic check`",
            median(check),
            median(drift),
            ratio(check, drift),
            goal=_GOALS.get(tables),
        ),
        slower(
            f"reading a schema, {tables:,} tables; today `pg_dump --schema-only`",
            median(reading["pg_dump"]),
            median(reading["ours"]),
            ratio(reading["ours"], reading["pg_dump"]),
            goal=1.0,
        ),
    ]


def _project(folder: Path, database: Database, tables: int) -> dict[str, str]:
    """Write a project with models, and a spec whose URL is in a variable; return the variables."""
    project = Project(folder).configure(url=database.url)
    project.file("models.py", _MODELS.format(tables=tables))
    project.env("default", first="import models", metadata="models.metadata")
    text = project.config.read_text()
    project.config.write_text(text.replace("[alembic]\n", "[alembic]\nprepend_sys_path = .\n"))
    before = None
    for first in range(0, tables, _TABLES_A_REVISION):
        name = f"r{first // _TABLES_A_REVISION + 1:03d}"
        chosen = f"models.metadata.sorted_tables[{first}:{first + _TABLES_A_REVISION}]"
        create = f"import models\nmodels.metadata.create_all(op.get_bind(), tables={chosen})"
        project.revision(name, down=before, upgrade=create)
        before = name
    spec = {
        "version": 1,
        "project": {"config": "alembic.ini"},
        "environments": {"prod": {"url": {"env": "PROD_URL"}}},
    }
    (folder / "migrations.yaml").write_text(yaml.safe_dump(spec))
    return {"PROD_URL": database.url, "PGPASSWORD": unquote(str(make_url(database.url).password))}


def _dump(database: Database, folder: Path) -> list[str]:
    url = make_url(database.url)
    words = ["pg_dump", "--schema-only", "-h", str(url.host), "-p", str(url.port)]
    return [*words, "-U", str(url.username), "-f", str(folder / "dump.sql"), str(url.database)]


def _read(database: Database) -> float:
    """Return how long our queries take with the connection before and all rows after them."""
    dialect = dialect_for(database.dialect)
    kit = dialect.kit(lock_timeout=None, statement_timeout=None)
    began = time.perf_counter()
    with contextlib.closing(database.connect()) as connection:
        cursor: Any = connection.cursor()
        cursor.execute("BEGIN")
        rows: dict[str, list[list[object]]] = {}
        for name, sql in kit.snapshot.items():
            cursor.execute(sql)
            rows[name] = [list(row) for row in cursor.fetchall()]
        cursor.execute("ROLLBACK")
    dialect.snapshot(rows, version_table="public.alembic_version")
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
