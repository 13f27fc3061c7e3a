"""What is read of the revisions, and rendered of them offline."""

from __future__ import annotations

import compileall
import hashlib
import os
import types
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from orchestrate import agent as agent_package
from orchestrate.errors import OrchestrateError
from tests.agent.driving import Driver, failure
from tests.support.databases import Database, NewDatabase
from tests.support.projects import Project


@pytest.fixture
def database(new_database: NewDatabase) -> Database:
    """The server does not matter here."""
    return new_database("sqlite")


def test_a_revision_is_described(project: Project, database: Database, python: Path) -> None:
    """As written, with the digest of its bytes."""
    project.linear(1)
    path = project.revision_file("r001")
    with Driver(project, database, python=python) as driver:
        (found,) = driver.ask("graph")["revisions"]
    assert found == {
        "id": "r001",
        "down": [],
        "depends_on": [],
        "labels": [],
        "title": "create t1",
        "file": f"migrations/versions/{path.name}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "downgrade": "present",
        "leaves_transaction": False,
    }


DOWNGRADES = [
    ("def downgrade():\n    op.drop_table('x')", "present"),
    ("def downgrade():\n    pass", "empty"),
    ('def downgrade():\n    """Nothing to undo."""', "empty"),
    ("def downgrade():\n    ...\n    return None", "empty"),
    ("def downgrade():\n    raise NotImplementedError", "raises"),
    ('def downgrade():\n    """No way back."""\n    raise RuntimeError("no")', "raises"),
    ("", "missing"),
    ("def downgrade():\n    pass\n\ndef downgrade_helper():\n    print()", "empty"),
    ('def downgrade():\n    print()\n\ntext = """\ndef downgrade(\n"""', "present"),
    ("downgrade = print", "present"),
    ("downgrade = None", "missing"),
]


@pytest.mark.parametrize(("text", "kind"), DOWNGRADES)
def test_the_way_back_is_classified(
    project: Project, database: Database, text: str, kind: str
) -> None:
    """By the file's text; a name that is bound otherwise counts as a way back."""
    path = project.linear(1).revision_file("r001")
    path.write_text(path.read_text().partition("def downgrade")[0] + text + "\n")
    with Driver(project, database) as driver:
        assert driver.revisions()["r001"]["downgrade"] == kind


@pytest.mark.parametrize(
    ("body", "leaves"),
    [
        ("with op.get_context().autocommit_block():\n    pass", True),
        ('op.get_bind().execution_options(isolation_level="AUTOCOMMIT")', True),
        ('op.execute("COMMIT")', True),
        ('op.execute("commit;")', True),
        ('op.execute("COMMENT ON TABLE x IS 1")', False),
        ('op.execute("END of story, commit nothing")', False),
    ],
)
def test_leaving_the_transaction_is_seen_in_the_text(
    project: Project, database: Database, body: str, leaves: bool
) -> None:
    """So that the schema is read before a step that may be half applied."""
    project.revision("r001", down=None, upgrade=body)
    with Driver(project, database) as driver:
        assert driver.revisions()["r001"]["leaves_transaction"] is leaves


def test_a_revision_that_cannot_be_imported_is_named(project: Project, database: Database) -> None:
    """With file and line, and no revision of it run."""
    project.linear(1).revision("r002", down="r001", first="import nowhere_to_be_found")
    with Driver(project, database) as driver:
        error = failure(driver.revisions)
    assert error.code == "project-unreadable"
    assert "nowhere_to_be_found" in error.message
    assert str(error.where).endswith("r002_revision_r002.py:8")


def test_version_locations_made_by_env_py_are_the_ones_read(
    project: Project, database: Database, python: Path
) -> None:
    """Reading the ini alone would find no revision."""
    project.linear(2)
    other = project.folder / "elsewhere"
    project.versions.rename(other)
    project.env(
        "default",
        setup=f"""
            context.script.version_locations = [{str(other)!r}]
            context.script.__dict__.pop("_version_locations", None)
        """,
    )
    with Driver(project, database, python=python) as driver:
        assert sorted(driver.revisions()) == ["r001", "r002"]
        assert driver.ask("probe")["version_locations"] == [str(other)]
        driver.run(["r001", "r002"])
    assert database.heads() == ["r002"]


def test_version_locations_of_the_request_are_read(project: Project, database: Database) -> None:
    """Several, one of them outside of the script directory."""
    project.linear(1)
    other = project.folder / "more"
    other.mkdir()
    project.revision("r002", down="r001")
    path = project.revision_file("r002")
    path.rename(other / path.name)
    locations = [str(project.versions), str(other)]
    with Driver(project, database, version_locations=locations) as driver:
        assert sorted(driver.revisions()) == ["r001", "r002"]


def test_folders_below_a_version_location_count_when_they_do_for_alembic(
    project: Project, database: Database
) -> None:
    """`recursive_version_locations`: the digest covers what Alembic reads, and no more."""
    project.linear(1)
    (project.versions / "old").mkdir()
    project.revision("r002", down="r001")
    path = project.revision_file("r002")
    moved = path.rename(project.versions / "old" / path.name)

    def digests(options: dict[str, str]) -> tuple[list[str], bool]:
        project.configure(options=options)
        with Driver(project, database) as driver:
            found = sorted(driver.revisions())
            before = driver.ask("probe")["graph_digest"]
            moved.write_text(moved.read_text() + "#")
            return found, before != driver.ask("probe")["graph_digest"]

    assert digests({}) == (["r001"], False)
    assert digests({"recursive_version_locations": "true"}) == (["r001", "r002"], True)


def test_sourceless_revisions_are_read(project: Project, database: Database) -> None:
    """`sourceless = true`: only compiled files are there."""
    project.linear(2).configure(options={"sourceless": "true"})
    compileall.compile_dir(project.versions, quiet=2, legacy=True)
    for path in project.versions.glob("*.py"):
        path.unlink()
    with Driver(project, database) as driver:
        found = driver.revisions()
        assert {one["downgrade"] for one in found.values()} == {"present"}
        driver.run(["r001", "r002"])
    assert database.heads() == ["r002"]


def test_a_pyproject_is_a_configuration(
    project: Project, database: Database, newest_python: Path
) -> None:
    """From Alembic 1.16 on."""
    project.linear(1).configure_pyproject()
    with Driver(project, database, python=newest_python) as driver:
        driver.run(["r001"])
    assert database.heads() == ["r001"]


def test_a_pyproject_is_too_new_for_an_old_alembic(
    project: Project, database: Database, oldest_python: Path
) -> None:
    """Said in words rather than by an unexpected argument."""
    project.linear(1).configure_pyproject()
    with Driver(project, database, python=oldest_python) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert error.code == "project-unreadable"
    assert "pyproject.toml" in error.message


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"config": "nowhere.ini"}, "there is no `nowhere.ini`"),
        ({"directory": "nowhere"}, "no project directory"),
        ({"script_location": "nowhere"}, "nowhere"),
    ],
)
def test_a_project_that_is_not_there_is_said_so(
    project: Project, database: Database, fields: dict[str, Any], part: str
) -> None:
    """Each with the word that was wrong."""
    project.linear(1)
    with Driver(project, database, **fields) as driver:
        error = failure(lambda: driver.ask("probe"))
    assert error.code == "project-unreadable"
    assert part in error.message


@pytest.mark.parametrize(
    ("shape", "section", "fields"),
    [
        ("environ_url", "alembic", {"environ": {"DATABASE_URL": "{url}"}}),
        ("set_main_option", "alembic", {"environ": {"DATABASE_URL": "{url}"}}),
        ("x_url", "alembic", {"x": ["url={url}"]}),
        ("attribute_connection", "alembic", {"attribute": "connection"}),
        ("attribute_engine", "alembic", {"attribute": "engine"}),
        ("default", "billing", {"section": "billing", "options": {"sqlalchemy.url": "{url}"}}),
    ],
)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_way_to_the_url_leads_to_the_target(
    project: Project,
    new_database: NewDatabase,
    python: Path,
    *,
    shape: str,
    section: str,
    fields: dict[str, Any],
    kind: str,
) -> None:
    """The ini names another database, as shipped ones do; a password with a percent sign works."""
    from tests.agent.driving import url_for

    database = new_database(kind)
    project.configure(url="sqlite:///default.db", section=section).linear(2).env(shape)

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        return value.replace("{url}", url_for(database, python))

    given = {"options": {}, **filled(fields)}
    with Driver(project, database, python=python, **given) as driver:
        driver.ask("probe")
        driver.run(["r001", "r002"])
    assert database.heads() == ["r002"]
    assert not (project.folder / "default.db").exists()


HOOK = """
import contextlib
@contextlib.contextmanager
def session(spec):
    print("session", spec["options"]["mark"])
    yield
@contextlib.contextmanager
def around(config, spec):
    config.set_main_option("sqlalchemy.url", spec["url"].replace("%", "%%"))
    print("around")
    yield
    print("after")
"""


def test_a_hook_goes_around_env_py(project: Project, database: Database, python: Path) -> None:
    """`session` once a process, `around` once for each run of env.py."""
    project.configure(url="sqlite:///default.db").linear(1)
    hook = {"name": "conf/hook.py", "source": HOOK}
    with Driver(project, database, python=python, options={"mark": "7"}, hook=hook) as driver:
        driver.ask("probe")
        driver.run(["r001"], steps=driver.steps(["r001"]))
        driver.agent.close()
        said = [
            one for one in driver.agent.output if one.split()[0] in {"session", "around", "after"}
        ]
    assert said == ["session 7", "around", "after", "around", "after"]
    assert database.heads() == ["r001"]


def test_what_cannot_be_rendered_does_not_stop_the_rest(
    project: Project, new_database: NewDatabase, python: Path
) -> None:
    """A revision that reads is an error of its own, up or down."""
    database = new_database("postgresql")
    project.linear(1)
    project.revision(
        "r002",
        down="r001",
        upgrade='op.get_bind().execute(sa.text("SELECT 1")).scalar()',
        downgrade='op.execute("DROP TABLE gone")',
    )
    project.revision("r003", down="r002", upgrade="op.execute(\"UPDATE t1 SET name = 'a'\")")
    path = project.revision_file("r003")
    path.write_text(path.read_text().partition("def downgrade")[0])
    steps = [{"id": f"s{one}", "revision": f"r00{one}"} for one in (1, 2, 3)]
    with Driver(project, database, python=python) as driver:
        found = driver.ask("render", steps=steps, direction="upgrade")["sql"]
    assert found["s1"]["up"].startswith("CREATE TABLE t1")
    assert found["s1"]["down"] == "DROP TABLE t1;"
    assert found["s2"]["up"] is None
    assert "AttributeError" in found["s2"]["up_error"]
    assert found["s2"]["down"] == "DROP TABLE gone;"
    assert found["s3"]["up"] == "UPDATE t1 SET name = 'a';"
    assert found["s3"]["down_error"] == "there is no function `downgrade`"
    assert database.tables() == []


def rendered_soon(driver: Driver) -> list[dict[str, Any]]:
    """Return what is told of all revisions on the way, and then at the end."""
    wanted = {"steps": None, "ways": ["up"], **driver.common}
    heard = list(driver.agent.request("render", deadline=60, soon=True, **wanted))
    told = [one.fields["sql"] for one in heard if one.event == "rendered"]
    return [*told, heard[-1].fields["result"]["sql"]]


@pytest.mark.parametrize("number", [205, 405])
def test_what_is_wanted_soon_is_told_on_the_way(
    project: Project, database: Database, number: int
) -> None:
    """About a hundred revisions at a time; together the same as in one answer, none twice."""
    project.linear(number)
    with Driver(project, database) as driver:
        told = rendered_soon(driver)
        whole = driver.ask("render", steps=None, ways=["up"])["sql"]
    assert len(told[0]) == 100
    assert sum(map(len, told)) == len(whole) == number
    assert {name: sql for one in told for name, sql in one.items()} == whole


@pytest.mark.parametrize("dies", [False, True])
def test_half_of_the_revisions_is_rendered_by_a_second_process(
    project: Project, database: Database, *, dies: bool
) -> None:
    """If that one dies, the first one does its work: here where no other thread is alive."""
    death = "import threading\nif threading.active_count() == 1:\n    os._exit(1)\n"
    for number in range(1, 406):
        body = "import os\n" + (death if dies and number == 1 else "")
        down = f"r{number - 1:03}" if number > 1 else None
        body += 'op.execute(f"SELECT {os.getpid()}")'
        project.revision(f"r{number:03}", down=down, upgrade=body)
    with Driver(project, database) as driver:
        told = rendered_soon(driver)
    found = {name: sql["up"] for one in told for name, sql in one.items()}
    assert sum(map(len, told)) == len(found) == 405
    assert None not in found.values()
    alone = dies or len(os.sched_getaffinity(0)) == 1
    assert (found["r001"] == found["r405"]) is alone


def test_an_env_py_without_offline_mode_is_an_error_of_each_step(
    project: Project, database: Database
) -> None:
    """A plan with `--sql` is still a plan."""
    project.linear(1)
    env = project.scripts / "env.py"
    env.write_text(
        env.read_text().replace(
            "    context.configure(\n        url=",
            "    1 / 0\n    context.configure(\n        url=",
            1,
        )
    )
    with Driver(project, database) as driver:
        steps = [{"id": "s1", "revision": "r001"}]
        found = driver.ask("render", steps=steps, direction="upgrade")["sql"]["s1"]
    assert found["up_error"] == "env.py, offline: ZeroDivisionError: division by zero"
    assert not database.path.exists()


def test_a_query_only_looks_unless_it_may_write(
    project: Project, new_database: NewDatabase
) -> None:
    """The server refuses, not a look at the text."""
    for kind in ("sqlite", "postgresql", "mariadb"):
        database = new_database(kind)
        database.execute("CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1)")
        with Driver(project.linear(1), database) as driver:
            found = driver.ask("query", statements={"a": "SELECT id FROM t"})
            assert found == {"rows": {"a": [[1]]}}
            write = {"a": "INSERT INTO t VALUES (2)"}
            driver.ask("query", statements=write, read_only=False)
            with pytest.raises(OrchestrateError):
                driver.ask("query", statements=write)
        assert database.rows("SELECT count(*) FROM t") == [(2,)], kind


def test_two_files_of_one_revision(project: Project, database: Database) -> None:
    """Alembic warns and forgets one of them; here the project is refused, and both are told."""
    project.linear(2)
    project.revision("r001", down=None, doc="again")
    with Driver(project, database) as driver:
        caught = failure(lambda: driver.ask("graph"))
    assert caught.code == "project-unreadable"
    assert "two files have one identifier" in caught.message


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        ('op.create_table("t", sa.Column("id", sa.Integer))', True),
        ('bind = op.get_bind()\nbind.execute(sa.text("select 1"))', True),
        ('with op.batch_alter_table("t") as batch:\n    batch.drop_column("a")', True),
        ('for name in sorted(["a", "b"]):\n    op.drop_table(str(name))', True),
        ("import os\nos.remove('x')", False),
        ('open("x", "w").write("done again")', False),
        ("helper()", False),
    ],
)
def test_only_plain_bodies_are_run_once_more(project: Project, body: str, plain: bool) -> None:
    """What a doubt is explained with must not act a second time."""
    namespace: dict[str, Any] = {"__name__": "agent"}
    source = Path(agent_package.__file__).with_name("agent.py").read_text("utf-8")
    exec(compile(source, "agent", "exec"), namespace)
    project.revision("r001", down=None, upgrade=body)
    assert namespace["is_plain"](str(project.revision_file("r001")), "upgrade") is plain


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        ('op.create_table("t", sa.Column("id", sa.Integer))', True),
        ('bind = op.get_bind()\nbind.execute(sa.text("select 1"))', True),
        ('[op.drop_table(name) for name in ("a", "b")]', True),
        ("import os\nos.remove('x')", False),
        ("def inner():\n    import os\n    os.remove('x')\ninner()", False),
        ('open("x", "w").write("done again")', False),
        ("helper()", False),
        ("Path('x').unlink()", False),
    ],
)
def test_most_bodies_are_judged_without_parsing(project: Project, body: str, plain: bool) -> None:
    """What is let through by the names in its code calls nothing else; the rest is parsed."""
    namespace: dict[str, Any] = {"__name__": "agent"}
    source = Path(agent_package.__file__).with_name("agent.py").read_text("utf-8")
    exec(compile(source, "agent", "exec"), namespace)
    first = "from pathlib import Path\ndef helper(): pass"
    project.revision("r001", down=None, upgrade=body, first=first)
    module = types.ModuleType("revision")
    exec(compile(project.revision_file("r001").read_text(), "r001", "exec"), vars(module))
    assert namespace["is_plainly_plain"](module.upgrade, module) is plain


def test_counting_that_fails_costs_nobody_the_agent(
    project: Project, new_database: NewDatabase
) -> None:
    """It reads, on a connection of its own, and what goes wrong there is an answer."""
    for kind in ("sqlite", "postgresql", "mariadb"):
        database = new_database(kind)
        database.execute("CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1)")
        with Driver(project.linear(1), database) as driver:
            found = driver.ask("count", sql="SELECT COUNT(*) FROM t")
            assert found == {"problem": None, "rows": [[1]]}
            for refused in ("SELECT COUNT(*) FROM nobody", "DELETE FROM t"):
                assert driver.ask("count", sql=refused)["problem"], (kind, refused)
            if database.server is not None:
                gone = make_url(database.url).set(port=1).render_as_string(hide_password=False)
                common = {**driver.common, "url": gone}
                found = driver.agent.call("count", deadline=30, **common, sql="SELECT 1")
                assert found["problem"]
                assert found["rows"] == []
            assert driver.ask("count", sql="SELECT COUNT(*) FROM t")["rows"] == [[1]]
