"""The pages about the API and the JSON forms are typed; the examples for schedulers are run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import follow
from tests.support.projects import Project
from tests.support.workspace import Workspace

DOCS = Path(__file__).parents[2] / "docs"
AIRFLOW = {
    "__init__.py": "",
    "sdk/exceptions.py": "class AirflowFailException(Exception): pass\n",
    # A task is carried out when what it depends on was; `>>` keeps the order.
    "sdk/__init__.py": """
class _Call:
    def __init__(self, function, given):
        self.function, self.given, self.before = function, given, []

    def __rshift__(self, other):
        other.before.append(self)
        return other

    def carry_out(self):
        told = [line for one in self.before for line in one.carry_out()]
        return [*told, f"{self.function.__name__}{self.given}: {self.function(*self.given)}"]


def task(function=None, **options):
    if function is None:
        return task
    def called(*given):
        calls.append(_Call(function, given))
        return calls[-1]
    return called


def dag(**options):
    return lambda function: function


calls = []
""",
}


@pytest.fixture
def shop(workspace: Workspace) -> Workspace:
    """Return a workspace of two revisions."""
    workspace.project.linear(2)
    return workspace


def test_the_page_about_the_api(shop: Workspace) -> None:
    """Every program on it is written and run."""
    environ = shop.environment("dev", url="sqlite:///dev.db").environment_variables()
    assert follow(DOCS / "python-api.md", shop.folder, environ=environ) == 3


def test_the_page_about_json(shop: Workspace) -> None:
    """What it shows is printed, and every field that is printed is told of there."""
    environ = shop.environment_variables()
    assert follow(DOCS / "json.md", shop.folder, environ=environ) == 11
    told = set(re.findall(r"[`\"]([a-z_0-9]+)[`\"]", (DOCS / "json.md").read_text("utf-8")))
    for words in (
        "status dev",
        "plan dev --to r002",
        "history",
        "backups",
        "drift dev",
        "lint",
        "validate",
        "doctor dev",
    ):
        value = shop.ok(*words.split(), "--format", "json").json()
        assert sorted(set(_keys(value)) - told) == [], words


def _keys(value: object) -> Iterator[str]:
    match value:
        case {"rows": _, **rest}:  # by the names of tables
            yield from _keys(rest)
        case dict():
            for key, one in value.items():
                yield key
                yield from _keys(one)
        case list():
            for one in value:
                yield from _keys(one)


def test_the_page_about_celery(shop: Workspace) -> None:
    """A worker with its pool of threads and a broker in memory."""
    environ = shop.environment_variables()
    assert follow(DOCS / "how-to" / "celery.md", shop.folder, environ=environ) == 2


def test_the_page_about_airflow(tmp_path: Path) -> None:
    """Its DAG is compiled and carried out with a stand-in for Airflow's own modules."""
    folder = tmp_path / "work"
    shop = Workspace(folder=folder, project=Project(folder).linear(2)).spec()
    for name, text in AIRFLOW.items():
        shop.project.file(f"stand_in/airflow/{name}", text)
    environ = {
        **shop.environment_variables(),
        "SHOP_SPEC": str(folder / "migrations.yaml"),
    }
    environ["PYTHONPATH"] = f"{folder / 'stand_in'}:{environ['PYTHONPATH']}"
    assert follow(DOCS / "how-to" / "airflow.md", folder, environ=environ) == 0
    program = "import dags.migrate_shop, airflow.sdk; print(*airflow.sdk.calls[-1].carry_out(), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    lines = [
        line for line in done.stdout.splitlines() if line.startswith(("migrate(", "no_drift("))
    ]
    assert [line.partition(":")[0] for line in lines] == [
        "migrate('staging',)",
        "no_drift('staging',)",
        "migrate('production',)",
    ]
    assert "run-" in lines[0]
    assert "run-" in lines[2]
    assert shop.state("production")["state"] == "current"
