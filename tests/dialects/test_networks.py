"""URLs led through a port of this machine, for drivers and for programs."""

import pytest

from orchestrate.dialects.networks import as_declared
from orchestrate.dialects.registry import dialect_for
from orchestrate.domain.database_url import DatabaseUrl

PORT = 40123


def forwarded(text: str, driver: str | None = None) -> tuple[str, str]:
    url = DatabaseUrl.parse(text)
    network = dialect_for(url.backend).network
    assert network is not None
    driver = driver or url.driver
    assert network.obstacle(url, driver=driver) is None
    return (
        network.forwarded(url, PORT, driver=driver).secret.reveal(),
        network.forwarded_for_programs(url, PORT).secret.reveal(),
    )


def obstacle(text: str, driver: str | None = None) -> str:
    url = DatabaseUrl.parse(text)
    network = dialect_for(url.backend).network
    assert network is not None
    found = network.obstacle(url, driver=driver or url.driver)
    assert found is not None
    return found


def test_postgresql_keeps_the_name_where_it_is_needed() -> None:
    """To check the server's certificate, and to look a password up; else env.py gets plain parts."""
    plain = "postgresql+psycopg://app:p%40ss@db.internal/shop?sslmode=require"
    assert forwarded(plain) == (
        f"postgresql+psycopg://app:p%40ss@127.0.0.1:{PORT}/shop?sslmode=require",
        f"postgresql+psycopg://app:p%40ss@db.internal:{PORT}/shop?sslmode=require"
        "&hostaddr=127.0.0.1",
    )
    named = "postgresql://app:p@db.internal:5433/shop?sslmode=verify-full"
    both = f"postgresql://app:p@db.internal:{PORT}/shop?sslmode=verify-full&hostaddr=127.0.0.1"
    assert forwarded(named) == (both, both)
    looked_up = f"postgresql://app@db.internal:{PORT}/shop?hostaddr=127.0.0.1"
    assert forwarded("postgresql://app@db.internal/shop") == (looked_up, looked_up)
    six = f"postgresql://a:p@[fd00::7]:{PORT}/shop?hostaddr=127.0.0.1"
    assert forwarded("postgresql://a:p@[fd00::7]:5432/shop")[1] == six


def test_a_driver_that_cannot_keep_the_name_is_told_of() -> None:
    url = "postgresql+asyncpg://app:p@db/shop?ssl=verify-full"
    assert "`asyncpg`" in obstacle(url)
    assert "`pg8000`" in obstacle("postgresql://app:p@db/shop?sslmode=verify-full", "pg8000")
    assert "ssl_verify_identity" in obstacle("mysql+pymysql://a:p@db/s?ssl_verify_identity=true")
    assert "VERIFY_IDENTITY" in obstacle("mysql+mysqldb://a:p@db/s?ssl_mode=VERIFY_IDENTITY")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql:///shop?host=/var/run/postgresql", "`host`"),
        ("postgresql://a@one,two/shop?host=one:5432&host=two:5432", "`host`"),
        ("postgresql://a@db/shop?service=shop", "`service`"),
        ("postgresql:///shop", "no host"),
        ("mysql+pymysql://a@localhost/shop?unix_socket=/run/mysqld.sock", "`unix_socket`"),
        ("oracle://a:p@db/shop", "no port"),
    ],
)
def test_a_url_that_leads_to_no_single_host(text: str, expected: str) -> None:
    assert expected in obstacle(text)


def test_a_server_that_cannot_be_asked_is_known_by_what_is_declared() -> None:
    """Else each command would find another database behind its tunnel."""
    url = DatabaseUrl.parse("oracle+oracledb://app@db:1521/shop")
    rows = as_declared([["127.0.0.1", PORT, "shop"]], url)
    assert dialect_for("oracle").identity(rows) == "oracle db 1521 shop"


def test_other_servers_get_the_address() -> None:
    mysql = f"mysql+pymysql://app:p@127.0.0.1:{PORT}/shop?charset=utf8mb4"
    assert forwarded("mysql+pymysql://app:p@db.internal/shop?charset=utf8mb4") == (mysql, mysql)
    oracle = f"oracle+oracledb://app:p@127.0.0.1:{PORT}/shop"
    assert forwarded("oracle+oracledb://app:p@db:1521/shop") == (oracle, oracle)
    assert dialect_for("sqlite").network is None
