"""What `init` finds in folders as people have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrate.adapters.surroundings import look_around
from orchestrate.planning.first_spec import (
    applications,
    best_runner,
    compose_runner,
    likely_inject,
    project_names,
    suggestions,
)
from tests.support.env_shapes import Shape
from tests.support.projects import Project

INJECTS: dict[str, dict[str, Any]] = {
    "default": {},
    "async": {},
    "environ_url": {"env": "DATABASE_URL"},
    "environ_parts": {
        "env": {
            "DB_DRIVER": "{{ url.backend }}+{{ url.driver }}",
            "DB_USER": "{{ url.user }}",
            "DB_PASSWORD": "{{ url.password }}",
            "DB_HOST": "{{ url.host }}",
            "DB_PORT": "{{ url.port }}",
            "DB_NAME": "{{ url.database }}",
        }
    },
    "x_url": {"x": {"url": "{{ url }}"}},
    "attribute_connection": {},
    "set_main_option": {"env": "DATABASE_URL"},
}


@pytest.mark.parametrize("shape", INJECTS)
def test_way_of_each_shape(tmp_path: Path, shape: str) -> None:
    """What the text of env.py tells is what it takes."""
    Project(tmp_path).env(shape)
    (config,) = look_around(tmp_path).configs
    assert likely_inject(config)[0] == INJECTS[shape]


def test_settings_of_the_application(tmp_path: Path) -> None:
    """env.py sets the option from a settings module, as templates of web frameworks do."""
    shape = Shape(
        first="from app.core.config import settings",
        setup='config.set_main_option("sqlalchemy.url", settings.database_uri)',
    )
    project = Project(tmp_path / "backend")
    project.env_shape(shape)
    project.file("app/__init__.py", "")
    project.file("app/core/__init__.py", "")
    project.file(
        "app/core/config.py",
        """
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="SHOP_")
            redis_url: str
            database_uri: str
        """,
    )
    (config,) = look_around(tmp_path).configs
    assert (config.path, config.directory) == ("backend/alembic.ini", "backend")
    assert likely_inject(config)[0] == {"env": "SHOP_DATABASE_URI"}


def test_pyproject_and_others(tmp_path: Path) -> None:
    """pyproject.toml counts, an ini that holds only its URL does not, nor what is installed."""
    Project(tmp_path / "one").configure_pyproject(url="sqlite:///x.db")
    Project(tmp_path / "two")
    Project(tmp_path / ".venv/lib/python3.12/site-packages/three")
    Project(tmp_path / "node_modules/four")
    (tmp_path / "tox.ini").write_text("[tox]\nenvlist = py\n")
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    configs = look_around(tmp_path).configs
    assert [one.path for one in configs] == ["one/pyproject.toml", "two/alembic.ini"]
    assert project_names(configs) == ["one", "two"]
    assert all(one.env is not None for one in configs)


def test_what_goes_with_it(tmp_path: Path) -> None:
    """Interpreters, services, variables: by their names and schemes, never by their values."""
    Project(tmp_path / "backend").configure(url="driver://user:pass@localhost/dbname")
    packages = tmp_path / "backend/.venv/lib/python3.12/site-packages"
    (packages / "alembic").mkdir(parents=True)
    (tmp_path / "backend/.venv/bin").mkdir()
    (tmp_path / "backend/.venv/bin/python").touch()
    (tmp_path / "poetry.lock").touch()
    (tmp_path / "docker-compose.yml").write_text(
        "services:\n  api: {build: ., image: mine}\n  db: {image: 'postgres:15'}\n  odd: 3\n"
    )
    (tmp_path / ".env").write_text(
        "# comment\nexport DATABASE_URL='postgresql+asyncpg://app:hunter2@db/x'\n"
        "REDIS_URL=redis://x\nTEST_DATABASE_URL=sqlite:///t.db\nPLAIN=1\n"
    )
    (tmp_path / ".env.production").write_text("DB_URL=mysql://u:hunter2@h/x\n")
    (tmp_path / ".env.example").write_text("DATABASE_URL=postgresql://x\n")
    (tmp_path / ".gitignore").write_text(".orchestrate/\n")

    around = look_around(tmp_path)

    assert "hunter2" not in repr(around)
    runner = best_runner(around)
    assert runner is not None
    assert runner.value == {"python": "backend/.venv/bin/python"}
    assert [one.reason for one in around.runners] == [".venv in backend", "poetry.lock"]
    (service,) = applications(around)
    assert compose_runner(service) == {
        "command": ["docker", "compose", "exec", "-T", "api", "python"]
    }
    assert [(one.name, one.source, one.certain) for one in suggestions(around, around.configs)] == [
        ("dev", "dotenv:.env#DATABASE_URL", False),
        ("production", "dotenv:.env.production#DB_URL", True),
    ]
    assert around.ignores_state
