"""The guide to one's own project, command by command, as its reader would type it."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents import follow
from tests.support.env_shapes import Shape
from tests.support.projects import Project
from tests.support.workspace import Workspace

GUIDE = Path(__file__).parents[2] / "docs/how-to/own-project.md"
SHAPE = Shape(
    first="from shop.settings import settings",
    setup='config.set_main_option("sqlalchemy.url", settings.database_url)',
)
SETTINGS = """
    import os

    class BaseSettings:
        '''Stands for pydantic's, which need not be installed here.'''

    class Settings(BaseSettings):
        database_url: str = os.environ.get("DATABASE_URL", "sqlite:///default.db")

    settings = Settings()
"""


def test_guide(tmp_path: Path) -> None:
    """A project whose settings decide the URL, from `init` to the first plan."""
    folder = tmp_path / "work"
    project = Project(folder).env_shape(SHAPE).linear(3)
    project.file("src/shop/__init__.py", "").file("src/shop/settings.py", SETTINGS)
    environ = Workspace(folder=folder, project=project).environment_variables()
    assert follow(GUIDE, folder, environ=environ) == 6
    assert not (folder / "default.db").exists()
