"""What docs/state-store.md promises is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrate.domain.secrets import Secret
from orchestrate.errors import OrchestrateError
from orchestrate.stores.state import open_state
from orchestrate.stores.state.tables import VERSION_TABLE, metadata
from tests.support.databases import Database, sqlite_database
from tests.support.servers import PASSWORD
from tests.support.states import at, event, identity, lease, open_store

PAGE = Path(__file__).parents[3] / "docs" / "state-store.md"


def run_example(folder: Path) -> subprocess.CompletedProcess[str]:
    (program,) = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_chain_is_checked_without_us(tmp_path: Path) -> None:
    """The page's program agrees with the journal, and finds what was altered."""
    database = sqlite_database(tmp_path / "state.db")
    with open_store(database) as state:
        made = state.append(
            [
                event(1, text="größe 😀 \0 \x7f \u2028", floats=[1e300, -0.0, 1.5]),
                event(2, run=None),
            ]
        )
        done = run_example(tmp_path)
        assert (done.returncode, done.stdout) == (0, f"2 events, the last one {made[-1].hash}\n")
        database.execute("UPDATE orchestrate_events SET step = 'other' WHERE sequence = 2")
        done = run_example(tmp_path)
        assert done.returncode != 0
        assert "event 2 was altered" in done.stderr


def test_every_table_is_described() -> None:
    """The page's table of tables is complete."""
    described = set(
        re.findall(r"^\| `(orchestrate_\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    )
    assert described == {VERSION_TABLE, *metadata.tables}


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_an_account_that_cannot_rewrite_the_journal(database: Database) -> None:
    """With no right to change events all works, and the journal cannot be rewritten."""
    open_store(database).close()
    server = database.server
    assert server is not None
    name = f"writer_{database.name}"
    password = PASSWORD.replace("'", "''")
    if database.kind == "postgresql":
        server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    else:
        server.execute(f"CREATE USER {name}@'%' IDENTIFIED BY '{password}'")
    for table in (VERSION_TABLE, *metadata.tables):
        rights = "SELECT, INSERT" + ("" if table == "orchestrate_events" else ", UPDATE, DELETE")
        database.execute(f"GRANT {rights} ON {table} TO {name}")
    url = server.url(database.name, user=name)
    with open_state(Secret(url), safe_url="SAFE") as state:
        state.append([event(1)], snapshots=["one"])
        state.acquire_lease(lease())
        state.acquire_lease(lease("lease-2", second=100))
        state.heartbeat("lease-2", step=None, now=at(101), expires_at=at(161))
        state.break_lease("lease-2", by="alice", now=at(102))
        state.save_plan("plan-1", "sha256:aa", "{}")
        state.record_identity(identity(), replace=False, event=event(3, kind="identity.recorded"))
        assert state.verify().count == 4
        with (
            pytest.raises(OrchestrateError, match="does not let the account do this"),
            state._database.write() as connection,
        ):
            connection.exec_driver_sql("UPDATE orchestrate_events SET run = 'x'")
