"""Database URLs: the parts that SQLAlchemy finds, and passwords that are never shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from orchestrate.domain.database_url import DatabaseUrl, MalformedUrlError
from orchestrate.domain.secrets import Secret

CANARY = "canary-4711"

URLS = [
    "sqlite://",
    "sqlite:///dev.db",
    "sqlite:////srv/dev.db",
    "sqlite+aiosqlite:///data/a%20b.db?mode=ro&uri=true",
    "postgresql://db/shop",
    "postgresql+psycopg://app:s3cret@db:5432/shop",
    "postgresql+psycopg://app@/shop?host=/var/run/postgresql",
    "postgresql://app:p%40s%2Fs%25%23@[::1]:5432/shop?sslmode=require",
    "postgresql://app:a/b:c@db/shop",
    "postgresql://app:@db/shop",
    "postgresql://:pw@db/shop",
    "mysql+pymysql://app:p%20w@db/shop?charset=utf8mb4",
    "mssql+pyodbc://app:pw@dsn",
    "oracle+oracledb://app:pw@db:1521/?service_name=x",
]


@pytest.mark.parametrize("text", URLS)
def test_parts_are_those_that_sqlalchemy_finds(text: str) -> None:
    """What we connect to and compare with is what env.py's SQLAlchemy makes of the URL."""
    ours, theirs = DatabaseUrl.parse(text), make_url(text)

    assert ours.secret.reveal() == text
    assert (ours.backend, ours.driver or "") == tuple((theirs.drivername + "+").split("+")[:2])
    assert (ours.host, ours.port, ours.user) == (theirs.host, theirs.port, theirs.username)
    assert ours.database == theirs.database
    assert (ours.password.reveal() if ours.password else None) == theirs.password


@given(user=st.text(min_size=1), password=st.text(min_size=1))
def test_encoded_passwords_survive(user: str, password: str) -> None:
    """Any password that SQLAlchemy writes into a URL is read back."""
    url = make_url("postgresql://h/d").set(username=user, password=password)
    text = url.render_as_string(hide_password=False)
    if "\x7f" in text:
        return

    parsed = DatabaseUrl.parse(text)

    assert (parsed.user, parsed.password) == (user, Secret(password))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (f"postgresql://app:{CANARY}@db/shop", "postgresql://app:***@db/shop"),
        (
            f"postgresql://db/shop?user=a&password={CANARY}",
            "postgresql://db/shop?user=a&password=***",
        ),
        (
            f"postgresql://app:{CANARY}@db/shop?sslpassword={CANARY}&sslmode=require",
            "postgresql://app:***@db/shop?sslpassword=***&sslmode=require",
        ),
        (f"mssql+pyodbc:///?odbc_connect=PWD%3D{CANARY}", "mssql+pyodbc:///?odbc_connect=***"),
        (f"snowflake://a@b/c?TOKEN={CANARY}", "snowflake://a@b/c?TOKEN=***"),
        ("sqlite:///dev.db", "sqlite:///dev.db"),
    ],
)
def test_passwords_are_masked(text: str, safe: str) -> None:
    """Nothing that prints a URL prints its password."""
    url = DatabaseUrl.parse(text)

    assert url.safe == str(url) == f"{url}" == safe
    assert CANARY not in repr(url)
    if CANARY in text:
        assert any(CANARY in secret.reveal() for secret in url.secrets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        (CANARY, "it has no `://`"),
        (f"://app:{CANARY}@db", "its beginning is not a backend, or backend and driver"),
        (f"post gres://app:{CANARY}@db", "its beginning is not a backend, or backend and driver"),
        (f"postgresql+://app:{CANARY}@db", "its beginning is not a backend, or backend and driver"),
        (
            f"postgresql://app:{CANARY}@{CANARY}@db/x",
            "user or password have a character that has to be encoded",
        ),
        (
            f"postgresql://a/pp:{CANARY}@db/x",
            "user or password have a character that has to be encoded",
        ),
        (f"postgresql://db:{CANARY}/x", "its port is not a number from 0 to 65535"),
        ("postgresql://db:70000/x", "its port is not a number from 0 to 65535"),
        (f"postgresql://app:{CANARY}\n@db/x", "it has a line break or another control character"),
    ],
)
def test_malformed_url_is_explained_without_being_shown(text: str, message: str) -> None:
    """The message says what is wrong; the text might be a password."""
    with pytest.raises(MalformedUrlError) as raised:
        DatabaseUrl.parse(text)

    assert raised.value.message == message
    assert CANARY not in f"{raised.value!r}{raised.value.hint}"


def test_driver_is_replaced_and_nothing_else() -> None:
    """The rest stays as it was written, encoded or not."""
    url = DatabaseUrl.parse("postgresql://app:p%40s@[::1]:1/d?x=%20")

    assert url.with_driver("asyncpg").secret == Secret(
        "postgresql+asyncpg://app:p%40s@[::1]:1/d?x=%20"
    )


def test_short_spelling_of_postgresql_is_understood() -> None:
    """Providers hand out `postgres://`, which SQLAlchemy refuses."""
    assert DatabaseUrl.parse("postgres://db/x").secret == Secret("postgresql://db/x")
    assert DatabaseUrl.parse("postgres+psycopg://db/x").driver == "psycopg"


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("sqlite:///dev.db", True),
        ("sqlite://", False),
        ("sqlite:///:memory:", False),
        ("postgresql://h/dev.db", False),
    ],
)
def test_sqlite_file_is_known(text: str, is_file: bool) -> None:
    """Only a file has a path that means something here."""
    assert DatabaseUrl.parse(text).is_sqlite_file is is_file
