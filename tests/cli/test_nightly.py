"""The recipes of docs/nightly: each command runs, and each file is one that its reader takes."""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self
from xml.etree import ElementTree as ET

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.databases import NewDatabase
from tests.support.receivers import receiving
from tests.support.workspace import Workspace

FOLDER = Path(__file__).parents[2] / "docs" / "nightly"
WANTED = ("--no-input", "--new-only", "--exit-code", "--notify")


def _text(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their letters
    found.read_string(_text(name))
    return found


class Operator:
    """Stands for Airflow's BashOperator, and keeps what it was made with."""

    made: list[dict[str, Any]]

    def __init__(self, **keys: Any) -> None:
        self.made.append(keys)


class Dag:
    """Stands for Airflow's DAG."""

    made: list[dict[str, Any]]

    def __init__(self, **keys: Any) -> None:
        self.made.append(keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def _airflow(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Load the DAG with a stand-in for Airflow; return what DAG and operator were made with."""
    Operator.made, Dag.made = [], []
    names = ["airflow", "providers", "standard", "operators", "bash"]
    modules = {
        name: ModuleType(name)
        for name in (*(".".join(names[:end]) for end in range(1, 6)), "airflow.sdk")
    }
    vars(modules["airflow.sdk"])["DAG"] = Dag
    vars(modules[".".join(names)])["BashOperator"] = Operator
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("nightly_dag", FOLDER / "airflow_dag.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    (dag,), (operator,) = Dag.made, Operator.made
    return dag, operator


def _cron() -> str:
    (line,) = re.findall(r"^\d+ \d+ \S+ \S+ \S+ +(.+)$", _text("crontab"), re.MULTILINE)
    return str(line)


def _kubernetes() -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(_text("kubernetes-cronjob.yaml"))
    return value


def _container() -> dict[str, Any]:
    pod = _kubernetes()["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    value: dict[str, Any] = pod["containers"][0]
    return value


def _github() -> str:
    steps = yaml.safe_load(_text("github-actions.yml"))["jobs"]["drift"]["steps"]
    (found,) = [one["run"] for one in steps if "orchestrate" in one.get("run", "")]
    return str(found)


COMMANDS: dict[str, Callable[[], str]] = {
    "crontab": _cron,
    "systemd": lambda: _unit("orchestrate-drift.service")["Service"]["ExecStart"],
    "github": _github,
    "gitlab": lambda: str(yaml.safe_load(_text("gitlab-ci.yml"))["drift"]["script"][0]),
    "kubernetes": lambda: " ".join(_container()["command"]),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_recipe_finds_the_news(
    workspace: Workspace, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command, run where its recipe runs it, fails for what is new, tells it, and once only."""
    workspace.project.linear(3)
    database = new_database("sqlite")
    folder = workspace.folder
    places = {"/srv/shop": folder, "/srv/reports": folder / "out", "/srv/metrics": folder / "out"}
    places[f"{folder}/.venv/bin"] = Path(sys.executable).parent
    (folder / "out").mkdir()
    dag, operator = _airflow(monkeypatch)
    assert (dag["catchup"], operator["retries"], operator["cwd"]) == (False, 0, "/srv/shop")
    commands = {name: make() for name, make in COMMANDS.items()}
    commands["airflow"] = operator["bash_command"]

    with receiving() as server:
        workspace.environ["HOOK_URL"] = server.url("T0ken")
        workspace.environment("production", database)
        workspace.ok("apply", "production", "--yes", "--to", "r002")
        variables = {
            **workspace.environment_variables(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(folder / "out" / "summary.md"),
        }

        def typed(command: str) -> subprocess.CompletedProcess[str]:
            for place, here in places.items():
                command = command.replace(place, str(here))
            return subprocess.run(
                ["bash", "-c", command],
                cwd=folder,
                env=variables,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        for number, (name, command) in enumerate(commands.items()):
            assert all(one in command for one in WANTED), name
            if name == "airflow":  # telling takes seconds, so one of them does
                workspace.environment("production", database, notify=[{"env": "HOOK_URL"}])
            database.execute(f"ALTER TABLE t1 ADD COLUMN by_{name} TEXT")
            done = typed(command)
            # cron mails what is printed; everybody else goes by the status.
            wanted = 0 if name == "crontab" else 3
            assert done.returncode == wanted, f"{name}: {done.stdout}\n{done.stderr}"
            assert f"by_{name}" in done.stdout + _read(folder / "out" / "summary.md")
            _check_files(folder, name, differences=number + 1)
        quiet = typed(commands["crontab"])
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert server.titles == ["production: 1 new difference"]
    assert "column t1.by_airflow added" in server.messages[0]["message"]


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _check_files(folder: Path, name: str, *, differences: int) -> None:
    """Look at what a recipe left, and clear it away: the next one has to leave its own."""
    found = {one.suffix: one for place in (folder, folder / "out") for one in place.glob("*.*")}
    assert f"by_{name}" in _read(found[".html"])
    if ".prom" in found:
        samples = [
            sample.value
            for family in text_string_to_metric_families(_read(found[".prom"]))
            for sample in family.samples
            if sample.name == "orchestrate_drift_differences"
            and (sample.labels["kind"], sample.labels["known"]) == ("schema", "false")
        ]
        assert samples == [differences]
    if name in {"github", "gitlab", "kubernetes"}:
        (failure,) = ET.parse(found[".xml"]).getroot().iter("failure")
        assert (failure.get("message"), f"by_{name}" in str(failure.text)) == ("1 difference", True)
    for one in (".html", ".prom", ".xml", ".md"):
        if one in found:
            found[one].unlink()


@pytest.mark.parametrize(
    ("schema", "name"),
    [("vendor.github-workflows", "github-actions.yml"), ("vendor.gitlab-ci", "gitlab-ci.yml")],
)
def test_files_of_ci_servers(schema: str, name: str) -> None:
    """GitHub's and GitLab's own schemas, which the checker brings along, take the files."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            f"--builtin-schema={schema}",
            *(["--data-transform=gitlab-ci"] if "gitlab" in schema else []),
            str(FOLDER / name),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_units_of_systemd(tmp_path: Path) -> None:
    """systemd takes both units, with the program and the user that are here; the timer's day comes."""
    service, timer = _unit("orchestrate-drift.service"), _unit("orchestrate-drift.timer")
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Timer"]["OnCalendar"] == "*-*-* 05:15:00 UTC"
    program = shutil.which("systemd-analyze")
    if program is None:  # not every machine that runs the tests is run by systemd
        return
    for name in ("orchestrate-drift.service", "orchestrate-drift.timer"):
        text = _text(name).replace("/srv/shop/.venv/bin/orchestrate", "/bin/true")
        (tmp_path / name).write_text(text.replace("User=orchestrate", "User=root"))
    units = sorted(str(one) for one in tmp_path.iterdir())
    done = subprocess.run(
        [program, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    # It looks at every unit of the machine; only what is said of ours counts.
    assert "orchestrate-drift" not in done.stderr, done.stderr
    day = subprocess.run(
        [program, "calendar", timer["Timer"]["OnCalendar"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert day.returncode == 0, day.stderr


def test_the_job_of_kubernetes() -> None:
    """It runs alone, never twice, as nobody in particular; every volume and secret has its name."""
    job = _kubernetes()
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    spec = job["spec"]
    assert (spec["concurrencyPolicy"], spec["timeZone"]) == ("Forbid", "Etc/UTC")
    inner = spec["jobTemplate"]["spec"]
    assert inner["backoffLimit"] == 0
    pod = inner["template"]["spec"]
    assert (pod["restartPolicy"], pod["securityContext"]["runAsNonRoot"]) == ("Never", True)
    container = _container()
    assert {one["name"] for one in container["volumeMounts"]} == {
        one["name"] for one in pod["volumes"]
    }
    assert all(set(one["valueFrom"]["secretKeyRef"]) == {"name", "key"} for one in container["env"])


def test_the_dag_of_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins on a day in a time zone, and its secrets come from Airflow's connections."""
    dag, operator = _airflow(monkeypatch)
    assert dag["start_date"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert (dag["schedule"], dag["max_active_runs"]) == ("15 5 * * *", 1)
    assert all(value.startswith("{{ conn.") for value in operator["env"].values())
