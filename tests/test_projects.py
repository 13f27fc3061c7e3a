"""The test projects themselves: each shape of env.py does what its name says under real Alembic."""

import subprocess
from pathlib import Path

import pytest

from tests.support.databases import KINDS, Database, NewDatabase
from tests.support.env_shapes import HOSTILE, ORDINARY, SHAPES, TRANSACTIONS
from tests.support.projects import Project, names
from tests.support.servers import HOST, PASSWORD, USER

# Exit status of Alembic, and the heads it leaves.
HARM: dict[str, tuple[int, list[str]]] = {
    "prints_json": (0, ["r002"]),
    "writes_descriptors": (0, ["r002"]),
    "floods_stdout": (0, ["r002"]),
    "reads_stdin": (0, ["r002"]),
    "exits": (1, []),
    "exits_cleanly": (0, []),
    "exits_afterwards": (3, ["r002"]),
    "exits_at_once": (0, []),
    "raises": (1, []),
    "changes_directory": (0, ["r002"]),
    "disables_logging": (0, ["r002"]),
    "forks": (0, ["r002"]),
    "connects_elsewhere": (0, []),
    "swallows_errors": (0, ["r002"]),
    "runs_twice": (0, ["r002"]),
    "never_migrates": (0, []),
    "changes_signals": (0, ["r002"]),
    "syntax_error": (1, []),
}
HANGING = {"hangs", "hangs_connected", "hangs_deaf"}
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def environ_for(database: Database) -> dict[str, str]:
    """Return what the shapes that read their environment ask for."""
    if database.server is None:
        parts = {"DB_DRIVER": "sqlite", "DB_NAME": database.name}
    else:
        parts = {
            "DB_DRIVER": f"{database.dialect}+{database.server.driver}",
            "DB_HOST": HOST,
            "DB_PORT": str(database.server.port),
            "DB_NAME": database.name,
            "DB_USER": USER,
            "DB_PASSWORD": PASSWORD,
        }
    return {"DATABASE_URL": database.url, **parts}


def test_a_linear_project_goes_up_and_down_on_every_dialect(
    database: Database, project: Project
) -> None:
    project.configure(url=database.url).linear(5)
    project.alembic("upgrade", "head")
    assert database.heads() == ["r005"]
    assert database.tables() == ["alembic_version", "t1", "t2"]
    assert database.columns("t2") == ["id", "name", "note"]
    project.alembic("downgrade", "base")
    assert database.tables() == ["alembic_version"]


# Other schemas are PostgreSQL's; there is no asynchronous driver for MariaDB here.
UNFIT = {
    ("sqlite", "version_table_schema"),
    ("mariadb", "version_table_schema"),
    ("mariadb", "async"),
    *(
        (kind, shape)
        for kind in ("postgresql", "mariadb")
        for shape in TRANSACTIONS
        if shape.startswith("sqlite_")
    ),
}

# Alembic exits 0 although not all was committed. Without transactional DDL the next revision's DDL
# commits what was recorded of the one before.
LOST: dict[tuple[str, str], list[str]] = {
    ("sqlite", "autobegin"): [],
    ("postgresql", "autobegin"): [],
    ("mariadb", "autobegin"): ["r001"],
    ("postgresql", "no_transaction"): [],
}


@pytest.mark.parametrize(
    ("database", "kind"),
    [
        (dialect, kind)
        for dialect in KINDS
        for kind in (*ORDINARY, *TRANSACTIONS)
        if (dialect, kind) not in UNFIT
    ],
    indirect=["database"],
)
def test_each_ordinary_shape_migrates_the_database_it_is_given(
    kind: str, database: Database, project: Project
) -> None:
    url = database.url
    if kind == "async":
        url = database.url_with("aiosqlite" if database.kind == "sqlite" else "asyncpg")
    if kind == "version_table_schema":
        database.execute("CREATE SCHEMA meta")
    project.configure(url=url).env(kind).linear(2)
    project.alembic("-x", f"url={url}", "upgrade", "head", environ=environ_for(database))
    if kind == "version_table_schema":
        heads = [head for (head,) in database.rows("SELECT version_num FROM meta.schema_version")]
    else:
        table = "schema_version" if kind == "version_table" else "alembic_version"
        heads = database.heads(version_table=table)
    assert heads == LOST.get((database.kind, kind), ["r002"])


@only_sqlite
@pytest.mark.parametrize(
    ("kind", "status", "heads"), [(kind, *harm) for kind, harm in HARM.items()]
)
def test_each_hostile_shape_does_its_harm(  # noqa: PLR0917 - the case's three and the fixtures
    kind: str,
    status: int,
    heads: list[str],
    database: Database,
    project: Project,
    new_database: NewDatabase,
) -> None:
    project.configure(url=database.url).env(kind).linear(2)
    elsewhere = new_database("sqlite")
    environ = {"ELSEWHERE_URL": elsewhere.url}
    done = project.alembic("upgrade", "head", environ=environ, check=False)
    assert (done.returncode, database.heads()) == (status, heads), done.stderr
    assert elsewhere.heads() == (["r002"] if kind == "connects_elsewhere" else [])


@only_sqlite
@pytest.mark.parametrize("kind", sorted(HANGING))
def test_the_hanging_shapes_hang(kind: str, database: Database, project: Project) -> None:
    project.configure(url=database.url).env(kind).linear(1)
    with pytest.raises(subprocess.TimeoutExpired):
        project.alembic("upgrade", "head", timeout=2)


@only_sqlite
def test_swallowed_errors_end_with_status_0(database: Database, project: Project) -> None:
    project.configure(url=database.url).env("swallows_errors")
    project.revision("r001", down=None, upgrade='raise RuntimeError("no")')
    done = project.alembic("upgrade", "head")
    assert database.heads() == []
    assert "ignored: no" in done.stdout


@only_sqlite
def test_a_named_section_is_honoured(database: Database, project: Project) -> None:
    project.configure(url=database.url, section="billing").linear(1)
    project.alembic("--name", "billing", "upgrade", "head")
    assert database.heads() == ["r001"]


@only_sqlite
def test_a_project_may_live_in_pyproject(database: Database, project: Project) -> None:
    project.configure_pyproject().env("environ_url").linear(1)
    project.alembic("upgrade", "head", environ=environ_for(database))
    assert database.heads() == ["r001"]


@only_sqlite
def test_a_project_may_live_in_pyproject_and_an_ini_file(
    database: Database, project: Project
) -> None:
    project.configure_pyproject(url=database.url).linear(1)
    project.alembic("upgrade", "head")
    assert database.heads() == ["r001"]


@only_sqlite
def test_branches_labels_and_dependencies_are_alembics(
    database: Database, project: Project
) -> None:
    project.configure(url=database.url)
    project.revision("a1", down=None, branch_labels="a")
    project.revision("b1", down=None, branch_labels=("b",), depends_on="a1")
    project.revision("m1", down=("a1", "b1"), doc="merge a and b")
    project.alembic("upgrade", "b@head")
    project.alembic("upgrade", "head")
    assert database.heads() == ["m1"]
    assert project.revision_file("m1").name == "m1_merge_a_and_b.py"
    assert names([1, 12]) == ["r001", "r012"]


@pytest.mark.parametrize("kind", sorted(set(SHAPES) - HANGING - {"syntax_error"}))
def test_every_shape_is_python(kind: str) -> None:
    compile(SHAPES[kind].render(), "env.py", "exec")
    assert "$" not in SHAPES[kind].render()


def test_every_hostile_shape_is_tried() -> None:
    assert set(HARM) | HANGING == set(HOSTILE)


def test_both_ends_of_what_is_supported_run_a_project(
    python: Path, new_database: NewDatabase, project: Project
) -> None:
    for kind in ("sqlite", "postgresql", "mariadb"):
        database = new_database(kind)
        url = database.url_with("psycopg2") if kind == "postgresql" else database.url
        project.configure(url=url).linear(3)
        project.alembic("upgrade", "head", python=python)
        assert database.heads() == ["r003"]
