"""Which database it is, whatever its URL says."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from orchestrate.dialects.registry import dialect_for
from tests.dialects.reading import kit_of, rows
from tests.support.databases import Database, NewDatabase
from tests.support.servers import PASSWORD, USER


def identity(database: Database, connection: Any = None) -> str:
    """Return the identity of a database, through a connection of any kind."""
    text = kit_of(database).identity
    assert text is not None
    with contextlib.closing(connection or database.connect()) as opened:
        return dialect_for(database.dialect).identity(rows(opened, text))


def test_identity_is_one_readable_line_without_secrets(database: Database) -> None:
    """A person can read it, it is the same each time, and it holds no user or password."""
    line = identity(database)
    assert line == identity(database)
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert database.name in line
    assert PASSWORD not in line
    assert USER not in line


def test_another_database_of_the_server_is_another(
    database: Database, new_database: NewDatabase
) -> None:
    """Two databases side by side are told apart."""
    assert identity(database) != identity(new_database(database.kind))


def test_postgresql_through_a_socket_or_another_host_name(new_database: NewDatabase) -> None:
    """The way to the server does not matter."""
    database = new_database("postgresql")
    assert database.server is not None
    for host in ("localhost", str(database.server.folder)):
        connection = psycopg.connect(
            host=host,
            port=database.server.port,
            user=USER,
            password=PASSWORD,
            dbname=database.name,
            autocommit=True,
        )
        assert identity(database, connection) == identity(database)


def test_mariadb_through_a_socket(new_database: NewDatabase) -> None:
    """The way to the server does not matter."""
    database = new_database("mariadb")
    assert database.server is not None
    connection = pymysql.connect(
        unix_socket=str(database.server.folder / "socket"),
        user=USER,
        password=PASSWORD,
        database=database.name,
    )
    assert identity(database, connection) == identity(database)


def test_postgresql_dropped_and_created_again(new_database: NewDatabase) -> None:
    """A new database of the old name is another database."""
    database = new_database("postgresql")
    assert database.server is not None
    before = identity(database)
    database.server.drop(database.name)
    database.server.execute(f"CREATE DATABASE {database.name}")
    assert identity(database) != before


def test_ordinary_users_prove_the_same(new_database: NewDatabase) -> None:
    """A user who may only read gets the identity that the owner gets."""
    for kind, connect in (("postgresql", _postgresql), ("mariadb", _mariadb)):
        database = new_database(kind)
        assert database.server is not None
        url = database.server.create_reader(database.name)
        assert identity(database, connect(url)) == identity(database)


def test_postgresql_without_the_right_to_the_system_identifier(new_database: NewDatabase) -> None:
    """A hardened server still gives an identity, the weaker one, and no error."""
    database = new_database("postgresql")
    assert database.server is not None
    url = database.server.create_reader(database.name)
    database.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    weaker = identity(database, _postgresql(url))
    assert weaker.startswith("postgresql ")
    assert "system=" not in weaker
    assert f"database={database.name}" in weaker
    assert "system=" in identity(database)


def test_a_restart_changes_nothing(new_database: NewDatabase) -> None:
    """Identity is the data's, not the process's."""
    for kind in ("postgresql", "mariadb"):
        database = new_database(kind)
        assert database.server is not None
        before = identity(database)
        database.server.kill()
        database.server.start()
        assert identity(database) == before


def test_sqlite_through_a_link(tmp_path: Path) -> None:
    """A link to a file is the file."""
    real = tmp_path / "real.db"
    sqlite3.connect(real).close()
    (tmp_path / "link.db").symlink_to(real)
    dialect = dialect_for("sqlite")
    text = dialect.kit(lock_timeout=None, statement_timeout=None).identity
    assert text is not None
    with contextlib.closing(sqlite3.connect(tmp_path / "link.db")) as connection:
        assert dialect.identity(rows(connection, text)) == f"sqlite {real}"
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        assert dialect.identity(rows(connection, text)) == "sqlite :memory:"


def test_mysql_and_clusters_from_rows() -> None:
    """MySQL goes by its UUID, a cluster by its own, an old MariaDB by host, port and folder."""
    identify = dialect_for("mysql").identity
    rest = ("db1", 3306, "/var/lib/mysql/")
    uuid = "8a94f357-aab4-11df-86ab-c80aa9429562"
    assert identify([("8.0.36", "app", uuid, None, *rest)]) == f"mysql server={uuid} schema=app"
    assert identify([("8.0.36", "app", uuid, "aaaa-1", *rest)]) == "mysql cluster=aaaa-1 schema=app"
    assert (
        identify([("10.5.1-MariaDB", "app", None, None, *rest)])
        == "mariadb server=db1:3306 folder=/var/lib/mysql/ schema=app"
    )
    assert identify([(b"11.4.3-MariaDB", b"app", b"H7aI=", None, *rest)]) == (
        "mariadb server=H7aI= folder=/var/lib/mysql/ schema=app"
    )


def test_generic_identity_is_what_the_url_says() -> None:
    """Nothing is proven, and two databases are still told apart."""
    assert dialect_for("oracle").identity([["db1", 1521, "app"]]) == "oracle db1 1521 app"


def _postgresql(url: str) -> Any:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)


def _mariadb(url: str) -> Any:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 0,
        user=parts.username,
        password=unquote(parts.password or ""),
        database=parts.path[1:],
    )
