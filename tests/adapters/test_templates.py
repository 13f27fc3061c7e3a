"""What an agent is told of a project: the URL in every way that projects ask for it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrate.adapters.templates import (
    check_templates,
    far_python,
    injection,
    runner_command,
    shareable,
)
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.spec import LoadedSpec
from orchestrate.stores.spec_files import load_spec

URL = DatabaseUrl.parse("postgresql://app:p%25w@db:5433/shop?sslmode=require")
PLAIN: dict[str, Any] = {
    "config": "alembic.ini",
    "section": None,
    "directory": None,
    "options": {},
    "script_location": None,
    "version_locations": [],
    "sys_path": [],
    "x": [],
    "attribute": None,
    "environ": {},
    "hook": None,
    "read_only_probe": True,
}


def spec_of(folder: Path, project: object, **environment: object) -> LoadedSpec:
    """Return a spec with one environment, `prod`."""
    value = {"project": project, "environments": {"prod": {"url": "sqlite://", **environment}}}
    (folder / "migrations.yaml").write_text(json.dumps(value))
    return load_spec(None, start=folder)


def injected(folder: Path, project: object, **environment: object) -> dict[str, Any]:
    """Return what differs from a project that declares nothing."""
    spec = spec_of(folder, project, **environment)
    message = injection(spec, spec.environments[0], URL, target_name="north")
    return {key: value for key, value in message.items() if value != PLAIN[key]}


FULL = URL.secret.reveal()


@pytest.mark.parametrize(
    ("project", "differs"),
    [
        ({}, {"options": {"sqlalchemy.url": FULL}}),
        ({"inject": {"option": "my.url"}}, {"options": {"my.url": FULL}}),
        (
            {"inject": {"option": {"sqlalchemy.url": "{{ url }}", "schema": "{{ target.name }}"}}},
            {"options": {"sqlalchemy.url": FULL, "schema": "north"}},
        ),
        ({"inject": {"env": "DATABASE_URL"}}, {"environ": {"DATABASE_URL": FULL}}),
        (
            {"inject": {"env": {"H": "{{ url.host }}:{{ url.port }}", "P": "{{ url.password }}", "D": "{{ url.database }}", "DEBUG": 0}}},
            {"environ": {"H": "db:5433", "P": "p%w", "D": "shop", "DEBUG": "0"}},
        ),
        ({"inject": {"x": {"tenant": "{{ target.name }}"}}}, {"x": ["tenant=north"]}),
        ({"inject": {"attribute": "engine"}}, {"attribute": "engine"}),
        (
            {"inject": {"section": "{{ environment.name }}"}},
            {"section": "prod", "options": {"sqlalchemy.url": FULL}},
        ),
        (
            {"inject": {"option": "u", "env": "U"}, "options": {"name": "{{ target.name }}"}},
            {"options": {"u": FULL, "name": "north"}, "environ": {"U": FULL}},
        ),
        (
            {"drivers": {"postgresql": "asyncpg", "mysql": "aiomysql"}},
            {"options": {"sqlalchemy.url": FULL.replace("postgresql", "postgresql+asyncpg")}},
        ),
        (
            {"script_location": "db/alembic", "sys_path": ["src"], "version_locations": ["a", "b"], "directory": "api", "section": "main", "probe": "plain", "inject": {"attribute": "connection"}},
            {"config": None, "script_location": "db/alembic", "sys_path": ["src"], "version_locations": ["a", "b"], "directory": "api", "section": "main", "read_only_probe": False, "attribute": "connection"},
        ),
    ],
)  # fmt: skip
def test_project_is_told_as_it_asks(
    project: object, differs: dict[str, Any], tmp_path: Path
) -> None:
    """Each recipe that real projects need gives its part of the agent's message."""
    assert injected(tmp_path, project) == differs


def test_hook_is_sent_as_source(tmp_path: Path) -> None:
    """The hook's file is read here, beside the spec: the agent may be elsewhere."""
    (tmp_path / "hook.py").write_text("def around(config, spec): ...\n")

    differs = injected(tmp_path, {"inject": {"hook": "hook.py"}})

    assert differs == {"hook": {"name": "hook.py", "source": "def around(config, spec): ...\n"}}


def test_environment_lays_its_ways_over_the_project(tmp_path: Path) -> None:
    """One section an environment, and the project's option stays."""
    differs = injected(
        tmp_path, {"inject": {"option": "u", "section": "x"}}, inject={"section": "production"}
    )

    assert differs == {"options": {"u": FULL}, "section": "production"}


@pytest.mark.parametrize(
    ("inject", "answer"),
    [
        ({}, True),
        ({"option": "u", "section": "s", "x": {"a": "b"}, "attribute": "engine"}, True),
        ({"env": "U"}, False),
        ({"hook": "hook.py"}, False),
    ],
)
def test_who_may_share_a_warm_agent(inject: object, answer: bool, tmp_path: Path) -> None:
    """Variables are read once at import, so they bind an agent to one target."""
    spec = spec_of(tmp_path, {"inject": inject})

    assert shareable(spec, spec.environments[0]) is answer


@pytest.mark.parametrize(
    ("runner", "command"),
    [
        ("local", [sys.executable]),
        ({"python": "venv/bin/python"}, ["{folder}/venv/bin/python"]),
        ({"python": "/opt/python"}, ["/opt/python"]),
        ({"python": "~/venv/bin/python"}, ["{home}/venv/bin/python"]),
        ({"command": ["docker", "compose", "exec", "-T", "api", "python"]}, ["docker", "compose", "exec", "-T", "api", "python"]),
    ],
)  # fmt: skip
def test_runner(runner: object, command: list[str], tmp_path: Path) -> None:
    """A runner is an argument list; an environment may have its own."""
    expected = [word.format(folder=tmp_path, home=Path.home()) for word in command]
    spec = spec_of(tmp_path, {"runner": runner})
    other = spec_of(tmp_path, {"runner": {"python": "elsewhere"}}, runner=runner)

    assert runner_command(spec, spec.environments[0]) == expected
    assert runner_command(other, other.environments[0]) == expected


def test_runner_behind_ssh(tmp_path: Path) -> None:
    """Its command is that of the far end."""
    place = {"host": "app1", "user": "deploy", "port": 2222, "directory": "/srv/app"}
    spec = spec_of(tmp_path, {"runner": {"ssh": place}})
    one = spec.environments[0]

    assert runner_command(spec, one) == ["python3"]
    found = far_python(spec, one)
    assert found is not None
    assert str(found) == "ssh -p 2222 deploy@app1 python3"
    assert found.directory == "/srv/app"
    local = spec_of(tmp_path, {"runner": "local"})
    assert far_python(local, local.environments[0]) is None


def test_parts_of_a_tunnels_url(tmp_path: Path) -> None:
    """What env.py puts together itself leads into the tunnel, too."""
    inject = {"env": {"HOST": "{{ url.host }}", "PORT": "{{ url.port }}", "URL": "{{ url }}"}}
    spec = spec_of(tmp_path, {"inject": inject})
    url = DatabaseUrl.parse("postgresql://db.internal:40123/shop?hostaddr=127.0.0.1")

    message = injection(spec, spec.environments[0], url, target_name="one", address="127.0.0.1")

    assert message["environ"] == {
        "HOST": "127.0.0.1",
        "PORT": "40123",
        "URL": "postgresql://db.internal:40123/shop?hostaddr=127.0.0.1",
    }


@pytest.mark.parametrize(
    ("inject", "message"),
    [
        ({"env": {"A": "{{ url.pasword }}"}}, "the template: `orchestrate.adapters.templates._UrlText object` has no attribute `pasword`"),
        ({"hook": "hook.py"}, "the hook `hook.py` cannot be read: no such file or directory"),
    ],
)  # fmt: skip
def test_templates_are_checked_before_they_are_needed(
    inject: object, message: str, tmp_path: Path
) -> None:
    """`validate` fills every template in with a URL of its own."""
    found = check_templates(spec_of(tmp_path, {"inject": inject}))

    assert [(one.code, one.where) for one in found] == [("bad-template", "migrations.yaml:1:14")]
    assert found[0].message.endswith(message)
