"""The project whose runs are killed, and what a person does by hand to a step of it in doubt.

Owns the chain of revisions, each a few acts: one statement for the revision and for the person, so
that both leave the same schema. The database is looked at without anything of the program's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.support.databases import Database
from tests.support.projects import Project
from wild import shape

FIRST: Final = "r003"  # where a round's database is when it begins
LAST: Final = "r012"
_PAUSE: Final = 0.12  # seconds between the acts of a revision, in which it can be killed
_CUSTOMERS: Final = 500
_ORDERS: Final = 2000
_SUM: Final = _CUSTOMERS * (_CUSTOMERS + 1) // 2  # of the balances at the beginning
_DOUBTFUL: Final = {"postgresql": {"r007"}}


@dataclass(frozen=True)
class Act:
    """A statement, how a person sees that it is done, and what undoes it."""

    statement: str  # empty: nobody does it by hand
    undo: str
    is_done: Callable[[Database], bool]
    line: str = ""  # of the revision, where it is more than the statement
    clear: str = ""  # takes away what may be there of it while it is not done


def may_be_in_doubt(dialect: str, revision: str) -> bool:
    """Tell whether the server may keep a part of a killed revision."""
    return revision in _DOUBTFUL.get(dialect, {revision})


def write(folder: Path, dialect: str) -> None:
    """Write the project into a folder."""
    project = Project(folder)
    down = None
    for revision, acts in chain(dialect).items():
        lines = [act.line or f"op.execute({act.statement!r})" for act in acts]
        body = f"\ntime.sleep({_PAUSE})\n".join(lines)
        project.revision(revision, down=down, upgrade=body, first="import time")
        down = revision


def fill(database: Database) -> None:
    """Bring an empty database to where a round begins, with rows in its tables."""
    for revision, acts in chain(database.kind).items():
        if revision <= FIRST:
            database.execute(*(act.statement for act in acts))
    customers = [(i, f"name {i}", f"e{i}@x", i) for i in range(1, _CUSTOMERS + 1)]
    orders = [(i, i % _CUSTOMERS + 1, i * 3, "open") for i in range(1, _ORDERS + 1)]
    database.execute(
        f"INSERT INTO customers VALUES {', '.join(map(repr, customers))}",
        f"INSERT INTO orders VALUES {', '.join(map(repr, orders))}",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
        " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
        f"INSERT INTO alembic_version VALUES ('{FIRST}')",
    )


def do_by_hand(database: Database, revision: str, chance: random.Random) -> str:
    """Make one of the choices of a doubt true; return the option that says which."""
    acts = chain(database.kind)[revision]
    done = {act: act.is_done(database) for act in acts}
    ways = ["--restore"]
    if all(act.statement or done[act] for act in acts):
        ways.append("--mark-applied")
    if all(act.undo or not done[act] for act in acts):
        ways += ["--retry"] * 2
    way = chance.choice(ways)
    if way != "--restore":
        database.execute(*(act.clear for act in acts if act.clear and not done[act]))
    if way == "--mark-applied":
        database.execute(*(act.statement for act in acts if not done[act]))
    if way == "--retry":
        database.execute(*(act.undo for act in reversed(acts) if done[act]))
    return way


def chain(dialect: str) -> Mapping[str, Sequence[Act]]:
    """Return the acts of each revision, in their order."""
    raised = _SUM + 10 * _CUSTOMERS
    return {
        "r001": [_table("customers", "name VARCHAR(50), email VARCHAR(100), balance INTEGER")],
        "r002": [_table("orders", "customer_id INTEGER, amount INTEGER, status VARCHAR(20)")],
        "r003": [_index(dialect, "ix_orders_customer", "orders (customer_id)")],
        "r004": [_column("customers", "note")],
        "r005": [
            _table("audit", "what VARCHAR(50)"),
            _column("orders", "created"),
            _index(dialect, "ix_orders_status", "orders (status)"),
        ],
        "r006": [_balances("balance + 10", "balance - 10", total=raised)],
        # Rows, and then a change of the schema that commits them on MariaDB and PostgreSQL.
        "r007": [
            _copied("audit", "SELECT id, name FROM customers", _CUSTOMERS),
            _index_beside_others(dialect, "ix_audit_what", "audit (what)"),
            _balances("balance * 2", "balance / 2", total=2 * raised),
        ],
        "r008": [_table_that_takes_long(dialect)],
        "r009": [_wider_amount()],
        "r010": [
            _table("parent", "name VARCHAR(50), UNIQUE (name)"),
            _table("child", "parent_id INTEGER, FOREIGN KEY (parent_id) REFERENCES parent (id)"),
        ],
        "r011": [_without(_column("customers", "note"))],
        "r012": [
            _index(dialect, "ux_customers_email", "customers (email)", unique="UNIQUE "),
            _copied("parent", "SELECT id, name FROM customers WHERE id <= 100", 100),
            _copied("child", "SELECT id, id FROM parent", 100),
        ],
    }


def _table(name: str, rest: str) -> Act:
    return Act(
        f"CREATE TABLE {name} (id INTEGER NOT NULL PRIMARY KEY, {rest})",
        undo=f"DROP TABLE {name}",
        is_done=lambda database: name in database.tables(),
    )


def _table_that_takes_long(dialect: str) -> Act:
    statement = f"CREATE TABLE slow AS SELECT c.id, c.name FROM customers c, ({_LONG[dialect]}) s"
    return Act(statement, "DROP TABLE slow", lambda database: "slow" in database.tables())


def _column(table: str, name: str) -> Act:
    return Act(
        f"ALTER TABLE {table} ADD COLUMN {name} VARCHAR(100)",
        undo=f"ALTER TABLE {table} DROP COLUMN {name}",
        is_done=lambda database: name in database.columns(table),
    )


def _without(act: Act) -> Act:
    return Act(act.undo, act.statement, lambda database: not act.is_done(database))


def _index(dialect: str, name: str, place: str, *, unique: str = "") -> Act:
    where = f" ON {place.split(maxsplit=1)[0]}" if dialect == "mariadb" else ""
    return Act(
        f"CREATE {unique}INDEX {name} ON {place}",
        undo=f"DROP INDEX {name}{where}",
        is_done=lambda database: _is_described(database, name),
    )


def _index_beside_others(dialect: str, name: str, place: str) -> Act:
    """Return an index that PostgreSQL makes outside a transaction, and may leave invalid."""
    act = _index(dialect, name, place)
    if dialect != "postgresql":
        return act
    statement = f"CREATE INDEX CONCURRENTLY {name} ON {place}"
    line = f"with op.get_context().autocommit_block():\n    op.execute({statement!r})"
    return replace(act, line=line, clear=f"DROP INDEX IF EXISTS {name}")


def _wider_amount() -> Act:
    """Return a column's new type, for which Alembic gives SQLite a new table."""
    return Act(
        statement="",
        undo="",
        is_done=lambda database: _is_described(database, "bigint"),
        line=(
            'with op.batch_alter_table("orders") as batch:\n'
            '    batch.alter_column("amount", type_=sa.BigInteger(), existing_type=sa.Integer())'
        ),
        clear="DROP TABLE IF EXISTS _alembic_tmp_orders",
    )


def _balances(forward: str, back: str, *, total: int) -> Act:
    return Act(
        f"UPDATE customers SET balance = {forward}",
        undo=f"UPDATE customers SET balance = {back}",
        is_done=lambda database: database.rows("SELECT SUM(balance) FROM customers") == [(total,)],
    )


def _copied(table: str, query: str, number: int) -> Act:
    return Act(
        f"INSERT INTO {table} {query}",
        undo=f"DELETE FROM {table}",
        is_done=lambda database: database.rows(f"SELECT COUNT(*) FROM {table}") == [(number,)],
    )


def _is_described(database: Database, word: str) -> bool:
    """Tell whether the schema has something of that name or type; an invalid index is none."""
    described = (f"{name} {text}".lower() for name, text in shape.of(database).items())
    return any(word in one and not one.endswith("false") for one in described)


_LONG: Final = {
    "sqlite": (
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000)"
        " SELECT MAX(x) FROM n"
    ),
    "postgresql": "SELECT pg_sleep(1)",
    "mariadb": "SELECT SLEEP(1) AS nothing",
}
