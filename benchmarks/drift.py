"""Drift of a large schema, against `alembic check`; reading a schema, against `pg_dump`.

`python -m benchmarks.drift [TABLES...]`: prints ratios; 50, 500 and 2,000 tables unless told.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import yaml
from sqlalchemy import make_url

from benchmarks.measuring import ratio, seconds
from benchmarks.projects import orchestrate, program
from orchestrate.dialects.registry import dialect_for
from tests.support.databases import Database, server_database
from tests.support.postgresql_server import PostgresqlServer
from tests.support.projects import Project

ROUNDS: Final = 5
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
    """Measure each size and print two lines for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("tables", type=int, nargs="*", default=[50, 500, 2000])
    options = parser.parse_args(arguments)
    server = PostgresqlServer()
    try:
        for tables in options.tables:
            for line in _measured(server, tables):
                print(line, flush=True)
    finally:
        server.close()
    return 0


def _measured(server: PostgresqlServer, tables: int) -> list[str]:
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
    faster = ratio(whole["alembic check"], whole["drift"])
    longer = ratio(reading["ours"], reading["pg_dump"])
    return [
        f"{tables:,} tables: drift against alembic check {faster:.1f}x faster ({_shown(whole)})",
        f"{tables:,} tables: reading against pg_dump {longer:.2f}x the time ({_shown(reading)})",
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


def _shown(taken: dict[str, list[float]]) -> str:
    return ", ".join(f"{way} {min(t):.2f}-{max(t):.2f} s" for way, t in taken.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
