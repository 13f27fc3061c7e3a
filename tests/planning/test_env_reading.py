"""What is read out of env.py and of settings modules, without running them."""

import pytest

from orchestrate.planning.env_reading import Reading, read_source
from orchestrate.planning.variable_names import is_url_name, part_of


def test_env_py_of_many_habits() -> None:
    """Variables, `-x` names, attributes, options, sections and imports, in the order they count."""
    text = """
import os
from environs import env
from alembic import context
from app.core import settings as s
from .near import engine
config = context.config
x = context.get_x_argument(as_dictionary=True)
url = x.get("db_url") or os.environ["A_DATABASE_URL"] or os.getenv("B_URL")
url = env.str("C_DSN") or config.get_main_option("shop.url") or config.get_section("billing")
NAME = "D_URL"
connection = config.attributes.get("connection")
with create_async_engine(url).begin() as connection: ...
"""
    found = read_source(text, module="migrations.env")
    assert found == Reading(
        variables=("A_DATABASE_URL", "B_URL", "C_DSN", "D_URL"),
        reads_x=True,
        x_names=("connection", "db_url"),
        reads_attributes=True,
        options=("shop.url",),
        sections=("billing",),
        modules=(
            "os",
            "environs",
            "environs.env",
            "alembic",
            "alembic.context",
            "app.core",
            "app.core.settings",
            "migrations.near",
            "migrations.near.engine",
        ),
        asynchronous=True,
        commits=True,
    )


def test_settings_classes() -> None:
    """pydantic-settings in both styles: the prefix and the field's name, or an alias."""
    text = """
class New(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")
    database_url: str
    dsn: str = Field(validation_alias=AliasChoices("primary_dsn", "other"))

class Old(pydantic.BaseSettings):
    db_host: str
    class Config:
        env_prefix = "old_"

class Model(BaseModel):
    database_url: str
"""
    assert read_source(text).variables == (
        "PRIMARY_DSN",
        "SHOP_DATABASE_URL",
        "SHOP_DSN",
        "OLD_DB_HOST",
    )


@pytest.mark.parametrize("text", ["def (", "\0", "x = " + "(" * 500])
def test_text_that_is_no_python(text: str) -> None:
    """What cannot be parsed says nothing, and raises nothing."""
    assert read_source(text) == Reading()


@pytest.mark.parametrize(
    ("name", "url", "part"),
    [
        ("DATABASE_URL", True, None),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", True, None),
        ("PREFECT_API_DATABASE_CONNECTION_URL", True, None),
        ("REDIS_URL", False, None),
        ("FRONTEND_URL", False, None),
        ("CELERY_DATABASE_URL", False, None),
        ("DB_HOST", False, "host"),
        ("PGPASSWORD", False, "password"),
        ("POSTGRES_DB", True, "database"),
        ("POSTGRES_SERVER", False, "host"),
        ("SMTP_HOST", False, None),
        ("REDIS_PASSWORD", False, None),
        ("HOST", False, None),
    ],
)
def test_names_of_variables(name: str, *, url: bool, part: str | None) -> None:
    """What holds a URL of a database, what a part of one, and what is about something else."""
    assert (is_url_name(name), part_of(name)) == (url, part)
