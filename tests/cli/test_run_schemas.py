"""The whole schema at both ends of a run, in the journal and the state store, on every path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrate.domain.secrets import Secret
from orchestrate.domain.snapshot import Snapshot
from orchestrate.stores.snapshots import snapshot_from_text
from orchestrate.stores.state import open_state
from tests.support.databases import Database
from tests.support.workspace import Workspace


def schemas(workspace: Workspace, run: dict[str, str]) -> list[set[str]]:
    """Return the tables in the schemas that a run recorded at its beginning and its end."""
    url = f"sqlite:///{workspace.folder / '.orchestrate' / 'state.db'}"
    with open_state(Secret(url), safe_url=url) as state:
        return [
            tables(snapshot_from_text(state.load_snapshot(run[key])))
            for key in ("schema_before", "schema_after")
        ]


def tables(snapshot: Snapshot) -> set[str]:
    return {one.name.rpartition(".")[2] for one in snapshot.objects if one.kind == "table"}


def test_every_path_records_the_schema(one: Workspace, database: Database) -> None:
    """An upgrade, a saved plan, a stamp, a downgrade; the same schema is kept once."""
    one.environ["TMPDIR"] = str(one.folder.parent)
    one.ok("apply", "dev", "--yes", "--to", "r001")
    one.ok("plan", "dev", "--out", "plan.json")
    one.ok("apply", "plan.json", "--yes")
    database.execute("DELETE FROM alembic_version")
    one.ok("stamp", "dev", "r006", "--yes")
    one.ok("alembic", "dev", "--yes", "--", "downgrade", "-3")
    runs = one.ok("history", "--format", "json").json()["runs"][::-1]
    small, large = {"t1"}, {"t1", "t2"}
    assert [schemas(one, run) for run in runs] == [
        [set(), small],
        [small, large],
        [large, large],
        [large, small],
    ]
    assert runs[0]["schema_after"] == runs[1]["schema_before"]
    assert runs[2]["schema_before"] == runs[2]["schema_after"] == runs[1]["schema_after"]
    one.ok("history", "--verify")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", ["after:run.started:1", "committed:2"])
def test_a_resumed_run_keeps_its_beginning(
    one: Workspace, database: Database, point: str, tmp_path: Path
) -> None:
    """The schema from before the run is that of its first step's beginning, whoever recorded it."""
    program = (sys.executable, "-m", "tests.support.crash_child", point, "--")
    assert one.call("apply", "dev", "--yes", program=program).status == -9
    one.ok("resume")
    (run,) = one.ok("history", "--format", "json").json()["runs"]
    assert schemas(one, run) == [set(), {"t1", "t2"}]
