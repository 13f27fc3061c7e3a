"""Which connection, which rights and which counts: what goes with the programs that copy."""

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from orchestrate.adapters.copying import dump, load
from orchestrate.adapters.destinations import open_destination
from orchestrate.dialects.copies import Way
from orchestrate.dialects.difference import compare
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.backups import DumpFormat
from orchestrate.domain.database_url import DatabaseUrl
from orchestrate.domain.snapshot import GRANTS
from orchestrate.errors import OrchestrateError
from tests.support.copies import (
    content,
    copies_of,
    differing,
    fill,
    going_in,
    snapshot_of,
    url_of,
    way_of,
)
from tests.support.databases import Database, NewDatabase, sqlite_database
from tests.support.servers import HOST, PASSWORD, USER, Server, literal


def opening(url: str) -> str:
    """Return what a dumping program is told for a URL."""
    copies = dialect_for(DatabaseUrl.parse(url).backend).copies
    assert copies is not None
    program = copies.dump(DatabaseUrl.parse(url), Way(prefix=("docker", "exec")))
    assert program.command[:2] == ("docker", "exec")
    assert program.command[2:] in {("sh",), ("-I", "-q", "-i")}
    return program.opening.reveal()


@pytest.mark.parametrize(
    ("url", "connection"),
    [
        (
            "postgresql+psycopg://app@db:6543/shop",
            "host='db' port='6543' user='app' dbname='shop'",
        ),
        ("postgresql://", ""),
        ("postgresql://[2001:db8::1]:5433/shop", "host='2001:db8::1' port='5433' dbname='shop'"),
        (
            "postgresql:///shop?host=/var/run/postgresql&sslmode=verify-full&application_name=a%20b",
            "dbname='shop' host='/var/run/postgresql' sslmode='verify-full' application_name='a b'",
        ),
        (
            "postgresql+psycopg2://o%27hara@db/it%27s%5Cmine%20%25?options=-csearch_path%3Dshop",
            r"host='db' user='o\'hara' dbname='it\'s\\mine %' options='-csearch_path=shop'",
        ),
        (
            "postgresql+psycopg://app@/shop?host=one:5432&host=two:5433",
            "user='app' dbname='shop' host='one,two' port='5432,5433'",
        ),
        (
            "postgresql+asyncpg://db/shop?ssl=require&prepared_statement_cache_size=0",
            "host='db' dbname='shop' sslmode='require'",
        ),
        (
            "postgresql+pg8000:///shop?unix_sock=/tmp/.s.PGSQL.5434",
            "dbname='shop' host='/tmp' port='5434'",
        ),
    ],
)
def test_postgresql_connection(url: str, connection: str) -> None:
    """What a URL says, psycopg's words and other drivers', reaches the library as one string."""
    import shlex

    words = shlex.split(opening(url).splitlines()[-2])
    assert words[:3] == ["exec", "pg_dump", "--no-password"]
    assert words[4:] == ["--format=custom", f"--dbname={connection}"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:s%27ecret%20%24HOME@db/shop",
        "postgresql://app@db/shop?password=s%27ecret%20%24HOME",
    ],
)
def test_postgresql_password(url: str) -> None:
    """A password goes into a variable of the program's, wherever the URL has it."""
    lines = opening(url).splitlines()
    assert "PGPASSWORD='s'\"'\"'ecret $HOME'; export PGPASSWORD" in lines
    assert sum("ecret" in line for line in lines) == 1


def test_postgresql_key_password() -> None:
    """The password of a key has no way to the program but its argument list, and is refused."""
    with pytest.raises(OrchestrateError, match="`sslpassword`") as caught:
        opening("postgresql://app@db/shop?sslkey=k&sslpassword=secret")
    assert caught.value.code == "backup-impossible"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (
            "mysql+pymysql://app:secret@localhost:3307/shop",
            ["--host=localhost", "--port=3307", "--protocol=TCP", "--user=app"],
        ),
        ("mysql+mysqldb://app@localhost/shop", ["--host=localhost", "--user=app"]),
        (
            "mariadb+pymysql://app@/shop?unix_socket=/run/mysqld/mysqld.sock&charset=utf8mb4",
            ["--user=app", "--socket=/run/mysqld/mysqld.sock"],
        ),
    ],
)
def test_mysql_connection(url: str, options: list[str]) -> None:
    """What a URL says reaches the program; a host is a host as for the driver."""
    import shlex

    lines = opening(url).splitlines()
    words = shlex.split(lines[-2])
    assert words[words.index("--loose-dump-history") + 1 :] == [
        *options,
        "--loose-ssl-verify-server-cert=0",
        "--",
        "shop",
    ]
    assert ("MYSQL_PWD=secret; export MYSQL_PWD" in lines) == ("secret" in url)
    assert "secret" not in lines[-2]


def test_mysql_certificate() -> None:
    """A certificate is checked where the URL asks for it."""
    told = opening("mysql+pymysql://app@db/shop?ssl_ca=/ca.pem&ssl_verify_identity=true")
    assert "--ssl-ca=/ca.pem" in told
    assert "--loose-ssl-verify-server-cert=1 --loose-ssl-mode=VERIFY_IDENTITY" in told


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_odd_names(database: Database, new_database: NewDatabase, tmp_path: Path) -> None:
    """Users, passwords and databases may be called anything."""
    server = database.server
    assert server is not None
    name, secret = 'o\'dd "$x" `y` 100% ü', 'p\'w "$x" `y` \\ 100% ü'
    mark = "`" if server.kind == "mariadb" else '"'
    quoted = f"{mark}{name.replace(mark, mark * 2)}{mark}"
    user = f"{literal(name)}@'%'" if server.kind == "mariadb" else quoted
    password = literal(secret.replace("\\", "\\\\") if server.kind == "mariadb" else secret)
    server.execute(
        f"CREATE DATABASE {quoted}",
        f"CREATE USER {user} IDENTIFIED BY {password}"
        if server.kind == "mariadb"
        else f"CREATE ROLE {quoted} LOGIN SUPERUSER PASSWORD {password}",
        *([f"GRANT ALL ON *.* TO {user}"] if server.kind == "mariadb" else []),
    )
    try:
        text = (
            f"{server.dialect}+{server.driver}://{quote(name, safe='')}:{quote(secret, safe='')}"
            f"@{HOST}:{server.port}/{quote(name, safe='')}"
        )
        url = DatabaseUrl.parse(text)
        server.execute("CREATE TABLE t (a int)", "INSERT INTO t VALUES (7)", database=name)
        copies, way, going = copies_of(database), way_of(database), going_in(tmp_path, database)
        with open_destination("backups", root=tmp_path) as destination:
            dump(copies.dump(url, way), destination, "copy", going)
            load(
                copies.load(url.with_database(database.name), way, owners="kept"),
                destination,
                "copy",
                going,
                code="restore-failed",
            )
        assert database.rows("SELECT a FROM t") == [(7,)]
    finally:
        server.execute(
            f"DROP DATABASE {quoted}",
            f"DROP USER {user}" if server.kind == "mariadb" else f"DROP ROLE {quoted}",
        )


def test_locked(new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL: a table that somebody keeps locked is waited for, and not for ever."""
    monkeypatch.setattr("orchestrate.dialects.postgresql_copies._LOCK_TIMEOUT", "300ms")
    database = new_database("postgresql")
    database.execute("CREATE TABLE t (a int)")
    with contextlib.closing(database.connect()) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        assert "timeout" in (_dumped(database, USER, tmp_path) or "")
        holder.execute("ROLLBACK")
    assert _dumped(database, USER, tmp_path) is None


def test_socket(postgresql_server: Server, new_database: NewDatabase, tmp_path: Path) -> None:
    """PostgreSQL is reached by its socket, too."""
    database = new_database("postgresql")
    database.execute("CREATE TABLE t (a int)")
    secret, folder = quote(PASSWORD, safe=""), quote(str(postgresql_server.folder), safe="")
    url = DatabaseUrl.parse(
        f"postgresql+psycopg://{USER}:{secret}@:{postgresql_server.port}/{database.name}?host={folder}"
    )
    with open_destination("backups", root=tmp_path) as destination:
        program = copies_of(database).dump(url, Way())
        assert dump(program, destination, "copy", going_in(tmp_path, database)).bytes > 500


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_counts(database: Database) -> None:
    """Rows of many tables are counted in one statement, odd names among them."""
    mark = "`" if database.dialect == "mysql" else '"'
    odd = 'it\'s \\ "%s" :x; `q`'
    quoted = f"{mark}{odd.replace(mark, mark * 2)}{mark}"
    plain = [f"table_{number}" for number in range(100 if database.kind == "mariadb" else 600)]
    database.execute(
        "BEGIN",
        f"CREATE TABLE {quoted} (a int)",
        f"INSERT INTO {quoted} VALUES (1), (2)",
        *(f"CREATE TABLE {name} (a int)" for name in plain),
        "COMMIT",
    )
    tables: list[tuple[str | None, str]] = [(None, odd), *((None, name) for name in plain)]
    counted = database.rows(copies_of(database).counts(tables))
    assert counted == [(None, odd, 2), *((None, name, 0) for name in plain)]
    assert database.rows(copies_of(database).counts([])) == []
    (size,) = database.rows(copies_of(database).size)
    assert int(size[0]) > 100_000


# --- rights ---------------------------------------------------------------------------------------


def lacks(database: Database, user: str) -> tuple[str, ...]:
    """Return what a user lacks for copying a database."""
    server = database.server
    assert server is not None
    copies = copies_of(database)
    url = DatabaseUrl.parse(server.url(database.name, user=user))
    found = {}
    with contextlib.closing(_connected(server, url)) as connection:
        for name, sql in copies.rights.items():
            cursor = connection.cursor()
            cursor.execute(sql)
            found[name] = [list(row) for row in cursor.fetchall()]
    return copies.missing_rights(found)


def _connected(server: Server, url: DatabaseUrl) -> Any:
    import psycopg
    import pymysql

    place: Any = {"host": HOST, "port": server.port, "user": url.user, "password": PASSWORD}
    if server.kind == "postgresql":
        return psycopg.connect(**place, dbname=url.database, autocommit=True)
    return pymysql.connect(**place, database=url.database)


@pytest.fixture
def role(postgresql_server: Server, new_database: NewDatabase) -> str:
    """Return the name of a role that may log in and nothing else."""
    name = f"somebody_{id(new_database)}"
    postgresql_server.execute(
        f"DROP ROLE IF EXISTS {name}", f"CREATE ROLE {name} LOGIN PASSWORD {literal(PASSWORD)}"
    )
    return name


def test_postgresql_rights(new_database: NewDatabase, role: str, tmp_path: Path) -> None:
    """Tables, sequences, rows and large objects that cannot be read are named before a copy."""
    database = new_database("postgresql")
    database.execute(
        "CREATE TABLE secrets (id serial PRIMARY KEY)",
        "CREATE TABLE owned (id integer)",
        "SELECT lo_create(77)",
        "CREATE SCHEMA closed CREATE TABLE inside (id integer)",
        "CREATE EXTENSION pg_trgm",
    )
    assert lacks(database, USER) == ()
    assert lacks(database, role) == (
        f"`{role}` may not read the tables `closed.inside`, `public.owned`, `public.secrets`: "
        f'`GRANT SELECT` on it, or `GRANT pg_read_all_data TO "{role}"`',
        f"`{role}` may not read the sequence `public.secrets_id_seq`: "
        f'`GRANT SELECT` on it, or `GRANT pg_read_all_data TO "{role}"`',
        f"`{role}` may not read 1 large objects of `{database.name}`: "
        f'`GRANT SELECT ON LARGE OBJECT 77 TO "{role}"`, and so on',
    )
    database.execute(
        f"GRANT pg_read_all_data TO {role}",
        f"GRANT SELECT ON LARGE OBJECT 77 TO {role}",
        "ALTER TABLE owned ENABLE ROW LEVEL SECURITY",
    )
    assert lacks(database, role) == (
        f"row security hides rows of `public.owned` from `{role}`: the owner sees all rows "
        f'unless it is forced, so does `ALTER ROLE "{role}" BYPASSRLS`',
    )
    assert _dumped(database, role, tmp_path) is not None
    database.execute(f"ALTER ROLE {role} BYPASSRLS")
    assert lacks(database, role) == ()
    assert _dumped(database, role, tmp_path) is None


def _dumped(database: Database, user: str, tmp_path: Path) -> str | None:
    """Copy a database as a user; return what was in the way."""
    assert database.server is not None
    url = DatabaseUrl.parse(database.server.url(database.name, user=user))
    with open_destination("backups", root=tmp_path) as destination:
        try:
            program = copies_of(database).dump(url, way_of(database))
            dump(program, destination, f"copy-by-{user}", going_in(tmp_path, database))
        except OrchestrateError as error:
            return error.message
    return None


@pytest.mark.parametrize("form", ["custom", "directory"])
def test_postgresql_scratch(
    form: DumpFormat, new_database: NewDatabase, role: str, tmp_path: Path
) -> None:
    """A role without privileges puts others' objects, grants and extensions into its own database."""
    database, other = new_database("postgresql"), new_database("postgresql")
    fill(database)
    database.execute(
        # What nobody but a superuser can make.
        "DROP FOREIGN DATA WRAPPER dummy",
        f"GRANT SELECT ON users TO {role}",
        "GRANT ALL ON users TO PUBLIC",
        f"ALTER TABLE log OWNER TO {role}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
    )
    server = other.server
    assert server is not None
    server.execute(f"ALTER DATABASE {other.name} OWNER TO {role}")
    copies, going = copies_of(database), going_in(tmp_path, database)
    way = way_of(database, form)
    url = DatabaseUrl.parse(server.url(other.name, user=role))
    with open_destination("backups", root=tmp_path) as destination:
        dump(copies.dump(url_of(database), way), destination, "copy", going)
        load(copies.load(url, way, owners="ours"), destination, "copy", going, code="backup-broken")
    # As a proof compares them: grants to roles of the far server are nothing that a copy loses.
    proven = copies.proven(snapshot_of(database))
    assert compare(proven, snapshot_of(other), without=GRANTS) == ()
    assert set(other.rows("SELECT tableowner FROM pg_tables WHERE schemaname = 'public'")) == {
        (role,)
    }


def test_mysql_rights(new_database: NewDatabase, mariadb_server: Server, tmp_path: Path) -> None:
    """Rights without which a part would be left out in silence are named before a copy."""
    database = new_database("mariadb")
    fill(database)
    assert lacks(database, USER) == ()
    name, place = database.name, "'somebody'@'%'"
    mariadb_server.execute(
        f"CREATE USER {place} IDENTIFIED BY {literal(PASSWORD)}",
        f"GRANT SELECT ON {name}.* TO {place}",
    )
    try:
        assert lacks(database, "somebody")[0] == (
            f"`somebody@%` has no right to SHOW VIEW, TRIGGER, EVENT, EXECUTE in `{name}`, and what "
            "needs that would be left out: `GRANT SHOW VIEW, TRIGGER, EVENT, EXECUTE ON "
            f"`{name}`.* TO 'somebody'@'%'`"
        )
        mariadb_server.execute(f"GRANT SHOW VIEW, TRIGGER, EVENT, EXECUTE ON {name}.* TO {place}")
        told = lacks(database, "somebody")
        assert len(told) == 2
        assert told[0].startswith("`somebody@%` may not read the body of `fill`, `twice`: ")
        assert told[1].startswith(
            "views, routines, triggers or events run as `tester@%`, and `somebody@%` may not put "
        )
        assert "insufficient privileges" in (_dumped(database, "somebody", tmp_path) or "").replace(
            "insufficent", "insufficient"
        )
        mariadb_server.execute(
            f"GRANT SELECT ON mysql.proc TO {place}", f"GRANT SET USER ON *.* TO {place}"
        )
        assert lacks(database, "somebody") == ()
        assert _dumped(database, "somebody", tmp_path) is None
    finally:
        mariadb_server.execute(f"DROP USER {place}")


# --- SQLite ---------------------------------------------------------------------------------------


@pytest.fixture
def logged(tmp_path: Path) -> Database:
    """Return an SQLite database with a write-ahead log."""
    path = tmp_path / "it's a %41 file?.db"
    database = replace(sqlite_database(path), url=f"sqlite:///{quote(str(path))}")
    database.execute("PRAGMA journal_mode = WAL")
    fill(database)
    return database


def test_sqlite_writer(logged: Database, new_database: NewDatabase, tmp_path: Path) -> None:
    """A copy has what is only in the log, nothing that is not committed, and stops no writer."""
    copies, way, going = copies_of(logged), way_of(logged), going_in(tmp_path, logged)
    with (
        contextlib.closing(logged.connect()) as writer,
        open_destination("backups", root=tmp_path) as destination,
    ):
        writer.execute("INSERT INTO users (name) VALUES ('in the log alone')")
        expected = content(logged)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO users (name) VALUES ('uncommitted')")
        assert Path(f"{logged.name}-wal").stat().st_size > 0
        dump(copies.dump(url_of(logged), way), destination, "copy", going)
        writer.execute("COMMIT")
        other = sqlite_database(tmp_path / "backups" / "copy")
        assert differing(content(other), expected) == []
    assert {one.name for one in (tmp_path / "backups").iterdir()} == {"copy"}


@pytest.mark.parametrize("size", [512, 4096])
@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_sqlite_over_old(logged: Database, journal: str, size: int, tmp_path: Path) -> None:
    """A copy replaces what is in a file, whatever its pages and journal, under open readers."""
    old = sqlite_database(tmp_path / "old.db")
    old.execute(
        f"PRAGMA page_size = {size}",
        f"PRAGMA journal_mode = {journal}",
        "CREATE TABLE old (a)",
        "INSERT INTO old VALUES (zeroblob(100000))",
    )
    copies, way, going = copies_of(logged), way_of(logged), going_in(tmp_path, logged)
    expected = content(logged)
    with (
        contextlib.closing(old.connect()) as reader,
        open_destination("backups", root=tmp_path) as destination,
    ):
        dump(copies.dump(url_of(logged), way), destination, "copy", going)
        if size == 4096 or journal == "DELETE":
            assert reader.execute("SELECT count(*) FROM old").fetchone() == (1,)
        else:
            reader.close()  # the journal of a file that others have open cannot be changed
        program = copies.load(url_of(old), way, owners="kept")
        load(program, destination, "copy", going, code="restore-failed")
        assert differing(content(old), expected) == []


def test_sqlite_damaged(logged: Database, tmp_path: Path) -> None:
    """A copy with a page of something else is found out, and never put back."""
    copies, way, going = copies_of(logged), way_of(logged), going_in(tmp_path, logged)
    target = sqlite_database(tmp_path / "target.db")
    target.execute("CREATE TABLE kept (a)")
    with open_destination("backups", root=tmp_path) as destination:
        dump(copies.dump(url_of(logged), way), destination, "copy", going)
        path = tmp_path / "backups" / "copy"
        whole = path.read_bytes()
        path.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
        listing = copies.listing(way)
        assert listing is not None
        for program in (listing, copies.load(url_of(target), way, owners="kept")):
            with pytest.raises(OrchestrateError) as caught:
                load(program, destination, "copy", going, code="backup-broken")
            assert "DatabaseError" in caught.value.message
    assert target.tables() == ["kept"]


def test_sqlite_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody keeps locked is waited for, and not for ever."""
    monkeypatch.setattr("orchestrate.dialects.sqlite_copies.BUSY_SECONDS", 0.5)
    database = sqlite_database(tmp_path / "busy.db")
    database.execute("CREATE TABLE t (a)")
    copies, way, going = copies_of(database), way_of(database), going_in(tmp_path, database)
    with (
        contextlib.closing(sqlite3.connect(database.name, isolation_level=None)) as holder,
        open_destination("backups", root=tmp_path) as destination,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OrchestrateError, match="database is locked"):
            dump(copies.dump(url_of(database), way), destination, "copy", going)
        holder.execute("ROLLBACK")
        dump(copies.dump(url_of(database), way), destination, "copy", going)


@pytest.mark.parametrize("seconds", [0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 1.0, 20.0])
def test_sqlite_killed(seconds: float, tmp_path: Path) -> None:
    """A putting back that is killed leaves the old content or the new one, at whatever moment."""
    saved, old = sqlite_database(tmp_path / "saved.db"), sqlite_database(tmp_path / "old.db")
    for database, word in ((saved, "new"), (old, "old")):
        database.execute(
            "CREATE TABLE t (word, more)",
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            f" INSERT INTO t SELECT '{word}', randomblob(1000) FROM n",
        )
    copies, way = copies_of(saved), way_of(saved)
    going = going_in(tmp_path, saved, timeout=seconds)
    with open_destination(str(tmp_path), root=tmp_path) as destination:
        program = copies.load(url_of(old), way, owners="kept")
        with contextlib.suppress(OrchestrateError):
            load(program, destination, "saved.db", going, code="restore-failed")
    assert old.rows("SELECT word, count(*) FROM t GROUP BY word") in (
        [("old", 20000)],
        [("new", 20000)],
    )
    assert old.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("python", ["oldest", "newest"], indirect=True)
def test_sqlite_pythons(logged: Database, python: Path, tmp_path: Path) -> None:
    """Whatever Python the project runs on makes the copy and puts it back."""
    expected = content(logged)
    way = Way(prefix=(str(python),), here=False)
    copies, going = copies_of(logged), going_in(tmp_path, logged)
    other = sqlite_database(tmp_path / "other.db")
    with open_destination("backups", root=tmp_path) as destination:
        dump(copies.dump(url_of(logged), way), destination, "copy", going)
        program = copies.load(url_of(other), way, owners="kept")
        load(program, destination, "copy", going, code="restore-failed")
    assert differing(content(other), expected) == []
